package service_test

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/url"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/crypto/bcrypt"

	"github.com/grantd/grantd/config"
	"github.com/grantd/grantd/store/storetest/redistest"
	"github.com/grantd/grantd/tests/harness"
)

type object = map[string]any

func TestSecretsOnEmbedded(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	tell(t, func(c *config.Config) { c.Store.Embedded.Path = dir }, func() []byte { return everything(t, dir) })
}

// TestSecretsOnRedis also searches the files of Redis: its append-only file has
// every write, even of deleted records, and its dump has every record. Neither is
// compressed.
func TestSecretsOnRedis(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := redistest.Start(t, "--dir", dir, "--appendonly", "yes", "--aof-use-rdb-preamble", "no", "--rdbcompression", "no")
	onRedis := func(c *config.Config) {
		harness.OnRedis(s.Addr)(c)
		c.Cache.MaxStaleness = harness.QuickStaleness
	}
	tell(t, onRedis, func() []byte {
		host, port, err := net.SplitHostPort(s.Addr)
		if err != nil {
			t.Fatal(err)
		}
		if out, err := exec.CommandContext(t.Context(), "redis-cli", "-h", host, "-p", port, "save").CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return everything(t, dir)
	})
}

// teller is a server and the credentials that the story has used.
type teller struct {
	*harness.Server
	t    *testing.T
	made credentials
}

// tell runs the story on a server and searches for its credentials.
func tell(t *testing.T, where func(*config.Config), stored func() []byte) {
	s := &teller{t: t, made: credentials{}}
	s.Server = harness.Start(t, harness.Options{Edit: func(c *config.Config) {
		c.Admin.Listen, c.Metrics.Listen = "127.0.0.1:0", "127.0.0.1:0"
		c.Limits.AuthFailuresPerClientAndAddress.Count = 5
		c.Limits.AuthFailuresPerAddress.Count = 1000
		where(c)
	}})
	s.clients()
	s.tokens()
	s.partners()
	s.mistakes()
	s.overTCP()
	s.ends()

	if len(s.made) < 25 {
		t.Errorf("the story used only %d credentials", len(s.made))
	}
	s.made.absent(t, "the metrics", s.metrics(), "grantd_tokens_issued_total")
	list := s.AdminDo(t, "GET", "/audit?limit=500", nil)
	s.made.absent(t, "the audit", []byte(list.Body), "leak.report")
	for _, path := range []string{"/clients?limit=500", "/clients/shop", "/clients/shop/secrets", "/clients/old", "/partners/hurdlr", "/partners/hurdlr/tokens", "/partners/hurdlr/orgs"} {
		s.made.absent(t, path, []byte(s.AdminDo(t, "GET", path, nil).Body), "created_at")
	}
	s.Close() // writes the last batches
	s.made.absent(t, "the log", []byte(s.Logs.String()), `"client_id":"shop"`)
	s.made.absent(t, "the store", stored(), "users:read")
}

// admin calls the admin API on the socket.
func (s *teller) admin(method, path string, body any, status int) object {
	s.t.Helper()
	return s.answered(s.AdminDo(s.t, method, path, body), status)
}

func (s *teller) answered(r harness.Response, status int) object {
	s.t.Helper()
	if r.Status != status {
		s.t.Fatalf("%d %s, want %d", r.Status, r.Body, status)
	}
	var o object
	if err := json.Unmarshal([]byte(r.Body), &o); err != nil && status != http.StatusNoContent {
		s.t.Fatalf("%v: %s", err, r.Body)
	}
	return o
}

// met remembers the credential.
func (s *teller) met(name string, credential any) string {
	s.t.Helper()
	text, _ := credential.(string)
	if len(text) < 16 {
		s.t.Fatalf("%s: no credential", name)
	}
	s.made[name] = text
	return text
}

// madeUp returns an invented credential and remembers it.
func (s *teller) madeUp(name, prefix string) string {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // never fails
	return s.met(name, prefix+base64.RawURLEncoding.EncodeToString(b))
}

func (s *teller) clients() {
	s.t.Helper()
	shop := s.admin("POST", "/clients", object{"client_id": "shop", "scope": "users:read users:write"}, 201)
	s.met("first secret", shop["client_secret"])
	s.met("second secret", s.admin("POST", "/clients/shop/secrets", object{"grace": "24h"}, 201)["client_secret"])
	s.met("secret of the resource server", s.admin("POST", "/clients", object{"client_id": "rs", "scope": "introspect"}, 201)["client_secret"])
	s.met("secret of the operator", s.admin("POST", "/clients", object{"client_id": "op", "scope": "admin:read admin:write"}, 201)["client_secret"])
	old := s.madeUp("imported secret", "")
	hash, err := bcrypt.GenerateFromPassword([]byte(old), bcrypt.DefaultCost)
	if err != nil {
		s.t.Fatal(err)
	}
	s.admin("POST", "/clients", object{"client_id": "old", "scope": "users:read", "secret_hash": string(hash)}, 201)
	wrong := s.madeUp("secret instead of its hash", "")
	s.AdminDo(s.t, "POST", "/clients", object{"client_id": "oops", "scope": "users:read", "secret_hash": wrong})
	s.AdminDo(s.t, "POST", "/clients", object{"client_id": "oops", "client_secret": wrong})
	s.AdminDo(s.t, "POST", "/clients", object{"client_id": "oops", "scope": wrong})
}

func (s *teller) tokens() {
	s.t.Helper()
	grant := url.Values{"grant_type": {"client_credentials"}}
	token := func(name, client, secret string) string {
		s.t.Helper()
		form := url.Values{"grant_type": {"client_credentials"}}
		if client == "op" {
			form.Set("scope", "admin:read admin:write")
		}
		return s.met(name, s.answered(s.Form(s.t, "/oauth/token", client, s.made[secret], form), 200)["access_token"])
	}
	token("token of the first secret", "shop", "first secret")
	token("token of the second secret", "shop", "second secret")
	token("token to revoke", "shop", "second secret")
	token("token to leak", "shop", "second secret")
	token("token of an imported secret", "old", "imported secret")
	token("another token of an imported secret", "old", "imported secret") // remembered now
	token("token of the operator", "op", "secret of the operator")
	grant.Set("client_id", "shop")
	grant.Set("client_secret", s.made["second secret"])
	s.met("token by post", s.answered(s.Form(s.t, "/oauth/token", "", "", grant), 200)["access_token"])
	for range 2 { // once from the store, once from the cache
		for name := range s.made {
			s.introspect(s.made[name])
		}
	}
	s.answered(s.Form(s.t, "/oauth/revoke", "shop", s.made["second secret"], url.Values{"token": {s.made["token to revoke"]}}), 200)
	s.introspect(s.made["token to revoke"])
}

// partners creates partner tokens and on-behalf tokens, and puts both where they
// do not belong.
func (s *teller) partners() {
	s.t.Helper()
	s.admin("PUT", "/partners/hurdlr", object{"name": "Hurdlr", "scope": "cards customers"}, 201)
	for _, org := range []string{"acme", "other"} {
		s.admin("PUT", "/orgs/"+org, object{"name": org}, 201)
		s.admin("PUT", "/partners/hurdlr/orgs/"+org, object{"scope": "cards"}, 201)
	}
	for _, name := range []string{"partner token", "partner token to revoke", "partner token to leak"} {
		s.met(name, s.admin("POST", "/partners/hurdlr/tokens", object{"name": name}, 201)["token"])
	}
	token := s.made["partner token"]
	ask := func(bearer, org, sourceIP string) harness.Response {
		s.t.Helper()
		body, err := json.Marshal(object{"data": object{"type": "createOnBehalfToken", "attributes": object{
			"orgId": org, "scopes": "cards", "sourceIp": sourceIP,
		}}})
		if err != nil {
			s.t.Fatal(err)
		}
		header := http.Header{"Content-Type": {"application/vnd.api+json"}, "Authorization": {"Bearer " + bearer}}
		return s.raw(s.PublicURL()+"/partners/token", header, string(body))
	}
	for _, name := range []string{"on-behalf token", "on-behalf token to leak"} {
		made := s.answered(ask(token, "acme", "127.0.0.1"), 201)["data"].(map[string]any)["attributes"].(map[string]any)
		s.met(name, made["token"])
	}
	exchange := func(subject, audience string) harness.Response {
		s.t.Helper()
		return s.Form(s.t, "/oauth/token", "", "", url.Values{
			"grant_type": {"urn:ietf:params:oauth:grant-type:token-exchange"}, "subject_token": {subject},
			"subject_token_type": {"urn:ietf:params:oauth:token-type:access_token"}, "audience": {audience},
		})
	}
	s.met("exchanged token", s.answered(exchange(token, "org:acme"), 200)["access_token"])
	for _, name := range []string{"partner token", "partner token to leak", "on-behalf token", "exchanged token"} {
		s.introspect(s.made[name])
	}

	forged := s.madeUp("forged partner token", "gp_sandbox_Ab3dEf7h_")
	live := s.madeUp("partner token of the other environment", "gp_live_Ab3dEf7h_")
	short := s.made["on-behalf token"]
	say := func(r harness.Response) {
		s.t.Helper()
		s.made.absent(s.t, "a response", []byte(r.Body), "")
	}
	for _, wrong := range []string{forged, live, short, s.made["token of the first secret"]} {
		say(ask(wrong, "acme", "127.0.0.1"))
		say(exchange(wrong, "org:acme"))
		s.introspect(wrong)
	}
	for _, misplaced := range []string{token, short} {
		say(ask(token, misplaced, "127.0.0.1"))
		say(ask(token, "acme", misplaced))
		say(exchange(token, misplaced))
		say(exchange(token, "org:"+misplaced))
		say(s.raw(s.PublicURL()+"/partners/orgs?token="+misplaced, http.Header{"Authorization": {"Bearer " + token}}, ""))
		say(s.raw(s.PublicURL()+"/partners/"+misplaced, http.Header{"Authorization": {"Bearer " + token}}, ""))
		say(s.Form(s.t, "/oauth/token", "shop", misplaced, url.Values{"grant_type": {"client_credentials"}}))
		say(s.Form(s.t, "/oauth/revoke", "shop", s.made["second secret"], url.Values{"token": {misplaced}}))
		say(s.AdminDo(s.t, "PUT", "/partners/hurdlr", object{"name": misplaced + misplaced, "scope": misplaced}))
		say(s.AdminDo(s.t, "PUT", "/partners/hurdlr/orgs/acme", object{"scope": "cards", "endpoints": []string{misplaced}, "until": misplaced}))
		say(s.AdminDo(s.t, "POST", "/partners/hurdlr/tokens", object{"name": "a", "lifetime": misplaced, "source_ips": []string{misplaced}}))
	}
}

func (s *teller) introspect(token string) {
	s.t.Helper()
	s.answered(s.Form(s.t, "/oauth/introspect", "rs", s.made["secret of the resource server"], url.Values{"token": {token}}), 200)
}

// mistakes puts credentials where they do not belong, and sends wrong ones. No
// response repeats them.
func (s *teller) mistakes() {
	s.t.Helper()
	token, secret := s.made["token of the first secret"], s.made["second secret"]
	guess := s.madeUp("guess", "gs_sandbox_Ab3dEf7h_")
	forged := s.madeUp("forged token", "gt_sandbox_")
	live := s.madeUp("secret of the other environment", "gs_live_Ab3dEf7h_")
	grant := url.Values{"grant_type": {"client_credentials"}}
	say := func(r harness.Response) {
		s.t.Helper()
		s.made.absent(s.t, "a response", []byte(r.Body), "")
	}
	say(s.Form(s.t, "/oauth/token", "old", guess, grant)) // a slow hash
	for range 8 {                                         // beyond the limit
		say(s.Form(s.t, "/oauth/token", "shop", guess, grant))
		say(s.Form(s.t, "/oauth/token", "nobody", guess, grant))
	}
	say(s.Form(s.t, "/oauth/token", "shop", live, grant))
	say(s.Form(s.t, "/oauth/token", secret, "shop", grant)) // the wrong way round
	say(s.Form(s.t, "/oauth/token", "shop", token, grant))
	s.introspect(forged)
	s.introspect(secret)
	s.introspect(live)
	for _, name := range []string{"scope", "resource", "grant_type", "client_assertion", secret} {
		form := url.Values{"grant_type": {"client_credentials"}}
		form.Set(name, secret)
		say(s.Form(s.t, "/oauth/token", "shop", secret, form))
	}
	say(s.Form(s.t, "/oauth/token?client_secret="+secret, "shop", secret, grant))
	say(s.Form(s.t, "/oauth/introspect?token="+token, "rs", s.made["secret of the resource server"], url.Values{"token": {token}}))
	say(s.Form(s.t, "/oauth/token/"+secret, "", "", grant))
	say(s.Form(s.t, "/"+token, "", "", grant))
	for _, header := range []string{"X-Request-Id", "X-Forwarded-For", "User-Agent", "Cookie", "Authorization", "Content-Type", "Referer", "traceparent"} {
		say(s.raw(s.PublicURL()+"/oauth/token", http.Header{header: {secret}}, "grant_type=client_credentials"))
		say(s.raw(s.PublicURL()+"/oauth/token", http.Header{header: {"Bearer " + token}}, "grant_type=client_credentials"))
	}
	for _, body := range []string{secret, `{"client_secret":"` + secret, `{"` + secret + `":1}`, `{"grant_type":["` + token + `"]}`, "%zz" + secret} {
		for _, media := range []string{"application/json", "application/x-www-form-urlencoded"} {
			say(s.raw(s.PublicURL()+"/oauth/token", http.Header{"Content-Type": {media}}, body))
		}
	}
	s.nonsense(secret)
}

// nonsense sends bytes that are not HTTP, because net/http might log them.
func (s *teller) nonsense(secret string) {
	s.t.Helper()
	for _, text := range []string{secret + "\r\n\r\n", "GET /" + secret + " HTTP/9.9\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\n" + secret + "\r\n\r\n"} {
		conn, err := net.Dial("tcp", strings.TrimPrefix(s.PublicURL(), "http://"))
		if err != nil {
			s.t.Fatal(err)
		}
		_, _ = io.WriteString(conn, text)
		_, _ = io.ReadAll(conn) // until the server closes the connection
		_ = conn.Close()
	}
}

func (s *teller) raw(at string, header http.Header, body string) harness.Response {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, at, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header = header
	if header.Get("Content-Type") == "" {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	return harness.Do(s.t, nil, req)
}

// overTCP calls the admin API with a bearer token.
func (s *teller) overTCP() {
	s.t.Helper()
	at := s.Server.Server.URL("admin") + "/admin/v1"
	ask := func(bearer, method, path string, body any) harness.Response {
		s.t.Helper()
		b, err := json.Marshal(body)
		if err != nil {
			s.t.Fatal(err)
		}
		req, err := http.NewRequestWithContext(s.t.Context(), method, at+path, bytes.NewReader(b))
		if err != nil {
			s.t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+bearer)
		if body == nil {
			req.Body = http.NoBody
		} else {
			req.Header.Set("Content-Type", "application/json")
		}
		return harness.Do(s.t, nil, req)
	}
	operator := s.made["token of the operator"]
	s.met("secret made over TCP", s.answered(ask(operator, "POST", "/clients", object{"client_id": "far", "scope": "users:read"}), 201)["client_secret"])
	s.answered(ask(operator, "GET", "/clients", nil), 200)
	for _, wrong := range []string{s.made["forged token"], s.made["token of the first secret"], s.made["secret of the operator"]} {
		if r := ask(wrong, "GET", "/clients", nil); r.Status != 401 && r.Status != 403 {
			s.t.Errorf("%d %s", r.Status, r.Body)
		}
	}
	s.answered(ask(operator, "POST", "/tokens/explain", object{"token": s.made["token to revoke"]}), 200)
	s.answered(ask(operator, "POST", "/leaks", object{"credential": s.made["token to leak"]}), 200)
	s.answered(ask(operator, "POST", "/leaks", object{"credential": s.made["forged token"]}), 404)
	ask(operator, "GET", "/clients/"+s.made["guess"], nil)
}

// ends reports leaks, revokes, voids, deactivates and deletes.
func (s *teller) ends() {
	s.t.Helper()
	s.admin("POST", "/leaks", object{"credential": s.made["first secret"]}, 200)
	s.AdminDo(s.t, "POST", "/leaks", object{"credential": s.made["guess"]})
	s.admin("POST", "/leaks", object{"credential": s.made["partner token to leak"]}, 200)
	s.admin("POST", "/leaks", object{"credential": s.made["on-behalf token to leak"]}, 200)
	s.AdminDo(s.t, "POST", "/leaks", object{"credential": s.made["forged partner token"]})
	s.admin("POST", "/tokens/explain", object{"token": s.made["partner token"]}, 200)
	s.admin("POST", "/tokens/explain", object{"token": s.made["on-behalf token"]}, 200)
	s.admin("POST", "/tokens/revoke", object{"token": s.made["partner token to revoke"]}, 200)
	s.AdminDo(s.t, "DELETE", "/partners/hurdlr/tokens/"+s.made["partner token"], nil)
	s.admin("DELETE", "/partners/hurdlr/orgs/acme", nil, 204)
	s.admin("POST", "/partners/hurdlr/deactivate", nil, 200)
	s.admin("POST", "/tokens/explain", object{"token": s.made["token of the first secret"]}, 200)
	s.admin("POST", "/tokens/revoke", object{"token": s.made["token by post"]}, 200)
	s.AdminDo(s.t, "POST", "/tokens/revoke", object{"jti": s.made["token of an imported secret"]})
	s.AdminDo(s.t, "GET", "/audit?cursor="+s.made["guess"], nil)
	s.admin("POST", "/clients/far/deactivate", nil, 200)
	s.AdminDo(s.t, "DELETE", "/clients/far", nil)
	s.admin("POST", "/tokens/void-all", nil, 200)
}

func (s *teller) metrics() []byte {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, s.Server.Server.URL("metrics")+"/metrics", nil)
	if err != nil {
		s.t.Fatal(err)
	}
	return []byte(harness.Do(s.t, nil, req).Body)
}
