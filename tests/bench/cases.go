package main

import (
	"encoding/base64"
	"fmt"
	"slices"
)

// variant is a grantd with particular settings.
type variant string

const (
	plain     variant = "plain"
	smallCold variant = "cold"      // its cache is small, so nearly all requests miss it
	unlimited variant = "wrong"     // wrong secrets are counted without a limit
	customers variant = "customers" // it issues tokens for a customer
	partners  variant = "partners"  // it has a partner that acts for an org
)

// coldCache is the cache size of smallCold. It is so small compared with the list
// that hits do not matter.
const coldCache = 1000

func (v variant) settings() settings {
	switch v {
	case smallCold:
		return settings{cacheEntries: coldCache}
	case unlimited:
		return settings{unlimited: true}
	case customers, partners:
		return settings{has: v}
	}
	return settings{}
}

// workload is one kind of request and its expected responses.
type workload struct {
	name    string
	title   string
	variant variant
	floor   string // path of the same request on the floor
	source  string // of tokens
	tokens  int    // how many of the list are used; 0: all
	walk    bool   // each measurement continues where the last one ended
	status  int
	want    []rule
	onFloor []rule
	other   bool // one of otherEvery requests is for a token
	request func(g *grantd, path string) (head string)
	path    string
}

// otherEvery means one issue per 50 introspections.
const otherEvery = 51

const (
	pathToken      = "/oauth/token"
	pathIntrospect = "/oauth/introspect"
	typeForm       = "application/x-www-form-urlencoded"
	randomWidth    = 43 // of the random text of load.lua
	hotTokens      = 200
	warmCase       = "warm"
	customerHot    = "customer-hot"

	customerID        = "10001"
	pathCustomerToken = "/customers/" + customerID + "/token"
	pathPartnerToken  = "/partners/token"
	typeJSONAPI       = "application/vnd.api+json"
)

var (
	issued   = rule{starts: `{"access_token":"gt_`, holds: `"expires_in"`}
	active   = rule{starts: `{"active":true`, holds: `"token_type":"Bearer"`}
	inactive = rule{exact: `{"active":false}`}
	refused  = rule{starts: `{"error":"invalid_client"`, holds: `"error_description"`}
	handed   = rule{starts: `{"data":{"type":"customerBearerToken","attributes":{"token":"gt_`, holds: `"expiresIn":86400`}
	onBehalf = rule{starts: `{"data":{"type":"onBehalfToken","attributes":{"token":"gt_`, holds: `"expiresIn":86400`}
)

// workloads returns the cases in the order of the tables.
func workloads() []workload {
	issue := func(name, title string, request func(*grantd, string) string) workload {
		return workload{
			name: name, title: title, variant: plain, path: pathToken, floor: "/token",
			source: fromNone, status: 200, want: []rule{issued}, request: request,
		}
	}
	introspect := func(name, title, floor string, edit func(*workload)) workload {
		w := workload{
			name: name, title: title, variant: plain, path: pathIntrospect, floor: floor,
			source: fromList, status: 200, want: []rule{active}, request: introspection,
		}
		edit(&w)
		return w
	}
	return []workload{
		issue("issue-form", "issue, form", issueForm),
		issue("issue-json", "issue, JSON", issueJSON),
		issue("issue-basic", "issue, HTTP Basic", issueBasic),
		introspect("hot", "introspect, hot", "/const", func(w *workload) { w.tokens = hotTokens }),
		introspect(warmCase, "introspect, warm", "/const", func(w *workload) { w.walk = true }),
		introspect("cold", "introspect, cold", "/introspect", func(w *workload) { w.variant, w.walk = smallCold, true }),
		introspect("garbage", "introspect, garbage", "/const/inactive", func(w *workload) {
			w.source, w.want, w.request = fromRandom, []rule{inactive}, madeUp
		}),
		introspect("mixed", "1 issue to 50 hot", "/const", func(w *workload) {
			w.tokens, w.other, w.want, w.onFloor = hotTokens, true, []rule{active, issued}, []rule{active}
		}),
		{
			name: "wrong", title: "wrong secrets", variant: unlimited, path: pathToken, floor: "/const/refused",
			source: fromRandom, status: 401, want: []rule{refused}, request: wrongSecret,
		},
		{
			name: "customer-issue", title: "issue, customer token", variant: customers, path: pathCustomerToken, floor: "/customer-token",
			source: fromNone, status: 201, want: []rule{handed}, request: issueCustomer,
		},
		introspect(customerHot, "introspect, customer token", "/const/customer", func(w *workload) {
			w.variant, w.tokens = customers, hotTokens
		}),
		{
			name: "on-behalf-issue", title: "issue, on-behalf token", variant: partners, path: pathPartnerToken, floor: "/on-behalf-token",
			source: fromNone, status: 201, want: []rule{onBehalf}, request: issueOnBehalf,
		},
	}
}

// named returns the workload with the name, which must exist.
func named(name string) workload {
	all := workloads()
	return all[slices.IndexFunc(all, func(w workload) bool { return w.name == name })]
}

// issueCustomer requests a customer token that needs no code.
func issueCustomer(g *grantd, path string) string {
	return document(g, path, `{"data":{"type":"customerToken","attributes":{"scope":"cards"}}}`)
}

// issueOnBehalf requests an on-behalf token for an org.
func issueOnBehalf(g *grantd, path string) string {
	return document(g, path, `{"data":{"type":"createOnBehalfToken","attributes":{"orgId":"`+benchOrg+`","scopes":"customers cards"}}}`)
}

// document returns a POST of a JSON:API document with the bearer token.
func document(g *grantd, path, body string) string {
	return fmt.Sprintf("POST %s HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nAuthorization: Bearer %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s",
		path, g.bearer, typeJSONAPI, len(body), body)
}

// post returns a request. The body is followed by more bytes, which count in its
// length.
func post(path, contentType string, basic *credentials, body string, more int) string {
	authorization := ""
	if basic != nil {
		authorization = "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(basic.ID+":"+basic.Secret)) + "\r\n"
	}
	return fmt.Sprintf("POST %s HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n%sContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s",
		path, authorization, contentType, len(body)+more, body)
}

func issueForm(g *grantd, path string) string {
	return post(path, typeForm, nil, fmt.Sprintf("grant_type=client_credentials&client_id=%s&client_secret=%s", g.client.ID, g.client.Secret), 0)
}

func issueJSON(g *grantd, path string) string {
	return post(path, "application/json", nil,
		fmt.Sprintf(`{"grant_type":"client_credentials","client_id":%q,"client_secret":%q}`, g.client.ID, g.client.Secret), 0)
}

func issueBasic(g *grantd, path string) string {
	return post(path, typeForm, &g.client, "grant_type=client_credentials", 0)
}

func introspection(g *grantd, path string) string {
	return post(path, typeForm, &g.server, "token=", g.tokens.width)
}

// madeUp ends with the prefix of a token; load.lua adds random text.
func madeUp(g *grantd, path string) string {
	return post(path, typeForm, &g.server, "token="+g.tokenPrefix(), randomWidth)
}

// wrongSecret ends with the ID of an existing secret; load.lua adds random text.
func wrongSecret(g *grantd, path string) string {
	return post(path, typeForm, nil, fmt.Sprintf("grant_type=client_credentials&client_id=%s&client_secret=%s",
		g.client.ID, g.client.Secret[:len(g.client.Secret)-randomWidth]), randomWidth)
}
