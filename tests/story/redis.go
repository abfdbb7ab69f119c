package story

import (
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/grantd/grantd/store/storetest/redistest"
	"github.com/grantd/grantd/tests/harness"
)

// redis starts, kills and restarts a Redis, and sends it commands.
func redis(t *testing.T, ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: redis start|kill|restart|do NAME ...")
	}
	name := args[1]
	if args[0] == "start" {
		s := redistest.Start(t, args[2:]...)
		ts.Setenv(name, s.Addr)
		running := ts.Value(serversKey{}).(*world)
		running.redis[name] = s
		return
	}
	s := ts.Value(serversKey{}).(*world).redis[name]
	if s == nil {
		ts.Fatalf("there is no Redis %s", name)
	}
	switch args[0] {
	case "kill":
		s.Kill()
	case "restart":
		s.Restart()
	case "do":
		r := harness.DialRedis(t, s.Addr)
		if _, err := r.Try(args[2:]...); err != nil {
			ts.Fatalf("redis %s: %v", strings.Join(args[2:], " "), err)
		}
	default:
		ts.Fatalf("redis has no command %s", args[0])
	}
}
