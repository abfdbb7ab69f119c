package admin_test

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/grantd/grantd/tests/harness"
)

// afterTheFeed is how long the feed keeps its entries, and a little more.
const afterTheFeed = 24*time.Hour + 6*time.Minute

// A partner token that has ended stays ended after the feed has dropped its
// entry, although partner tokens live longer than the feed's entries.
func TestPartnerTokensEndForGood(t *testing.T) {
	harness.EachStore(t, func(t *testing.T, start func(...harness.Options) *harness.Server) {
		s := start()
		a := newAlliance(t, s)
		putPartner(t, s, "bystander")
		spared, _ := partnerToken(t, s, "bystander")
		var ended, short []string
		for _, step := range []struct {
			what, method, path string
			status             int
			refused            int // status of a later request for a token
		}{
			{"void-tokens", "POST", "/partners/hurdlr/void-tokens", 200, 401},
			{"deactivate", "POST", "/partners/hurdlr/deactivate", 200, 401},
			{"reactivate", "POST", "/partners/hurdlr/reactivate", 200, 401},
			{"void-all", "POST", "/tokens/void-all", 200, 401},
		} {
			if step.what != "reactivate" {
				a.renew()
				ended, short = append(ended, a.token), append(short, a.mint("acme"), a.mint("other"))
			}
			do(t, s, step.method, step.path, nil, step.status)
			a.wants(step.what, false, ended...)
			a.wants(step.what, false, short...)
			a.refused(step.what, "acme", step.refused)
			if step.what == "void-all" {
				a.wants(step.what, false, spared)
				continue
			}
			a.wants(step.what, true, spared)
		}
		s.Clock.Add(afterTheFeed)
		a.rs = create(t, s, object{"client_id": "later", "scope": "introspect", "token_uses": []string{"client", "on_behalf", "partner"}})
		a.wants("a day later", false, ended...)
		a.wants("a day later", false, short...)
		a.wants("a day later", false, spared)
		a.renew()
		a.mint("acme")
	})
}

// Voiding the tokens of many partners waits for the other replicas once, not
// once for each partner.
func TestVoidAllOfManyPartners(t *testing.T) {
	harness.EachStore(t, func(t *testing.T, start func(...harness.Options) *harness.Server) {
		s := start()
		rs := newPartnersRS(t, s)
		const n = 40
		tokens := make([]string, n)
		var made sync.WaitGroup
		for i := range n {
			made.Go(func() {
				id := fmt.Sprint("p", i)
				s.AdminDo(t, "PUT", "/partners/"+id, object{"name": id, "scope": "cards"})
				tokens[i], _ = s.AdminDo(t, "POST", "/partners/"+id+"/tokens", object{"name": "a"}).JSON(t)["token"].(string)
			})
		}
		made.Wait()
		began := time.Now()
		do(t, s, "POST", "/tokens/void-all", nil, 200)
		if took := time.Since(began); took > 10*time.Second { // one after the other would take 20 s or more
			t.Errorf("it took %v", took)
		}
		for i, token := range tokens {
			if token == "" || active(t, s, rs, token) {
				t.Errorf("the token of partner %d is active, or was never issued", i)
			}
		}
	})
}

// A partner or org that is deleted and created again has nothing of the old one.
func TestPartnersAndOrgsCreatedAgain(t *testing.T) {
	harness.EachStore(t, func(t *testing.T, start func(...harness.Options) *harness.Server) {
		s := start()
		a := newAlliance(t, s)

		token, spared := a.mint("acme"), a.mint("other")
		do(t, s, "POST", "/orgs/acme/deactivate", nil, 200)
		a.wants("an org that is deactivated", false, token)
		a.refused("an org that is deactivated", "acme", 403)
		do(t, s, "POST", "/orgs/acme/reactivate", nil, 200)
		a.wants("an org that is reactivated", false, token)
		token = a.mint("acme")
		do(t, s, "POST", "/orgs/acme/void-tokens", nil, 200)
		a.wants("an org whose tokens are void", false, token)
		token = a.mint("acme")
		do(t, s, "DELETE", "/orgs/acme", nil, 204)
		a.wants("an org that is deleted", false, token)
		a.refused("an org that is deleted", "acme", 403)
		putOrg(t, s, "acme", "Another")
		a.wants("an org that is created again", false, token)
		a.refused("an org that is created again", "acme", 403)
		a.wants("tokens of another org", true, spared, a.token)
		putGrant(t, s, "hurdlr", "acme", object{"scope": "customers cards"})
		a.wants("granted again", false, token)
		token = a.mint("acme")

		old := a.token
		do(t, s, "DELETE", "/partners/hurdlr", nil, 204)
		a.wants("a partner that is deleted", false, token, spared, old)
		a.refused("a partner that is deleted", "acme", 401)
		do(t, s, "GET", "/partners/hurdlr/orgs/acme", nil, 404)
		putPartner(t, s, "hurdlr")
		a.wants("a partner that is created again", false, token, spared, old)
		a.refused("a partner that is created again", "acme", 401)
		if n := len(listed(t, s, "hurdlr")); n != 0 {
			t.Errorf("created again it has %d tokens", n)
		}
		if r := s.AdminDo(t, "GET", "/partners/hurdlr/orgs", nil); r.Body != `{"orgs":[]}` {
			t.Errorf("created again it was granted %s", r.Body)
		}
		a.renew()
		a.refused("a partner that is created again", "acme", 403)
		a.refused("a partner that is created again", "other", 403)
		do(t, s, "POST", "/tokens/revoke", object{"token": old}, 404)
		putGrant(t, s, "hurdlr", "acme", object{"scope": "cards"})
		a.wants("granted again", false, token, old)
		a.mint("acme")
	})
}

// Withdrawing a grant ends its tokens, and only these.
func TestWithdrawnGrant(t *testing.T) {
	harness.EachStore(t, func(t *testing.T, start func(...harness.Options) *harness.Server) {
		s := start()
		a := newAlliance(t, s)
		token, spared := a.mint("acme"), a.mint("other")
		do(t, s, "DELETE", "/partners/hurdlr/orgs/acme", nil, 204)
		a.wants("withdrawn", false, token)
		a.refused("withdrawn", "acme", 403)
		a.wants("withdrawn by another org", true, spared, a.token)
		putGrant(t, s, "hurdlr", "acme", object{"scope": "customers cards"})
		a.wants("granted again", false, token)
		a.mint("acme")
	})
}

// A partner that is deleted while it gets a grant, and created again, has no
// grants, whichever request was first.
func TestGrantWhileThePartnerIsDeleted(t *testing.T) {
	harness.EachStore(t, func(t *testing.T, start func(...harness.Options) *harness.Server) {
		s := start()
		putOrg(t, s, "acme", "Acme")
		for range 8 {
			putPartner(t, s, "hurdlr")
			var both sync.WaitGroup
			begin := make(chan struct{})
			for range 3 {
				both.Go(func() {
					<-begin
					r := s.AdminDo(t, "PUT", "/partners/hurdlr/orgs/acme", object{"scope": "cards"})
					if r.Status != 200 && r.Status != 201 && r.Status != 404 && r.Status != 409 {
						t.Errorf("grant: %d %s", r.Status, r.Body)
					}
				})
			}
			both.Go(func() {
				<-begin
				if r := s.AdminDo(t, "DELETE", "/partners/hurdlr", nil); r.Status != 204 {
					t.Errorf("delete: %d %s", r.Status, r.Body)
				}
			})
			close(begin)
			both.Wait()
			putPartner(t, s, "hurdlr")
			token, _ := partnerToken(t, s, "hurdlr")
			if _, status := onBehalf(t, s, token, "acme", "cards"); status != 403 {
				t.Fatalf("created again it gets %d for an org that has granted it nothing", status)
			}
			if r := s.AdminDo(t, "GET", "/partners/hurdlr/orgs", nil); r.Body != `{"orgs":[]}` {
				t.Errorf("created again it was granted %s", r.Body)
			}
			putGrant(t, s, "hurdlr", "acme", object{"scope": "cards"})
			if _, status := onBehalf(t, s, token, "acme", "cards"); status != 201 {
				t.Errorf("with a grant it gets %d", status)
			}
			do(t, s, "DELETE", "/partners/hurdlr", nil, 204)
		}
	})
}

// A call that began before the partner or the org was deleted, or created again,
// may write a grant late. That grant is not in force and not listed, and does
// not replace a grant made since.
func TestGrantWrittenLate(t *testing.T) {
	t.Parallel()
	const path = "/partners/hurdlr/orgs/acme"
	for _, tc := range []struct {
		name      string
		before    bool // a grant exists already
		withdrawn bool
		meanwhile func(t *testing.T, s *harness.Server)
		status    int
		finally   string // the state of the grant; "" if there is none
		scope     string
	}{
		{"the partner was deactivated", false, false, func(t *testing.T, s *harness.Server) {
			do(t, s, "POST", "/partners/hurdlr/deactivate", nil, 200)
		}, 201, "partner_deactivated", "customers"},
		{"the partner was deactivated and had it", true, false, func(t *testing.T, s *harness.Server) {
			do(t, s, "POST", "/partners/hurdlr/deactivate", nil, 200)
		}, 200, "partner_deactivated", "customers"},
		{"the org was deactivated", false, false, func(t *testing.T, s *harness.Server) {
			do(t, s, "POST", "/orgs/acme/deactivate", nil, 200)
		}, 201, "org_deactivated", "customers"},
		{"the partner was deleted", false, false, func(t *testing.T, s *harness.Server) {
			do(t, s, "DELETE", "/partners/hurdlr", nil, 204)
		}, 409, "", ""},
		{"the partner was deleted and had it", true, false, func(t *testing.T, s *harness.Server) {
			do(t, s, "DELETE", "/partners/hurdlr", nil, 204)
		}, 409, "", ""},
		{"the partner was created again", true, false, func(t *testing.T, s *harness.Server) {
			do(t, s, "DELETE", "/partners/hurdlr", nil, 204)
			putPartner(t, s, "hurdlr")
		}, 409, "", ""},
		{"the partner was created again and granted again", true, false, func(t *testing.T, s *harness.Server) {
			do(t, s, "DELETE", "/partners/hurdlr", nil, 204)
			putPartner(t, s, "hurdlr")
			putGrant(t, s, "hurdlr", "acme", object{"scope": "cards"})
		}, 409, "active", "cards"},
		{"the org was deleted", false, false, func(t *testing.T, s *harness.Server) {
			do(t, s, "DELETE", "/orgs/acme", nil, 204)
		}, 201, "org_deleted", "customers"},
		{"the org was created again", false, false, func(t *testing.T, s *harness.Server) {
			do(t, s, "DELETE", "/orgs/acme", nil, 204)
			putOrg(t, s, "acme", "Acme")
		}, 201, "made_anew", "customers"},
		{"the org was created again and granted again", true, false, func(t *testing.T, s *harness.Server) {
			do(t, s, "DELETE", "/orgs/acme", nil, 204)
			putOrg(t, s, "acme", "Acme")
			putGrant(t, s, "hurdlr", "acme", object{"scope": "cards"})
		}, 409, "active", "cards"},
		{"it was withdrawn", true, true, func(t *testing.T, s *harness.Server) {
			do(t, s, "DELETE", path, nil, 204)
		}, 201, "active", "customers"},
	} {
		t.Run(strings.ReplaceAll(tc.name, " ", "_"), func(t *testing.T) {
			s, faulty, _ := faultyServer(t)
			putOrg(t, s, "acme", "Acme")
			putPartner(t, s, "hurdlr")
			if tc.before {
				putGrant(t, s, "hurdlr", "acme", object{"scope": "cards"})
			}
			at := "CreateGrant" // after the partner and the org were read
			if tc.withdrawn {
				at = "GetGrant" // after the grant was found
			}
			var late atomic.Bool
			faulty.Hook(at, func() {
				if late.CompareAndSwap(false, true) {
					tc.meanwhile(t, s)
				}
			})
			r := s.AdminDo(t, "PUT", path, object{"scope": "customers"})
			if r.Status != tc.status {
				t.Errorf("PUT: %d %s, want %d", r.Status, r.Body, tc.status)
			}
			if r.Status < 300 && !strings.Contains(r.Body, `"state":"`+tc.finally+`"`) {
				t.Errorf("PUT: %s, want the state %s", r.Body, tc.finally)
			}
			if s.AdminDo(t, "GET", "/partners/hurdlr", nil).Status == 404 {
				putPartner(t, s, "hurdlr") // the late grant must not come back with it
			}
			got := s.AdminDo(t, "GET", path, nil)
			if tc.finally == "" {
				if got.Status != 404 {
					t.Errorf("the grant exists: %s", got.Body)
				}
				if list := s.AdminDo(t, "GET", "/partners/hurdlr/orgs", nil).Body; list != `{"orgs":[]}` {
					t.Errorf("the partner's: %s", list)
				}
				if list := s.AdminDo(t, "GET", "/orgs/acme/partners", nil).Body; list != `{"partners":[]}` {
					t.Errorf("the org's: %s", list)
				}
				putGrant(t, s, "hurdlr", "acme", object{"scope": "cards"})
				tc.finally, tc.scope = "active", "cards"
				got = s.AdminDo(t, "GET", path, nil)
			}
			if !strings.Contains(got.Body, `"state":"`+tc.finally+`"`) || !strings.Contains(got.Body, `"scope":"`+tc.scope+`"`) {
				t.Errorf("finally %s, want the state %s and the scope %s", got.Body, tc.finally, tc.scope)
			}
			if tc.finally == "active" {
				token, _ := partnerToken(t, s, "hurdlr")
				if _, status := onBehalf(t, s, token, "acme", tc.scope); status != 201 {
					t.Errorf("a token: %d", status)
				}
			}
		})
	}
}

// A grant of a deleted partner that is left over because the store failed does
// not exist for any caller.
func TestGrantLeftOver(t *testing.T) {
	t.Parallel()
	const path = "/partners/hurdlr/orgs/acme"
	for name, look := range map[string]func(t *testing.T, s *harness.Server){
		"get":      func(t *testing.T, s *harness.Server) { do(t, s, "GET", path, nil, 404) },
		"withdraw": func(t *testing.T, s *harness.Server) { do(t, s, "DELETE", path, nil, 404) },
		"change": func(t *testing.T, s *harness.Server) {
			if r := changeIf(t, s, "PUT", path, "*", object{"scope": "cards"}); r.Status != 412 {
				t.Errorf("PUT with If-Match: *: %d %s", r.Status, r.Body)
			}
		},
		"grant": func(t *testing.T, s *harness.Server) {
			if g := do(t, s, "PUT", path, object{"scope": "cards"}, 201); g["state"] != "active" {
				t.Errorf("granted: %v", g)
			}
			done := []string{"grant.create", "grant.delete temporarily_unavailable", "grant.delete", "grant.create"}
			if d := cmp.Diff(done, actions(t, s, "grant:hurdlr/acme")); d != "" {
				t.Error(d)
			}
			token, _ := partnerToken(t, s, "hurdlr")
			if _, status := onBehalf(t, s, token, "acme", "cards"); status != 201 {
				t.Errorf("a token: %d", status)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, faulty, _ := faultyServer(t)
			putOrg(t, s, "acme", "Acme")
			putPartner(t, s, "hurdlr")
			var late atomic.Bool
			faulty.Hook("CreateGrant", func() {
				if late.CompareAndSwap(false, true) {
					do(t, s, "DELETE", "/partners/hurdlr", nil, 204)
					putPartner(t, s, "hurdlr")
					faulty.Fail("DeleteGrant", errDown)
				}
			})
			do(t, s, "PUT", path, object{"scope": "customers"}, 503)
			faulty.Heal("DeleteGrant")
			if list := s.AdminDo(t, "GET", "/partners/hurdlr/orgs", nil).Body; list != `{"orgs":[]}` {
				t.Errorf("the partner's: %s", list)
			}
			look(t, s)
		})
	}
}

// If a change was written but could not be announced, the next try announces it.
func TestPartnerChangesThatWereNotAnnounced(t *testing.T) {
	t.Parallel()
	s, faulty, _ := faultyServer(t)
	a := newAlliance(t, s)
	twice := func(method, path string, body any, status int) {
		t.Helper()
		faulty.Fail("AppendFeed", errDown)
		do(t, s, method, path, body, 503)
		faulty.Heal("AppendFeed")
		do(t, s, method, path, body, status)
	}

	token := a.mint("acme")
	twice("PUT", "/partners/hurdlr/orgs/acme", object{"scope": "cards"}, 200)
	a.wants("a narrowed grant", false, token)
	token = a.mint("acme")
	do(t, s, "PUT", "/partners/hurdlr/orgs/acme", object{"scope": "cards"}, 200)
	a.wants("a grant that stays", true, token)

	twice("PUT", "/partners/hurdlr", object{"name": "Hurdlr", "scope": "cards"}, 200)
	a.wants("a partner that may have less", false, token)

	token = a.mint("acme")
	twice("DELETE", "/partners/hurdlr/orgs/acme", nil, 204)
	a.wants("a withdrawn grant", false, token)
	putGrant(t, s, "hurdlr", "acme", object{"scope": "cards"})

	// So does granting again after a withdrawal that was not announced.
	token = a.mint("acme")
	faulty.Fail("AppendFeed", errDown)
	do(t, s, "DELETE", "/partners/hurdlr/orgs/acme", nil, 503)
	faulty.Heal("AppendFeed")
	putGrant(t, s, "hurdlr", "acme", object{"scope": "cards"})
	a.wants("withdrawn and granted again", false, token)

	token = a.mint("acme")
	twice("DELETE", "/partners/hurdlr/tokens/"+a.tokenID, nil, 204)
	a.wants("a revoked partner token", false, token, a.token)
	a.renew()
	token = a.mint("acme")
	twice("POST", "/partners/hurdlr/deactivate", nil, 200)
	a.wants("a deactivated partner", false, token, a.token)
	twice("DELETE", "/partners/hurdlr", nil, 204)
}
