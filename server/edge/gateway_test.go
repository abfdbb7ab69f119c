package edge

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/grantd/grantd/tests/poll"
)

// TestEnvoy: policies of the flags, the raw path, the address of the caller, and the
// counts.
func TestEnvoy(t *testing.T) {
	t.Parallel()
	x := start(t, func(s *Settings) {
		s.Policies = []string{"read scope=users:read", "write scope=users:read users:write", "any"}
		s.Proxies = []string{"10.0.0.0/8"}
	})
	good := "Authorization: Bearer good"
	for _, tc := range []struct {
		method, path string
		header       []string
		status       int
	}{
		{"GET", "read/users?scope=x&token_use=", []string{good}, 200},
		{"PROPFIND", "read/users", []string{good}, 200},
		{"DELETE", "any/a/../b//c%2fd", []string{good}, 200},
		{"GET", "write/users", []string{good}, 403},
		{"GET", "nobody/users", []string{good}, 403},
		{"GET", "re%61d/users", []string{good}, 403},
		{"GET", "read", []string{good}, 403},
		{"GET", "read/users", nil, 401},
		{"GET", "read/users?access_token=good", nil, 401},
		{"GET", "read/users", []string{good, good}, 401},
		{"GET", "read/users", []string{"Authorization: Bearer near", "X-Forwarded-For: 203.0.113.7, 10.1.1.1"}, 200},
		{"GET", "read/users", []string{"Authorization: Bearer near", "X-Forwarded-For: 203.0.113.7, 203.0.113.8"}, 401},
	} {
		r := x.send(t, tc.method, "/forward-auth/envoy/"+tc.path, "", nil, tc.header...)
		if r.status != tc.status || tc.status == 200 && r.header.Get("X-Auth-Client-Id") != "shop" {
			t.Errorf("%s %s %v: %d %s %v, want %d", tc.method, tc.path, tc.header, r.status, r.body, r.header, tc.status)
		}
	}
	if x.guard.source != netip.MustParseAddr("203.0.113.8") {
		t.Errorf("the server is asked about a call from %v", x.guard.source)
	}
	if r := x.send(t, "GET", "/forward-auth%2fenvoy/read/users", "", nil, good); r.status != http.StatusNotFound {
		t.Errorf("an encoded prefix: %d", r.status)
	}
	metrics := x.send(t, "GET", "/metrics", "", nil).body
	for _, want := range []string{
		`grantd_edge_forward_auth_decisions_total{cause="",outcome="passed"} 4`, `{cause="token_scope",outcome="refused"} 1`, `{cause="policy_unknown",outcome="refused"} 2`,
		`{cause="gateway_path",outcome="refused"} 1`, `{cause="no_bearer_token",outcome="refused"} 2`, `{cause="authorization_repeated",outcome="refused"} 1`, `{cause="token_not_active",outcome="refused"} 1`,
	} {
		if !strings.Contains(metrics, want) {
			t.Errorf("no %s", want)
		}
	}
}

// TestDecisionsAreSampled: a gateway whose callers have no tokens does not fill the log.
func TestDecisionsAreSampled(t *testing.T) {
	t.Parallel()
	x := start(t, nil)
	for range 50 {
		x.send(t, "GET", "/forward-auth", "", nil, "X-Forwarded-For: 203.0.113.7")
		x.send(t, "GET", "/forward-auth?scope=x", "", nil, "Authorization: Bearer good", "X-Forwarded-For: 203.0.113.7")
		x.send(t, "GET", "/forward-auth", "", nil, "Authorization: Bearer good")
	}
	x.sampler.Flush()
	poll.Await(t, poll.Patience, "the counts are logged", func() string {
		log := x.logged.String()
		if strings.Count(log, "more=49 ") != 2 || strings.Count(log, "msg=request ") != 2 || !strings.Contains(log, "address=203.0.113.7") || !strings.Contains(log, "cause=token_scope") {
			return log
		}
		return ""
	})
}
