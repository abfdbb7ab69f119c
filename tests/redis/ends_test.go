package redis_test

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/grantd/grantd/config"
	"github.com/grantd/grantd/server/clients"
	"github.com/grantd/grantd/store/storetest/redistest"
	"github.com/grantd/grantd/tests/harness"
	"github.com/grantd/grantd/tests/poll"
)

// kindOfEnd is one way to end something for good.
type kindOfEnd struct {
	name string
	// begin makes what will end, named by id, and returns how to end it, and how
	// to try to get something with it.
	begin func(t *testing.T, s *harness.Server, id string) (end func(s *harness.Server), try func(s *harness.Server) harness.Response)
}

// tryToken requests a token with the secret.
func tryToken(t *testing.T, id, secret, scope string) func(s *harness.Server) harness.Response {
	return func(s *harness.Server) harness.Response {
		form := url.Values{"grant_type": {"client_credentials"}}
		if scope != "" {
			form.Set("scope", scope)
		}
		r, err := s.TryForm("/oauth/token", id, secret, form)
		if err != nil {
			t.Error(err)
		}
		return r
	}
}

// ofClient is a kind whose client requests a token.
func ofClient(name string, end func(t *testing.T, s *harness.Server, c clients.Created)) kindOfEnd {
	return kindOfEnd{name, func(t *testing.T, s *harness.Server, id string) (func(*harness.Server), func(*harness.Server) harness.Response) {
		c := create(t, s, id, "users:read users:write")
		return func(s *harness.Server) { end(t, s, c) }, tryToken(t, id, c.ClientSecret, "users:write")
	}}
}

// ofPartner is a kind whose partner requests a token on behalf of an org.
func ofPartner(name string, end func(t *testing.T, s *harness.Server, p *partner, org string)) kindOfEnd {
	return kindOfEnd{name, func(t *testing.T, s *harness.Server, id string) (func(*harness.Server), func(*harness.Server) harness.Response) {
		org := id + "-org"
		p := newPartner(t, s, id, org)
		return func(s *harness.Server) { end(t, s, p, org) }, func(s *harness.Server) harness.Response {
			_, r := p.ask(t, s, org)
			return r
		}
	}}
}

// ofCustomer is a kind whose org requests a token for a customer.
func ofCustomer(name string, end func(t *testing.T, s *harness.Server, id, org string)) kindOfEnd {
	return kindOfEnd{name, func(t *testing.T, s *harness.Server, id string) (func(*harness.Server), func(*harness.Server) harness.Response) {
		org := id + "-org"
		admin(t, s, 201, http.MethodPut, "/orgs/"+org, body{"name": org})
		c := s.NewClient(t, id+"-app", "cards customers customer-token-write", func(n *clients.NewSpec) { n.OrgID = org })
		admin(t, s, 201, http.MethodPut, "/customers/"+id, body{"org_id": org, "type": "business", "phone": "+15555550136"})
		return func(s *harness.Server) { end(t, s, id, org) }, func(s *harness.Server) harness.Response {
			token, r, err := issue(s, c.ClientID, c.ClientSecret)
			if err != nil || token == "" {
				return r
			}
			return postDocument(t, s, token, "/customers/"+id+"/token", "customerToken", `{"scope":"cards"}`)
		}
	}}
}

// changedPhone is the kind of an end in which a code must not go to an old phone.
var changedPhone = ofCustomer("phone changed", func(t *testing.T, s *harness.Server, id, org string) {
	admin(t, s, 200, http.MethodPut, "/customers/"+id, body{"org_id": org, "type": "business", "phone": "+15555550199"})
})

var kindsOfEnd = []kindOfEnd{
	ofClient("secret ended", func(t *testing.T, s *harness.Server, c clients.Created) {
		admin(t, s, 204, http.MethodDelete, "/clients/"+c.ClientID+"/secrets/"+c.SecretID, nil)
	}),
	ofClient("secret leaked", func(t *testing.T, s *harness.Server, c clients.Created) {
		admin(t, s, 200, http.MethodPost, "/leaks", body{"credential": c.ClientSecret})
	}),
	ofClient("secret rotated without grace", func(t *testing.T, s *harness.Server, c clients.Created) {
		admin(t, s, 201, http.MethodPost, "/clients/"+c.ClientID+"/secrets", body{"grace": "0s"})
	}),
	ofClient("client deactivated", func(t *testing.T, s *harness.Server, c clients.Created) {
		admin(t, s, 200, http.MethodPost, "/clients/"+c.ClientID+"/deactivate", nil)
	}),
	ofClient("client deleted", func(t *testing.T, s *harness.Server, c clients.Created) {
		admin(t, s, 204, http.MethodDelete, "/clients/"+c.ClientID, nil)
	}),
	ofClient("client deleted and made again", func(t *testing.T, s *harness.Server, c clients.Created) {
		admin(t, s, 204, http.MethodDelete, "/clients/"+c.ClientID, nil)
		create(t, s, c.ClientID, "users:read users:write")
	}),
	ofClient("client narrowed", func(t *testing.T, s *harness.Server, c clients.Created) {
		admin(t, s, 200, http.MethodPatch, "/clients/"+c.ClientID, body{"scope": "users:read"})
	}),
	ofCustomer("org deactivated", func(t *testing.T, s *harness.Server, _, org string) {
		admin(t, s, 200, http.MethodPost, "/orgs/"+org+"/deactivate", nil)
	}),
	ofCustomer("org deleted", func(t *testing.T, s *harness.Server, _, org string) {
		admin(t, s, 200, http.MethodDelete, "/orgs/"+org+"?with_clients_and_customers=true", nil)
	}),
	ofCustomer("customer deactivated", func(t *testing.T, s *harness.Server, id, _ string) {
		admin(t, s, 200, http.MethodPost, "/customers/"+id+"/deactivate", nil)
	}),
	ofCustomer("customer deleted", func(t *testing.T, s *harness.Server, id, _ string) {
		admin(t, s, 204, http.MethodDelete, "/customers/"+id, nil)
	}),
	ofPartner("partner deactivated", func(t *testing.T, s *harness.Server, p *partner, _ string) {
		admin(t, s, 200, http.MethodPost, "/partners/"+p.id+"/deactivate", nil)
	}),
	ofPartner("partner deleted", func(t *testing.T, s *harness.Server, p *partner, _ string) {
		admin(t, s, 204, http.MethodDelete, "/partners/"+p.id, nil)
	}),
	ofPartner("partner narrowed", func(t *testing.T, s *harness.Server, p *partner, _ string) {
		admin(t, s, 200, http.MethodPut, "/partners/"+p.id, body{"name": p.id, "scope": "customers"})
	}),
	ofPartner("partner token revoked", func(t *testing.T, s *harness.Server, p *partner, _ string) {
		admin(t, s, 204, http.MethodDelete, "/partners/"+p.id+"/tokens/"+p.tokenID, nil)
	}),
	ofPartner("grant withdrawn", func(t *testing.T, s *harness.Server, p *partner, org string) {
		admin(t, s, 204, http.MethodDelete, "/partners/"+p.id+"/orgs/"+org, nil)
	}),
	ofPartner("grant narrowed", func(t *testing.T, s *harness.Server, p *partner, org string) {
		admin(t, s, 200, http.MethodPut, "/partners/"+p.id+"/orgs/"+org, body{"scope": "customers"})
	}),
	ofPartner("grant's org deactivated", func(t *testing.T, s *harness.Server, _ *partner, org string) {
		admin(t, s, 200, http.MethodPost, "/orgs/"+org+"/deactivate", nil)
	}),
}

// loss is one way in which a store comes back older.
type loss struct {
	name string
	do   func(t *testing.T, redis *redistest.Server)
	// wholly: the records are gone, so what did not end does not work either.
	wholly bool
}

var losses = []loss{
	{name: "rolled back", do: func(_ *testing.T, redis *redistest.Server) { redis.Kill(); redis.Restart() }},
	{name: "flushed", wholly: true, do: func(t *testing.T, redis *redistest.Server) { redisDo(t, redis.Addr, "FLUSHALL") }},
}

// TestEndsSurviveAnOlderStore ends something in every way, then the store comes
// back as it was before, with 0, 1 or 2 replicas of grantd running on. What had
// ended gets nothing. What had not ended works: at once if a replica knew, and
// after the release by an operator if none did.
func TestEndsSurviveAnOlderStore(t *testing.T) {
	t.Parallel()
	for _, l := range losses {
		for witnesses := range 3 {
			t.Run(fmt.Sprint(l.name, " with ", witnesses, " witnesses"), func(t *testing.T) {
				t.Parallel()
				endsSurvive(t, l, witnesses)
			})
		}
	}
}

// ended is something that ends, or a control that does not.
type ended struct {
	name string
	try  func(*harness.Server) harness.Response
	end  func(*harness.Server)
}

// beginAll makes one of each kind that will end, and one that will not. The last
// one is that of changedPhone.
func beginAll(t *testing.T, s *harness.Server) (all, controls []ended) {
	t.Helper()
	for i, k := range append(kindsOfEnd, changedPhone) {
		end, try := k.begin(t, s, fmt.Sprint("e", i))
		all = append(all, ended{k.name, try, end})
		_, control := k.begin(t, s, fmt.Sprint("c", i))
		controls = append(controls, ended{name: k.name, try: control})
	}
	for _, e := range append(all, controls...) {
		if r := e.try(s); r.Status >= 300 {
			t.Fatalf("%s: before: %v", e.name, r)
		}
	}
	return all, controls
}

// endAll ends everything. It returns what gets nothing from then on.
func endAll(t *testing.T, s *harness.Server, all []ended) []ended {
	t.Helper()
	var ends sync.WaitGroup
	for _, e := range all {
		ends.Go(func() { e.end(s) })
	}
	ends.Wait()
	all = all[:len(all)-1] // a customer with another phone still gets tokens
	for _, e := range all {
		if r := e.try(s); !refused(r) {
			t.Fatalf("%s: ended, before the loss: %v", e.name, r)
		}
	}
	return all
}

// refused reports whether the caller got nothing, for good.
func refused(r harness.Response) bool { return r.Status >= 400 && r.Status < 500 }

func endsSurvive(t *testing.T, l loss, witnesses int) {
	redis := redistest.Start(t)
	a := start(t, redis.Addr)
	all, controls := beginAll(t, a)
	redisDo(t, redis.Addr, "SAVE")
	changed := all[len(all)-1]
	all = endAll(t, a, all)
	running := []*harness.Server{a}
	switch witnesses {
	case 0:
		a.Close()
		running = nil
	case 2:
		running = append(running, start(t, redis.Addr))
	}
	l.do(t, redis)
	running = append(running, start(t, redis.Addr))
	for _, s := range running {
		poll.Await(t, recovery, "full service", ready(t, s))
		for _, e := range all {
			if r := e.try(s); !refused(r) {
				t.Errorf("%s, %d replicas that knew: %v", e.name, witnesses, r)
			}
		}
	}
	if l.wholly {
		return
	}
	if witnesses == 0 {
		s := running[0]
		for _, e := range controls {
			if r := e.try(s); !refused(r) {
				t.Errorf("%s: what nobody knows must be held back: %v", e.name, r)
			}
		}
		releaseAll(t, s)
	}
	for _, s := range running {
		for _, e := range controls {
			if r := e.try(s); r.Status >= 300 {
				t.Errorf("%s: had not ended: %v", e.name, r)
			}
		}
		if witnesses > 0 {
			if r := changed.try(s); r.Status != 201 {
				t.Errorf("a customer whose phone changed: %v", r)
			}
			id := fmt.Sprint("e", len(all))
			if r := admin(t, s, 200, http.MethodGet, "/customers/"+id, nil); !strings.Contains(r.Body, "0199") {
				t.Errorf("the former phone is back: %v", r)
			}
		}
	}
}

// TestEndsSurviveAnOlderFile ends something in every way, then an older copy of the
// embedded store's file is put in its place.
func TestEndsSurviveAnOlderFile(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	onFile := func() *harness.Server {
		return harness.Start(t, harness.Options{Edit: func(c *config.Config) { c.Store.Embedded.Path = folder }})
	}
	file := filepath.Join(folder, "grantd.db")
	s := onFile()
	all, controls := beginAll(t, s)
	s.Close()
	older, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	s = onFile()
	endAll(t, s, all)
	s.Close()
	if err := os.WriteFile(file, older, 0o600); err != nil {
		t.Fatal(err)
	}
	s = onFile()
	for _, e := range append(all, controls...) {
		if r := e.try(s); !refused(r) {
			t.Errorf("%s: what nobody knows must be held back: %v", e.name, r)
		}
	}
	releaseAll(t, s)
	for _, e := range controls {
		if r := e.try(s); r.Status >= 300 {
			t.Errorf("%s: had not ended: %v", e.name, r)
		}
	}
}

// TestHoldSurvivesAnEmptyStore: what is held back stays held back when Redis comes
// back empty and grantd writes back what it knows, which is as old as the hold.
func TestHoldSurvivesAnEmptyStore(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t)
	a := start(t, redis.Addr)
	ended, bystander := create(t, a, "ended", "users:read"), create(t, a, "bystander", "users:read")
	redisDo(t, redis.Addr, "SAVE")
	admin(t, a, 200, http.MethodPost, "/clients/ended/deactivate", nil)
	a.Close()
	redis.Kill()
	redis.Restart()
	a = start(t, redis.Addr)
	redisDo(t, redis.Addr, "FLUSHALL")
	poll.Await(t, recovery, "the loss to be repaired", func() string {
		if r, err := a.TryAdmin(http.MethodGet, "/clients/ended", nil); err != nil || r.Status != 200 {
			return fmt.Sprint(r, err)
		}
		return ready(t, a)()
	})
	for _, c := range []clients.Created{ended, bystander} {
		if r := tryToken(t, c.ClientID, c.ClientSecret, "")(a); !refused(r) {
			t.Errorf("%s: held back, and then Redis came back empty: %v", c.ClientID, r)
		}
	}
	if r := a.AdminDo(t, http.MethodPost, "/store/release", body{"kind": "client"}); r.Status != 400 {
		t.Errorf("a release that names nothing: %v", r)
	}
	if r := a.AdminDo(t, http.MethodPost, "/store/release", body{"kind": "client", "all": true, "hold": 1}); r.Status != 409 {
		t.Errorf("a release of another hold: %v", r)
	}
	if r := a.AdminDo(t, http.MethodPost, "/clients/bystander/reactivate", nil); r.Status != 409 {
		t.Errorf("a reactivation of what is held back: %v", r)
	}
	releaseAll(t, a)
	if r := tryToken(t, "bystander", bystander.ClientSecret, "")(a); r.Status != 200 {
		t.Errorf("released: %v", r)
	}
}
