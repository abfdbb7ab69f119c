package redis_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/grantd/grantd/config"
	"github.com/grantd/grantd/server/clients"
	"github.com/grantd/grantd/tests/harness"
	"github.com/grantd/grantd/tests/parallel"
)

const (
	// staleness is cache.max_staleness of every server here, the default.
	staleness = time.Second
	// recovery is how long full service may take once Redis is back.
	recovery = 2 * time.Second
	// patience bounds waits that are not under test themselves.
	patience = 15 * time.Second
	// pause between two polls leaves the processors to the servers.
	pause = time.Millisecond
)

func TestMain(m *testing.M) { os.Exit(parallel.Main(m, 8)) }

func start(t testing.TB, redis string) *harness.Server {
	t.Helper()
	return harness.Start(t, harness.Options{Edit: func(c *config.Config) {
		harness.OnRedis(redis)(c)
		c.Cache.MaxStaleness = staleness
	}})
}

// post is harness's Form for goroutines: it does not end the test.
func post(s *harness.Server, path, id, secret string, form url.Values) (harness.Response, error) {
	r, err := s.TryForm(path, id, secret, form)
	if err == nil && r.Status == 503 && r.Header.Get("Retry-After") == "" {
		err = fmt.Errorf("503 without Retry-After: %s", r.Body)
	}
	return r, err
}

// introspect asks s about the token as rs.
func introspect(t testing.TB, s *harness.Server, rs clients.Created, token string) harness.Response {
	t.Helper()
	a, err := post(s, "/oauth/introspect", rs.ClientID, rs.ClientSecret, url.Values{"token": {token}})
	if err != nil {
		t.Error(err)
	}
	return a
}

func mustBeActive(t testing.TB, s *harness.Server, rs clients.Created, token, what string) {
	t.Helper()
	if a := introspect(t, s, rs, token); !a.Active() {
		t.Errorf("%s: %v, want active", what, a)
	}
}

func mustBeInactive(t testing.TB, s *harness.Server, rs clients.Created, token, what string) {
	t.Helper()
	if a := introspect(t, s, rs, token); !a.Inactive() {
		t.Errorf("%s: %v, want inactive", what, a)
	}
}

// issue requests a token with the secret.
func issue(s *harness.Server, id, secret string) (token string, r harness.Response, err error) {
	token, r, err = s.TryToken(id, secret)
	if err == nil && r.Status == 503 && r.Header.Get("Retry-After") == "" {
		err = fmt.Errorf("503 without Retry-After: %s", r.Body)
	}
	return token, r, err
}

// admin sends an admin request, checks the status and returns the response.
func admin(t testing.TB, s *harness.Server, status int, method, path string, body any) harness.Response {
	t.Helper()
	r := s.AdminDo(t, method, path, body)
	if r.Status != status {
		t.Fatalf("%s %s: %d %s, want %d", method, path, r.Status, r.Body, status)
	}
	return r
}

// create creates a client by the admin API.
func create(t testing.TB, s *harness.Server, id, scope string) clients.Created {
	t.Helper()
	r := admin(t, s, http.StatusCreated, http.MethodPost, "/clients", map[string]any{"client_id": id, "scope": scope})
	var c clients.Created
	if err := json.Unmarshal([]byte(r.Body), &c); err != nil {
		t.Fatal(err)
	}
	return c
}

// rotate returns the new secret.
func rotate(t testing.TB, s *harness.Server, id, grace string) clients.Rotated {
	t.Helper()
	r := admin(t, s, http.StatusCreated, http.MethodPost, "/clients/"+id+"/secrets", map[string]any{"grace": grace})
	var out clients.Rotated
	if err := json.Unmarshal([]byte(r.Body), &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// revoke revokes a token by RFC 7009 and returns when that was acknowledged.
func revoke(t testing.TB, s *harness.Server, c clients.Created, token string) time.Time {
	t.Helper()
	a, err := post(s, "/oauth/revoke", c.ClientID, c.ClientSecret, url.Values{"token": {token}})
	if err != nil || a.Status != 200 {
		t.Fatalf("revoke: %v %v", a, err)
	}
	return a.Got
}

// ready returns a poll that waits until readyz returns 200.
func ready(t testing.TB, s *harness.Server) func() string {
	return func() string {
		req, err := http.NewRequest(http.MethodGet, s.URL+"/readyz", nil)
		if err != nil {
			t.Fatal(err)
		}
		if r := harness.Do(t, nil, req); r.Status != 200 {
			return r.Body
		}
		return ""
	}
}

// redisDo sends one inline command to Redis, which must return a simple string.
func redisDo(t testing.TB, addr, command string) {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fprintf(conn, "%s\r\n", command); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil || !strings.HasPrefix(line, "+") {
		t.Fatalf("redis %s: %q %v", command, line, err)
	}
}
