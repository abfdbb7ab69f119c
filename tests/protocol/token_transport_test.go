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
		notAllowed("T01_get", "GET", "/oauth/token?"+grant),
		notAllowed("T01_get_alias", "GET", "/token?"+grant),
		notAllowed("T02_head", "HEAD", "/oauth/token"),
		notAllowed("T03_put", "PUT", "/oauth/token"),
		notAllowed("T03_delete", "DELETE", "/oauth/token"),
		notAllowed("T03_patch", "PATCH", "/oauth/token"),
		notAllowed("T03_trace", "TRACE", "/oauth/token"),
		notAllowed("T04_options_without_cors", "OPTIONS", "/oauth/token"),
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
		refused("T07_content_type_missing", post("/oauth/token", body), names),
		refused("T07_content_type_empty", typed(""), names),
		refused("T07_content_type_broken", typed("application/x-www-form-urlencoded; charset"), names),
		refused("T08_text_plain", typed("text/plain"), names),
		refused("T09_multipart", post("/oauth/token",
			"--b\r\nContent-Disposition: form-data; name=\"grant_type\"\r\n\r\nclient_credentials\r\n--b--\r\n",
			"Content-Type: multipart/form-data; boundary=b", auth), names),
		granted("T13_charset_utf8", typed("application/x-www-form-urlencoded; charset=UTF-8")),
		granted("T13_charset_quoted", typed(`application/x-www-form-urlencoded;charset="utf-8"`)),
		granted("T13_upper_case", typed("APPLICATION/X-WWW-FORM-URLENCODED")),
		refused("T14_charset_latin1", typed("application/x-www-form-urlencoded; charset=ISO-8859-1"), "UTF-8"),
		{name: "T22_gzip", call: ask(body, "Content-Encoding: gzip"), status: 415, code: badRequest},
		granted("T22_identity", ask(body, "Content-Encoding: identity")),
		granted("T26_accept_html", ask(body, "Accept: text/html")),
		granted("T26_accept_xml", ask(body, "Accept: application/xml;q=1, */*;q=0")),
		{name: "T26_accept_html_error", call: ask("grant_type=x", "Accept: text/html"), status: 400, code: "unsupported_grant_type"},
	})
}

// JSON is accepted at the token endpoint (contract §3), so T10 falls.
func TestTokenJSON(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	send := func(body string) call { return post("/oauth/token", body, jsonType, basic(w.app)) }
	object := func(name, body string) row {
		return refused(name, send(body), "one JSON object whose values are strings")
	}
	in := `{"grant_type":"client_credentials","client_id":"app","client_secret":"` + w.app.ClientSecret + `"}`
	w.run(t, []row{
		granted("T10_json_is_accepted", send(`{"grant_type":"client_credentials"}`)).withScope(appScope),
		granted("T11_object_of_strings", post("/oauth/token", in, jsonType)).withScope(appScope),
		granted("T11_charset_utf8", post("/oauth/token", in, "Content-Type: application/json; charset=utf-8")),
		refused("T11_charset_latin1", post("/oauth/token", in, "Content-Type: application/json; charset=latin1"), "UTF-8"),
		granted("T11_scope", send(`{"grant_type":"client_credentials","scope":"users:read"}`)).withScope("users:read"),
		granted("T11_escapes", send(`{"gr\u0061nt_type":"client\u005fcredentials"}`)),
		granted("T11_unknown_member", send(`{"grant_type":"client_credentials","foo":"bar"}`)),
		{name: "T11_unknown_scope", call: send(`{"grant_type":"client_credentials","scope":"x"}`), status: 400, code: badScope},
		object("T12_duplicate_key", `{"grant_type":"client_credentials","grant_type":"client_credentials"}`),
		object("T12_duplicate_key_escaped", `{"scope":"users:read","sc\u006fpe":"users:read","grant_type":"client_credentials"}`),
		object("T12_duplicate_unknown_key", `{"grant_type":"client_credentials","a":"1","a":"2"}`),
		object("T12_nested", `{"grant_type":{"x":"client_credentials"}}`),
		object("T12_number", `{"grant_type":1}`),
		object("T12_null", `{"grant_type":"client_credentials","scope":null}`),
		object("T12_array", `{"grant_type":["client_credentials"]}`),
		object("T12_top_array", `[{"grant_type":"client_credentials"}]`),
		object("T12_trailing_data", `{"grant_type":"client_credentials"} {}`),
		object("T12_trailing_comma", `{"grant_type":"client_credentials",}`),
		object("T12_cut_short", `{"grant_type":"client_credentials"`),
		object("T12_form_in_json", grant),
		object("T12_empty", ""),
		object("T12_byte_order_mark", "\xef\xbb\xbf"+`{"grant_type":"client_credentials"}`),
		refused("T12_empty_object", send(`{}`), "grant_type is missing"),
		refused("T12_invalid_utf8", send(`{"grant_type":"client_credentials","scope":"`+"\xff"+`"}`), "clean UTF-8"),
		refused("T12_nul", send(`{"grant_type":"client_credentials","scope":"users:read\u0000"}`), "clean UTF-8"),
		refused("T12_many_members", send(`{`+strings.Repeat(`"x":"",`, 200)+`"y":""}`), ""),
		{name: "T12_larger_than_64_kib", call: send(`{"a":"` + strings.Repeat("x", web.MaxBody) + `"}`), status: 413, code: badRequest},
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
		refused("T15_empty_body", ask("", auth), "grant_type is missing"),
		refused("T16_bad_percent_encoding", ask("grant_type=%zz", auth), "well-formed form"),
		refused("T16_cut_percent_encoding", ask(grant+"&x=%2", auth), "well-formed form"),
		refused("T16_bad_name", ask(grant+"&%zz=1", auth), "well-formed form"),
		refused("T17_scope", ask(grant+"&scope=%ff", auth), clean),
		refused("T17_client_id", ask(grant+"&client_id=%ff&client_secret=x"), clean),
		refused("T17_surrogate", ask(grant+"&client_secret=%ed%a0%80", auth), clean),
		granted("T17_unknown_parameter", ask(grant+"&foo=%ff", auth)),
		refused("T18_nul", ask(grant+"&scope=users:read%00", auth), clean),
		refused("T18_cr", ask(grant+"&scope=users:read%0d", auth), clean),
		refused("T18_lf", ask(grant+"&resource=https://a%0aX: y", auth), clean),
		refused("T18_client_id", ask(grant+"&client_id=app%0d%0aX-Evil:1&client_secret=x"), clean),
		{name: "T18_nothing_injected", call: ask("grant_type=%22x%0d", auth, `X-Request-Id: evil" level="ERROR`), status: 400, code: badRequest,
			also: func(t *testing.T, r harness.Response) {
				if strings.Contains(r.Header.Get("X-Request-Id"), "evil") || strings.Contains(w.Logs.String(), "evil") {
					t.Error("a caller's text was taken as the request id")
				}
			}},
		refused("T19_semicolon_separates_nothing", ask("a=1;"+grant, auth), "grant_type is missing"),
		{name: "T19_semicolon_in_value", call: ask(grant+";scope=users:read", auth), status: 400, code: "unsupported_grant_type"},
		granted("T20_exactly_64_kib", ask(filled(web.MaxBody), auth)),
		tooLarge("T20_a_byte_more", ask(filled(web.MaxBody+1), auth)),
		tooLarge("T20_a_megabyte", ask(filled(1<<20), auth)),
		refused("T21_10000_parameters", ask(strings.Repeat("a&", 10000)+grant, auth), "more than 100"),
		refused("T21_10000_names", ask(strings.Repeat("a=1&", 10000)+grant, auth), "more than 100"),
		granted("T21_100_parameters", ask(strings.Repeat("a=1&", 99)+grant, auth)),
		granted("T23_chunked", chunked(filled(5000))),
		tooLarge("T23_chunked_beyond_the_limit", chunked(filled(web.MaxBody+1))),
		granted("T24_unrelated_query", form("/oauth/token?x=1", grant, auth)),
		granted("T24_broken_query", form("/oauth/token?%zz;;&=", grant, auth)),
	})
	t.Run("T20_no_authentication_work", func(t *testing.T) {
		fresh := w.client(t, "fresh", appScope) // in no cache
		before := w.store.Calls("GetClient")
		tooLarge("", call{}).check(t, w.send(t, ask(filled(web.MaxBody+1), basic(fresh))))
		if got := w.store.Calls("GetClient"); got != before {
			t.Error("the client was looked up")
		}
	})
	t.Run("T23_broken_chunk", func(t *testing.T) {
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
		granted("T27_alias", form("/token", grant, basic(w.app))),
		nothing("T27_trailing_slash", "/oauth/token/"),
		nothing("T27_trailing_slash_alias", "/token/"),
		nothing("T27_upper_case", "/OAuth/Token"),
		nothing("T27_double_slash", "//oauth/token"),
		nothing("T27_dots", "/oauth/../oauth/token"),
		nothing("E10_unknown_path", "/oauth/unknown"),
		nothing("E10_root", "/"),
		nothing("E10_script_in_path", "/oauth/%3Cscript%3E"),
	})
}

// Without TLS only loopback is listened on, unless a proxy in front ends it.
func TestTransportSecurity(t *testing.T) {
	t.Parallel()
	t.Run("T05_plain_http_beyond_loopback_is_refused", func(t *testing.T) {
		c := config.Defaults()
		c.Public.Listen = "0.0.0.0:8080"
		if faults := c.Validate(); len(faults) != 1 || !strings.Contains(faults.Error(), "without TLS") {
			t.Errorf("faults: %v", faults)
		}
	})
	t.Run("T05_plain_http_on_a_tls_listener_is_not_redirected", func(t *testing.T) {
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
	t.Run("T06_forwarded_headers_of_untrusted_peers", func(t *testing.T) {
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
	t.Run("T06_forwarded_for_of_a_trusted_proxy", func(t *testing.T) {
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

// certificate writes a certificate of the test's own.
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
