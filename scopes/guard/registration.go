package guard

import (
	"fmt"
	"slices"
	"strings"
)

// Registration is what the authorization server has on record about this resource
// server. It decides which tokens the authorization server shows to it.
type Registration struct {
	ClientID  string
	TokenUses []string // kinds of tokens that it accepts
	Enforces  []string // restrictions of tokens that it enforces
	Resource  string   // its identifier; "": it has none
}

// MismatchError says that the registration of this resource server is not what the
// program was written for. Then no token is safe to accept: the authorization
// server may show tokens whose restrictions nobody enforces.
type MismatchError struct {
	Have Registration // as the authorization server has it
	Want Registration // as Config has it
	name func(field string) string
}

// Error says what differs, and the commands that would correct it.
func (e *MismatchError) Error() string {
	var differs, settings, flags []string
	add := func(name, field, have, want, flag string) {
		if have == want {
			return
		}
		field = e.nameOf(field)
		differs = append(differs, fmt.Sprintf("%s is registered as %s, and %s is %s", name, orNone(have), field, orNone(want)))
		settings = append(settings, field)
		flags = append(flags, flag)
	}
	add("client_id", "ClientID", e.Have.ClientID, e.Want.ClientID, "")
	add("token_uses", "TokenUses", list(e.Have.TokenUses), list(e.Want.TokenUses), "--token-use "+quoted(list(e.Want.TokenUses)))
	add("enforces", "Enforces", list(e.Have.Enforces), list(e.Want.Enforces), "--enforces "+quoted(list(e.Want.Enforces)))
	add("resource", "Resource", e.Have.Resource, e.Want.Resource, "--introspect --resource "+quoted(e.Want.Resource))
	if e.Have.ClientID != e.Want.ClientID {
		return fmt.Sprintf("guard: %s: correct %s or the secret", strings.Join(differs, "; "), e.nameOf("ClientID"))
	}
	return fmt.Sprintf("guard: the registration of this resource server differs: %s. Either correct %s, or run: grantd client update %s %s",
		strings.Join(differs, "; "), strings.Join(settings, ", "), e.Want.ClientID, strings.Join(flags, " "))
}

// nameOf returns what a field of Config is called.
func (e *MismatchError) nameOf(field string) string {
	if e.name == nil {
		return field
	}
	return e.name(field)
}

// list returns a set as text that equals that of an equal set.
func list(set []string) string {
	set = slices.Clone(set)
	slices.Sort(set)
	return strings.Join(slices.Compact(set), ",")
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

// quoted returns s as one word of a shell.
func quoted(s string) string {
	if s == "" || strings.ContainsFunc(s, func(r rune) bool { return !strings.ContainsRune(plainRunes, r) }) {
		return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
	}
	return s
}

const plainRunes = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~:/,_"

// registration returns what Config says that the registration must be.
func (c *Config) registration() Registration {
	return Registration{ClientID: c.ClientID, TokenUses: c.TokenUses, Enforces: c.Enforces, Resource: c.Resource}
}

// compare returns a MismatchError if the registration is not that of Config.
func (c *Config) compare(have Registration) error {
	want := c.registration()
	if have.ClientID == want.ClientID && have.Resource == want.Resource &&
		list(have.TokenUses) == list(want.TokenUses) && list(have.Enforces) == list(want.Enforces) {
		return nil
	}
	return &MismatchError{Have: have, Want: want, name: c.nameOf}
}
