package protocol_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/grantd/grantd/config"
	"github.com/grantd/grantd/server/clients"
	"github.com/grantd/grantd/server/credential"
	"github.com/grantd/grantd/store"
	"github.com/grantd/grantd/tests/harness"
)

// Two orgs that share their data with partners; wayne is one that has agreed to
// nothing.
const (
	sharedOne = "ipF58vfdszo="
	sharedTwo = acme

	// hurdlr does bookkeeping for small businesses, kard runs rewards programs.
	hurdlr, kard = "hurdlr", "kard"
)

const (
	partnerScope = "customers accounts cards transactions payments statements"
	grantedOne   = "accounts transactions"
	grantedTwo   = "customers cards transactions"
)

// alliance is a world of partners and of orgs that have granted them access.
type alliance struct {
	*world
	token string          // hurdlr's partner token
	id    string          // its id
	api   clients.Created // accepts tokens of every use and enforces every restriction
}

func newAlliance(t *testing.T, edit ...func(*config.Config)) *alliance {
	t.Helper()
	a := &alliance{world: newWorld(t, edit...)}
	a.agree(t)
	return a
}

// agree creates the orgs, the partners and the grants.
func (a *alliance) agree(t *testing.T) {
	t.Helper()
	for id, name := range map[string]string{sharedOne: "Shared Client 1", sharedTwo: "Shared Client 2", wayne: "Wayne Enterprises"} {
		a.org(t, id, name)
	}
	a.partner(t, hurdlr)
	a.partner(t, kard)
	a.grant(t, hurdlr, sharedOne, grantedOne)
	a.grant(t, hurdlr, sharedTwo, grantedTwo)
	a.token, a.id = a.partnerToken(t, hurdlr, nil)
	a.api = a.server(t, "api", everyUse, "", "source_ip", "endpoints", "resources")
}

func (a *alliance) org(t *testing.T, id, name string) {
	t.Helper()
	a.admin(t, "PUT", "/orgs/"+id, map[string]any{"name": name})
}

func (a *alliance) partner(t *testing.T, id string) {
	t.Helper()
	a.admin(t, "PUT", "/partners/"+id, map[string]any{"name": "Partner " + id, "scope": partnerScope})
}

// grant makes the org grant scope to the partner; more holds other members of
// the grant.
func (a *alliance) grant(t *testing.T, partner, org, scope string, more ...map[string]any) {
	t.Helper()
	body := map[string]any{"scope": scope}
	for _, m := range more {
		for name, value := range m {
			body[name] = value
		}
	}
	a.admin(t, "PUT", "/partners/"+partner+"/orgs/"+org, body)
}

// until returns the member of a grant that ends it after d.
func (a *alliance) until(d time.Duration) map[string]any {
	return map[string]any{"until": a.Clock.Now().UTC().Add(d).Truncate(time.Second).Format(time.RFC3339)}
}

// partnerToken creates a partner token; spec may be nil.
func (a *alliance) partnerToken(t *testing.T, partner string, spec map[string]any) (token, id string) {
	t.Helper()
	body := map[string]any{"name": "backend"}
	for name, value := range spec {
		body[name] = value
	}
	r := a.admin(t, "POST", "/partners/"+partner+"/tokens", body).JSON(t)
	token, _ = r["token"].(string)
	id, _ = r["token_id"].(string)
	if _, ok := credential.PartnerTokenID(token, "sandbox"); !ok {
		t.Fatalf("not the form of a partner token: %q", token)
	}
	a.keep(token)
	return token, id
}

// askOnBehalf is POST /partners/token.
func askOnBehalf(attributes string, headers ...string) call {
	return document("/partners/token", "createOnBehalfToken", attributes, headers...)
}

// onBehalfOf returns attributes of askOnBehalf; more holds others.
func onBehalfOf(org, scope string, more ...string) string {
	return `{"orgId":"` + org + `","scopes":"` + scope + `"` + strings.Join(more, "") + `}`
}

// onBehalf requests an on-behalf token, which must succeed.
func (a *alliance) onBehalf(t *testing.T, token, org, scope string, more ...string) string {
	t.Helper()
	r := a.send(t, askOnBehalf(onBehalfOf(org, scope, more...), bearer(token)))
	if r.Status != http.StatusCreated {
		t.Fatalf("on-behalf token: %d %s", r.Status, r.Body)
	}
	return attribute(t, r, "token")
}

// The names of RFC 8693.
const (
	tokenExchange = "grant_type=urn:ietf:params:oauth:grant-type:token-exchange"
	accessToken   = "urn:ietf:params:oauth:token-type:access_token"
)

// trade returns the body of a token exchange; more holds other parameters.
func trade(subject, org string, more ...string) string {
	return tokenExchange + "&subject_token_type=" + accessToken + "&subject_token=" + url.QueryEscape(subject) +
		"&audience=" + url.QueryEscape("org:"+org) + strings.Join(more, "")
}

// badBearers returns tokens that are not active partner tokens of this server,
// by what is wrong with them.
func (a *alliance) badBearers(t *testing.T) map[string]string {
	t.Helper()
	bad := map[string]string{
		"client":        a.world.token(t, a.app, ""),
		"client_secret": a.app.ClientSecret,
		"customer":      a.planted(t, func(r *store.Token) { r.Use, r.OrgID, r.CustomerID = store.UseCustomer, sharedTwo, peter }),
		"on_behalf":     a.onBehalf(t, a.token, sharedTwo, "cards"),
		"made_up":       "made-up-0123456789",
		"of_our_form":   "gp_sandbox_Zz9Zz9Zz_" + strings.Repeat("a", 43),
		"damaged":       damaged(a.token, len(a.token)-5),
		"damaged_id":    damaged(a.token, len("gp_sandbox_")),
		"cut":           a.token[:len(a.token)-1],
		"padded":        a.token + "=",
		"live":          strings.Replace(a.token, "gp_sandbox_", "gp_live_", 1),
		"as_a_client's": strings.Replace(a.token, "gp_sandbox_"+a.id+"_", "gt_sandbox_", 1),
	}
	other, otherID := a.partnerToken(t, kard, nil)
	bad["id_of_another"] = strings.Replace(a.token, a.id, otherID, 1)
	a.keep(other)
	elsewhere := newWorld(t)
	foreign := &alliance{world: elsewhere}
	foreign.partner(t, hurdlr)
	bad["of_another_server"], _ = foreign.partnerToken(t, hurdlr, nil)

	var id string
	bad["revoked"], id = a.partnerToken(t, hurdlr, nil)
	a.admin(t, "DELETE", "/partners/"+hurdlr+"/tokens/"+id, nil)
	bad["bound_to_other_addresses"], _ = a.partnerToken(t, hurdlr, map[string]any{"source_ips": []string{"192.0.2.0/24", "2001:db8::/32"}})
	a.partner(t, "patch")
	bad["of_a_deactivated_partner"], _ = a.partnerToken(t, "patch", nil)
	a.admin(t, "POST", "/partners/patch/deactivate", nil)
	a.partner(t, "apex")
	bad["from_before_a_reactivation"], _ = a.partnerToken(t, "apex", nil)
	a.admin(t, "POST", "/partners/apex/deactivate", nil)
	a.admin(t, "POST", "/partners/apex/reactivate", nil)
	a.partner(t, "alpaca")
	bad["of_a_deleted_partner"], _ = a.partnerToken(t, "alpaca", nil)
	a.admin(t, "DELETE", "/partners/alpaca", nil)
	a.partner(t, "alpaca")
	bad["expired"], _ = a.partnerToken(t, hurdlr, map[string]any{"lifetime": "1m"})
	a.Clock.Add(time.Minute + time.Second)
	for _, token := range bad {
		a.keep(token)
	}
	return bad
}

// damaged changes one character.
func damaged(token string, at int) string {
	other := byte('A')
	if token[at] == other {
		other = 'B'
	}
	return token[:at] + string(other) + token[at+1:]
}

// notPartners makes the row of a bearer that is not an active partner token: all
// of them get one response.
func notPartners(name string, c call) row {
	r := notActive(name, c)
	r.body = `{"errors":[{"status":"401","code":"invalid_token","title":"Unauthorized","detail":"the bearer token is not an active partner token, or is not allowed from this address"}]}`
	return r
}

// notAgreed makes the row of an org for which the partner must not act: all of
// them get one response.
func notAgreed(name string, c call) row {
	return row{name: name, call: c, status: http.StatusForbidden, code: "access_denied", pointer: "/data/attributes/orgId",
		body: `{"errors":[{"status":"403","code":"access_denied","title":"Forbidden","detail":"this org has not agreed that you act for it, or there is none with this id","source":{"pointer":"/data/attributes/orgId"}}]}`}
}

// refusedOrgs returns orgs for which hurdlr must not act, by the reason.
func (a *alliance) refusedOrgs(t *testing.T) map[string]string {
	t.Helper()
	orgs := map[string]string{
		"unknown": "nowhere", "not_agreed": wayne, "of_another_partner": "kards-only", "withdrawn": "withdrawn",
		"over": "over", "deactivated": "deactivated", "deleted": "deleted", "made_again": "made-again", "empty": "",
		"malformed": "no org", "too_long": strings.Repeat("1", 200), "of_a_path": "../" + sharedTwo, "grant": hurdlr + "/" + sharedTwo,
	}
	for _, why := range []string{"of_another_partner", "withdrawn", "over", "deactivated", "deleted", "made_again"} {
		a.org(t, orgs[why], "Org "+why)
	}
	a.grant(t, kard, "kards-only", grantedTwo)
	a.grant(t, hurdlr, "over", grantedTwo, a.until(time.Minute))
	a.Clock.Add(time.Minute)
	for _, why := range []string{"withdrawn", "deactivated", "deleted", "made_again"} {
		a.grant(t, hurdlr, orgs[why], grantedTwo)
		a.onBehalf(t, a.token, orgs[why], "cards") // puts the grant into caches
	}
	a.admin(t, "DELETE", "/partners/"+hurdlr+"/orgs/withdrawn", nil)
	a.admin(t, "POST", "/orgs/deactivated/deactivate", nil)
	a.admin(t, "DELETE", "/orgs/deleted", nil)
	a.admin(t, "DELETE", "/orgs/made-again", nil)
	a.org(t, "made-again", "Another org with the same id")
	return orgs
}

// number returns a numeric attribute of the document in r.
func number(t *testing.T, r harness.Response, name string) float64 {
	t.Helper()
	data, _ := r.JSON(t)["data"].(map[string]any)
	attributes, _ := data["attributes"].(map[string]any)
	value, ok := attributes[name].(float64)
	if !ok {
		t.Fatalf("no %s: %d %s", name, r.Status, r.Body)
	}
	return value
}
