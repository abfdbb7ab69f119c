package browser

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/grantd/grantd/config"
	"github.com/grantd/grantd/server/clients"
	"github.com/grantd/grantd/store"
	"github.com/grantd/grantd/tests/harness"
)

const sandboxCode = "000001"

// bank is a grantd with a customer, a backend, an API, and the site of an app whose
// origin is listed.
type bank struct {
	*harness.Server
	app          *site
	backend, api clients.Created
}

func newBank(t *testing.T) *bank {
	t.Helper()
	b := &bank{app: newSite(t)}
	b.Server = harness.Start(t, harness.Options{Edit: func(c *config.Config) {
		c.Public.CORSOrigins = []string{"https://app.example.com", b.app.URL}
		c.Customers.SandboxCode = sandboxCode
	}})
	b.backend = b.NewClient(t, "backend", "customers cards cards-write customer-token-write", func(s *clients.NewSpec) { s.OrgID = "acme" })
	b.api = b.NewClient(t, "cards-api", "introspect", func(s *clients.NewSpec) {
		s.TokenUses = &[]store.TokenUse{store.UseClient, store.UseCustomer}
	})
	r := b.AdminDo(t, http.MethodPut, "/customers/10001", map[string]any{"org_id": "acme", "type": "individual", "phone": "+15555550136"})
	if r.Status != http.StatusCreated {
		t.Fatalf("customer: %d %s", r.Status, r.Body)
	}
	return b
}

// device returns the token that the backend gives to the app.
func (b *bank) device(t *testing.T) string {
	t.Helper()
	const document = `{"data":{"type":"customerToken","attributes":{"scope":"cards customers customer-token-write","upgradableScope":"cards-write"}}}`
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, b.URL+"/customers/10001/token", strings.NewReader(document))
	if err != nil {
		t.Fatal(err)
	}
	req.Header = http.Header{"Content-Type": {"application/vnd.api+json"}, "Authorization": {"Bearer " + b.Token(t, b.backend, "")}}
	r := harness.Do(t, nil, req)
	var made struct {
		Data struct{ Attributes struct{ Token string } }
	}
	if err := json.Unmarshal([]byte(r.Body), &made); err != nil || r.Status != http.StatusCreated {
		t.Fatalf("customer token: %d %s", r.Status, r.Body)
	}
	return made.Data.Attributes.Token
}

func (b *bank) scopeOf(t *testing.T, token string) any {
	t.Helper()
	return b.Introspect(t, b.api, token).JSON(t)["scope"]
}

// TestPageOfListedOrigin does what the app guide says, in a page of another origin.
func TestPageOfListedOrigin(t *testing.T) {
	b := newBank(t)
	page, token := open(t, b.app, b.Server), b.device(t)
	with := map[string]any{"token": token, "customer": "10001"}

	with["verification"] = page.text(t, "askForCode(customer, token)", with)
	with["code"] = "123456"
	if o := page.call(t, "upgrade(customer, token, verification, code)", with); o.Error == nil || o.Error.Status != 400 || o.Error.Code != "invalid_verification" || o.Error.RequestID == "" {
		t.Errorf("a wrong code: %v %+v", o.Value, o.Error)
	}
	with["code"] = sandboxCode
	upgraded := page.text(t, "upgrade(customer, token, verification, code)", with)
	if got := b.scopeOf(t, upgraded); got != "cards cards-write" {
		t.Errorf("the upgraded token has the scope %v", got)
	}
	b.asksAboutToken(t, page, upgraded)

	t.Run("errors can be read", func(t *testing.T) {
		ended := map[string]any{"token": "gt_sandbox_x", "customer": "10001"}
		if o := page.call(t, "askForCode(customer, token)", ended); o.Error == nil || o.Error.Status != 401 || o.Error.Code != "invalid_token" {
			t.Errorf("%v %+v", o.Value, o.Error)
		}
		challenge := page.text(t, "fetch(grantd + '/oauth/revoke', { method: 'POST', body: new URLSearchParams({ token }) }).then(r => r.status + ' ' + r.headers.get('WWW-Authenticate'))", ended)
		if challenge != `401 Basic realm="grantd", charset="UTF-8"` {
			t.Errorf("%s", challenge)
		}
	})

	t.Run("only what the guide says", func(t *testing.T) {
		client := map[string]any{"id": b.backend.ClientID, "secret": b.backend.ClientSecret, "token": token}
		const ask = "method: 'POST', body: new URLSearchParams({ grant_type: 'client_credentials', client_id: id, client_secret: secret }) })"
		page.blocked(t, "fetch(grantd + '/oauth/token', { "+ask, client)
		page.blocked(t, "fetch(grantd + '/oauth/token', { headers: { Authorization: 'Basic x' }, "+ask, client)
		page.blocked(t, "fetch(grantd + '/oauth/introspect', { method: 'POST', headers: { Authorization: `Bearer ${token}` }, body: new URLSearchParams({ token }) })", client)
		page.blocked(t, "fetch(grantd + '/.well-known/oauth-authorization-server')", nil)
		page.blocked(t, "fetch(grantd + '/partners/orgs', { headers: { Authorization: `Bearer ${token}` } })", client)
		page.blocked(t, "fetch(grantd + '/oauth/revoke', { method: 'DELETE', headers: { Authorization: `Bearer ${token}` } })", client)
		page.blocked(t, "fetch(grantd + '/oauth/revoke', { method: 'POST', headers: { 'X-Custom': 'x' }, body: new URLSearchParams({ token }) })", client)
		page.blocked(t, "fetch(grantd + '/oauth/revoke', { method: 'POST', credentials: 'include', headers: { Authorization: `Bearer ${token}` }, body: new URLSearchParams({ token }) })", client)
	})

	if o := page.call(t, "signOut(token)", map[string]any{"token": token}); o.Error != nil {
		t.Errorf("signing out: %+v", o.Error)
	}
	if b.scopeOf(t, token) != nil || b.scopeOf(t, upgraded) != nil {
		t.Error("a token is active after signing out")
	}
	if o := page.call(t, "signOut(token)", map[string]any{"token": token}); o.Error != nil {
		t.Errorf("signing out again: %+v", o.Error)
	}
}

// asksAboutToken has the page ask what its token allows.
func (b *bank) asksAboutToken(t *testing.T, page tab, token string) {
	t.Helper()
	got := page.text(t, "fetch(grantd + '/oauth/token/info', { headers: { Authorization: `Bearer ${token}` } }).then(r => r.json()).then(info => info.scope.join(' '))", map[string]any{"token": token})
	if got != "cards cards-write" {
		t.Errorf("token info: %s", got)
	}
}

// TestPageOfAnotherOrigin: a page of an origin that is not listed can do nothing, with a
// token that is active.
func TestPageOfAnotherOrigin(t *testing.T) {
	b := newBank(t)
	page, token := open(t, newSite(t), b.Server), b.device(t)
	with := map[string]any{"token": token, "customer": "10001"}
	page.blocked(t, "askForCode(customer, token)", with)
	page.blocked(t, "upgrade(customer, token, 'x', 'y')", with)
	page.blocked(t, "signOut(token)", with)
	if b.scopeOf(t, token) == nil {
		t.Error("the token has ended")
	}
	if logs := b.Logs.String(); !strings.Contains(logs, `"cause":"origin_not_listed"`) || !strings.Contains(logs, `"origin":"http://127.0.0.1:`) {
		t.Error("the log does not name the origin")
	}
}

// TestSandboxedFrame: the origin of a sandboxed frame is null, also in a page of a listed
// origin.
func TestSandboxedFrame(t *testing.T) {
	b := newBank(t)
	page, token := open(t, b.app, b.Server), b.device(t)
	const frame = `new Promise(done => {
  addEventListener('message', m => done(m.data), { once: true })
  const f = document.createElement('iframe')
  f.sandbox = 'allow-scripts'
  f.srcdoc = '<script>fetch("' + grantd + '/oauth/revoke", { method: "POST", headers: { Authorization: "Bearer ' + token + '" }, body: new URLSearchParams({ token: "' + token + '" }) })' +
    '.then(r => parent.postMessage("status " + r.status, "*"), e => parent.postMessage(e.name, "*"))<\/script>'
  document.body.append(f)
})`
	if got := page.text(t, frame, map[string]any{"token": token}); got != "TypeError" {
		t.Errorf("the frame got %s", got)
	}
	if b.scopeOf(t, token) == nil {
		t.Error("the token has ended")
	}
}
