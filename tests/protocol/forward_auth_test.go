package protocol_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/grantd/grantd/config"
	"github.com/grantd/grantd/server/clients"
	"github.com/grantd/grantd/store"
	"github.com/grantd/grantd/store/storetest/redistest"
	"github.com/grantd/grantd/tests/harness"
	"github.com/grantd/grantd/tests/poll"
)

// What gateways send.
const (
	decidePath = "/forward-auth"
	envoyPath  = "/forward-auth/envoy"
	callerIP   = "203.0.113.7"
	fromCaller = "X-Forwarded-For: " + callerIP
	fromGET    = "X-Forwarded-Method: GET"
)

// isDecision reports whether the call is one of a gateway: what passes has no body.
func isDecision(c call) bool { return strings.HasPrefix(c.target, decidePath) }

// gateways is a configuration with which this machine is a gateway.
func gateways(c *config.Config) {
	c.Public.TrustedProxies = []string{"127.0.0.0/8", "10.1.0.0/16"}
	c.ForwardAuth.Policies = []config.Policy{
		{Name: "read", Scope: "users:read"}, {Name: "both", Scope: "users:read users:write"}, {Name: "any"},
		{Name: "behalf", Scope: "accounts", TokenUse: "on_behalf"}, {Name: "people", TokenUse: "client customer on_behalf partner key"},
	}
}

// passes makes the row of a call that may pass.
func passes(name string, c call) row {
	return row{name: name, call: c, status: 200, header: map[string]string{"WWW-Authenticate": ""}}
}

// notEnough makes the row of a token that is active and not enough.
func notEnough(name string, c call, challenge string) row {
	return row{name: name, call: c, status: 403, code: "insufficient_scope", header: map[string]string{"WWW-Authenticate": challenge}}
}

const (
	noChallenge      = `Bearer realm="grantd"`
	lackingChallenge = noChallenge + `, error="insufficient_scope"`
)

// tokenless makes the row of a call without a token.
func tokenless(name string, c call) row {
	return row{name: name, call: c, status: 401, code: "invalid_token", header: map[string]string{"WWW-Authenticate": noChallenge}}
}

// denied makes the row of a gateway that is refused: no token could help.
func denied(name string, c call, says string) row {
	return row{name: name, call: c, status: 403, code: "access_denied", says: says, header: map[string]string{"WWW-Authenticate": ""}}
}

// What passes, and wrong queries, methods, paths, headers and tokens, on both stores.
func TestForwardAuth(t *testing.T) {
	harness.EachStore(t, func(t *testing.T, start func(...harness.Options) *harness.Server) {
		a := &alliance{world: startWorld(t, start, harness.Options{Edit: gateways})}
		a.world.populate(t)
		a.agree(t)
		token := a.world.token(t, a.app, appScope)
		a.run(t, decisions(token))
		a.run(t, envoys(token))
		for method, status := range map[string]int{"GET": 200, "HEAD": 200, "POST": 200, "PUT": 200, "PATCH": 200, "DELETE": 200, "OPTIONS": 200, "TRACE": 200, "PROPFIND": 200, "x": 200} {
			t.Run("forward_auth_methods/"+method, func(t *testing.T) {
				for _, target := range []string{decidePath + "?scope=users:read", envoyPath + "/read/users"} {
					passes("", call{method: method}).check(t, a.send(t, call{method: method, target: target, headers: []string{bearer(token)}}))
					if r := a.send(t, call{method: method, target: target}); r.Status != 401 || status != 200 {
						t.Errorf("%s without a token: %d", target, r.Status)
					}
				}
			})
		}
		t.Run("forward_auth_methods/body_of_10_MB_is_not_read", func(t *testing.T) { a.leavesBody(t, token) })
		a.grant(t, hurdlr, sharedOne, grantedOne, map[string]any{"endpoints": []string{"GET /accounts", "GET /accounts/{id}"}})
		a.run(t, restricted(a.onBehalf(t, a.token, sharedOne, "accounts", `,"sourceIp":"`+callerIP+`"`)))
		a.run(t, a.kinds(t))
		t.Run("forward_auth_ends/revoked", func(t *testing.T) {
			granted("", call{}).check(t, a.send(t, form("/oauth/revoke", "token="+token, basic(a.app))))
			notActive("", call{}).check(t, a.send(t, get(decidePath, bearer(token))))
		})
	})
}

// decisions are the rows of an ordinary token.
func decisions(token string) []row {
	ask := func(query string, headers ...string) call {
		return get(decidePath+query, append(headers, bearer(token))...)
	}
	rows := []row{
		{name: "forward_auth/scope", call: ask("?scope=users:read"), status: 200, header: map[string]string{
			"X-Auth-Client-Id": "app", "X-Auth-Subject": "client:app", "X-Auth-Scope": appScope, "X-Auth-Token-Use": "client",
		}, also: func(t *testing.T, r harness.Response) {
			for _, name := range []string{"X-Auth-Customer-Id", "X-Auth-Org-Id", "X-Auth-Partner-Id"} {
				if v, ok := r.Header[name]; !ok || len(v) != 1 || v[0] != "" {
					t.Errorf("%s: %q: a gateway would pass on what its caller sent", name, v)
				}
			}
		}},
		passes("forward_auth/both_scopes", ask("?scope=users:read+users:write&token_use=client+customer")),
		passes("forward_auth/no_scope", ask("")),
		passes("forward_auth/lower_case_scheme", get(decidePath, "authorization: bearer  "+token)),
		tokenless("forward_auth_refused/no_token", get(decidePath)),
		tokenless("forward_auth_refused/other_scheme", get(decidePath, "Authorization: Basic "+token)),
		notActive("forward_auth_refused/garbage", get(decidePath, bearer("made-up-0123456789"))),
		notActive("forward_auth_refused/damaged", get(decidePath, bearer(damaged(token, len(token)-5)))),
		notActive("forward_auth_refused/empty", get(decidePath, "Authorization: Bearer ")),
		notEnough("forward_auth_refused/scope", ask("?scope=users:read+cards"), lackingChallenge+`, scope="users:read cards"`),
		notEnough("forward_auth_refused/kind", ask("?token_use=customer"), lackingChallenge),
		notActive("forward_auth_one_token/two_headers", ask("", bearer(token))),
		notActive("forward_auth_one_token/two_headers_of_two_schemes", ask("", "Authorization: Basic eDp5")),
		notActive("forward_auth_one_token/merged_as_Envoy_does", get(decidePath, bearer(token+",Bearer "+token))),
		denied("forward_auth_one_token/in_the_query", get(decidePath+"?access_token="+token), "query of the gateway"),
		tokenless("forward_auth_one_token/in_the_original_query", get(decidePath, "X-Forwarded-Uri: /users?access_token="+token)),
		passes("forward_auth_family/the_other_one_is_not_read", ask("", "X-Original-URI: /a/../b", "X-Original-Method: POST", "X-Real-IP: nowhere", "Forwarded: for=192.0.2.1")),
	}
	for name, query := range map[string]string{
		"empty_scope": "?scope=", "no_value": "?scope", "empty_use": "?token_use=", "repeated": "?scope=users:read&scope=users:read", "repeated_use": "?token_use=client&token_use=client",
		"unknown": "?scopes=users:read", "unknown_besides": "?scope=users:read&x=1", "upper_case": "?SCOPE=users:read", "brackets": "?scope[]=users:read", "ampersand": "?scope=users:read&",
		"semicolon": "?scope=users:read;x=1", "bad_escape": "?scope=%zz", "two_spaces": "?scope=users:read++x", "nul": "?scope=users:read%00", "unknown_use": "?token_use=admin", "comma": "?token_use=client,customer",
	} {
		rows = append(rows, denied("forward_auth_query/"+name, ask(query), "in the query of the gateway"))
		if at := len(rows) - 1; strings.Contains(query, "scopes") || !strings.Contains("two_spaces nul unknown_use comma", name) {
			rows[at].says = "the query of the gateway cannot be read"
		}
	}
	return rows
}

// envoys are the rows of the path with which Envoy asks.
func envoys(token string) []row {
	ask := func(rest string) call { return get(envoyPath+rest, bearer(token)) }
	return []row{
		passes("forward_auth_envoy/policy", ask("/read/users")),
		passes("forward_auth_envoy/root", ask("/read/")),
		passes("forward_auth_envoy/query_is_not_read", ask("/read/users?scope=cards&x&token_use=")),
		tokenless("forward_auth_envoy/token_in_the_query", get(envoyPath+"/read/users?access_token="+token)),
		passes("forward_auth_envoy/whatever_path", ask("/both/a/../b//c;d%2fe%5cf%00g")),
		notEnough("forward_auth_envoy/kind", ask("/behalf/users"), lackingChallenge),
		denied("forward_auth_envoy/unknown_policy", ask("/reed/users"), "no policy"),
		denied("forward_auth_envoy/policy_in_upper_case", ask("/Read/users"), "no policy"),
		denied("forward_auth_envoy/encoded_policy", ask("/re%61d/users"), "no policy"),
		denied("forward_auth_envoy/empty_policy", ask("//users"), "no policy"),
		denied("forward_auth_envoy/dots_before_the_policy", ask("/../envoy/read/users"), "no policy"),
		denied("forward_auth_envoy/policy_with_parameters", ask("/read;x/users"), "no policy"),
		denied("forward_auth_envoy/no_path", ask("/read"), "the path must be"),
		denied("forward_auth_envoy/no_path_and_a_query", ask("/read?a=/b"), "no policy"),
		denied("forward_auth_envoy/nothing", ask("/"), "the path must be"),
		denied("forward_auth_envoy/encoded_prefix", get("/forward-auth/envo%79/read/users", bearer(token)), "the path must be"),
		denied("forward_auth_envoy/absolute_form", get("http://grantd.test"+envoyPath+"/read/users", bearer(token)), "the path must be"),
		{name: "forward_auth_envoy/no_other_path", call: get("/forward-auth/x", bearer(token)), status: 404, code: "not_found"},
		{name: "forward_auth_envoy/encoded_slash_in_the_prefix", call: get("/forward-auth%2fenvoy/read/users", bearer(token)), status: 404, code: "not_found"},
	}
}

// restricted are the rows of a token for GET /accounts and GET /accounts/{id}, from one
// address.
func restricted(token string) []row {
	const query = "?token_use=on_behalf&scope=accounts"
	ask := func(uri string, headers ...string) call {
		return get(decidePath+query, append(headers, bearer(token), "X-Forwarded-Uri: "+uri)...)
	}
	envoy := func(method, uri string, headers ...string) call {
		return call{method: method, target: envoyPath + "/behalf" + uri, headers: append(headers, bearer(token))}
	}
	refused := func(name string, c call) row { return notEnough(name, c, lackingChallenge) }
	rows := []row{
		passes("forward_auth/on_behalf", ask("/accounts/7?limit=1", fromGET, fromCaller)),
		passes("forward_auth/on_behalf_HEAD", ask("/accounts", "X-Forwarded-Method: HEAD", fromCaller)),
		passes("forward_auth/on_behalf_through_another_proxy", ask("/accounts", fromGET, "X-Forwarded-For: 192.0.2.9, "+callerIP+", 10.1.2.3")),
		refused("forward_auth_refused/on_behalf_writes", ask("/accounts", "X-Forwarded-Method: POST", fromCaller)),
		refused("forward_auth_refused/on_behalf_method_in_lower_case", ask("/accounts", "X-Forwarded-Method: get", fromCaller)),
		refused("forward_auth_refused/on_behalf_other_path", ask("/cards", fromGET, fromCaller)),
		refused("forward_auth_refused/on_behalf_other_address", ask("/accounts", fromGET, "X-Forwarded-For: 203.0.113.8")),
		refused("forward_auth_refused/on_behalf_forged_address", ask("/accounts", fromGET, "X-Forwarded-For: "+callerIP+", 203.0.113.8")),
		refused("forward_auth_refused/on_behalf_no_address", ask("/accounts", fromGET)),
		refused("forward_auth_refused/on_behalf_no_method", ask("/accounts", fromCaller)),
		refused("forward_auth_refused/on_behalf_no_path", get(decidePath+query, bearer(token), fromGET, fromCaller)),
		refused("forward_auth_family/two_methods", ask("/accounts", fromGET, fromGET, fromCaller)),
		refused("forward_auth_family/only_the_other", get(decidePath+query, bearer(token), "X-Original-URI: /accounts", "X-Original-Method: GET", "X-Real-IP: "+callerIP)),
		passes("forward_auth_envoy/on_behalf", envoy("GET", "/accounts/7?x=%2f", fromCaller+", 10.1.0.1")),
		passes("forward_auth_envoy/on_behalf_HEAD", envoy("HEAD", "/accounts", fromCaller)),
		refused("forward_auth_envoy/on_behalf_writes", envoy("POST", "/accounts", fromCaller, "X-Forwarded-Method: GET")),
		refused("forward_auth_envoy/on_behalf_unknown_method", envoy("PROPFIND", "/accounts", fromCaller)),
		refused("forward_auth_envoy/on_behalf_no_address", envoy("GET", "/accounts")),
		refused("forward_auth_envoy/on_behalf_address_of_Envoy", envoy("GET", "/accounts", "X-Forwarded-For: 10.1.0.1")),
		refused("forward_auth_envoy/headers_do_not_count", envoy("GET", "/cards", fromCaller, "X-Forwarded-Uri: /accounts", "X-Original-URI: /accounts", "X-Envoy-Original-Path: /accounts")),
	}
	for _, path := range []string{
		"/cards/../accounts", "/accounts/..", "/accounts/%2e%2e/accounts", "/accounts/./7", "//accounts", "/accounts//7", "/accounts;x", "/accounts/7;a=b", "/accounts/%2f7",
		"/accounts%2F7", `/accounts/\7`, "/accounts/%5c", "/accounts/%5C7", "/accounts/%00", "/accounts/7%3Fx", "/accounts/%252e", "/accounts/%3b", "/accounts/ü",
	} {
		name := fmt.Sprintf("%q", path)
		rows = append(rows, refused("forward_auth_path/"+name, ask(path, fromGET, fromCaller)), refused("forward_auth_path/envoy_"+name, envoy("GET", path, fromCaller)))
	}
	for _, path := range []string{"accounts", "http://api/accounts", "/accounts/%zz", "/accounts#x", "*"} {
		rows = append(rows, refused("forward_auth_path/"+path, ask(path, fromGET, fromCaller)))
	}
	return rows
}

// kinds returns the rows of tokens of other kinds.
func (a *alliance) kinds(t *testing.T) []row {
	t.Helper()
	aimed := a.client(t, "aimed", appScope, func(s *clients.NewSpec) { s.Resources = &[]string{cards} })
	key, _ := a.admin(t, "POST", "/orgs/"+sharedOne+"/keys", map[string]any{"owner": "2", "name": "exports", "scope": "cards"}).JSON(t)["key"].(string)
	a.keep(key)
	return []row{
		notActive("forward_auth_audience/of_another_server", get(decidePath, bearer(a.world.token(t, aimed, "")))),
		{name: "forward_auth/partner_token", call: get(decidePath+"?token_use=partner", bearer(a.token)), status: 200, header: map[string]string{
			"X-Auth-Subject": "partner:" + hurdlr, "X-Auth-Partner-Id": hurdlr, "X-Auth-Token-Use": "partner", "X-Auth-Client-Id": "", "X-Auth-Scope": "",
		}},
		{name: "forward_auth/key", call: get(envoyPath+"/people/x", bearer(key)), status: 200, header: map[string]string{
			"X-Auth-Subject": "org:" + sharedOne, "X-Auth-Org-Id": sharedOne, "X-Auth-Token-Use": "key", "X-Auth-Scope": "cards",
		}},
		notEnough("forward_auth_refused/partner_token", get(decidePath, bearer(a.token)), lackingChallenge),
		notEnough("forward_auth_refused/key", get(decidePath, bearer(key)), lackingChallenge),
	}
}

// leavesBody sends the headers of an upload, and waits for the decision before it sends
// any of the body.
func (w *world) leavesBody(t *testing.T, token string) {
	t.Helper()
	for _, c := range []struct {
		auth   string
		status int
	}{{bearer(token), 200}, {bearer("made-up-0123456789"), 401}} {
		for _, length := range []string{"Content-Length: 10485760", "Content-Length: 1000", "Transfer-Encoding: chunked"} {
			conn := w.dial(t)
			raw := "POST " + decidePath + " HTTP/1.1\r\nHost: grantd.test\r\n" + c.auth + "\r\n" + length + "\r\n\r\n"
			if _, err := io.WriteString(conn, raw); err != nil {
				t.Fatal(err)
			}
			r := bufio.NewReader(conn)
			res, err := http.ReadResponse(r, nil)
			if err != nil {
				t.Fatalf("%s: no response while the body is not sent: %v", length, err)
			}
			defer res.Body.Close()
			_, _ = io.Copy(io.Discard, res.Body)
			if res.StatusCode != c.status || !res.Close {
				t.Errorf("%s: %d, closes %v: the rest of the body would be the next request", length, res.StatusCode, res.Close)
			}
			if _, err := r.ReadByte(); err == nil || isTimeout(err) {
				t.Errorf("%s: the connection stays open: %v", length, err)
			}
			_ = conn.Close()
		}
	}
}

func isTimeout(err error) bool {
	failed, ok := errors.AsType[net.Error](err)
	return ok && failed.Timeout()
}

// Only the trusted proxies may ask, by the address of the connection.
func TestForwardAuthPeer(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		proxies []string
		says    string
	}{
		"forward_auth_peer/none_configured": {nil, "list the addresses of yours in public.trusted_proxies"},
		"forward_auth_peer/another":         {[]string{"192.0.2.0/24"}, "this address is not one of public.trusted_proxies"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, func(cfg *config.Config) { gateways(cfg); cfg.Public.TrustedProxies = c.proxies })
			token := w.token(t, w.app, "")
			for _, target := range []string{decidePath, decidePath + "?x", envoyPath + "/read/users", envoyPath + "/nobody/users"} {
				for _, forged := range []string{"X-Forwarded-For: 192.0.2.1", "Forwarded: for=192.0.2.1", "X-Real-IP: 192.0.2.1"} {
					denied("", call{}, c.says).check(t, w.send(t, get(target, bearer(token), forged)))
				}
			}
			if log := w.Logs.String(); !strings.Contains(log, `"address":"127.0.0.1","error":"access_denied","cause":"not_a_gateway"}`) || strings.Count(log, "not_a_gateway") != 1 {
				t.Errorf("the log must name the address once, and count the others:\n%s", log)
			}
		})
	}
}

// Restrictions that only a resource server could enforce, the audience, and the family
// of headers of nginx.
func TestForwardAuthRestrictions(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *config.Config) { gateways(c); c.ForwardAuth.Headers = "original" })
	for _, c := range []struct {
		name   string
		edit   func(*store.Token)
		status int
		cause  string
	}{
		{"forward_auth/plain", func(*store.Token) {}, 200, ""},
		{"forward_auth_audience/another_api", func(r *store.Token) { r.Audience = []string{cards} }, 401, "token_audience"},
		{"forward_auth_audience/grantd_itself", func(r *store.Token) { r.Audience = []string{w.URL} }, 401, "token_audience"},
		{"forward_auth_refused/resources", func(r *store.Token) { r.Resources = cardsOf("12") }, 403, "token_resources"},
		{"forward_auth_family/address", func(r *store.Token) { r.SourceIPs = []string{callerIP} }, 200, ""},
		{"forward_auth_refused/address", func(r *store.Token) { r.SourceIPs = []string{"203.0.113.8", "127.0.0.1"} }, 403, "token_source_ip"},
		{"forward_auth_family/path", func(r *store.Token) { r.Endpoints = []string{"GET /cards"} }, 200, ""},
		{"forward_auth_refused/path", func(r *store.Token) { r.Endpoints = []string{"GET /accounts"} }, 403, "token_endpoint"},
		{"forward_auth_refused/kind_of_a_customer", func(r *store.Token) { r.Use, r.CustomerID = store.UseCustomer, peter }, 403, "token_use"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := w.send(t, get(decidePath, bearer(w.planted(t, c.edit)), "X-Original-Method: GET", "X-Original-URI: /cards", "X-Real-IP: "+callerIP, "X-Forwarded-For: 127.0.0.1", "X-Forwarded-Uri: /accounts"))
			if r.Status != c.status {
				t.Errorf("%d %s", r.Status, r.Body)
			}
			if log := w.Logs.String(); c.cause != "" && !strings.Contains(log, `"cause":"`+c.cause+`"`) || strings.Contains(log, `"address":"127.0.0.1"`+`,"client_id":"app","jti"`) {
				t.Errorf("no cause %s, or the address is that of the gateway:\n%s", c.cause, log)
			}
		})
	}
}

// If nobody can tell, the response is 503 within two seconds, whatever the scope.
func TestForwardAuthUnavailable(t *testing.T) {
	t.Parallel()
	w := newWorld(t, gateways)
	cached, fresh := w.token(t, w.app, "users:read"), w.token(t, w.app, "users:read")
	passes("", call{}).check(t, w.send(t, get(decidePath, bearer(cached))))
	w.store.Fail("GetToken", store.ErrUnavailable)
	defer w.store.Heal("GetToken")
	w.run(t, []row{
		passes("forward_auth_unavailable/cached", get(decidePath, bearer(cached))),
		down("forward_auth_unavailable/not_cached", get(decidePath, bearer(fresh))),
		down("forward_auth_unavailable/envoy", get(envoyPath+"/read/x", bearer(fresh))),
		down("forward_auth_unavailable/before_the_rules", get(decidePath+"?scope=cards", bearer(fresh))),
		notActive("forward_auth_unavailable/garbage_needs_no_store", get(decidePath, bearer("made-up-0123456789"))),
	})
	w.store.Heal("GetToken")
	t.Run("forward_auth_unavailable/store_hangs", func(t *testing.T) {
		_, release := w.store.Block("GetToken")
		defer release()
		began := time.Now()
		down("", call{}).check(t, w.send(t, get(decidePath, bearer(fresh))))
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("503 after %v", took)
		}
	})
}

// A Redis that is gone or hangs: as soon as this process may have missed a revocation,
// each call gets 503 within two seconds, a cached token too.
func TestForwardAuthWithoutRedis(t *testing.T) {
	t.Parallel()
	for name, mode := range map[string]harness.Mode{"forward_auth_unavailable/redis_refuses": harness.Refusing, "forward_auth_unavailable/redis_hangs": harness.Hanging} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			link := harness.StartProxy(t, redistest.Start(t).Addr)
			w := startWorld(t, func(o ...harness.Options) *harness.Server { return harness.Start(t, o...) },
				harness.Options{Edit: edits([]func(*config.Config){gateways, harness.OnRedis(link.Addr)})})
			w.populate(t)
			cached, fresh := w.token(t, w.app, ""), w.token(t, w.app, "")
			passes("", call{}).check(t, w.send(t, get(decidePath, bearer(cached))))
			link.Set(mode)
			poll.Await(t, poll.Patience, "a cached token is not judged any more", func() string {
				if r := w.send(t, get(decidePath, bearer(cached))); r.Status == 200 {
					return "it passes"
				}
				return ""
			})
			for _, target := range []string{decidePath, envoyPath + "/read/users"} {
				for _, token := range []string{cached, fresh} {
					began := time.Now()
					r := w.send(t, get(target, bearer(token)))
					if took := time.Since(began); took > 2*time.Second || r.NotUnavailable() != "" {
						t.Errorf("%s: %d after %v, want 503 within 2 s: %s %s", target, r.Status, took, r.NotUnavailable(), r.Body)
					}
				}
			}
			link.Set(harness.Passing)
			poll.Await(t, poll.Patience, "tokens pass again", func() string {
				if r := w.send(t, get(decidePath, bearer(fresh))); r.Status != 200 {
					return r.String()
				}
				return ""
			})
		})
	}
}
