package replicas_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/grantd/grantd/config"
	"github.com/grantd/grantd/server/clients"
	"github.com/grantd/grantd/store/storetest/redistest"
	"github.com/grantd/grantd/tests/harness"
)

const (
	stressFor     = 5 * time.Second
	stressClients = 4
	// stressStaleness is short, so that more admin calls fit into the time.
	stressStaleness = 500 * time.Millisecond
)

// stress runs everything at once over both replicas, and holds every answer
// to the model.
type stress struct {
	t       *testing.T
	servers []*harness.Server
	rs      clients.Created
	models  []*model
	end     time.Time
	count   [3]atomic.Int64 // of verdicts
	ops     sync.Map        // name → *atomic.Int64
}

// TestStable: in a stable system every ended token is inactive in time, every
// other one is active, and nothing is refused.
func TestStable(t *testing.T) {
	redis := redistest.Start(t).Addr
	begin := func() *harness.Server {
		return harness.Start(t, harness.Options{Edit: func(c *config.Config) {
			harness.OnRedis(redis)(c)
			c.Cache.MaxStaleness = stressStaleness
			c.Log.Level = "error"
		}})
	}
	s := &stress{t: t, servers: []*harness.Server{begin(), begin()}, end: time.Now().Add(stressFor)}
	s.rs = create(t, s.servers[0], "rs", "introspect")
	for i := range stressClients {
		c := create(t, s.servers[i%2], fmt.Sprintf("c%d", i), "users:read users:write")
		s.models = append(s.models, &model{id: c.ClientID, secrets: map[string][]*event{}, usable: []string{c.ClientSecret}})
	}
	var all sync.WaitGroup
	for _, m := range s.models {
		all.Go(func() { s.loop(func() { s.issue(m) }) })
		all.Go(func() { s.loop(func() { s.check(m) }) })
		all.Go(func() { s.loop(func() { s.revoke(m) }) })
		all.Go(func() { s.loop(func() { s.operate(m) }) })
	}
	all.Wait()
	for _, m := range s.models { // what is left is known for sure
		for _, tok := range m.tokens {
			for _, server := range s.servers {
				s.ask(m, tok, server)
			}
		}
	}
	t.Logf("answers: %d must be active, %d must be inactive, %d either", s.count[mustLive].Load(), s.count[mustDie].Load(), s.count[either].Load())
	s.ops.Range(func(name, n any) bool { t.Logf("%v: %d", name, n.(*atomic.Int64).Load()); return true })
	if s.count[mustLive].Load() < 30 || s.count[mustDie].Load() < 30 {
		t.Error("too little was tested")
	}
}

func (s *stress) loop(do func()) {
	for time.Now().Before(s.end) && !s.t.Failed() {
		do()
	}
}

func (s *stress) any() *harness.Server { return s.servers[rand.IntN(len(s.servers))] }

func (s *stress) did(op string) {
	n, _ := s.ops.LoadOrStore(op, &atomic.Int64{})
	n.(*atomic.Int64).Add(1)
}

func secretID(secret string) string { return strings.Split(secret, "_")[2] }

// issue gets a token with a secret that is usable, or tries one that is not.
func (s *stress) issue(m *model) {
	m.mu.Lock()
	before := m.changes
	list, want := m.usable, 200
	if len(m.refused) > 0 && rand.IntN(8) == 0 {
		list, want = m.refused, 401
	}
	if len(list) == 0 {
		m.mu.Unlock()
		return
	}
	secret := list[rand.IntN(len(list))]
	m.mu.Unlock()
	token, a, err := issue(s.any(), m.id, secret)
	if err != nil || a.status != 200 && a.status != 401 {
		s.t.Errorf("issue: %v %v", a, err)
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if stable := before == m.changes && before%2 == 0; stable && a.status != want {
		s.t.Errorf("issue for %s with secret %s: %v, want %d", m.id, secretID(secret), a, want)
	}
	if token != "" {
		m.tokens = append(m.tokens, &issued{token: token, secret: secretID(secret), sent: a.sent, got: a.got})
		s.did("issued")
	}
}

// pick answers one of the client's tokens, mostly a new one.
func (m *model) pick() *issued {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := len(m.tokens)
	if n == 0 {
		return nil
	}
	if rand.IntN(2) == 0 {
		return m.tokens[n-1-rand.IntN(min(n, 5))]
	}
	return m.tokens[rand.IntN(n)]
}

func (s *stress) check(m *model) {
	if tok := m.pick(); tok != nil {
		s.ask(m, tok, s.any())
	}
}

func (s *stress) ask(m *model, tok *issued, server *harness.Server) {
	a := introspect(s.t, server, s.rs, tok.token)
	want, why := m.judge(tok, a.sent, a.got)
	s.count[want].Add(1)
	if want == mustLive && !a.active() || want == mustDie && !a.inactive() || !a.active() && !a.inactive() {
		s.t.Errorf("token of %s (secret %s, %v old): %v; %s", m.id, tok.secret, a.sent.Sub(tok.got), a, why)
	}
}

// revoke ends one token by RFC 7009 or by the admin API.
func (s *stress) revoke(m *model) {
	tok := m.pick()
	if tok == nil || rand.IntN(3) > 0 {
		s.check(m)
		return
	}
	m.mu.Lock()
	before, secret := m.changes, ""
	if len(m.usable) > 0 {
		secret = m.usable[0]
	}
	m.mu.Unlock()
	e := m.begin(&tok.own, "revoked")
	if rand.IntN(20) == 0 || secret == "" {
		a, err := adminDo(s.any(), "POST", "/tokens/revoke", map[string]any{"token": tok.token})
		if err != nil || a.status != 200 {
			s.t.Errorf("admin revoke: %v %v", a, err)
			return
		}
		m.done(e, 0)
		s.did("revoked by admin")
		return
	}
	a, err := post(s.any(), "/oauth/revoke", m.id, secret, url.Values{"token": {tok.token}})
	m.mu.Lock()
	stable := before == m.changes && before%2 == 0
	m.mu.Unlock()
	switch {
	case err != nil || a.status != 200 && a.status != 401 || stable && a.status != 200:
		s.t.Errorf("revoke: %v %v", a, err)
	case a.status == 200:
		m.done(e, stressStaleness)
		s.did("revoked by RFC 7009")
	}
}

// operate does one thing to the client or to its secrets.
func (s *stress) operate(m *model) {
	switch rand.IntN(6) {
	case 0:
		s.void(m, "void", "POST", "/void-tokens", nil, 200)
	case 1:
		m.change(func() { s.void(m, "deactivate", "POST", "/deactivate", nil, 200) })
		m.change(func() { s.admin(m, "POST", "/reactivate", nil, 200) })
	case 2:
		m.change(func() { s.recreate(m) })
	case 3:
		m.change(func() { s.rotate(m, "1h") })
	case 4:
		m.change(func() { s.rotate(m, "0s") })
	case 5:
		m.change(func() { s.endSecret(m) })
	}
}

func (s *stress) admin(m *model, method, path string, body any, want int) answer {
	a, err := adminDo(s.any(), method, "/clients/"+m.id+path, body)
	if err != nil || a.status != want {
		s.t.Errorf("%s %s: %v %v, want %d", method, path, a, err, want)
	}
	return a
}

func (s *stress) void(m *model, what, method, path string, body any, want int) {
	e := m.begin(&m.voids, what)
	s.admin(m, method, path, body, want)
	m.done(e, 0)
	s.did(what)
}

func (s *stress) recreate(m *model) {
	s.void(m, "delete", "DELETE", "", nil, 204)
	a, err := adminDo(s.any(), "POST", "/clients", map[string]any{"client_id": m.id, "scope": "users:read"})
	var c clients.Created
	if err == nil {
		err = json.Unmarshal([]byte(a.body), &c)
	}
	if err != nil || a.status != 201 {
		s.t.Errorf("recreate: %v %v", a, err)
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.refused, m.usable = append(m.refused, m.usable...), []string{c.ClientSecret}
}

// rotate keeps the number of live secrets small: five is the most.
func (s *stress) rotate(m *model, grace string) {
	m.mu.Lock()
	if len(m.usable) >= 4 {
		grace = "0s"
	}
	m.mu.Unlock()
	a := s.admin(m, "POST", "/secrets", map[string]any{"grace": grace}, 201)
	var r clients.Rotated
	if err := json.Unmarshal([]byte(a.body), &r); err != nil {
		s.t.Error(err)
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if grace == "0s" {
		m.refused, m.usable = append(m.refused, m.usable...), nil
	}
	m.usable = append(m.usable, r.ClientSecret)
	s.did("rotate " + grace)
}

// endSecret ends the oldest usable secret, with or without voiding.
func (s *stress) endSecret(m *model) {
	m.mu.Lock()
	if len(m.usable) < 2 {
		m.mu.Unlock()
		return
	}
	secret := m.usable[0]
	m.mu.Unlock()
	id := secretID(secret)
	if rand.IntN(2) == 0 {
		s.admin(m, "DELETE", "/secrets/"+id, nil, 204)
		s.did("end secret")
	} else {
		e := m.beginSecret(id)
		s.admin(m, "DELETE", "/secrets/"+id+"?void_tokens=true", nil, 204)
		m.done(e, 0)
		s.did("end secret and void")
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.usable = slices.DeleteFunc(slices.Clone(m.usable), func(u string) bool { return u == secret })
	m.refused = append(m.refused, secret)
}
