package redis_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/grantd/grantd/config"
	"github.com/grantd/grantd/store/storetest/redistest"
	"github.com/grantd/grantd/tests/harness"
)

// TestWrongClockIsNamed starts a grantd whose clock is ten minutes behind that of
// Redis. It serves, and /readyz, the metric and the log say what is wrong.
func TestWrongClockIsNamed(t *testing.T) {
	t.Parallel()
	addr := redistest.Start(t).Addr
	start := func(ahead time.Duration) *harness.Server {
		return harness.Start(t, harness.Options{Ahead: ahead, Edit: func(c *config.Config) {
			harness.OnRedis(addr)(c)
			c.Metrics.Listen = "127.0.0.1:0"
		}})
	}
	wrong, right := start(-10*time.Minute), start(0)
	for _, s := range []*harness.Server{wrong, right} {
		is := s == wrong
		ready, err := s.TryGet("/readyz")
		if err != nil || ready.Status != 200 || strings.Contains(ready.Body, `"cause":"clock_skew"`) != is || strings.Contains(ready.Body, " s behind that of Redis") != is {
			t.Errorf("wrong clock %v: %v %v", is, ready, err)
		}
		res, err := http.Get(s.Server.URL("metrics") + "/metrics")
		if err != nil {
			t.Fatal(err)
		}
		text := new(strings.Builder)
		if err := res.Write(text); err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if regexp.MustCompile(`(?m)^grantd_clock_skew_seconds -(599|600)`).MatchString(text.String()) != is {
			t.Errorf("wrong clock %v: the metric does not say so", is)
		}
		if lines := strings.Count(s.Logs.String(), "the clock of this process differs from that of Redis"); lines > 1 || (lines == 1) != is {
			t.Errorf("wrong clock %v: %d lines in the log", is, lines)
		}
	}
}
