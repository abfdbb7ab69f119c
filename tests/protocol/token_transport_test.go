package protocol_test

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/grantd/grantd/config"
	"github.com/grantd/grantd/server/clients"
	"github.com/grantd/grantd/server/web"
	"github.com/grantd/grantd/tests/harness"
)

func TestTokenMethods(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	notAllowed := func(name, method, target string) row {
		return row{name: name, status: 405, code: badRequest, header: map[string]string{"Allow": "POST"},
			call: call{method: method, target: target, headers: []string{formType, basic(w.app)}}}
	}
	before := w.store.Calls("PutToken")
	w.run(t, []row{
		notAllowed("get_is_refused/oauth_token", "GET", "/oauth/token?"+grant),
		notAllowed("get_is_refused/alias", "GET", "/token?"+grant),
		notAllowed("head_is_refused", "HEAD", "/oauth/token"),
		notAllowed("other_methods_are_refused/put", "PUT", "/oauth/token"),
		notAllowed("other_methods_are_refused/delete", "DELETE", "/oauth/token"),
		notAllowed("other_methods_are_refused/patch", "PATCH", "/oauth/token"),
		notAllowed("other_methods_are_refused/trace", "TRACE", "/oauth/token"),
		notAllowed("no_cors/options", "OPTIONS", "/oauth/token"),
	})
	if got := w.store.Calls("PutToken"); got != before {
		t.Errorf("%d tokens were stored", got-before)
	}
}

func TestTokenMediaType(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	body, auth := grant+credentials(w.app), basic(w.app)
	typed := func(contentType string) call {
		return post("/oauth/token", body, "Content-Type: "+contentType)
	}
	const names = "application/x-www-form-urlencoded or application/json"
	w.run(t, []row{
		refused("content_type_missing", post("/oauth/token", body), names),
		refused("content_type_missing/empty", typed(""), names),
		refused("content_type_missing/broken", typed("application/x-www-form-urlencoded; charset"), names),
		refused("text_is_refused", typed("text/plain"), names),
		refused("multipart_is_refused", post("/oauth/token",
			"--b\r\nContent-Disposition: form-data; name=\"grant_type\"\r\n\r\nclient_credentials\r\n--b--\r\n",
			"Content-Type: multipart/form-data; boundary=b", auth), names),
		granted("media_type_spelling/charset_utf8", typed("application/x-www-form-urlencoded; charset=UTF-8")),
		granted("media_type_spelling/charset_quoted", typed(`application/x-www-form-urlencoded;charset="utf-8"`)),
		granted("media_type_spelling/upper_case", typed("APPLICATION/X-WWW-FORM-URLENCODED")),
		refused("charset_utf8_only/charset_latin1", typed("application/x-www-form-urlencoded; charset=ISO-8859-1"), "UTF-8"),
		{name: "content_encoding/gzip", call: ask(body, "Content-Encoding: gzip"), status: 415, code: badRequest},
		granted("content_encoding/identity", ask(body, "Content-Encoding: identity")),
		granted("accept_is_ignored/accept_html", ask(body, "Accept: text/html")),
		granted("accept_is_ignored/accept_xml", ask(body, "Accept: application/xml;q=1, */*;q=0")),
		{name: "accept_is_ignored/accept_html_error", call: ask("grant_type=x", "Accept: text/html"), status: 400, code: "unsupported_grant_type"},
	})
}

// RFC 6749 §4.4.2 demands a form. The token endpoint also accepts a JSON object
// of strings.
func TestTokenJSON(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	send := func(body string) call { return post("/oauth/token", body, jsonType, basic(w.app)) }
	object := func(name, body string) row {
		return refused(name, send(body), "one JSON object whose values are strings")
	}
	in := `{"grant_type":"client_credentials","client_id":"app","client_secret":"` + w.app.ClientSecret + `"}`
	w.run(t, []row{
		granted("json_only_at_token_endpoint/accepted", send(`{"grant_type":"client_credentials"}`)).withScope(appScope),
		granted("json_object_of_strings/object_of_strings", post("/oauth/token", in, jsonType)).withScope(appScope),
		granted("json_object_of_strings/charset_utf8", post("/oauth/token", in, "Content-Type: application/json; charset=utf-8")),
		refused("json_object_of_strings/charset_latin1", post("/oauth/token", in, "Content-Type: application/json; charset=latin1"), "UTF-8"),
		granted("json_object_of_strings/scope", send(`{"grant_type":"client_credentials","scope":"users:read"}`)).withScope("users:read"),
		granted("json_object_of_strings/escapes", send(`{"gr\u0061nt_type":"client\u005fcredentials"}`)),
		granted("json_object_of_strings/unknown_member", send(`{"grant_type":"client_credentials","foo":"bar"}`)),
		{name: "json_object_of_strings/unknown_scope", call: send(`{"grant_type":"client_credentials","scope":"x"}`), status: 400, code: badScope},
		object("json_malformed/duplicate_key", `{"grant_type":"client_credentials","grant_type":"client_credentials"}`),
		object("json_malformed/duplicate_key_escaped", `{"scope":"users:read","sc\u006fpe":"users:read","grant_type":"client_credentials"}`),
		object("json_malformed/duplicate_unknown_key", `{"grant_type":"client_credentials","a":"1","a":"2"}`),
		object("json_malformed/nested", `{"grant_type":{"x":"client_credentials"}}`),
		object("json_malformed/number", `{"grant_type":1}`),
		object("json_malformed/null", `{"grant_type":"client_credentials","scope":null}`),
		object("json_malformed/array", `{"grant_type":["client_credentials"]}`),
		object("json_malformed/top_array", `[{"grant_type":"client_credentials"}]`),
		object("json_malformed/trailing_data", `{"grant_type":"client_credentials"} {}`),
		object("json_malformed/trailing_comma", `{"grant_type":"client_credentials",}`),
		object("json_malformed/cut_short", `{"grant_type":"client_credentials"`),
		object("json_malformed/form_in_json", grant),
		object("json_malformed/empty", ""),
		object("json_malformed/byte_order_mark", "\xef\xbb\xbf"+`{"grant_type":"client_credentials"}`),
		refused("json_malformed/empty_object", send(`{}`), "grant_type is missing"),
		refused("json_malformed/invalid_utf8", send(`{"grant_type":"client_credentials","scope":"`+"\xff"+`"}`), "clean UTF-8"),
		refused("json_malformed/nul", send(`{"grant_type":"client_credentials","scope":"users:read\u0000"}`), "clean UTF-8"),
		refused("json_malformed/many_members", send(`{`+strings.Repeat(`"x":"",`, 200)+`"y":""}`), ""),
		{name: "json_malformed/larger_than_64_kib", call: send(`{"a":"` + strings.Repeat("x", web.MaxBody) + `"}`), status: 413, code: badRequest},
	})
}

func TestTokenBody(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	auth := basic(w.app)
	filled := func(n int) string { return grant + "&pad=" + strings.Repeat("x", n-len(grant)-len("&pad=")) }
	chunked := func(body string) call { c := ask(body, auth); c.chunked = true; return c }
	tooLarge := func(name string, c call) row { return row{name: name, call: c, status: 413, code: badRequest} }
	clean := "clean UTF-8"
	w.run(t, []row{
		refused("empty_body", ask("", auth), "grant_type is missing"),
		refused("percent_encoding/bad_percent_encoding", ask("grant_type=%zz", auth), "well-formed form"),
		refused("percent_encoding/cut_percent_encoding", ask(grant+"&x=%2", auth), "well-formed form"),
		refused("percent_encoding/bad_name", ask(grant+"&%zz=1", auth), "well-formed form"),
		refused("invalid_utf8/scope", ask(grant+"&scope=%ff", auth), clean),
		refused("invalid_utf8/client_id", ask(grant+"&client_id=%ff&client_secret=x"), clean),
		refused("invalid_utf8/surrogate", ask(grant+"&client_secret=%ed%a0%80", auth), clean),
		granted("invalid_utf8/unknown_parameter", ask(grant+"&foo=%ff", auth)),
		refused("control_characters/nul", ask(grant+"&scope=users:read%00", auth), clean),
		refused("control_characters/cr", ask(grant+"&scope=users:read%0d", auth), clean),
		refused("control_characters/lf", ask(grant+"&resource=https://a%0aX: y", auth), clean),
		refused("control_characters/client_id", ask(grant+"&client_id=app%0d%0aX-Evil:1&client_secret=x"), clean),
		{name: "control_characters/nothing_is_injected", call: ask("grant_type=%22x%0d", auth, `X-Request-Id: evil" level="ERROR`), status: 400, code: badRequest,
			also: func(t *testing.T, r harness.Response) {
				if strings.Contains(r.Header.Get("X-Request-Id"), "evil") || strings.Contains(w.Logs.String(), "evil") {
					t.Error("the caller's text became the request id")
				}
			}},
		refused("semicolon/separates_nothing", ask("a=1;"+grant, auth), "grant_type is missing"),
		{name: "semicolon/in_value", call: ask(grant+";scope=users:read", auth), status: 400, code: "unsupported_grant_type"},
		granted("body_too_large/exactly_64_kib", ask(filled(web.MaxBody), auth)),
		tooLarge("body_too_large/one_byte_more", ask(filled(web.MaxBody+1), auth)),
		tooLarge("body_too_large/a_megabyte", ask(filled(1<<20), auth)),
		refused("parameter_count/10000_parameters", ask(strings.Repeat("a&", 10000)+grant, auth), "more than 100"),
		refused("parameter_count/10000_names", ask(strings.Repeat("a=1&", 10000)+grant, auth), "more than 100"),
		granted("parameter_count/100_parameters", ask(strings.Repeat("a=1&", 99)+grant, auth)),
		granted("chunked_body", chunked(filled(5000))),
		tooLarge("chunked_body/beyond_the_limit", chunked(filled(web.MaxBody+1))),
		granted("unrelated_query", form("/oauth/token?x=1", grant, auth)),
		granted("unrelated_query/broken", form("/oauth/token?%zz;;&=", grant, auth)),
	})
	t.Run("body_too_large/no_authentication_work", func(t *testing.T) {
		fresh := w.client(t, "fresh", appScope) // in no cache
		before := w.store.Calls("GetClient")
		tooLarge("", call{}).check(t, w.send(t, ask(filled(web.MaxBody+1), basic(fresh))))
		if got := w.store.Calls("GetClient"); got != before {
			t.Error("the client was looked up")
		}
	})
	t.Run("chunked_body/broken_chunk", func(t *testing.T) {
		r := w.exchange(t, "POST", "POST /oauth/token HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"+formType+
			"\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"+grant+"\r\n0\r\n\r\n")
		refused("", call{}, "could not be read").check(t, r)
	})
}

func TestTokenPaths(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	nothing := func(name, path string) row {
		return row{name: name, call: form(path, grant, basic(w.app)), status: 404, code: "not_found"}
	}
	w.run(t, []row{
		granted("exact_path/alias", form("/token", grant, basic(w.app))),
		nothing("exact_path/trailing_slash", "/oauth/token/"),
		nothing("exact_path/trailing_slash_alias", "/token/"),
		nothing("exact_path/upper_case", "/OAuth/Token"),
		nothing("exact_path/double_slash", "//oauth/token"),
		nothing("exact_path/dots", "/oauth/../oauth/token"),
		nothing("unknown_path", "/oauth/unknown"),
		nothing("unknown_path/root", "/"),
		nothing("unknown_path/script_in_path", "/oauth/%3Cscript%3E"),
	})
}

// Without TLS the server listens only on loopback, unless a proxy terminates
// TLS in front of it.
func TestTransportSecurity(t *testing.T) {
	t.Parallel()
	t.Run("no_plain_http/beyond_loopback", func(t *testing.T) {
		c := config.Defaults()
		c.Public.Listen = "0.0.0.0:8080"
		if faults := c.Validate(); len(faults) != 1 || !strings.Contains(faults.Error(), "without TLS") {
			t.Errorf("faults: %v", faults)
		}
	})
	t.Run("no_plain_http/no_redirect_on_a_tls_listener", func(t *testing.T) {
		cert, key := certificate(t)
		w := newWorld(t, func(c *config.Config) { c.Public.TLS.CertFile, c.Public.TLS.KeyFile = cert, key })
		granted("", call{}).check(t, w.send(t, ask(grant, basic(w.app))))
		conn, err := net.Dial("tcp", strings.TrimPrefix(w.URL, "https://"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := io.WriteString(conn, ask(grant, basic(w.app)).bytes()); err != nil {
			t.Fatal(err)
		}
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if res.StatusCode != 400 || res.Header.Get("Location") != "" {
			t.Errorf("%d, Location %q", res.StatusCode, res.Header.Get("Location"))
		}
	})
	t.Run("forwarded_headers/of_untrusted_peers", func(t *testing.T) {
		w := newWorld(t)
		plain := w.send(t, call{method: "GET", target: metadataPath})
		spoofed := w.send(t, call{method: "GET", target: metadataPath, headers: []string{
			"X-Forwarded-Proto: https", "X-Forwarded-Host: evil.example", "Forwarded: proto=https;host=evil.example"}})
		if plain.Body != spoofed.Body || !strings.Contains(plain.Body, w.URL) {
			t.Errorf("the metadata follows headers of the request: %s", spoofed.Body)
		}
		inside := w.client(t, "inside", appScope, func(s *clients.NewSpec) { s.SourceIPs = &[]string{"10.0.0.0/8"} })
		failed("", call{}).check(t, w.send(t, ask(grant, basic(inside), "X-Forwarded-For: 10.0.0.1")))
	})
	t.Run("forwarded_headers/of_a_trusted_proxy", func(t *testing.T) {
		w := newWorld(t, func(c *config.Config) { c.Public.TrustedProxies = []string{"127.0.0.1"} })
		inside := w.client(t, "inside", appScope, func(s *clients.NewSpec) { s.SourceIPs = &[]string{"10.0.0.0/8"} })
		w.run(t, []row{
			granted("inside", ask(grant, basic(inside), "X-Forwarded-For: 10.0.0.1")),
			failed("outside", ask(grant, basic(inside), "X-Forwarded-For: 192.0.2.1")),
			failed("what_the_caller_put_before", ask(grant, basic(inside), "X-Forwarded-For: 10.0.0.1, 192.0.2.1")),
			failed("not_said", ask(grant, basic(inside))),
		})
	})
}

// certificate writes a self-signed certificate.
func certificate(t *testing.T) (certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"grantd.test"}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for path, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: der}, keyFile: {Type: "PRIVATE KEY", Bytes: pkcs8}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return certFile, keyFile
}
