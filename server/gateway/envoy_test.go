package gateway

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// askEnvoy sends a request as Envoy does: the request line has the target as it is
// written here.
func askEnvoy(t testing.TB, h http.Handler, method, target, headers string) *httptest.ResponseRecorder {
	t.Helper()
	raw := method + " " + target + " HTTP/1.1\r\nHost: api\r\nContent-Length: 0\r\n" + strings.ReplaceAll(headers, "\n", "\r\n") + "\r\n\r\n"
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(raw)))
	if err != nil {
		t.Fatalf("%s: %v", target, err)
	}
	r.RemoteAddr = "127.0.0.1:4000"
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r.WithContext(t.Context()))
	return w
}

func TestEnvoy(t *testing.T) {
	h := handlerOf(t, standard())
	const client, address = "Authorization: Bearer client", "X-Forwarded-For: 203.0.113.9, 10.0.0.1"
	const onBehalf = "Authorization: Bearer behalf\n"
	for _, tc := range []struct {
		name, method, target, headers string
		status                        int
		says                          string
	}{
		{"policy", "GET", "/forward-auth/envoy/read/users", client, 200, ""},
		{"another method", "DELETE", "/forward-auth/envoy/read/users", client, 200, ""},
		{"a method that gin does not know", "PROPFIND", "/forward-auth/envoy/read/users", client, 200, ""},
		{"the query is that of the call", "GET", "/forward-auth/envoy/read/users?scope=&scope=x&token_use=nothing", client, 200, ""},
		{"the query grants nothing", "GET", "/forward-auth/envoy/behalf/users?token_use=client", client, 403, "kind"},
		{"no token", "GET", "/forward-auth/envoy/read/users", "", 401, "Bearer"},
		{"two headers in one, as Envoy joins them", "GET", "/forward-auth/envoy/read/users", "Authorization: Bearer client,Bearer client", 401, "not active"},
		{"unknown policy", "GET", "/forward-auth/envoy/x/users", client, 403, "no policy"},
		{"unknown policy, unknown method", "PROPFIND", "/forward-auth/envoy/x/users", client, 403, "no policy"},
		{"no path", "GET", "/forward-auth/envoy/read", client, 403, "the path must be"},
		{"encoded name", "GET", "/forward-auth/envoy/%72ead/users", client, 403, "no policy"},
		{"encoded prefix", "GET", "/forward-auth/%65nvoy/read/users", client, 403, "the path must be"},
		{"on behalf", "GET", "/forward-auth/envoy/behalf/cards", onBehalf + address, 200, ""},
		{"on behalf, a card", "HEAD", "/forward-auth/envoy/behalf/cards/7?a=%2f;..", onBehalf + address, 200, ""},
		{"on behalf, encoded as one reads it", "GET", "/forward-auth/envoy/behalf/c%61rds", onBehalf + address, 200, ""},
		{"on behalf writes", "POST", "/forward-auth/envoy/behalf/cards", onBehalf + address, 403, "GET and HEAD"},
		{"on behalf, another path", "GET", "/forward-auth/envoy/behalf/orgs", onBehalf + address, 403, "path"},
		{"on behalf, no address", "GET", "/forward-auth/envoy/behalf/cards", onBehalf, 403, "address"},
		{"on behalf, only Envoy's address", "GET", "/forward-auth/envoy/behalf/cards", onBehalf + "X-Forwarded-For: 10.0.0.1", 403, "address"},
		{"on behalf, headers of other gateways", "GET", "/forward-auth/envoy/behalf/orgs", onBehalf + address + "\nX-Forwarded-Uri: /cards\nX-Forwarded-Method: GET", 403, "path"},
	} {
		w := askEnvoy(t, h, tc.method, tc.target, tc.headers)
		if w.Code != tc.status || !strings.Contains(w.Body.String()+w.Header().Get("WWW-Authenticate"), tc.says) {
			t.Errorf("%s: %d %s %v, want %d %s", tc.name, w.Code, w.Body, w.Header(), tc.status, tc.says)
		}
	}
	for _, trick := range []string{"/cards/../cards", "/cards/%2e%2e/cards", "/./cards", "//cards", "/cards//7", "/cards;x", "/cards/%3b", `/cards\7`, "/cards/%5c7", "/cards%2f7", "/cards/%2F7", "/cards/%00", "/cards%23x", "/cards/%252e"} {
		if w := askEnvoy(t, h, "GET", "/forward-auth/envoy/behalf"+trick, onBehalf+address); w.Code != http.StatusForbidden || !strings.Contains(w.Body.String(), "path") {
			t.Errorf("%s: %d %s", trick, w.Code, w.Body)
		}
		if w := askEnvoy(t, h, "GET", "/forward-auth/envoy/read"+trick, client); w.Code != http.StatusOK {
			t.Errorf("%s with a token that no path restricts: %d %s", trick, w.Code, w.Body)
		}
	}
}

// FuzzTarget: whatever the target is, the policy is one segment as it was sent, and the
// original URI is the rest, so that nothing was decoded, cleaned or left out.
func FuzzTarget(f *testing.F) {
	for _, target := range []string{"/forward-auth/envoy/read/users", "/forward-auth/envoy/read", "/forward-auth/envoy//x", "/forward-auth/envoy/a/../b?c=/d", "/forward-auth/envoy/re%61d/%2f", "http://x/forward-auth/envoy/a/b", ""} {
		f.Add(target)
	}
	f.Fuzz(func(t *testing.T, target string) {
		policy, uri, ok := splitTarget(target)
		switch {
		case ok != (strings.HasPrefix(target, PathEnvoy) && strings.Contains(target[len(PathEnvoy):], "/")):
			t.Errorf("%q is read: %v", target, ok)
		case !ok && policy+uri != "":
			t.Errorf("%q: %q %q", target, policy, uri)
		case ok && (PathEnvoy+policy+uri != target || strings.Contains(policy, "/") || uri[0] != '/'):
			t.Errorf("%q: %q %q", target, policy, uri)
		}
	})
}

// FuzzPolicy: a policy that is added has a name with one form, needs at least what it
// says, and is not added twice.
func FuzzPolicy(f *testing.F) {
	for _, p := range [][3]string{{"read", "users:read", ""}, {"a", "", "client key"}, {"..", "x", ""}, {"a b", "x", ""}, {"a", "x  y", ""}, {"a", "x", "admin"}, {"%61", "", ""}} {
		f.Add(p[0], p[1], p[2])
	}
	f.Fuzz(func(t *testing.T, name, scope, use string) {
		p := Policies{}
		if p.Add(name, scope, use, nil) != nil {
			if len(p) > 0 {
				t.Errorf("%q %q %q is refused and added", name, scope, use)
			}
			return
		}
		need := p[name]
		if strings.Join(strings.Fields(scope), " ") != scope || len(need.Uses) == 0 || strings.ContainsAny(name, "/%.?;#\\ ") || name == "" {
			t.Errorf("%q %q %q: %v", name, scope, use, need)
		}
		for n := range strings.SplitSeq(scope, " ") {
			if n != "" && !strings.Contains(" "+strings.Join(need.Scopes, " ")+" ", " "+n+" ") {
				t.Errorf("%q needs %v", scope, need.Scopes)
			}
		}
		if p.Add(name, scope, use, nil) == nil {
			t.Errorf("%q is added twice", name)
		}
		if policy, uri, ok := splitTarget(PathEnvoy + name + "/x"); !ok || policy != name || uri != "/x" {
			t.Errorf("%q is not found by its path: %q %q", name, policy, uri)
		}
	})
}

func TestPolicies(t *testing.T) {
	for _, tc := range []struct{ name, scope, use, want string }{
		{"users-read_2", "users:read users:write", "client customer", ""},
		{"any", "", "", ""},
		{"", "", "", "name must be 1 to 64"},
		{"a.b", "", "", "name must be"},
		{"a/b", "", "", "name must be"},
		{strings.Repeat("a", 65), "", "", "name must be"},
		{"twice", "", "", "name is used twice"},
		{"a", "users:read,", "", ""},
		{"a", " users:read", "", "scope must be"},
		{"a", `"x"`, "", "scope must be"},
		{"a", "", "admin", "token_use must be client"},
		{"a", "", "client  key", "token_use must be client"},
		{"a", "", "partner", "token_use must be among client, customer"},
	} {
		p := Policies{"twice": Need{}}
		err := p.Add(tc.name, tc.scope, tc.use, []string{"client", "customer"})
		if (tc.want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%q %q %q: %v, want %q", tc.name, tc.scope, tc.use, err, tc.want)
		}
	}
	p := Policies{}
	if err := p.Add("a", "", "key", []string{"client"}); err == nil {
		t.Error("a kind that cannot be active is accepted")
	}
	if err := p.Add("a", "x y x", "", nil); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Policies{"a": {Scopes: []string{"x", "y"}, Uses: []string{"client"}}}, p); diff != "" {
		t.Error(diff)
	}
}

// TestOverHTTP2: the path of HTTP/2 is read as it was sent, too.
func TestOverHTTP2(t *testing.T) {
	s := httptest.NewUnstartedServer(handlerOf(t, standard()))
	s.EnableHTTP2 = true
	s.StartTLS()
	defer s.Close()
	for path, status := range map[string]int{"/cards": 200, "/cards/../cards": 403, "//cards": 403, "/cards%2f7": 403} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		req.URL.Opaque = strings.TrimPrefix(s.URL, "https:") + "/forward-auth/envoy/behalf" + path
		req.Header.Set("Authorization", "Bearer behalf")
		req.Header.Set("X-Forwarded-For", "203.0.113.9")
		res, err := s.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode != status || res.ProtoMajor != 2 {
			t.Errorf("%s: %s %d, want %d", path, res.Proto, res.StatusCode, status)
		}
	}
}

// TestBodyIsNotRead: the decision comes before the body, of which nothing is read.
func TestBodyIsNotRead(t *testing.T) {
	s := httptest.NewServer(handlerOf(t, standard()))
	defer s.Close()
	for _, target := range []string{Path, PathEnvoy + "read/users"} {
		for _, length := range []string{"Content-Length: 10485760", "Content-Length: 10", "Transfer-Encoding: chunked"} {
			conn, err := net.Dial("tcp", s.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			if _, err := fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: api\r\nAuthorization: Bearer client\r\n%s\r\n\r\n", target, length); err != nil {
				t.Fatal(err)
			}
			res, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatalf("%s %s: %v", target, length, err)
			}
			if res.StatusCode != http.StatusOK || !res.Close {
				t.Errorf("%s %s: %d, closes %v", target, length, res.StatusCode, res.Close)
			}
			_ = res.Body.Close()
			_ = conn.Close()
		}
	}
}
