package customers

import (
	"testing"
	"time"

	causes "github.com/grantd/grantd/server/refusal"
	"github.com/grantd/grantd/store"
)

// TestBarrier has a row for each reason why a client of an org may not act for a
// customer.
func TestBarrier(t *testing.T) {
	made := time.Date(2026, 1, 31, 8, 0, 0, 0, time.UTC)
	for want, change := range map[causes.Cause]func(c *store.Customer, org *store.Org){
		"":                         func(*store.Customer, *store.Org) {},
		causes.CustomerOfOtherOrg:  func(c *store.Customer, _ *store.Org) { c.OrgID = "beta" },
		causes.CustomerOrgUnusable: func(_ *store.Customer, org *store.Org) { org.DeactivatedAt = &made },
		causes.CustomerOfFormerOrg: func(c *store.Customer, _ *store.Org) { c.OrgIncarnation = 1 },
		causes.CustomerHeld:        func(c *store.Customer, _ *store.Org) { c.HeldBack = true },
		causes.CustomerDeactivated: func(c *store.Customer, _ *store.Org) { c.DeactivatedAt = &made },
	} {
		org := store.Org{ID: "acme"}
		org.CreatedAt, org.Incarnation = made, 2
		c := store.Customer{ID: "10001", OrgID: "acme", OrgIncarnation: 2}
		c.CreatedAt = made
		change(&c, &org)
		if got := barrier(c, &org, "acme"); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if got := barrier(store.Customer{OrgID: "acme"}, nil, "acme"); got != causes.CustomerOrgUnusable {
		t.Errorf("without the org: %q", got)
	}
}
