package service_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/grantd/grantd/config"
	"github.com/grantd/grantd/server/clients"
	"github.com/grantd/grantd/store"
	"github.com/grantd/grantd/tests/harness"
)

// startBanking starts a server with the customer 1 of the org o, and the org's client
// backend.
func startBanking(t *testing.T, edit ...func(*config.Config)) (*harness.Server, clients.Created) {
	t.Helper()
	s := harness.Start(t, harness.Options{Edit: func(c *config.Config) {
		c.Customers.SandboxCode = "000001"
		for _, e := range edit {
			e(c)
		}
	}})
	backend := newBackend(t, s, "backend")
	if r := s.AdminDo(t, http.MethodPut, "/customers/1", object{"org_id": "o", "type": "individual", "phone": "+15555550136"}); r.Status != http.StatusCreated {
		t.Fatal(r.Status, r.Body)
	}
	return s, backend
}

func newBackend(t *testing.T, s *harness.Server, id string, resources ...string) clients.Created {
	t.Helper()
	return s.NewClient(t, id, "customers cards cards-write customer-token-write", func(n *clients.NewSpec) {
		n.OrgID, n.Resources = "o", &resources
	})
}

// newServer makes a resource server that accepts tokens of customers.
func newServer(t *testing.T, s *harness.Server, id, resource string) clients.Created {
	t.Helper()
	return s.NewClient(t, id, "introspect", func(n *clients.NewSpec) {
		n.TokenUses, n.Resource = &[]store.TokenUse{store.UseClient, store.UseCustomer}, &resource
	})
}

// requestToken requests a token of the customer 1.
func requestToken(t *testing.T, s *harness.Server, bearer string, attributes object) harness.Response {
	t.Helper()
	return postDocument(t, s, bearer, "/customers/1/token", "customerToken", attributes)
}

// sendCode has a code sent to the customer 1, and returns the verification token.
func sendCode(t *testing.T, s *harness.Server, bearer string) string {
	t.Helper()
	r := postDocument(t, s, bearer, "/customers/1/token/verification", "customerTokenVerification", object{"channel": "sms"})
	if r.Status != http.StatusCreated {
		t.Fatal(r.Status, r.Body)
	}
	return r.JSON(t)["data"].(object)["attributes"].(object)["verificationToken"].(string)
}

func postDocument(t *testing.T, s *harness.Server, bearer, path, typ string, attributes object) harness.Response {
	t.Helper()
	body, err := json.Marshal(object{"data": object{"type": typ, "attributes": attributes}})
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+path, strings.NewReader(string(body)))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/vnd.api+json")
	req.Header.Set("Authorization", "Bearer "+bearer)
	return harness.Do(t, nil, req)
}

// customerToken is requestToken for a request that must succeed.
func customerToken(t *testing.T, s *harness.Server, bearer string, attributes object) string {
	t.Helper()
	r := requestToken(t, s, bearer, attributes)
	if r.Status != http.StatusCreated {
		t.Fatal(r.Status, r.Body)
	}
	return r.JSON(t)["data"].(object)["attributes"].(object)["token"].(string)
}

func active(t *testing.T, s *harness.Server, rs clients.Created, token string) bool {
	t.Helper()
	return s.Introspect(t, rs, token).JSON(t)["active"] == true
}

// TestCustomerTokenKeepsAudience checks that a customer's token reaches no
// resource server that the token it was made from does not reach.
func TestCustomerTokenKeepsAudience(t *testing.T) {
	s, _ := startBanking(t)
	cards, payments := newServer(t, s, "cards", "https://cards.example"), newServer(t, s, "payments", "https://payments.example")
	bearer := s.Token(t, newBackend(t, s, "of-cards", s.URL, "https://cards.example"), "")
	token := customerToken(t, s, bearer, object{"scope": "cards"})
	for _, presented := range []string{bearer, token} {
		if !active(t, s, cards, presented) || active(t, s, payments, presented) {
			t.Errorf("cards: %s, payments: %s", s.Introspect(t, cards, presented).Body, s.Introspect(t, payments, presented).Body)
		}
	}
}

// TestCustomerTokenForNoResources checks that an empty list of resources is not
// the same as no list.
func TestCustomerTokenForNoResources(t *testing.T) {
	s, backend := startBanking(t)
	bearer := s.Token(t, backend, "")
	if r := requestToken(t, s, bearer, object{"scope": "cards", "resources": []any{}}); r.Status != http.StatusBadRequest || !strings.Contains(r.Body, `"/data/attributes/resources"`) {
		t.Errorf("%d %s", r.Status, r.Body)
	}
	if r := requestToken(t, s, bearer, object{"scope": "cards", "resources": nil}); r.Status != http.StatusCreated {
		t.Errorf("%d %s", r.Status, r.Body)
	}
}

// TestAuditOfCodesIsBounded checks that wrong codes are audited, whose number is
// limited, and that requests which a caller can repeat without limit are not.
func TestAuditOfCodesIsBounded(t *testing.T) {
	s, backend := startBanking(t)
	bearer := s.Token(t, backend, "")
	send := func(verification, code string) {
		t.Helper()
		r := requestToken(t, s, bearer, object{"scope": "cards", "verificationToken": verification, "verificationCode": code})
		if r.Status == http.StatusCreated {
			t.Fatal(r.Status, r.Body)
		}
	}
	audited := func() int {
		return strings.Count(s.AdminDo(t, http.MethodGet, "/audit?limit=100", nil).Body, `"customer.verified_token"`)
	}
	for range 10 {
		send("unknown", "123456")
		send("unknown", "no code")
	}
	if n := audited(); n != 0 {
		t.Errorf("%d events of requests that were no guesses", n)
	}
	for range 5 { // verifications, of 5 tries each
		verification := sendCode(t, s, bearer)
		for range 5 {
			send(verification, "123456")
		}
		if audited() == 20 {
			break
		}
	}
	send("unknown", "123456") // refused: 20 are wrong
	if n := audited(); n != 20 {
		t.Errorf("%d events of 20 wrong codes", n)
	}
}

// TestEndOfTokensMadeFromAnExpiredOne checks that revoking a backend's token ends
// the tokens that were made from it, which live longer, even if it has expired: a
// leaked token is often found late.
func TestEndOfTokensMadeFromAnExpiredOne(t *testing.T) {
	for path, member := range map[string]string{"/leaks": "credential", "/tokens/revoke": "token"} {
		t.Run(path, func(t *testing.T) {
			s, backend := startBanking(t)
			cards := newServer(t, s, "cards", "https://cards.example")
			bearer, other := s.Token(t, backend, ""), s.Token(t, backend, "")
			token, kept := customerToken(t, s, bearer, object{"scope": "cards"}), customerToken(t, s, other, object{"scope": "cards"})
			s.Clock.Add(2 * time.Hour)
			if active(t, s, cards, bearer) || !active(t, s, cards, token) {
				t.Fatal("the backend's token lives, or its customer's does not")
			}
			if r := s.AdminDo(t, http.MethodPost, path, object{member: bearer}); r.Status != http.StatusOK {
				t.Errorf("%d %s", r.Status, r.Body)
			}
			if active(t, s, cards, token) || !active(t, s, cards, kept) {
				t.Error("a token that was made from the leaked one is active, or another is not")
			}
			s.Clock.Add(48 * time.Hour) // nothing that was made from it can be alive
			if r := s.AdminDo(t, http.MethodPost, path, object{member: bearer}); r.Status != http.StatusNotFound {
				t.Errorf("%d %s", r.Status, r.Body)
			}
		})
	}
}

// TestCustomerTokenForManyResources checks that the largest token, which is too
// large for the cache, works like any other.
func TestCustomerTokenForManyResources(t *testing.T) {
	s, backend := startBanking(t)
	cards := s.NewClient(t, "cards", "introspect", func(n *clients.NewSpec) {
		n.TokenUses, n.Enforces = &[]store.TokenUse{store.UseCustomer}, &[]string{"resources"}
	})
	ids := make([]string, 256)
	for i := range ids {
		ids[i] = fmt.Sprintf("%08d", i)
	}
	ids[0] = ids[0][4:] // with the type, all of them have 2,048 characters
	token := customerToken(t, s, s.Token(t, backend, ""), object{"scope": "cards", "resources": []any{object{"type": "card", "ids": ids}}})
	for range 2 {
		if !active(t, s, cards, token) {
			t.Error("it is not active")
		}
	}
	if r := s.Form(t, "/oauth/revoke", backend.ClientID, backend.ClientSecret, url.Values{"token": {token}}); r.Status != http.StatusOK {
		t.Errorf("%d %s", r.Status, r.Body)
	}
	if active(t, s, cards, token) {
		t.Error("it is active after its revocation")
	}
}

// TestQuotaIsNotUsedUpByAttempts checks that an app that sends no code, or wrong
// ones, does not use up the quota of its backend.
func TestQuotaIsNotUsedUpByAttempts(t *testing.T) {
	s, backend := startBanking(t, func(c *config.Config) {
		c.Limits.CustomerTokensPerClient.Limit = config.Limit{Count: 3, Per: time.Hour}
	})
	bearer := s.Token(t, backend, "")
	for range 5 {
		for _, attempt := range []object{
			{"scope": "cards-write"}, // needs a code
			{"scope": "cards-write", "verificationToken": "x", "verificationCode": "1"},
			{"scope": "cards-write", "verificationToken": "gv_sandbox_" + strings.Repeat("A", 43), "verificationCode": "123456"},
		} {
			if r := requestToken(t, s, bearer, attempt); r.Status < 400 || r.Status == http.StatusTooManyRequests {
				t.Fatalf("%d %s", r.Status, r.Body)
			}
		}
	}
	customerToken(t, s, bearer, object{"scope": "cards"})
}

// TestQuotaOfCustomerTokens checks that the quota of a client's customer tokens
// comes before the code: after a refusal, the code can be used once there is room
// again.
func TestQuotaOfCustomerTokens(t *testing.T) {
	s, backend := startBanking(t, func(c *config.Config) {
		c.Limits.CustomerTokensPerClient.Limit = config.Limit{Count: 2, Per: time.Hour}
	})
	bearer := s.Token(t, backend, "")
	verification := sendCode(t, s, bearer)
	for range 2 {
		customerToken(t, s, bearer, object{"scope": "cards"})
	}
	verified := object{"scope": "cards-write", "verificationToken": verification, "verificationCode": "000001"}
	r := requestToken(t, s, bearer, verified)
	if wait, err := strconv.Atoi(r.Header.Get("Retry-After")); r.Status != http.StatusTooManyRequests || err != nil || wait < 3000 {
		t.Errorf("%d %s, Retry-After %s", r.Status, r.Body, r.Header.Get("Retry-After"))
	}
	customerToken(t, s, s.Token(t, newBackend(t, s, "another"), ""), object{"scope": "cards"})
	s.Clock.Add(time.Hour) // the bearer token and the code have expired; the code was not used
	if r := requestToken(t, s, s.Token(t, backend, ""), object{"scope": "cards"}); r.Status != http.StatusCreated {
		t.Errorf("an hour later: %d %s", r.Status, r.Body)
	}
	if got := s.AdminDo(t, http.MethodGet, "/customers/1", nil).JSON(t)["wrong_codes_today"]; got != 0.0 {
		t.Errorf("%v wrong codes", got)
	}
}
