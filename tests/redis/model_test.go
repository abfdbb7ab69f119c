package redis_test

import (
	"fmt"
	"strings"
	"sync"
	"time"
)

// event is something that ends tokens. It began when its request was sent. To
// tokens that are asked for after over, it means nothing. From effective on,
// no answer may say active; one that was answered by a 503 never becomes
// effective, for nobody knows whether it has happened. Zero: not yet.
type event struct {
	what                   string
	began, over, effective time.Time
}

// at is a time as failures show it.
func at(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Format("05.000")
}

func (e *event) String() string {
	return fmt.Sprintf("%s: began %s, over %s, effective %s", e.what, at(e.began), at(e.over), at(e.effective))
}

// issued is a token with the times between which it came to be.
type issued struct {
	token, secret string
	sent, got     time.Time
	own           []*event  // revocations
	gone          time.Time // when it was first answered inactive
}

// model is what the test knows of one client. Several goroutines act on the
// client at once; the model says what must be, what must not be, and is
// silent where two things overlapped.
type model struct {
	staleness time.Duration // cache.max_staleness
	id        string

	mu      sync.Mutex
	tokens  []*issued
	revoked []*issued           // by themselves, in order
	voids   []*event            // of the client
	secrets map[string][]*event // voids of a secret
	usable  []string            // secrets that must authenticate
	refused []string            // secrets that must not
	changes int                 // begun and ended changes of the record; odd: one is under way
}

// verdict is what an answer about a token must be.
type verdict int

const (
	either verdict = iota
	mustLive
	mustDie
)

func (v verdict) String() string {
	return [...]string{"either active or inactive", "must be active", "must be inactive"}[v]
}

// judge answers what the answer to a question sent and answered at these
// times must be.
func (m *model) judge(t *issued, sent, got time.Time) verdict {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !t.gone.IsZero() && sent.After(t.gone.Add(m.staleness)) {
		return mustDie // whatever ended it: one replica knew, by now all do
	}
	v := mustLive
	for _, e := range m.events(t) {
		switch {
		case !e.over.IsZero() && t.sent.After(e.over):
			// Issued afterwards: it means nothing to this token.
		case e.began.After(got):
			// Not even begun when the answer came.
		case !e.effective.IsZero() && sent.After(e.effective) && e.began.After(t.got):
			return mustDie
		default:
			v = either
		}
	}
	return v
}

// events answers all that may have ended the token.
func (m *model) events(t *issued) []*event {
	all := append([]*event{}, m.voids...)
	return append(append(all, m.secrets[t.secret]...), t.own...)
}

// story tells what is known of a token, for a failure.
func (m *model) story(t *issued) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var b strings.Builder
	fmt.Fprintf(&b, "token of %s, secret %s, issued between %s and %s, first inactive %s",
		m.id, t.secret, at(t.sent), at(t.got), at(t.gone))
	for _, e := range m.events(t) {
		fmt.Fprintf(&b, "\n  %v", e)
	}
	return b.String()
}

// inactive notes that the token was answered so.
func (m *model) inactive(t *issued, got time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if t.gone.IsZero() || got.Before(t.gone) {
		t.gone = got
	}
}

// ends names what a request ends: it puts the event where judge finds it.
type ends func(*event)

func (m *model) nothing(*event) {}

func (m *model) all(e *event) { m.voids = append(m.voids, e) }

func (m *model) ofSecret(id string) ends {
	return func(e *event) { m.secrets[id] = append(m.secrets[id], e) }
}

func (m *model) one(t *issued) ends {
	return func(e *event) { t.own = append(t.own, e) }
}

// note changes what is known.
func (m *model) note(set func(now time.Time)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	set(time.Now())
}

// begin notes that a request that ends tokens is about to be sent.
func (m *model) begin(what string, ends ends) *event {
	e := &event{what: what}
	m.note(func(now time.Time) { e.began = now; ends(e) })
	return e
}

// done notes its acknowledgement.
func (m *model) done(e *event, within time.Duration) {
	m.note(func(now time.Time) { e.over, e.effective = now, now.Add(within) })
}

// unknown notes that it was answered by a 503. It has reached the store by
// now or never will; a replica that lags may yet mint a token on a view from
// before it, which is ended then from the beginning.
func (m *model) unknown(e *event) {
	m.note(func(now time.Time) { e.over = now.Add(m.staleness) })
}

// change marks a change of the record: who is issued a token meanwhile may be
// refused or not. Unless do knows what has become of the record, that remains
// so.
func (m *model) change(do func() (known bool)) {
	m.note(func(time.Time) { m.changes++ })
	if do() {
		m.note(func(time.Time) { m.changes++ })
	}
}

// stable says whether the record has been the same since changes was read.
func (m *model) stable(changes int) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return changes == m.changes && changes%2 == 0
}
