package service_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/grantd/grantd/config"
	"github.com/grantd/grantd/server/audit"
	"github.com/grantd/grantd/tests/harness"
	"github.com/grantd/grantd/tests/parallel"
)

const (
	// perClient and perAddress are small to keep the tests short.
	perClient  = 4
	perAddress = 12
	window     = time.Minute
	// attacker and bystander are addresses that a trusted proxy reports.
	attacker  = "203.0.113.7"
	bystander = "198.51.100.1"
)

func TestMain(m *testing.M) { os.Exit(parallel.Main(m, 8)) }

// limited returns the edit that sets the limits on failures and makes loopback a
// trusted proxy.
func limited(client, address int) func(*config.Config) {
	return func(c *config.Config) {
		c.Public.TrustedProxies = []string{"127.0.0.0/8"}
		c.Limits.AuthFailuresPerClientAndAddress = config.Limit{Count: client, Per: window}
		c.Limits.AuthFailuresPerAddress = config.Limit{Count: address, Per: window}
	}
}

func edits(all ...func(*config.Config)) harness.Options {
	return harness.Options{Edit: func(c *config.Config) {
		for _, edit := range all {
			edit(c)
		}
	}}
}

// attempt is one request with a client's credentials.
type attempt struct {
	path       string // "" means the token endpoint
	from       string // X-Forwarded-For; "" means none
	id, secret string
}

var grant = url.Values{"grant_type": {"client_credentials"}, "token": {"made-up-0123456789"}}

// send sends the attempt. Several goroutines may call it.
func send(s *harness.Server, a attempt) (harness.Response, error) {
	path := a.path
	if path == "" {
		path = "/oauth/token"
	}
	req, err := http.NewRequest(http.MethodPost, s.URL+path, strings.NewReader(grant.Encode()))
	if err != nil {
		return harness.Response{}, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth(url.QueryEscape(a.id), url.QueryEscape(a.secret))
	if a.from != "" {
		req.Header.Set("X-Forwarded-For", a.from)
	}
	return harness.Send(nil, req)
}

func try(t testing.TB, s *harness.Server, a attempt) harness.Response {
	t.Helper()
	r, err := send(s, a)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// want sends the attempt and checks the status.
func want(t testing.TB, s *harness.Server, status int, a attempt, what string) harness.Response {
	t.Helper()
	r := try(t, s, a)
	if r.Status != status {
		t.Errorf("%s: %d %s, want %d", what, r.Status, r.Body, status)
	}
	return r
}

// exhaust sends the attempt n times and checks that each gets 401.
func exhaust(t testing.TB, s *harness.Server, n int, a attempt) {
	t.Helper()
	for i := range n {
		want(t, s, http.StatusUnauthorized, a, fmt.Sprintf("failure %d of %d", i+1, n))
	}
}

// refused checks the response of a limit: 429 with Retry-After (RFC 6585 §4).
func refused(t testing.TB, r harness.Response, what string) {
	t.Helper()
	if r.Status != http.StatusTooManyRequests {
		t.Fatalf("%s: %d %s, want 429", what, r.Status, r.Body)
	}
	wait, err := strconv.Atoi(r.Header.Get("Retry-After"))
	if err != nil || wait < 1 || wait > int(window/time.Second) {
		t.Errorf("%s: Retry-After %q", what, r.Header.Get("Retry-After"))
	}
	if got := r.Header.Get("Content-Type"); got != "application/json" {
		t.Errorf("%s: content type %q", what, got)
	}
	if got := r.Header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("%s: Cache-Control %q", what, got)
	}
	var body map[string]string
	if err := json.Unmarshal([]byte(r.Body), &body); err != nil || body["error"] != "too_many_requests" || body["error_description"] == "" || len(body) != 2 {
		t.Errorf("%s: body %s", what, r.Body)
	}
}

// face returns everything by which a caller could tell two responses apart.
func face(r harness.Response) string {
	lines := []string{strconv.Itoa(r.Status), r.Body}
	for name, values := range r.Header {
		switch name {
		case "Date", "X-Request-Id", "Retry-After":
			lines = append(lines, name)
		default:
			lines = append(lines, name+": "+strings.Join(values, "|"))
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// auditor is the actor that changes clients here.
var auditor = audit.Actor{Name: "test"}

// median returns the median of the durations.
func median(all []time.Duration) time.Duration {
	sorted := slices.Sorted(slices.Values(all))
	return sorted[len(sorted)/2]
}
