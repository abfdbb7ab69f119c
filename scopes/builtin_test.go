package scopes

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The whole built-in catalog: r marks read-only scopes, s sensitive ones.
func TestDefault(t *testing.T) {
	want := []struct{ name, marks string }{
		{"subscriptions:read", "r"},
		{"subscriptions:write", ""},
		{"subscriptions_batch:write", ""},
		{"custom_attributes:read", "r"},
		{"custom_attributes:write", ""},
		{"users:read", "r"},
		{"users:read_by_email", "r"},
		{"users:change_email", ""},
		{"users:write", ""},
		{"newsletter_subscriptions:write", ""},
		{"customers", "r"},
		{"customers-write", "s"},
		{"accounts", "r"},
		{"accounts-write", "s"},
		{"cards", "r"},
		{"cards-write", "s"},
		{"cards-sensitive", "s"},
		{"cards-sensitive-write", "s"},
		{"transactions", "r"},
		{"transactions-write", "s"},
		{"payments", "r"},
		{"payments-write", "s"},
		{"statements", "r"},
		{"statements-write", "s"},
		{"webhooks", ""},
		{"webhooks-write", "s"},
		{"customer-token-write", ""},
		{"partners", ""},
		{"introspect", ""},
		{"admin:read", ""},
		{"admin:write", ""},
		{"api-tokens", ""}, {"api-tokens-write", "s"},
	}
	var got []struct{ name, marks string }
	for _, s := range Default().List() {
		marks := ""
		if s.ReadOnly {
			marks += "r"
		}
		if s.Sensitive {
			marks += "s"
		}
		got = append(got, struct{ name, marks string }{s.Name, marks})
		if s.Description == "" || s.TTL != 0 {
			t.Errorf("%s: description %q, ttl %v", s.Name, s.Description, s.TTL)
		}
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(struct{ name, marks string }{})); diff != "" {
		t.Errorf("catalogue (-want +got):\n%s", diff)
	}
}
