package redis_test

import (
	"fmt"
	"strings"
	"sync"
	"time"
)

// event is something that ends tokens. It began when its request was sent. It
// does not concern tokens that are requested after over. From effective on, no
// response may be active. An event whose request got 503 never becomes effective,
// because it may not have happened. A zero time means not yet.
type event struct {
	what                   string
	began, over, effective time.Time
}

// at formats a time for failure messages.
func at(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Format("05.000")
}

func (e *event) String() string {
	return fmt.Sprintf("%s: began %s, over %s, effective %s", e.what, at(e.began), at(e.over), at(e.effective))
}

// issued is a token and the times between which it was issued.
type issued struct {
	token, secret string
	sent, got     time.Time
	own           []*event  // revocations
	gone          time.Time // when a response first called it inactive
}

// model is what the test knows about one client. Several goroutines act on the
// client at the same time. The model says what must hold and what must not, and
// allows either where two requests overlapped.
type model struct {
	staleness time.Duration // cache.max_staleness
	id        string

	mu      sync.Mutex
	tokens  []*issued
	revoked []*issued           // revoked one by one, in order
	voids   []*event            // of the client
	secrets map[string][]*event // voids of a secret
	usable  []string            // secrets that must authenticate
	refused []string            // secrets that must not
	changes int                 // begun and ended changes of the record; odd while one is running
}

// verdict is what a response about a token must say.
type verdict int

const (
	either verdict = iota
	mustLive
	mustDie
)

func (v verdict) String() string {
	return [...]string{"either active or inactive", "must be active", "must be inactive"}[v]
}

// judge returns what the response to a question about t must say, if it was sent
// and received at these times.
func (m *model) judge(t *issued, sent, got time.Time) verdict {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !t.gone.IsZero() && sent.After(t.gone.Add(m.staleness)) {
		return mustDie // one replica knew that it has ended, so by now all do
	}
	v := mustLive
	for _, e := range m.events(t) {
		switch {
		case !e.over.IsZero() && t.sent.After(e.over):
			// The token was issued afterwards, so the event does not concern it.
		case e.began.After(got):
			// The event had not begun when the response came.
		case !e.effective.IsZero() && sent.After(e.effective) && e.began.After(t.got):
			return mustDie
		default:
			v = either
		}
	}
	return v
}

// events returns all events that may have ended the token.
func (m *model) events(t *issued) []*event {
	all := append([]*event{}, m.voids...)
	return append(append(all, m.secrets[t.secret]...), t.own...)
}

// story describes what is known about a token, for a failure message.
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

// inactive notes that a response called the token inactive.
func (m *model) inactive(t *issued, got time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if t.gone.IsZero() || got.Before(t.gone) {
		t.gone = got
	}
}

// ends puts the event of a request where judge finds it.
type ends func(*event)

func (m *model) nothing(*event) {}

func (m *model) all(e *event) { m.voids = append(m.voids, e) }

func (m *model) ofSecret(id string) ends {
	return func(e *event) { m.secrets[id] = append(m.secrets[id], e) }
}

func (m *model) one(t *issued) ends {
	return func(e *event) { t.own = append(t.own, e) }
}

// note changes what the model knows.
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

// done notes that the request was acknowledged.
func (m *model) done(e *event, within time.Duration) {
	m.note(func(now time.Time) { e.over, e.effective = now, now.Add(within) })
}

// unknown notes that the request got 503. It has reached the store by now or
// never will. A replica that lags behind may still issue a token from an earlier
// view, which then is ended from the beginning.
func (m *model) unknown(e *event) {
	m.note(func(now time.Time) { e.over = now.Add(m.staleness) })
}

// change marks a change of the record: a request for a token may be refused
// meanwhile. It may be refused afterwards too unless do reports that the outcome
// is known.
func (m *model) change(do func() (known bool)) {
	m.note(func(time.Time) { m.changes++ })
	if do() {
		m.note(func(time.Time) { m.changes++ })
	}
}

// stable reports whether the record has not changed since changes was read.
func (m *model) stable(changes int) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return changes == m.changes && changes%2 == 0
}
