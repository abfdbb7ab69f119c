package replicas_test

import (
	"sync"
	"time"
)

// event is something that ends tokens. It began when its request was sent;
// from effective on no answer may say active. A zero effective: not yet.
type event struct {
	began, acked, effective time.Time
	what                    string
}

// issued is a token with the times between which it came to be.
type issued struct {
	token, secret string
	sent, got     time.Time
	own           []*event // revocations
}

// model is what the test knows of one client. Several goroutines act on the
// client at once; the model says what must be, what must not be, and is
// silent where two things overlapped.
type model struct {
	mu      sync.Mutex
	id      string
	tokens  []*issued
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

// judge answers what the answer to a question sent and answered at these
// times must be, and why.
func (m *model) judge(t *issued, sent, got time.Time) (verdict, string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	v, why := mustLive, "nothing ended it"
	for _, list := range [][]*event{m.voids, m.secrets[t.secret], t.own} {
		for _, e := range list {
			switch {
			case !e.acked.IsZero() && t.sent.After(e.acked):
				// Issued afterwards: it means nothing to this token.
			case e.began.After(got):
				// Not even begun when the answer came.
			case !e.effective.IsZero() && sent.After(e.effective) && e.began.After(t.got):
				return mustDie, e.what
			default:
				v = either
			}
		}
	}
	return v, why
}

// begin notes that a request that ends tokens is about to be sent.
func (m *model) begin(list *[]*event, what string) *event {
	m.mu.Lock()
	defer m.mu.Unlock()
	e := &event{began: time.Now(), what: what}
	*list = append(*list, e)
	return e
}

// done notes its acknowledgement.
func (m *model) done(e *event, within time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e.acked = time.Now()
	e.effective = e.acked.Add(within)
}

// change marks a change of the record: who is issued a token meanwhile may be
// refused or not.
func (m *model) change(do func()) {
	step := func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.changes++
	}
	step()
	do()
	step()
}

// beginSecret is begin for the tokens of one secret.
func (m *model) beginSecret(id string) *event {
	m.mu.Lock()
	defer m.mu.Unlock()
	e := &event{began: time.Now(), what: "secret ended with void"}
	m.secrets[id] = append(m.secrets[id], e)
	return e
}
