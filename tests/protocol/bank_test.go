package protocol_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/grantd/grantd/config"
	"github.com/grantd/grantd/server/clients"
	"github.com/grantd/grantd/store"
	"github.com/grantd/grantd/tests/harness"
)

// Orgs and customers. Of acme's customers daily is a business and gone is
// deactivated; foreign belongs to wayne, and nobody does not exist.
const (
	acme, wayne = "h5D8B5gyHtk=", "wayne"

	peter   = "10001"
	daily   = "10002"
	ana     = "10003"
	gone    = "10009"
	foreign = "20001"
	nobody  = "99999"

	petersPhone = "5555550136"
)

// bankScope is what backends may have: everything that customer tokens need.
const bankScope = "customers accounts cards cards-write cards-sensitive payments payments-write customer-token-write"

// bank is a world of two orgs with customers, and the telephone that gets their
// codes.
type bank struct {
	*world
	phone   *telephone
	backend clients.Created // of acme
	second  clients.Created // of acme too
	wayne   clients.Created // of the other org
	api     clients.Created // accepts tokens of clients and customers
	strict  clients.Created // api that enforces resources

	token string // of backend
}

func newBank(t *testing.T, edit ...func(*config.Config)) *bank {
	t.Helper()
	phone := newTelephone(t)
	b := &bank{phone: phone, world: newWorld(t, append([]func(*config.Config){phone.configure}, edit...)...)}
	b.world.phone = phone
	b.populate(t)
	return b
}

func (b *bank) populate(t *testing.T) {
	t.Helper()
	b.org(t, acme)
	b.org(t, wayne)
	b.customer(t, peter, acme, "individual", "+1"+petersPhone)
	b.customer(t, daily, acme, "business", "+15555550110", "+15555550111", "+15555550112")
	b.customer(t, ana, acme, "individual", "+15555550113")
	b.customer(t, gone, acme, "individual", "+15555550114")
	b.customer(t, foreign, wayne, "individual", "+15555550120")
	b.admin(t, "POST", "/customers/"+gone+"/deactivate", nil)
	b.backend, b.second, b.wayne = b.client(t, "backend", bankScope, of(acme)), b.client(t, "second", bankScope, of(acme)), b.client(t, "wayne-backend", bankScope, of(wayne))
	both := []store.TokenUse{store.UseClient, store.UseCustomer}
	b.api = b.client(t, "cards-api", "introspect", func(s *clients.NewSpec) { s.TokenUses = &both })
	b.strict = b.client(t, "strict-api", "introspect", func(s *clients.NewSpec) { s.TokenUses, s.Enforces = &both, &[]string{"resources"} })
	b.token = b.world.token(t, b.backend, "")
}

func of(org string) func(*clients.NewSpec) { return func(s *clients.NewSpec) { s.OrgID = org } }

func (b *bank) org(t *testing.T, id string) {
	t.Helper()
	b.admin(t, "PUT", "/orgs/"+id, map[string]any{"name": "Acme " + id})
}

func (b *bank) customer(t *testing.T, id, org, typ, phone string, users ...string) {
	t.Helper()
	spec := map[string]any{"org_id": org, "type": typ, "phone": phone}
	all := []map[string]string{}
	for i, u := range users {
		all = append(all, map[string]string{"name": fmt.Sprint("User ", i), "phone": u})
	}
	if len(all) > 0 {
		spec["authorized_users"] = all
	}
	b.admin(t, "PUT", "/customers/"+id, spec)
}

// admin sends an admin request that must succeed.
func (w *world) admin(t *testing.T, method, path string, body any) harness.Response {
	t.Helper()
	r := w.AdminDo(t, method, path, body)
	if r.Status >= 300 {
		t.Fatalf("%s %s: %d %s", method, path, r.Status, r.Body)
	}
	return r
}

// forgive resets the customer's wrong codes, so that rows do not reach a limit
// that they do not test.
func (b *bank) forgive(t *testing.T, customer string) {
	t.Helper()
	b.admin(t, "POST", "/customers/"+customer+"/reset-codes", nil)
}

// telephone is the receiver to which grantd posts the codes.
type telephone struct {
	*httptest.Server
	key string // file with the key that signs

	mu     sync.Mutex
	got    []text
	status int // of its responses
}

// text is what grantd posted (server/senders/WEBHOOK.md).
type text struct {
	Channel    string `json:"channel"`
	Phone      string `json:"phone"`
	Code       string `json:"code"`
	Text       string `json:"text"`
	Language   string `json:"language"`
	TextIn     string `json:"text_language"`
	AppHash    string `json:"app_hash"`
	OrgID      string `json:"org_id"`
	CustomerID string `json:"customer_id"`
}

func newTelephone(t *testing.T) *telephone {
	t.Helper()
	p := &telephone{key: filepath.Join(t.TempDir(), "webhook.key"), status: http.StatusNoContent}
	if err := os.WriteFile(p.key, []byte("the key that both sides have, 32 bytes or more"), 0o600); err != nil {
		t.Fatal(err)
	}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var m text
		body, err := io.ReadAll(r.Body)
		if err == nil {
			err = json.Unmarshal(body, &m)
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		p.got = append(p.got, m)
		w.WriteHeader(p.status)
	}))
	t.Cleanup(p.Close)
	return p
}

// configure makes grantd post codes here, without limits.
func (p *telephone) configure(c *config.Config) {
	c.Customers.Sender = "webhook"
	c.Customers.Webhook.URL, c.Customers.Webhook.SecretFile, c.Customers.Webhook.AllowPrivateAddresses = p.URL, p.key, true
	c.Limits.CodesPerPhone.Count, c.Limits.CodesPerCustomer.Count, c.Limits.CodesPerClient.Count, c.Limits.CodesPerOrg.Count = 0, 0, 0, 0
}

// respondWith sets the status of all later responses.
func (p *telephone) respondWith(status int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.status = status
}

func (p *telephone) texts() []text {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]text(nil), p.got...)
}

func (p *telephone) last(t *testing.T) text {
	t.Helper()
	all := p.texts()
	if len(all) == 0 {
		t.Fatal("nothing was sent")
	}
	return all[len(all)-1]
}

// durations matches the numbers in the log that may look like a code.
var durations = regexp.MustCompile(`"duration_us":[0-9]+`)

// holdsNoCode fails the test if text holds a code that was sent, or the phone
// number that it was sent to.
func (p *telephone) holdsNoCode(t *testing.T, where, text string) {
	t.Helper()
	text = durations.ReplaceAllString(text, "")
	for _, m := range p.texts() {
		if strings.Contains(text, strings.TrimPrefix(m.Phone, "+1")) {
			t.Errorf("%s holds the number %s", where, m.Phone)
		}
		if at := regexp.MustCompile(`(^|[^0-9A-Za-z.])` + m.Code + `([^0-9A-Za-z]|$)`).FindStringIndex(text); at != nil {
			t.Errorf("%s holds the code %s: …%.120s", where, m.Code, text[max(0, at[0]-60):])
		}
	}
}

const apiType = "Content-Type: application/vnd.api+json"

// document posts a JSON:API document.
func document(target, typ, attributes string, headers ...string) call {
	return post(target, `{"data":{"type":"`+typ+`","attributes":`+attributes+`}}`, append([]string{apiType}, headers...)...)
}

// askCode requests a code for the customer.
func askCode(customer, attributes string, headers ...string) call {
	return document("/customers/"+customer+"/token/verification", "customerTokenVerification", attributes, headers...)
}

// askToken requests a token of the customer.
func askToken(customer, attributes string, headers ...string) call {
	return document("/customers/"+customer+"/token", "customerToken", attributes, headers...)
}

// verified returns attributes of askToken with a verification.
func verified(scope string, v verification, more ...string) string {
	return `{"scope":"` + scope + `","verificationToken":"` + v.token + `","verificationCode":"` + v.code + `"` + strings.Join(more, "") + `}`
}

// verification is a verification token and the code that the customer got.
type verification struct{ token, code string }

// wrong returns v with a code that was not sent, a different one for each n.
func (v verification) wrong(n int) verification {
	var sent int
	_, _ = fmt.Sscanf(v.code, "%d", &sent)
	return verification{v.token, fmt.Sprintf("%06d", (sent+1+n)%1_000_000)}
}

// verify sends the customer a code.
func (b *bank) verify(t *testing.T, token, customer string) verification {
	t.Helper()
	r := b.send(t, askCode(customer, `{"channel":"sms"}`, bearer(token)))
	if r.Status != http.StatusCreated {
		t.Fatalf("verification: %d %s", r.Status, r.Body)
	}
	v := attribute(t, r, "verificationToken")
	b.keep(v)
	return verification{v, b.phone.last(t).Code}
}

// attribute returns a string attribute of the document in r.
func attribute(t *testing.T, r harness.Response, name string) string {
	t.Helper()
	data, _ := r.JSON(t)["data"].(map[string]any)
	attributes, _ := data["attributes"].(map[string]any)
	value, ok := attributes[name].(string)
	if !ok {
		t.Fatalf("no %s: %d %s", name, r.Status, r.Body)
	}
	return value
}

// issue requests a customer token, which must succeed.
func (b *bank) issue(t *testing.T, token, customer, attributes string) string {
	t.Helper()
	r := b.send(t, askToken(customer, attributes, bearer(token)))
	if r.Status != http.StatusCreated {
		t.Fatalf("customer token: %d %s", r.Status, r.Body)
	}
	return attribute(t, r, "token")
}

// shown returns what introspection returns to rs.
func (w *world) shown(t *testing.T, rs clients.Created, token string) map[string]any {
	t.Helper()
	r := w.send(t, about(token, basic(rs)))
	if r.Status != http.StatusOK {
		t.Fatalf("introspection: %d %s", r.Status, r.Body)
	}
	return r.JSON(t)
}

// made makes the row of a successful creation.
func made(name string, c call) row {
	return row{name: name, call: c, status: http.StatusCreated, header: map[string]string{"Content-Type": "application/vnd.api+json"}}
}

// unsound makes the row of a document that is wrong at the pointer; "" means no
// place in it.
func unsound(name string, c call, pointer string) row {
	return row{name: name, call: c, status: http.StatusBadRequest, code: badRequest, pointer: pointer}
}

// unverified makes the row of a refused verification: all of them get one
// response.
func unverified(name string, c call) row {
	return row{name: name, call: c, status: http.StatusBadRequest, code: "invalid_verification", pointer: "/data/attributes/verificationCode",
		body: `{"errors":[{"status":"400","code":"invalid_verification","title":"Bad Request","detail":"the verification is not valid: the code is wrong, used or expired, or the verification was made for another customer, authorized user or client","source":{"pointer":"/data/attributes/verificationCode"}}]}`}
}

// unknown makes the row of a customer that is not the org's: all of them get
// one response.
func unknown(name string, c call) row {
	return row{name: name, call: c, status: http.StatusNotFound, code: "not_found",
		body: `{"errors":[{"status":"404","code":"not_found","title":"Not Found","detail":"there is no customer with this id in the org of the bearer token"}]}`}
}

// lacking makes the row of a bearer token without the needed scopes.
func lacking(name string, c call, scope, pointer string) row {
	return row{name: name, call: c, status: http.StatusForbidden, code: "insufficient_scope", pointer: pointer, needs: scope,
		header: map[string]string{"WWW-Authenticate": `Bearer realm="grantd", error="insufficient_scope", scope="` + scope + `"`}}
}

// notActive makes the row of a bearer token that is not active.
func notActive(name string, c call) row {
	return row{name: name, call: c, status: http.StatusUnauthorized, code: "invalid_token",
		header: map[string]string{"WWW-Authenticate": `Bearer realm="grantd", error="invalid_token"`}}
}

// down makes the row of a 503.
func down(name string, c call) row {
	return row{name: name, call: c, status: http.StatusServiceUnavailable, code: "temporarily_unavailable", header: map[string]string{"Retry-After": "1"}}
}
