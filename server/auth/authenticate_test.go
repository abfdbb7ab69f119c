package auth

import (
	"testing"
	"time"

	"github.com/grantd/grantd/store"
)

// Two secrets made in one second are told apart by their place in the list.
func TestIsOld(t *testing.T) {
	now := time.Now()
	c := &store.Client{Secrets: []store.Secret{{ID: "a", CreatedAt: now}, {ID: "b", CreatedAt: now}}}
	if !isOld(c, &c.Secrets[0]) || isOld(c, &c.Secrets[1]) {
		t.Error("the first is the old one")
	}
}
