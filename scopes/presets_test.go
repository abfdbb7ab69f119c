package scopes

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// ownScopes are the scopes for grantd itself, which are in every catalog.
var ownScopes = []string{"introspect", "admin:read", "admin:write", "api-tokens", "api-tokens-write s"}

// The whole catalogs of the presets: " r" marks read-only scopes, " s" sensitive ones.
func TestPresets(t *testing.T) {
	for name, want := range map[string][]string{
		"unidy": {
			"subscriptions:read r", "subscriptions:write", "subscriptions_batch:write", "custom_attributes:read r", "custom_attributes:write",
			"users:read r", "users:read_by_email r", "users:change_email", "users:write", "newsletter_subscriptions:write",
		},
		"unit": {
			"applications r", "applications-write s", "customer-token r", "customer-token-write", "customers r", "customers-write s",
			"customer-tags-write s", "accounts r", "accounts-write s", "cards r", "cards-write s", "cards-sensitive s", "cards-sensitive-write s",
			"transactions r", "transactions-write s", "authorizations r", "statements r",
			"payments r", "payments-write s", "payments-write-counterparty s", "payments-write-linked-account s", "payments-write-ach-debit s",
			"ach-payments-write s", "wire-payments-write s", "counterparties r", "counterparties-write s", "events r", "events-write s",
			"webhooks", "webhooks-write s", "authorization-requests r", "authorization-requests-write s", "batch-releases r", "batch-releases-write s",
			"check-deposits r", "check-deposits-write s", "check-payments r", "check-payments-write s", "received-payments r", "received-payments-write s",
			"chargebacks r", "chargebacks-write s", "rewards r", "rewards-write s", "wire-drawdowns r", "wire-drawdowns-write s",
		},
	} {
		c, err := LoadFrom("", name)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, s := range c.List() {
			line := s.Name
			if s.ReadOnly {
				line += " r"
			}
			if s.Sensitive {
				line += " s"
			}
			got = append(got, line)
			if s.Description == "" || s.TTL != 0 {
				t.Errorf("%s: %s: description %q, ttl %v", name, s.Name, s.Description, s.TTL)
			}
		}
		if diff := cmp.Diff(append(want, ownScopes...), got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// Nothing that writes is for partners, and nothing that moves money needs no code.
func TestPresetsAreSafe(t *testing.T) {
	for _, name := range Presets() {
		c, err := Preset(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range c.List() {
			writes := strings.Contains(s.Name, "write") || strings.Contains(s.Name, "change")
			if writes && c.ForPartners(s.Name) {
				t.Errorf("%s: partners may have %s", name, s.Name)
			}
			if strings.Contains(s.Name, "payments-write") && !s.Sensitive {
				t.Errorf("%s: %s needs no code", name, s.Name)
			}
		}
	}
}

func TestLoadFrom(t *testing.T) {
	for _, row := range []struct {
		rule, file, preset string
		first, err         string
	}{
		{"neither is the built-in catalog", "", "", "subscriptions:read", ""},
		{"a preset", "", "unit", "applications", ""},
		{"a file", "testdata/good.yaml", "", "invoices:read", ""},
		{"both", "testdata/good.yaml", "unit", "", "scopes.file is set"},
		{"an unknown preset", "", "stripe", "", "one of unidy, unit"},
		{"capitals", "", "Unit", "", "one of unidy, unit"},
		{"a missing file", "testdata/none.yaml", "", "", "scopes.file: open"},
	} {
		c, err := LoadFrom(row.file, row.preset)
		if row.err != "" {
			if err == nil || c != nil || !strings.Contains(err.Error(), row.err) {
				t.Errorf("%s: %v, want an error that says %q", row.rule, err, row.err)
			}
			continue
		}
		if err != nil || c.Names()[0] != row.first {
			t.Errorf("%s: %v, %v", row.rule, c, err)
		}
	}
	if got := Presets(); !slices.Equal(got, []string{"unidy", "unit"}) {
		t.Errorf("presets %v", got)
	}
}
