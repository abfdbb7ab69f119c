package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/grantd/grantd/config"
	"github.com/grantd/grantd/scopes"
	"github.com/grantd/grantd/server/admin"
	"github.com/grantd/grantd/server/credential"
)

// responseError is a response that reports a failure.
type responseError struct {
	status int
	code   string // "": the response is not grantd's
	text   string // without the field
	field  string // the member that is wrong; ""
	hint   string
}

func (r *responseError) Error() string {
	if r.field == "" {
		return r.text
	}
	return r.text + " (" + r.field + ")"
}

// failure returns the error that the server reports.
func (c *api) failure(status int, body []byte) error {
	var reported struct {
		Code        string `json:"error"`
		Description string `json:"error_description"`
		Field       string `json:"field"`
	}
	if err := json.Unmarshal(body, &reported); err != nil || reported.Code == "" {
		return c.notGrantd(status, body)
	}
	e := &responseError{status: status, code: reported.Code, text: reported.Description, field: visible(reported.Field)}
	if e.text == "" {
		e.text = reported.Code
	}
	e.text = visible(e.text)
	return e
}

// notGrantd explains a response that has no error of grantd.
func (c *api) notGrantd(status int, body []byte) error {
	if c.remote && status == http.StatusBadRequest && strings.Contains(string(body), "HTTP request to an HTTPS server") {
		return &unreachableError{
			error: fmt.Errorf("%s expects TLS", c.where),
			hint:  "write https:// instead of http:// in --server",
		}
	}
	is := "is it the admin socket of a grantd?"
	if c.remote {
		is = "is it the admin.listen of a grantd, or a proxy in front of it?"
	}
	return &responseError{status: status, text: fmt.Sprintf("%s returned status %d without a grantd error", c.where, status), hint: is}
}

// flagOf names the flag that sets a member of the admin API, where neither the
// member nor its singular is the flag's name.
var flagOf = map[string]string{
	"token_ttl": "ttl", "client_id": "id", "expires_in": "expires", "lifetime": "expires",
	"expires_within": "expiring", "unused_for": "unused", "older_than": "old",
	"resources": "mcp", "resource": "mcp", // if --resource is not given
}

// sourceOf returns the flag or the argument of the command that sets the field; ""
// for neither.
func sourceOf(c *cobra.Command, field string) (flag, argument string) {
	dashed := strings.ReplaceAll(field, "_", "-")
	for _, name := range []string{flagOf[field], dashed, strings.TrimSuffix(dashed, "s"), strings.TrimSuffix(dashed, "-id")} {
		if f := c.Flags().Lookup(name); name != "" && f != nil && f.Changed {
			return "--" + name, ""
		}
	}
	if field == nounOf(c)+"_id" && slices.Contains(operandsOf(c), "ID") {
		return "", "ID"
	}
	if field == "org_id" && slices.Contains(operandsOf(c), "ORG") {
		return "", "ORG"
	}
	return "", ""
}

var (
	memberIn   = regexp.MustCompile(`\b[a-z]+(?:_[a-z]+)+\b`)
	setToFalse = regexp.MustCompile(`set (--[a-z-]+) to false`)
)

// withFlags returns a message of the API with the flags of the command in place of the
// members that they set.
func withFlags(c *cobra.Command, message string) string {
	message = memberIn.ReplaceAllStringFunc(message, func(member string) string {
		dashed := strings.ReplaceAll(member, "_", "-")
		for _, name := range []string{flagOf[member], dashed, strings.TrimSuffix(dashed, "s")} {
			if name != "" && c.Flags().Lookup(name) != nil {
				return "--" + name
			}
		}
		return member
	})
	return setToFalse.ReplaceAllString(message, "pass $1=false")
}

// responseFailure returns the failure for what the server reported. A value that
// the server refuses is a wrong use of the command line.
func (a *app) responseFailure(ctx context.Context, c *cobra.Command, r *responseError, err error) *failure {
	f := &failure{Code: r.code, Message: err.Error(), Field: r.field, Hint: r.hint, ExitCode: exitFailed}
	switch {
	case r.code == "":
		f.Code = codeFailed
		return f
	case r.status == http.StatusBadRequest, r.status == http.StatusRequestEntityTooLarge, r.status == http.StatusUnprocessableEntity:
		f.ExitCode = exitUsage
	case r.status == http.StatusUnauthorized:
		f.Hint = "get a new token with the scope admin:read or admin:write and put it into $" + tokenVariable
	case r.status == http.StatusNotFound && r.text == noRoute && strings.Contains(a.server, admin.Prefix):
		f.Hint = "write --server without " + admin.Prefix + ": the command adds it"
	case r.status == http.StatusNotFound && (r.text == r.code || r.text == noRoute):
		f.Hint = "is this an older grantd, or another listener than admin.listen?"
	}
	f.Flag, f.Argument = sourceOf(c, r.field)
	if source := f.Flag + f.Argument; source != "" && r == err { //nolint:errorlint // only an error that nobody added to is rephrased
		switch rest, ok := strings.CutPrefix(r.text, r.field+" "); {
		case strings.Contains(r.text, source):
			f.Message = r.text
		case ok:
			f.Message = source + " " + withFlags(c, rest)
		default:
			f.Message = source + ": " + withFlags(c, r.text)
		}
	}
	if r.text == scopes.ErrUnknown.Error() {
		a.explainScope(ctx, c, f)
	}
	return f
}

// explainScope says which scope of the flag the server does not know, and where
// the scopes are that it does.
func (a *app) explainScope(ctx context.Context, c *cobra.Command, f *failure) {
	f.Hint = "'grantd scope list' shows those that it knows; the configuration's scopes.file or scopes.preset sets which these are"
	flag := c.Flags().Lookup(strings.TrimPrefix(f.Flag, "--"))
	if f.Flag == "" || flag == nil || a.connected == nil {
		return
	}
	known := a.connected.names(ctx, call{path: path("scopes")}, "scopes", "name")
	if len(known) == 0 {
		return
	}
	for _, name := range wordsOf(flag.Value) {
		if slices.Contains(known, name) || credential.HasForm(name) || len(name) > maxShown {
			continue
		}
		f.Message = fmt.Sprintf("%s: the server does not know the scope %q", f.Flag, name)
		if near := config.Nearest(name, known); near != "" {
			f.Message += ", did you mean " + near + "?"
			f.Hint = "see 'grantd scope list', and scopes.file and scopes.preset in the configuration"
		}
		return
	}
}

// noRoute is what a grantd says about a path that it does not serve on this listener.
const noRoute = "there is nothing at this path"

// maxShown is the length of the longest value that a message repeats.
const maxShown = 64
