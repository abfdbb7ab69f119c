package cli

import (
	"regexp"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/grantd/grantd/server/auth"
	"github.com/grantd/grantd/server/cli/importer"
	"github.com/grantd/grantd/server/field"
	"github.com/grantd/grantd/server/gateway"
	"github.com/grantd/grantd/server/senders"
	"github.com/grantd/grantd/server/tokens"
)

// kind is what an argument or a flag holds. The shell completes its values, and a
// value that cannot be one is refused before the server is asked.
type kind struct {
	form  string // what a value must be, for messages; "" if valid is nil
	valid func(string) bool
	// words are all values, unless list asks the server for them. They are only
	// proposals: the server decides.
	words []string
	list  func(lookup) []string
	files bool // the shell completes names of files
}

const (
	clientIDForm = "must be 1 to 128 of A-Z a-z 0-9 . _ ~ -, and not a credential"
	otherIDForm  = "must be 1 to 128 of A-Z a-z 0-9 . _ ~ = + -, and not a credential"
)

var (
	anyValue   = kind{}
	fileKind   = kind{files: true}
	clientKind = kind{form: clientIDForm, valid: field.ValidClientID, list: ids(pathClients, "client_id")}
	newClient  = kind{form: clientIDForm, valid: field.ValidClientID}
	orgKind    = kind{form: otherIDForm, valid: field.ValidID, list: ids(pathOrgs, "org_id")}
	customer   = kind{form: otherIDForm, valid: field.ValidID, list: ids(pathCustomers, "customer_id")}
	partner    = kind{form: otherIDForm, valid: field.ValidID, list: ids(pathPartners, "partner_id")}
	secretKind = kind{form: otherIDForm, valid: field.ValidID, list: idsBelow(pathClients, pathSecrets, "id")}
	tokenIDs   = kind{form: otherIDForm, valid: field.ValidID, list: idsBelow(pathPartners, pathPartnerTokens, "token_id")}
	signingKID = kind{form: "must be an id of 'grantd signing-key list'", valid: field.ValidID, list: signingKeyIDs}
	keyKind    = kind{form: otherIDForm, valid: field.ValidID, list: ids(pathKeys, "key_id")}
	scopeKind  = kind{list: scopeNames}
)

// argumentKinds has the kind of each argument, by its name in the usage. The name of
// the noun comes first where the argument differs between nouns.
var argumentKinds = map[string]kind{
	"client ID": clientKind, "org ID": orgKind, "customer ID": customer, "partner ID": partner, "key ID": keyKind,
	"ORG": orgKind, "SID": secretKind, "TOKEN_ID": tokenIDs, "KID": signingKID,
	"FILE": fileKind, "REQUEST_ID": anyValue, "DIR": fileKind, "URL": anyValue, "TOKEN": anyValue, "CREDENTIAL": anyValue, "COMMAND": anyValue,
}

// flagKinds has the kind of each flag with a value, by its name. The name of the
// command comes first where the flag differs between commands.
var flagKinds = map[string]kind{
	"output": {words: []string{string(outputTable), string(outputJSON)}},
	"config": fileKind, "socket": fileKind, "ca-file": fileKind, "to": fileKind, "backup": fileKind,

	"client create --id": newClient, "client": clientKind, "org": orgKind,
	"scope": scopeKind, "default-scope": scopeKind,
	"auth-method": {words: auth.Methods},
	"token-use":   {words: []string{"client", "customer", "on_behalf", "partner", "key"}},
	"enforces":    {words: tokens.Enforcements},
	"type":        {words: []string{"individual", "business"}},
	"language":    {words: senders.Languages()},
	"endpoint":    {words: []string{"GET /", "HEAD /"}},
	"from":        {words: importer.ClientFormats},
	"log":         fileKind,

	"client list --state":    {words: []string{"active", "held_back", "deactivated"}},
	"key list --state":       {words: []string{"active", "held_back", "expired", "ended", "all"}},
	"client secrets --state": {words: []string{"active", "held_back", "deactivated", "expired", "ended", "all"}},

	"client-id": anyValue, "client-secret-file": fileKind, "token-client": fileKind,
	"forward-auth-headers": {words: gateway.Families},
	"log-level":            {words: []string{"debug", "info", "warn", "error"}},
	"log-format":           {words: []string{"json", "text"}},

	"release": {words: []string{releaseAll, "client", "org", "customer", "partner", "key"}},

	"server": anyValue, "listen": anyValue, "name": anyValue, "ttl": anyValue, "grace": anyValue, "for": anyValue, "expires": anyValue,
	"until": anyValue, "since": anyValue, "limit": anyValue, "actor": anyValue, "action": anyValue, "target": anyValue, "jti": anyValue,
	"expiring": anyValue, "unused": anyValue, "old": anyValue, "q": anyValue, "issue-limit": anyValue, "request-id": anyValue, "url": anyValue,
	"upstream": anyValue, "issuer": anyValue, "trusted-proxy": anyValue, "forward-auth-policy": anyValue, "max-entries": anyValue,
	"owner": anyValue, "phone": anyValue, "authorized-user": anyValue, "source-ip": anyValue, "resource": anyValue, "mcp": anyValue, "secret-hash": anyValue,
}

// operandIn matches an argument in a usage: a word in capitals.
var operandIn = regexp.MustCompile(`(?:^|\s)\[?([A-Z][A-Z_]*)\b`)

// flagValueIn matches a flag with its value in a usage. The value is not an argument.
var flagValueIn = regexp.MustCompile(`--[a-z-]+[ =][A-Z_]+`)

// operandsOf returns the names of the command's arguments, as its usage has them.
func operandsOf(c *cobra.Command) (names []string) {
	for _, m := range operandIn.FindAllStringSubmatch(flagValueIn.ReplaceAllString(c.Use, ""), -1) {
		names = append(names, m[1])
	}
	return names
}

// nounOf returns the first word of the command after the program's name, such as
// client; "" for the program.
func nounOf(c *cobra.Command) string {
	words := strings.Fields(c.CommandPath())
	if len(words) < 2 {
		return ""
	}
	return words[1]
}

// argumentKind returns the kind of an argument, and false if it is not declared.
func argumentKind(c *cobra.Command, name string) (kind, bool) {
	k, ok := argumentKinds[nounOf(c)+" "+name]
	if !ok {
		k, ok = argumentKinds[name]
	}
	return k, ok
}

// flagKind returns the kind of a flag, and false if it is not declared.
func flagKind(c *cobra.Command, name string) (kind, bool) {
	_, command, _ := strings.Cut(c.CommandPath(), " ")
	k, ok := flagKinds[command+" --"+name]
	if !ok {
		k, ok = flagKinds[name]
	}
	return k, ok
}

// checkValues refuses arguments and flags that cannot be of their kind. The message
// does not repeat them, because people paste secrets. Empty flags are left to the
// command.
func checkValues(c *cobra.Command, args []string) error {
	names := operandsOf(c)
	for i, value := range args[:min(len(args), len(names))] {
		if k, ok := argumentKind(c, names[i]); ok && k.valid != nil && !k.valid(value) {
			return misuse(c, "%s %s", names[i], k.form)
		}
	}
	var wrong error
	c.Flags().Visit(func(f *pflag.Flag) {
		k, ok := flagKind(c, f.Name)
		if value := f.Value.String(); ok && k.valid != nil && value != "" && !k.valid(value) && wrong == nil {
			wrong = misuse(c, "--%s %s", f.Name, k.form)
		}
	})
	return wrong
}
