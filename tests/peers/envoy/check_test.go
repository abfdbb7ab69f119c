package envoy

import (
	"context"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	auth "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/status"
)

const (
	plain   = `Bearer realm="grantd"`
	invalid = plain + `, error="invalid_token"`
	lacking = plain + `, error="insufficient_scope"`
)

// dialer connects to an address, or to unix:PATH.
func dialer(ctx context.Context, target string) (net.Conn, error) {
	var d net.Dialer
	if path, ok := strings.CutPrefix(target, "unix:"); ok {
		return d.DialContext(ctx, "unix", path)
	}
	return d.DialContext(ctx, "tcp", target)
}

func TestDecisions(t *testing.T) {
	x := standard(t)
	raw := func(headers ...[2]string) call {
		k := bearer("")
		k.headers, k.raw = nil, headers
		return k
	}
	with := func(value string, change func(*call)) call {
		k := bearer(value)
		change(&k)
		return k
	}
	extensions := func(pairs ...string) call {
		return with("Bearer client", func(k *call) {
			k.extensions = map[string]string{}
			for i := 0; i < len(pairs); i += 2 {
				k.extensions[pairs[i]] = pairs[i+1]
			}
		})
	}
	from := func(source, forwarded string) call {
		return with("Bearer near", func(k *call) {
			k.extensions, k.from = nil, source
			if forwarded != "" {
				k.headers["x-forwarded-for"] = forwarded
			}
		})
	}
	for _, tc := range []struct {
		name      string
		call      call
		status    int
		challenge string
	}{
		{"good", bearer("Bearer client"), 200, ""},
		{"scheme in lower case", bearer("bearer client"), 200, ""},
		{"raw headers", raw([2]string{"authorization", "Bearer client"}), 200, ""},
		{"name in capitals", raw([2]string{"Authorization", "Bearer client"}), 200, ""},
		{"no token", with("", func(k *call) { k.headers = nil }), 401, plain},
		{"empty header", bearer(""), 401, plain},
		{"another scheme", bearer("Basic client"), 401, plain},
		{"garbage", bearer("Bearer garbage"), 401, invalid},
		{"two headers, joined", bearer("Bearer client,Bearer client"), 401, invalid},
		{"two headers, the second empty", bearer("Bearer client,"), 401, invalid},
		{"two headers, raw", raw([2]string{"authorization", "Bearer client"}, [2]string{"authorization", "Bearer client"}), 401, invalid},
		{"two headers, one in capitals", raw([2]string{"authorization", "Bearer client"}, [2]string{"AUTHORIZATION", "Bearer garbage"}), 401, invalid},
		{"two headers, in both forms", with("Bearer client", func(k *call) { k.raw = [][2]string{{"authorization", "Bearer client"}} }), 401, invalid},
		{"wrong scope", with("Bearer client", func(k *call) { k.extensions = map[string]string{"scope": "cards"} }), 403, lacking + `, scope="cards"`},
		{"customer token", with("Bearer customer", func(k *call) { k.extensions = map[string]string{"scope": "cards"} }), 403, lacking},
		{"customer token where it is accepted", with("Bearer customer", func(k *call) { k.extensions = map[string]string{"scope": "cards", "token_use": "customer client"} }), 200, ""},
		{"nobody can tell", bearer("Bearer down"), 503, ""},
		{"no extensions", extensions(), 200, ""},
		{"unknown extension", extensions("scope", "users:read", "scopes", "x"), 403, ""},
		{"empty scope", extensions("scope", ""), 403, ""},
		{"empty token_use", extensions("scope", "users:read", "token_use", ""), 403, ""},
		{"unknown token_use", extensions("token_use", "admin"), 403, ""},
		{"token_use that is not registered", extensions("token_use", "partner"), 403, ""},
		{"scope that tries to be two parameters", extensions("scope", "users:read&token_use=client"), 403, lacking + `, scope="users:read&token_use=client"`},
		{"separator of queries in a name", extensions("scope=users:read&x", "y"), 403, ""},
		{"bound, peer", from("203.0.113.7", ""), 200, ""},
		{"bound, IPv4 in IPv6", from("::ffff:203.0.113.7", ""), 200, ""},
		{"bound, other peer", from("203.0.113.8", ""), 403, lacking},
		{"bound, peer that forwards what it likes", from("203.0.113.8", "203.0.113.7"), 403, lacking},
		{"bound, behind a trusted proxy", from("10.0.0.1", "198.51.100.1, 203.0.113.7"), 200, ""},
		{"bound, use_remote_address has added the proxy", from("10.0.0.1", "203.0.113.7, 10.0.0.1"), 200, ""},
		{"bound, trusted proxy without a header", from("10.0.0.1", ""), 403, lacking},
		{"bound, not an address", from("10.0.0.1", "unknown"), 403, lacking},
		{"bound, peer not stated", from("", "203.0.113.7"), 403, lacking},
		{"bound, forged headers of a stated request", with("Bearer near", func(k *call) {
			k.extensions, k.from = nil, "203.0.113.8"
			k.headers["x-real-ip"], k.headers["forwarded"] = "203.0.113.7", "for=203.0.113.7"
		}), 403, lacking},
	} {
		o := x.do(t, tc.call)
		if o.status != tc.status || !o.passed && o.headers["www-authenticate"] != tc.challenge {
			t.Errorf("%s: %d %q, want %d %q", tc.name, o.status, o.headers["www-authenticate"], tc.status, tc.challenge)
		}
		if !o.passed && o.headers["cache-control"] != "no-store" {
			t.Errorf("%s: Cache-Control %q", tc.name, o.headers["cache-control"])
		}
		if (o.status == 503) != (o.headers["retry-after"] != "") {
			t.Errorf("%s: %d with Retry-After %q", tc.name, o.status, o.headers["retry-after"])
		}
	}
}

// TestOnBehalf: a token on behalf of an org reads only, where it may. Method and path
// are those that Envoy routes by, not what headers say.
func TestOnBehalf(t *testing.T) {
	x := standard(t)
	for _, tc := range []struct {
		name, method, path string
		status             int
	}{
		{"GET", "GET", "/cards", 200},
		{"HEAD, with a query", "HEAD", "/cards/12?x=1", 200},
		{"POST", "POST", "/cards", 403},
		{"lower case", "get", "/cards", 403},
		{"no method", "", "/cards", 403},
		{"other path", "GET", "/accounts", 403},
		{"no path", "GET", "", 403},
		{"dot segments", "GET", "/accounts/../cards", 403},
		{"escaped dots", "GET", "/accounts/%2e%2e/cards", 403},
		{"double slash", "GET", "//cards", 403},
		{"semicolon", "GET", "/cards;a=1", 403},
		{"backslash", "GET", `/cards\12`, 403},
		{"escaped backslash", "GET", "/cards/a%5cb", 403},
		{"escaped slash", "GET", "/cards/a%2fb", 403},
		{"fragment", "GET", "/cards#x", 403},
		{"whole URL", "GET", "http://api.example.com/cards", 403},
		{"not UTF-8 when decoded", "GET", "/cards/%ff", 403},
	} {
		k := call{method: tc.method, path: tc.path, from: "203.0.113.9", extensions: map[string]string{"scope": "cards", "token_use": "on_behalf"}, headers: map[string]string{
			"authorization":      "Bearer behalf",
			"x-forwarded-method": "GET", "x-forwarded-uri": "/cards", "x-original-method": "GET", "x-original-uri": "/cards", "x-envoy-original-path": "/cards", ":path": "/cards", ":method": "GET",
		}}
		if o := x.do(t, k); o.status != tc.status {
			t.Errorf("%s: %d, want %d", tc.name, o.status, tc.status)
		}
	}
}

// TestStated: the API gets what grantd knows, and nothing that the caller made up.
func TestStated(t *testing.T) {
	x := standard(t)
	forged := []string{"x-auth-client-id", "x-auth-subject", "x-auth-scope", "x-auth-token-use", "x-auth-customer-id", "x-auth-org-id", "x-auth-partner-id"}
	for token, want := range map[string]map[string]string{
		"client": {
			"x-auth-client-id": "shop", "x-auth-subject": "client:shop", "x-auth-scope": "users:read users:write", "x-auth-token-use": "client", "x-auth-org-id": "acme",
		},
		"customer": {
			"x-auth-client-id": "bank", "x-auth-subject": "customer:1", "x-auth-scope": "cards", "x-auth-token-use": "customer", "x-auth-customer-id": "1", "x-auth-org-id": "acme",
		},
	} {
		k := bearer("Bearer " + token)
		k.extensions = map[string]string{"token_use": "client customer"}
		for _, name := range forged {
			k.headers[name] = "forged"
		}
		o := x.do(t, k)
		delete(o.headers, "authorization")
		if diff := cmp.Diff(want, o.headers); diff != "" || !o.passed {
			t.Errorf("%s: %v %s", token, o.passed, diff)
		}
	}
}

// TestLate: a server that does not respond costs a caller less than two seconds, and
// lets nothing pass.
func TestLate(t *testing.T) {
	x := standard(t)
	begun := time.Now()
	o := x.do(t, bearer("Bearer hangs"))
	if took := time.Since(begun); o.status != 503 || took > 2*time.Second {
		t.Errorf("%d after %v", o.status, took)
	}
}

// TestSocket: Envoy can call over a unix socket.
func TestSocket(t *testing.T) {
	s := settings(t, "http://127.0.0.1:1", "rs", "gs_sandbox_AAAAAAAA_0123456789012345678901234567890123456789012")
	s.Listen = "unix:" + strings.TrimSuffix(s.SecretFile, "secret") + "edge.sock"
	x := start(t, s, &fakeGuard{})
	if o := x.do(t, bearer("Bearer client")); !o.passed {
		t.Errorf("%+v", o)
	}
}

// TestOtherRequests: the listener serves HTTP/1 and HTTP/2 as before, and the path is for
// gRPC only.
func TestOtherRequests(t *testing.T) {
	x := standard(t)
	var h2 http.Protocols
	h2.SetUnencryptedHTTP2(true)
	for name, transport := range map[string]*http.Transport{"HTTP/1": {}, "HTTP/2": {Protocols: &h2}} {
		defer transport.CloseIdleConnections()
		client := &http.Client{Transport: transport}
		for _, tc := range []struct {
			method, path, contentType string
			status                    int
		}{
			{"GET", "/healthz", "", 200},
			{"GET", "/forward-auth?scope=users:read", "", 401},
			{"POST", "/envoy.service.auth.v3.Authorization/Check", "application/json", 415},
			{"POST", "/envoy.service.auth.v3.Authorization/Check", "application/grpc-web", 415},
			{"GET", "/envoy.service.auth.v3.Authorization/Check", "application/grpc", 405},
			{"POST", "/envoy.service.auth.v2.Authorization/Check", "application/grpc", 404},
		} {
			r, err := http.NewRequestWithContext(t.Context(), tc.method, x.URL()+tc.path, nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Content-Type", tc.contentType)
			res, err := client.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			res.Body.Close()
			if res.StatusCode != tc.status {
				t.Errorf("%s: %s %s: %d, want %d", name, tc.method, tc.path, res.StatusCode, tc.status)
			}
		}
	}
}

// TestCompressed: a compressed message is refused as gRPC wants it.
func TestCompressed(t *testing.T) {
	x := standard(t)
	_, err := x.Check(t.Context(), bearer("Bearer client").request(), grpc.UseCompressor(gzip.Name))
	if status.Code(err) != codes.Unimplemented {
		t.Errorf("%v", err)
	}
}

// TestLog: the log shows the status of the decision, and the request id of the request
// that Envoy asks about.
func TestLog(t *testing.T) {
	x := standard(t)
	k := bearer("Bearer client")
	k.extensions = map[string]string{"scope": "cards"}
	k.headers["x-request-id"] = "7c0e4b0a-1111-2222-3333-444455556666"
	x.do(t, k)
	for _, want := range []string{"status=403", "request_id=7c0e4b0a-1111-2222-3333-444455556666", "route=" + auth.Authorization_Check_FullMethodName, "jti=j1", "scope=cards", "error=insufficient_scope"} {
		if !strings.Contains(x.logged.String(), want) {
			t.Errorf("no %s in %s", want, x.logged)
		}
	}
	res, err := http.Get(x.URL() + "/metrics") //nolint:noctx // a test
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var b strings.Builder
	if err := res.Write(&b); err != nil {
		t.Fatal(err)
	}
	if want := `grantd_edge_http_requests_total{code="403",route="` + auth.Authorization_Check_FullMethodName + `"} 1`; !strings.Contains(b.String(), want) {
		t.Errorf("no %s", want)
	}
}
