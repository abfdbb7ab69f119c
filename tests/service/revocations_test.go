package service_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/grantd/grantd/config"
	"github.com/grantd/grantd/store/storetest/redistest"
	"github.com/grantd/grantd/tests/harness"
	"github.com/grantd/grantd/tests/poll"
)

func revoking(mode string) func(*config.Config) {
	return func(c *config.Config) {
		c.Limits.RevocationsPerClient = config.Quota{Limit: config.Limit{Count: quota, Per: window}, Mode: mode}
	}
}

// TestRevocationQuota checks that a client which revokes too much gets 429, that
// nothing is revoked then, and that tokens which have ended already cost nothing.
func TestRevocationQuota(t *testing.T) {
	t.Parallel()
	for name, edit := range map[string]func(*config.Config){
		"embedded": func(*config.Config) {}, "redis": harness.OnRedis(redistest.Start(t).Addr),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := harness.Start(t, edits(edit, revoking("enforce")))
			c, rs := s.NewClient(t, "billing", "users:read"), s.NewClient(t, "rs", "introspect")
			other := s.NewClient(t, "shipping", "users:read")
			revoke := func(id, secret, token string) harness.Response {
				r, err := s.TryForm("/oauth/revoke", id, secret, url.Values{"token": {token}})
				if err != nil {
					t.Fatal(err)
				}
				return r
			}
			ended := s.Token(t, c, "")
			for i := range quota {
				token := ended
				if i > 0 {
					token = s.Token(t, c, "")
				}
				for range 3 { // again, or never issued
					for _, free := range []string{token, "gt_sandbox_made-up"} {
						if r := revoke("billing", c.ClientSecret, free); r.Status != 200 {
							t.Fatalf("revocation %d: %v", i+1, r)
						}
					}
				}
			}
			last := s.Token(t, c, "")
			refused(t, revoke("billing", c.ClientSecret, last), "one revocation too many")
			if r := s.Introspect(t, rs, last); r.JSON(t)["active"] != true {
				t.Errorf("a token whose revocation was refused: %s", r.Body)
			}
			if r := revoke("billing", c.ClientSecret, ended); r.Status != 200 {
				t.Errorf("a token that has ended, over the quota: %v", r)
			}
			if r := revoke("shipping", other.ClientSecret, s.Token(t, other, "")); r.Status != 200 {
				t.Errorf("another client: %v", r)
			}
			// An operator is not limited, and what they end costs nothing.
			if r := s.AdminDo(t, "POST", "/clients/billing/void-tokens", nil); r.Status/100 != 2 {
				t.Fatalf("%v", r)
			}
			if r := revoke("billing", c.ClientSecret, last); r.Status != 200 {
				t.Errorf("a token that was voided: %v", r)
			}
			if n := strings.Count(s.Logs.String(), "over its revocation quota"); n != 1 {
				t.Errorf("the log has %d lines about the quota, want 1", n)
			}
			s.Clock.Add(window + time.Second)
			again := s.Token(t, c, "")
			if name == "redis" {
				return // its window is by the clock of Redis
			}
			if r := revoke("billing", c.ClientSecret, again); r.Status != 200 {
				t.Errorf("in the next window: %v", r)
			}
		})
	}
}

func TestRevocationQuotaThatOnlyLogs(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, edits(revoking("log")))
	c := s.NewClient(t, "billing", "users:read")
	for i := range 2 * quota {
		r, err := s.TryForm("/oauth/revoke", "billing", c.ClientSecret, url.Values{"token": {s.Token(t, c, "")}})
		if err != nil || r.Status != 200 {
			t.Fatalf("revocation %d: %v %v", i+1, r, err)
		}
	}
	if log := s.Logs.String(); strings.Count(log, "over its revocation quota") != 1 || !strings.Contains(log, `"enforced":false`) {
		t.Errorf("log: %s", log)
	}
}

// Replicas share twice a second how many tokens were revoked.
func TestRevocationQuotaIsShared(t *testing.T) { // not parallel, as TestIssueQuotaIsShared
	o := edits(harness.OnRedis(redistest.Start(t).Addr), revoking("enforce"))
	a, b := harness.Start(t, o), harness.Start(t, o)
	c := a.NewClient(t, "billing", "users:read")
	revoke := func(s *harness.Server) harness.Response {
		r, err := s.TryForm("/oauth/revoke", "billing", c.ClientSecret, url.Values{"token": {s.Token(t, c, "")}})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	for i := range quota {
		if r := revoke(a); r.Status != 200 {
			t.Fatalf("revocation %d: %v", i+1, r)
		}
	}
	poll.Await(t, poll.Patience, "the other replica refuses", func() string {
		if r := revoke(b); r.Status != 429 {
			return fmt.Sprint(r.Status)
		}
		return ""
	})
}
