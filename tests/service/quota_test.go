package service_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/grantd/grantd/config"
	"github.com/grantd/grantd/store/storetest/redistest"
	"github.com/grantd/grantd/tests/harness"
	"github.com/grantd/grantd/tests/poll"
)

const quota = 5

func issuing(mode string) func(*config.Config) {
	return func(c *config.Config) {
		c.Limits.IssuePerClient.Limit = config.Limit{Count: quota, Per: window}
		c.Limits.IssuePerClient.Mode = mode
	}
}

func TestIssueQuota(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, edits(issuing("enforce")))
	c, other := s.NewClient(t, "billing", "users:read"), s.NewClient(t, "shipping", "users:read")
	ask := attempt{id: "billing", secret: c.ClientSecret}
	for i := range quota {
		want(t, s, 200, ask, fmt.Sprint("token ", i+1))
	}
	refused(t, try(t, s, ask), "one token too many")
	want(t, s, 200, attempt{id: "shipping", secret: other.ClientSecret}, "another client")
	// Only issued tokens count: those issued can be used and revoked.
	want(t, s, 200, attempt{path: "/oauth/revoke", id: "billing", secret: c.ClientSecret}, "a revocation over the quota")
	want(t, s, 401, attempt{id: "billing", secret: "wrong"}, "a wrong secret over the quota")
	if n := strings.Count(s.Logs.String(), "over its issue quota"); n != 1 {
		t.Errorf("the log has %d lines about the quota, want 1", n)
	}
	s.Clock.Add(window + time.Second)
	want(t, s, 200, ask, "in the next window")
}

func TestIssueQuotaThatOnlyLogs(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, edits(issuing("log")))
	c := s.NewClient(t, "billing", "users:read")
	for i := range 2 * quota {
		want(t, s, 200, attempt{id: "billing", secret: c.ClientSecret}, fmt.Sprint("token ", i+1))
	}
	if log := s.Logs.String(); strings.Count(log, "over its issue quota") != 1 || !strings.Contains(log, `"enforced":false`) {
		t.Errorf("log: %s", log)
	}
}

// Replicas share twice a second how many tokens they issued.
func TestIssueQuotaIsShared(t *testing.T) { // not parallel: replicas share counts twice a second
	redis := redistest.Start(t).Addr
	o := edits(harness.OnRedis(redis), issuing("enforce"))
	a, b := harness.Start(t, o), harness.Start(t, o)
	c := a.NewClient(t, "billing", "users:read")
	ask := attempt{id: "billing", secret: c.ClientSecret}
	for i := range quota {
		want(t, a, 200, ask, fmt.Sprint("token ", i+1))
	}
	refused(t, try(t, a, ask), "the replica that issued")
	given := 0
	poll.Await(t, poll.Patience, "the other replica refuses", func() string {
		r := try(t, b, ask)
		if r.Status == 429 {
			return ""
		}
		given++
		return fmt.Sprint(r.Status)
	})
	if given > quota {
		t.Errorf("the other replica issued %d more tokens, over a whole quota", given)
	}
}

// The log names a client that requests a token for every call, and says what to
// do.
func TestHintForClientsThatDontCache(t *testing.T) {
	t.Parallel()
	s := harness.Start(t)
	c := s.NewClient(t, "billing", "users:read")
	const tokens = 40
	for range tokens {
		want(t, s, 200, attempt{id: "billing", secret: c.ClientSecret}, "a token")
	}
	s.Clock.Add(61 * time.Second)
	poll.Await(t, poll.Patience, "the hint", func() string {
		log := s.Logs.String()
		if strings.Contains(log, "client requests tokens instead of caching them") &&
			strings.Contains(log, fmt.Sprintf(`"client_id":"billing","tokens_last_minute":%d,"token_lives_seconds":3600`, tokens)) {
			return ""
		}
		return "not logged"
	})
}
