package scopes

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

var errBoth = errors.New("scopes.preset: must be empty, because scopes.file is set")

// presets are the catalogs of published APIs, by name.
var presets = map[string]func() []Scope{"unidy": unidy, "unit": unit}

// Presets returns the names of the presets, in order.
func Presets() []string {
	names := make([]string, 0, len(presets))
	for name := range presets {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Preset returns the catalog of the preset: the scopes of a published API, and
// those for grantd itself.
func Preset(name string) (*Catalogue, error) {
	list, ok := presets[name]
	if !ok {
		return nil, fmt.Errorf("scopes.preset: must be empty or one of %s", strings.Join(Presets(), ", "))
	}
	return build(list())
}

// LoadFrom returns the catalog of the file, of the preset, or the built-in one if
// both are empty. Errors: those of Load and Preset, and one if both are set.
func LoadFrom(file, preset string) (*Catalogue, error) {
	switch {
	case file != "" && preset != "":
		return nil, errBoth
	case preset != "":
		return Preset(preset)
	}
	return Load(file)
}

// unidy returns the scopes that Unidy documents for its API.
func unidy() []Scope {
	return []Scope{
		named("subscriptions:read", "Read subscriptions"),
		named("subscriptions:write", "Create and change subscriptions"),
		named("subscriptions_batch:write", "Create and change subscriptions in batches"),
		named("custom_attributes:read", "Read custom attributes"),
		named("custom_attributes:write", "Create and change custom attributes"),
		named("users:read", "Read users"),
		named("users:read_by_email", "Find users by their email address"),
		named("users:change_email", "Change the email address of users"),
		named("users:write", "Create and change users"),
		named("newsletter_subscriptions:write", "Create and change newsletter subscriptions"),
	}
}

// unit returns the scopes that Unit documents for its API
// (https://www.unit.co/docs/api/using-the-api#scopes).
func unit() []Scope {
	list := []Scope{
		named("applications", "Read applications"),
		named("applications-write", "Create and change applications"),
		named("customer-token", "Read the tokens of customers"),
		named(CustomerTokenWrite, "Make tokens for one customer"),
		named("customers", "Read customers"),
		named("customers-write", "Create and change customers"),
		named("customer-tags-write", "Change the tags of customers"),
		named("accounts", "Read accounts"),
		named("accounts-write", "Create and change accounts"),
		named("cards", "Read cards"),
		named("cards-write", "Create and change cards"),
		named("cards-sensitive", "Read the numbers of cards"),
		named("cards-sensitive-write", "Change the secrets of cards, such as the PIN"),
		named("transactions", "Read transactions"),
		named("transactions-write", "Change transactions"),
		named("authorizations", "Read authorizations of cards"),
		named("statements", "Read statements"),
		named("payments", "Read payments"),
		named("payments-write", "Make payments"),
		named("payments-write-counterparty", "Make payments to counterparties on file"),
		named("payments-write-linked-account", "Make payments to linked accounts on file"),
		named("payments-write-ach-debit", "Debit accounts by ACH"),
		named("ach-payments-write", "Make payments by ACH"),
		named("wire-payments-write", "Make payments by wire"),
		named("counterparties", "Read counterparties"),
		named("counterparties-write", "Create and change counterparties"),
		named("events", "Read events"),
		named("events-write", "Send events again"),
		named("webhooks", "Read webhooks"),
		named("webhooks-write", "Create and change webhooks"),
		named("authorization-requests", "Read requests to authorize a card payment"),
		named("authorization-requests-write", "Approve and decline card payments"),
		named("batch-releases", "Read batch releases"),
		named("batch-releases-write", "Create batch releases"),
		named("check-deposits", "Read check deposits"),
		named("check-deposits-write", "Create and change check deposits"),
		named("check-payments", "Read check payments"),
		named("check-payments-write", "Create and change check payments"),
		named("received-payments", "Read received payments"),
		named("received-payments-write", "Change received payments"),
		named("chargebacks", "Read chargebacks"),
		named("chargebacks-write", "Create chargebacks"),
		named("rewards", "Read rewards"),
		named("rewards-write", "Create rewards"),
		named("wire-drawdowns", "Read wire drawdowns"),
		named("wire-drawdowns-write", "Create and change wire drawdowns"),
	}
	for i, s := range list {
		// The rule by name covers names that end in -write. These move money too.
		if strings.HasPrefix(s.Name, "payments-write-") {
			list[i].Sensitive = true
		}
	}
	return list
}
