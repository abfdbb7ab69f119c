package redis_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/grantd/grantd/tests/poll"
)

// TestFailuresDoNotFillTheLog checks, for faults in which Redis refuses at once,
// that neither the follower nor requests retry in a loop: the log has a few lines,
// and grantd says when it is over.
func TestFailuresDoNotFillTheLog(t *testing.T) {
	const watched = 3 * time.Second
	for _, f := range []fault{
		{
			name:  "full and empty",
			begin: commands("CONFIG SET maxmemory 1", "FLUSHALL"),
			end:   commands("CONFIG SET maxmemory 0"),
		},
		{
			name:  "no replicas after a lost tail",
			begin: commands("FLUSHALL", "CONFIG SET min-replicas-to-write 1"),
			end:   commands("CONFIG SET min-replicas-to-write 0"),
		},
		{
			name:  "no right to read the feed",
			begin: commands("ACL SETUSER default -xread"),
			end:   commands("ACL SETUSER default +xread"),
		},
	} {
		t.Run(strings.ReplaceAll(f.name, " ", "_"), func(t *testing.T) {
			t.Parallel()
			x := newWorld(t)
			before := len(x.s.Logs.String())
			f.begin(t, x)
			for end := time.Now().Add(watched); time.Now().Before(end); {
				x.introspect(t, x.live[0])
			}
			if lines := warnings(x.s.Logs.String()[before:]); len(lines) == 0 || len(lines) > 10 {
				t.Errorf("%d lines in %v, want 1 to 10:\n%s", len(lines), watched, strings.Join(lines, "\n"))
			}
			f.end(t, x)
			poll.Await(t, patience, "the log says that it is over", func() string {
				if log := x.s.Logs.String()[before:]; !strings.Contains(log, `"msg":"feed: read again"`) {
					return "no line"
				}
				return ""
			})
			poll.Await(t, recovery, "full service", ready(t, x.s))
		})
	}
}

// warnings returns the lines about what grantd does by itself. Those about
// requests are not counted: there is one for each.
func warnings(log string) []string {
	var list []string
	for line := range strings.Lines(log) {
		var l struct{ Level, Msg string }
		if json.Unmarshal([]byte(line), &l) == nil && l.Level != "DEBUG" && !strings.HasPrefix(l.Msg, "request") {
			list = append(list, strings.TrimSpace(line))
		}
	}
	return list
}
