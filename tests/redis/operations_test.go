package redis_test

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/grantd/grantd/server/clients"
	"github.com/grantd/grantd/tests/harness"
)

// probed is how many tokens are introspected after each change.
const probed = 20

// call is a request to the admin API.
type call struct {
	what, method, path string
	body               any
	want               []int // statuses that acknowledge it
	ends               ends
	again              *call // what to send after a try of unknown outcome; nil means the same
}

// settled sends the request to a random replica, and again until one has
// acknowledged it. Each try is a separate event. repeated reports whether it took
// more than one.
func (s *stress) settled(m *model, c call) (a harness.Response, repeated bool) {
	s.until(func() bool {
		e := m.begin(c.what, c.ends)
		var err error
		a, err = s.any().TryAdmin(c.method, c.path, c.body)
		if s.answered(c.what, a, err, c.want...) {
			within := time.Duration(0)
			if a.Status == 404 { // it did not exist any more, so no replica was awaited
				within = stressStaleness
			}
			m.done(e, within)
			s.acknowledged("change", c.what)
			s.probe(m, e)
			return true
		}
		s.ops.add("change of unknown outcome")
		s.unknown(m, e)
		if repeated = true; c.again != nil {
			c = *c.again
		}
		return false
	})
	return a, repeated
}

// probe introspects the newest tokens from before the event at both replicas at
// once, because later another event may have ended them too.
func (s *stress) probe(m *model, e *event) {
	m.mu.Lock()
	tokens := slices.DeleteFunc(slices.Clone(m.tokens), func(t *issued) bool { return t.got.After(e.began) })
	m.mu.Unlock()
	tokens = tokens[max(0, len(tokens)-probed):]
	s.everywhere(func(server *harness.Server) {
		for _, tok := range tokens {
			if !s.ask(m, tok, server) {
				return
			}
		}
	})
}

// operation is one thing done to the client or to its secrets.
type operation struct {
	name string // of its main call
	do   func(*stress, *model)
}

var operations = []operation{
	{"void", func(s *stress, m *model) { s.void(m, "void", "/void-tokens") }},
	{"deactivate", func(s *stress, m *model) {
		s.void(m, "deactivate", "/deactivate")
		s.settled(m, call{what: "reactivate", method: "POST", path: "/clients/" + m.id + "/reactivate", want: []int{200}, ends: m.nothing})
	}},
	{"recreate", (*stress).recreate},
	{"rotate 1h", func(s *stress, m *model) { s.rotate(m, "1h") }},
	{"rotate 0s", func(s *stress, m *model) { s.rotate(m, "0s") }},
	{"end secret", func(s *stress, m *model) { s.endSecret(m, false) }},
	{"end secret and void", func(s *stress, m *model) { s.endSecret(m, true) }},
}

func (s *stress) operate(m *model) {
	o := s.operations.draw()
	if o.name == "void" { // does not change the record
		o.do(s, m)
		return
	}
	m.change(func() (known bool) {
		o.do(s, m)
		return !s.t.Failed()
	})
	s.probeSecrets(m)
}

// probeSecrets tries all usable secrets, and the one that ended last, at both
// replicas.
func (s *stress) probeSecrets(m *model) {
	m.mu.Lock()
	changes, usable, refused := m.changes, slices.Clone(m.usable), slices.Clone(m.refused)
	m.mu.Unlock()
	s.everywhere(func(server *harness.Server) {
		for _, secret := range usable {
			s.tryIssue(m, server, secret, 200, changes)
		}
		if n := len(refused); n > 0 {
			s.tryIssue(m, server, refused[n-1], 401, changes)
		}
	})
}

func (s *stress) void(m *model, what, path string) {
	s.settled(m, call{what: what, method: "POST", path: "/clients/" + m.id + path, want: []int{200}, ends: m.all})
}

// recreate deletes the client and creates it again, with a new secret. After a
// deletion of unknown outcome it may already be gone; after a creation of unknown
// outcome it may exist, with a secret that the test does not know.
func (s *stress) recreate(m *model) {
	remove := call{what: "delete", method: "DELETE", path: "/clients/" + m.id, want: []int{204}, ends: m.all}
	gone := remove
	gone.want = []int{204, 404}
	remove.again = &gone
	create := call{what: "recreate", method: "POST", path: "/clients", body: map[string]any{"client_id": m.id, "scope": "users:read"}, want: []int{201}, ends: m.nothing}
	there := create
	there.want = []int{201, 409}
	create.again = &there
	s.until(func() bool {
		s.settled(m, remove)
		a, _ := s.settled(m, create)
		if a.Status != 201 {
			return false
		}
		var c clients.Created
		if s.read(a, &c) {
			m.note(func(time.Time) { m.replace(c.ClientSecret) })
		}
		return true
	})
}

// read decodes the response. It returns false if the test has failed.
func (s *stress) read(a harness.Response, into any) bool {
	if s.t.Failed() {
		return false
	}
	err := json.Unmarshal([]byte(a.Body), into)
	if err != nil {
		s.t.Errorf("%v: %v", a, err)
	}
	return err == nil
}

// replace notes that a new secret has replaced all others.
func (m *model) replace(secret string) {
	m.refused, m.usable = append(m.refused, m.usable...), []string{secret}
}

// rotate keeps the number of live secrets below the limit of five. A rotation of
// unknown outcome may have left a secret that the test does not know, so the next
// try ends all of them.
func (s *stress) rotate(m *model, grace string) {
	m.mu.Lock()
	if len(m.usable) >= 4 {
		grace = "0s"
	}
	m.mu.Unlock()
	atOnce := s.rotation(m, "0s")
	c := s.rotation(m, grace)
	c.again = &atOnce
	a, repeated := s.settled(m, c)
	var r clients.Rotated
	if !s.read(a, &r) {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if repeated || grace == "0s" {
		m.replace(r.ClientSecret)
		return
	}
	m.usable = append(m.usable, r.ClientSecret)
}

func (s *stress) rotation(m *model, grace string) call {
	return call{what: "rotate " + grace, method: "POST", path: "/clients/" + m.id + "/secrets", body: map[string]any{"grace": grace}, want: []int{201}, ends: m.nothing}
}

// endSecret ends the oldest usable secret, with or without its tokens.
func (s *stress) endSecret(m *model, void bool) {
	for len(m.secretsNow()) < 2 && !s.t.Failed() {
		s.rotate(m, "1h")
	}
	usable := m.secretsNow()
	id := secretID(usable[0])
	c := call{what: "end secret", method: "DELETE", path: "/clients/" + m.id + "/secrets/" + id, want: []int{204}, ends: m.nothing}
	if void {
		c.what, c.path, c.ends = "end secret and void", c.path+"?void_tokens=true", m.ofSecret(id)
	}
	s.settled(m, c)
	m.note(func(time.Time) { m.refused, m.usable = append(m.refused, usable[0]), usable[1:] })
}

func (m *model) secretsNow() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.usable)
}
