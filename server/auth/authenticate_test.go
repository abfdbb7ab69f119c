package auth

import (
	"testing"
	"time"

	"github.com/grantd/grantd/store"
)

// TestIsOld shows that the place in the list tells which of two secrets is newer,
// even if both were made in the same second.
func TestIsOld(t *testing.T) {
	now := time.Now()
	c := &store.Client{Secrets: []store.Secret{{ID: "a", CreatedAt: now}, {ID: "b", CreatedAt: now}}}
	if !isOld(c, &c.Secrets[0]) || isOld(c, &c.Secrets[1]) {
		t.Error("the first is the old one")
	}
}
