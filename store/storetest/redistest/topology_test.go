package redistest_test

import (
	"testing"

	"github.com/grantd/grantd/store/storetest/redistest"
)

func TestSentinel(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it needs Redis Sentinel")
	}
	s := redistest.StartSentinel(t)
	old := s.Master()
	old.Must(t, "set", "a", "1")
	old.AwaitReplicated(t, 2)
	old.Kill()
	if now := s.AwaitPromotion(t, old); now.Must(t, "get", "a")[0] != "1" {
		t.Error("the promoted replica lacks the key")
	}
	s.Heal(t)
}

func TestCluster(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it needs a Redis Cluster")
	}
	c := redistest.StartCluster(t)
	slot := c.Slot(t, "a")
	old := c.Master(slot)
	old.Must(t, "set", "a", "1")
	old.AwaitReplicated(t, 1)
	old.Kill()
	if now := c.AwaitPromotion(t, slot, old); now.Must(t, "get", "a")[0] != "1" {
		t.Error("the promoted replica lacks the key")
	}
	c.Heal(t)
	to := c.Masters()[0]
	if to == c.Master(slot) {
		to = c.Masters()[1]
	}
	steps := 0
	c.Migrate(t, slot, to, func() { steps++ })
	if now := c.Master(slot); now != to || now.Must(t, "get", "a")[0] != "1" || steps != 2 {
		t.Errorf("the slot is at %s after %d steps", now.Addr, steps)
	}
}
