package scopes

import "strings"

// CustomerTokenWrite is the scope that a client token needs to create tokens for
// one customer.
const CustomerTokenWrite = "customer-token-write"

var own = []Scope{
	{Name: Introspect, Description: "Ask whether a token is active (a resource server)"},
	{Name: AdminRead, Description: "Read through the admin API"},
	{Name: AdminWrite, Description: "Change through the admin API"},
	{Name: APITokens, Description: "List the API keys of the client's org"},
	{Name: APITokensWrite, Description: "Make and revoke API keys of the client's org", Sensitive: true},
}

// Default returns the built-in catalog.
func Default() *Catalogue {
	list := unidy()
	for _, thing := range []string{"customers", "accounts", "cards", "cards-sensitive", "transactions", "payments", "statements", "webhooks"} {
		what := strings.ReplaceAll(thing, "-", " ")
		list = append(list, named(thing, "Read "+what), named(thing+"-write", "Create and change "+what))
	}
	list = append(list,
		named(CustomerTokenWrite, "Make tokens for one customer"),
		named("partners", "Read partners"))
	c, err := build(list)
	if err != nil {
		panic(err) // the list above is a constant; its test runs it
	}
	return c
}

// named returns a scope whose ReadOnly and Sensitive follow from its name.
func named(name, description string) Scope {
	return Scope{Name: name, Description: description, ReadOnly: readOnlyByName(name), Sensitive: sensitiveByName(name)}
}

func readOnlyByName(name string) bool {
	for _, part := range []string{"write", "change", "sensitive"} {
		if strings.Contains(name, part) {
			return false
		}
	}
	return name != "webhooks" && name != "partners" && !Privileged(name)
}

func sensitiveByName(name string) bool {
	if name == CustomerTokenWrite {
		return false
	}
	return strings.HasSuffix(name, "-write") || strings.Contains(name, "-sensitive")
}
