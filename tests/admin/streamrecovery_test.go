package admin_test

import (
	"testing"

	"github.com/grantd/grantd/store/storetest/redistest"
	"github.com/grantd/grantd/tests/harness"
)

// TestStreamSeesARecovery: Redis restarts without its data. A reader that is there is
// reset, and so is one that comes back later with a position from before.
func TestStreamSeesARecovery(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t)
	s := harness.Start(t, harness.Options{Edit: harness.OnRedis(redis.Addr)})
	rs := create(t, s, object{"client_id": "rs", "scope": "introspect"})
	create(t, s, object{"client_id": "app", "scope": "users:read"})
	stream := openStream(t, s, rs, "")
	do(t, s, "POST", "/clients/app/void-tokens", nil, 200)
	before := stream.Await(t, "void", nil).ID
	redis.Stop()
	redis.Restart()
	reset := stream.Await(t, "reset", nil)
	if reset.Data != `{"reason":"recovered"}` {
		t.Errorf("%+v", reset)
	}
	stream.Await(t, "fresh", nil)
	for range 2 { // also once later positions are known
		again := openStream(t, s, rs, before)
		again.Await(t, "registration", nil)
		if e := <-again.Events; e.Name != "reset" || e.Data != `{"reason":"position_unknown"}` {
			t.Errorf("then %+v", e)
		}
		again.Close()
		do(t, s, "POST", "/clients/app/void-tokens", nil, 200)
		stream.Await(t, "void", nil)
	}
}
