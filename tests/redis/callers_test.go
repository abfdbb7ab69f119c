package redis_test

import (
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/grantd/grantd/tests/harness"
)

func secretID(secret string) string { return strings.Split(secret, "_")[2] }

// issue requests a token with a usable secret, or with an ended one.
func (s *stress) issue(m *model) {
	m.mu.Lock()
	changes := m.changes
	list, want := m.usable, 200
	if len(m.refused) > 0 && rand.IntN(8) == 0 {
		list, want = m.refused, 401
	}
	secret := list[rand.IntN(len(list))]
	m.mu.Unlock()
	if !s.tryIssue(m, s.any(), secret, want, changes) {
		time.Sleep(pause)
	}
}

// tryIssue requests a token. The status must be want unless the client has
// changed since changes was read.
func (s *stress) tryIssue(m *model, server *harness.Server, secret string, want, changes int) bool {
	token, a, err := issue(server, m.id, secret)
	if !s.answered("issue", a, err, 200, 401) {
		return false
	}
	if a.Status != want && m.stable(changes) {
		s.t.Errorf("issue for %s with secret %s at %s: %v, want %d", m.id, secretID(secret), at(a.Sent), a, want)
	}
	if a.Status == 200 {
		s.ops.add("issue")
		m.note(func(time.Time) {
			m.tokens = append(m.tokens, &issued{token: token, secret: secretID(secret), sent: a.Sent, got: a.Got})
		})
	}
	return true
}

// pick returns one of the client's tokens, mostly one that was issued or revoked
// recently.
func (m *model) pick() *issued {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch n, r := len(m.tokens), len(m.revoked); {
	case n == 0:
		return nil
	case r > 0 && rand.IntN(3) == 0:
		return m.revoked[r-1-rand.IntN(min(r, 20))]
	case rand.IntN(2) == 0:
		return m.tokens[n-1-rand.IntN(min(n, 5))]
	default:
		return m.tokens[rand.IntN(n)]
	}
}

func (s *stress) check(m *model) {
	if tok := m.pick(); tok == nil || !s.ask(m, tok, s.any()) {
		time.Sleep(pause)
	}
}

// ask introspects a token and checks the response.
func (s *stress) ask(m *model, tok *issued, server *harness.Server) bool {
	a, err := post(server, "/oauth/introspect", s.rs.ClientID, s.rs.ClientSecret, url.Values{"token": {tok.token}})
	if !s.answered("introspect", a, err, 200) {
		return false
	}
	want := m.judge(tok, a.Sent, a.Got)
	replica := slices.Index(s.servers, server)
	s.verdicts.add(want.String())
	if s.cuts != nil && s.cuts.off(replica) {
		s.verdicts.add(want.String() + ", by a replica that is cut off")
	}
	if want == mustLive && !a.Active() || want == mustDie && !a.Inactive() || !a.Active() && !a.Inactive() {
		s.t.Errorf("replica %d, asked at %s, answered at %s: %v; it %v: %s", replica, at(a.Sent), at(a.Got), a, want, m.story(tok))
	}
	if a.Inactive() {
		m.inactive(tok, a.Got)
	}
	return true
}

// revoke revokes one token by RFC 7009 or by the admin API.
func (s *stress) revoke(m *model) {
	tok := m.pick()
	if tok == nil || rand.IntN(3) > 0 {
		s.check(m)
		return
	}
	s.everywhere(func(server *harness.Server) { s.ask(m, tok, server) }) // puts it into the caches
	m.mu.Lock()
	changes, secret := m.changes, m.usable[0]
	m.mu.Unlock()
	if rand.IntN(20) == 0 {
		s.settled(m, call{what: "revoke by admin", method: "POST", path: "/tokens/revoke", body: map[string]any{"token": tok.token}, want: []int{200}, ends: m.one(tok)})
		return
	}
	e := m.begin("revoked", m.one(tok))
	a, err := post(s.any(), "/oauth/revoke", m.id, secret, url.Values{"token": {tok.token}})
	switch {
	case !s.answered("revoke", a, err, 200, 401):
		s.unknown(m, e)
	case a.Status == 200:
		m.done(e, stressStaleness)
		m.note(func(time.Time) { m.revoked = append(m.revoked, tok) })
		s.acknowledged("revocation", "revoke")
	case m.stable(changes):
		s.t.Errorf("revoke for %s with secret %s at %s: %v", m.id, secretID(secret), at(a.Sent), a)
	}
}

// everywhere calls do for both replicas at the same time.
func (s *stress) everywhere(do func(*harness.Server)) {
	var both sync.WaitGroup
	for _, server := range s.servers {
		both.Go(func() { do(server) })
	}
	both.Wait()
}
