package web

import (
	"strings"

	"github.com/grantd/grantd/server/credential"
)

// PlainScope reports whether the log may show a name that may not be in the catalog:
// it has only characters that scopes usually have, and is not like a credential.
func PlainScope(name string) bool {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	return name != "" && strings.Trim(name, letters+":._/-") == "" && !credential.LooksSecret(name)
}

// plainScopes returns those names of a scope string that the log may show.
func plainScopes(scope string) string {
	var plain []string
	for name := range strings.FieldsSeq(scope) {
		if PlainScope(name) {
			plain = append(plain, name)
		}
	}
	return strings.Join(plain, " ")
}
