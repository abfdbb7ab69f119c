package redis_test

import (
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/grantd/grantd/server/clients"
	"github.com/grantd/grantd/store/storetest/redistest"
	"github.com/grantd/grantd/tests/harness"
)

// pair is two replicas, a resource server and a client whose token must stay
// active.
type pair struct {
	a, b      *harness.Server
	rs        clients.Created
	bystander string // a token
}

func newPair(t testing.TB) *pair {
	t.Helper()
	addr := redistest.Start(t).Addr
	p := &pair{a: start(t, addr), b: start(t, addr)}
	p.rs = create(t, p.a, "rs", "introspect")
	p.bystander = p.a.Token(t, create(t, p.a, "bystander", "users:read"), "")
	return p
}

// each runs the test twice, with the servers in both orders.
func (p *pair) each(t *testing.T, test func(t *testing.T, at, other *harness.Server)) {
	t.Run("at=a", func(t *testing.T) { t.Parallel(); test(t, p.a, p.b) })
	t.Run("at=b", func(t *testing.T) { t.Parallel(); test(t, p.b, p.a) })
}

func TestTokenIsActiveAtTheOtherAtOnce(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	p.each(t, func(t *testing.T, at, other *harness.Server) {
		c := create(t, at, "", "users:read")
		for range 50 {
			mustBeActive(t, other, p.rs, at.Token(t, c, ""), "a token that was just issued at the other")
			mustBeActive(t, at, p.rs, other.Token(t, c, ""), "and the other way round")
		}
	})
}

// TestNewSecretWorksAtTheOtherAtOnce checks that a new secret works at once, even
// if the other server remembers that the client did not exist.
func TestNewSecretWorksAtTheOtherAtOnce(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	p.each(t, func(t *testing.T, at, other *harness.Server) {
		for i := range 50 {
			id := fmt.Sprintf("new-%p-%d", at, i)
			if _, a, err := issue(other, id, "guess"); err != nil || a.Status != 401 {
				t.Fatalf("unknown client: %v %v", a, err)
			}
			c := create(t, at, id, "users:read")
			token, a, err := issue(other, id, c.ClientSecret)
			if err != nil || a.Status != 200 {
				t.Fatalf("client %d, created at the other: %v %v", i, a, err)
			}
			mustBeActive(t, at, p.rs, token, "its token")
		}
	})
	p.each(t, func(t *testing.T, at, other *harness.Server) {
		c := create(t, at, "", "users:read")
		old := other.Token(t, c, "") // the record is cached there
		r := rotate(t, at, c.ClientID, "24h")
		for _, secret := range []string{r.ClientSecret, c.ClientSecret} {
			if _, a, err := issue(other, c.ClientID, secret); err != nil || a.Status != 200 {
				t.Errorf("a live secret after rotation: %v %v", a, err)
			}
		}
		mustBeActive(t, other, p.rs, old, "a token of the older secret")
	})
}

// ending is one way to end tokens.
type ending struct {
	name string
	// within is how long after the acknowledgement the token may still be active
	// at the other server.
	within time.Duration
	// end ends tokens of c at s and returns when that was acknowledged.
	end func(t *testing.T, s *harness.Server, c clients.Created, tokens []string, ids []string) time.Time
	// refused means that the client cannot authenticate afterwards.
	refused bool
}

// acked wraps an admin request.
func acked(method, path string, status int, body any) func(*testing.T, *harness.Server, clients.Created, []string, []string) time.Time {
	return func(t *testing.T, s *harness.Server, c clients.Created, _, _ []string) time.Time {
		admin(t, s, status, method, "/clients/"+c.ClientID+path, body)
		return time.Now()
	}
}

// adminRevoke revokes all tokens with these values of the member at the same time.
func adminRevoke(t *testing.T, s *harness.Server, member string, values []string) time.Time {
	var done sync.WaitGroup
	for _, v := range values {
		done.Go(func() {
			if a, err := s.TryAdmin(http.MethodPost, "/tokens/revoke", map[string]any{member: v}); err != nil || a.Status != 200 {
				t.Errorf("revoke by %s: %v %v", member, a, err)
			}
		})
	}
	done.Wait()
	return time.Now()
}

var endings = []ending{
	{name: "RFC 7009", within: staleness, end: func(t *testing.T, s *harness.Server, c clients.Created, tokens, _ []string) (at time.Time) {
		for _, token := range tokens {
			at = revoke(t, s, c, token)
		}
		return at
	}},
	{name: "admin revoke by token", end: func(t *testing.T, s *harness.Server, _ clients.Created, tokens, _ []string) time.Time {
		return adminRevoke(t, s, "token", tokens)
	}},
	{name: "admin revoke by jti", end: func(t *testing.T, s *harness.Server, _ clients.Created, _, ids []string) time.Time {
		return adminRevoke(t, s, "jti", ids)
	}},
	{name: "void", end: acked(http.MethodPost, "/void-tokens", 200, nil)},
	{name: "deactivate", end: acked(http.MethodPost, "/deactivate", 200, nil), refused: true},
	{name: "narrow scopes", end: acked(http.MethodPatch, "", 200, map[string]any{"scope": "users:read"})},
	{name: "delete", end: acked(http.MethodDelete, "", 204, nil), refused: true},
	{name: "end secret and void", refused: true, end: func(t *testing.T, s *harness.Server, c clients.Created, _, _ []string) time.Time {
		admin(t, s, 204, http.MethodDelete, "/clients/"+c.ClientID+"/secrets/"+c.SecretID+"?void_tokens=true", nil)
		return time.Now()
	}},
}

func TestEndedAtOneIsInactiveAtTheOther(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	for _, e := range endings {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			p.each(t, func(t *testing.T, at, other *harness.Server) { p.ends(t, e, at, other) })
		})
	}
	t.Cleanup(func() {
		for _, s := range []*harness.Server{p.a, p.b} {
			mustBeActive(t, s, p.rs, p.bystander, "a token that nothing happened to")
		}
	})
}

func (p *pair) ends(t *testing.T, e ending, at, other *harness.Server) {
	c := create(t, at, "", "users:read users:write")
	names := []string{"cached at both", "cached at the other", "cached where it ends", "cached nowhere", "issued at the other, cached nowhere"}
	tokens, ids := make([]string, len(names)), make([]string, len(names))
	for i := range names {
		issuer := at
		if i == 4 {
			issuer = other
		}
		tokens[i] = issuer.Token(t, c, "")
	}
	for i, servers := range [][]*harness.Server{{at, other}, {other}, {at}} {
		for _, s := range servers {
			mustBeActive(t, s, p.rs, tokens[i], names[i])
		}
	}
	for i, token := range tokens {
		r := at.AdminDo(t, http.MethodPost, "/tokens/explain", map[string]any{"token": token}) // does not use the cache
		ids[i], _ = r.JSON(t)["jti"].(string)
	}
	ack := e.end(t, at, c, tokens, ids)
	for i, token := range tokens {
		mustBeInactive(t, at, p.rs, token, "where it ended, "+names[i])
		for {
			a := introspect(t, other, p.rs, token)
			if a.Inactive() {
				break
			}
			if !a.Active() || a.Sent.After(ack.Add(e.within)) {
				t.Errorf("%s: %v after the acknowledgement: %v", names[i], a.Sent.Sub(ack), a)
				break
			}
		}
	}
	for i, token := range tokens {
		mustBeInactive(t, other, p.rs, token, "it stays so, "+names[i])
	}
	for _, s := range []*harness.Server{other, at} {
		token, a, err := issue(s, c.ClientID, c.ClientSecret)
		switch {
		case err != nil:
			t.Error(err)
		case e.refused && a.Status != 401:
			t.Errorf("authentication afterwards: %v, want 401", a)
		case !e.refused && a.Status != 200:
			t.Errorf("authentication afterwards: %v, want 200", a)
		case !e.refused:
			mustBeActive(t, at, p.rs, token, "a token issued afterwards")
			mustBeActive(t, other, p.rs, token, "a token issued afterwards")
		}
	}
}

func TestEndedSecretCannotAuthenticateAtTheOther(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	p.each(t, func(t *testing.T, at, other *harness.Server) {
		c := create(t, at, "", "users:read")
		r := rotate(t, at, c.ClientID, "24h")
		token := other.Token(t, c, "")
		admin(t, at, 204, http.MethodDelete, "/clients/"+c.ClientID+"/secrets/"+c.SecretID, nil)
		for _, s := range []*harness.Server{other, at} {
			if _, a, err := issue(s, c.ClientID, c.ClientSecret); err != nil || a.Status != 401 {
				t.Errorf("the ended secret: %v %v, want 401", a, err)
			}
			if _, a, err := issue(s, c.ClientID, r.ClientSecret); err != nil || a.Status != 200 {
				t.Errorf("the other secret: %v %v, want 200", a, err)
			}
			mustBeActive(t, s, p.rs, token, "a token of the ended secret, which was not voided")
		}
	})
	p.each(t, func(t *testing.T, at, other *harness.Server) {
		c := create(t, at, "", "users:read")
		other.Token(t, c, "")
		rotate(t, at, c.ClientID, "0s")
		for _, s := range []*harness.Server{other, at} {
			if _, a, err := issue(s, c.ClientID, c.ClientSecret); err != nil || a.Status != 401 {
				t.Errorf("a secret rotated away without grace: %v %v, want 401", a, err)
			}
		}
	})
}

// TestSecretEndedWithVoidLeavesTheOthers checks that only the tokens of the ended
// secret end.
func TestSecretEndedWithVoidLeavesTheOthers(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	p.each(t, func(t *testing.T, at, other *harness.Server) {
		c := create(t, at, "", "users:read")
		r := rotate(t, at, c.ClientID, "24h")
		kept, a, err := issue(other, c.ClientID, r.ClientSecret)
		if err != nil || kept == "" {
			t.Fatal(a, err)
		}
		ended := other.Token(t, c, "")
		admin(t, at, 204, http.MethodDelete, "/clients/"+c.ClientID+"/secrets/"+c.SecretID+"?void_tokens=true", nil)
		for _, s := range []*harness.Server{other, at} {
			mustBeInactive(t, s, p.rs, ended, "a token of the voided secret")
			mustBeActive(t, s, p.rs, kept, "a token of the other secret")
		}
	})
}

func TestReactivationRevivesNoToken(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	p.each(t, func(t *testing.T, at, other *harness.Server) {
		c := create(t, at, "", "users:read")
		before := []string{at.Token(t, c, ""), other.Token(t, c, "")}
		mustBeActive(t, other, p.rs, before[0], "before")
		admin(t, at, 200, http.MethodPost, "/clients/"+c.ClientID+"/deactivate", nil)
		admin(t, other, 200, http.MethodPost, "/clients/"+c.ClientID+"/reactivate", nil)
		p.restored(t, at, other, c, before)
	})
}

func TestRecreatedClientRevivesNoToken(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	p.each(t, func(t *testing.T, at, other *harness.Server) {
		c := create(t, at, "", "users:read")
		before := []string{at.Token(t, c, ""), other.Token(t, c, "")}
		mustBeActive(t, other, p.rs, before[0], "before")
		admin(t, at, 204, http.MethodDelete, "/clients/"+c.ClientID, nil)
		again := create(t, other, c.ClientID, "users:read")
		for _, s := range []*harness.Server{at, other} {
			if _, a, err := issue(s, c.ClientID, c.ClientSecret); err != nil || a.Status != 401 {
				t.Errorf("the deleted client's secret: %v %v, want 401", a, err)
			}
		}
		p.restored(t, at, other, again, before)
	})
}

func (p *pair) restored(t *testing.T, at, other *harness.Server, c clients.Created, before []string) {
	t.Helper()
	for _, s := range []*harness.Server{at, other} {
		after := s.Token(t, c, "")
		for _, r := range []*harness.Server{at, other} {
			mustBeActive(t, r, p.rs, after, "a token issued afterwards")
			for _, token := range before {
				mustBeInactive(t, r, p.rs, token, "a token issued before")
			}
		}
	}
}
