package cli

import (
	"errors"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/grantd/grantd/config"
	"github.com/grantd/grantd/scopes"
	"github.com/grantd/grantd/server/field"
)

// clientFlags holds the flags that 'client create' and 'client update' share.
type clientFlags struct {
	name         string
	scope        []string
	defaultScope []string
	ttl          string
	authMethods  []string
	sourceIPs    []string
	bindSourceIP bool
	resources    []string
	mcp          []string
	introspect   bool
	tokenUses    []string
	enforces     []string
	issueLimit   string
}

func (f *clientFlags) add(c *cobra.Command) {
	flags := c.Flags()
	flags.SortFlags = false // keep the order below
	flags.StringVar(&f.name, "name", "", "`NAME` to show to people")
	flags.StringArrayVar(&f.scope, "scope", nil, "`SCOPES` it may request, separated by spaces (see 'grantd scope list')")
	flags.StringArrayVar(&f.defaultScope, "default-scope", nil, "`SCOPES` of a token requested without any (default: all except introspect, admin:*, api-tokens and api-tokens-write)")
	flags.StringVar(&f.ttl, "ttl", "", "`LIFETIME` of its tokens, 1m to 24h; 0s for the server's token.ttl")
	flags.StringSliceVar(&f.authMethods, "auth-method", nil, "`METHOD` it must authenticate with: client_secret_basic or client_secret_post (default: either)")
	flags.StringSliceVar(&f.sourceIPs, "source-ip", nil, "address or `CIDR` it may authenticate from (default: any)")
	flags.BoolVar(&f.bindSourceIP, "bind-source-ip", false, "let its tokens be used only from the addresses of --source-ip too; =false to stop")
	flags.StringSliceVar(&f.resources, "resource", nil, "`URI` of a resource server that its tokens are for (default: all); with --introspect, the URI of this resource server")
	flags.StringSliceVar(&f.mcp, "mcp", nil, "`URL` of an MCP server that its tokens are for; with --introspect, the URL of this MCP server; instead of --resource")
	flags.BoolVar(&f.introspect, "introspect", false, "make it a resource server by adding the scope introspect")
	flags.StringSliceVar(&f.tokenUses, "token-use", nil, "`KIND` of token it accepts: client, customer, on_behalf, partner or key (default: client); resource servers only")
	flags.StringSliceVar(&f.enforces, "enforces", nil, "`RESTRICTION` it enforces: source_ip, endpoints or resources (default: none); resource servers only")
	flags.StringVar(&f.issueLimit, "issue-limit", "", "`RATE` of tokens it may get at most, such as 600/1m; none for the server's limits.issue_per_client")
}

// clientBody is the JSON body of a request: only the attributes that were given.
type clientBody map[string]any

func (f *clientFlags) body(c *cobra.Command) (clientBody, error) {
	given := c.Flags().Changed
	body := clientBody{}
	if given("name") {
		body["name"] = f.name
	}
	if given("scope") {
		body["scope"] = strings.Join(f.scope, " ")
	}
	if given("default-scope") {
		body["default_scope"] = strings.Join(f.defaultScope, " ")
	}
	if given("ttl") {
		ttl, err := wholeSeconds(f.ttl)
		if err != nil {
			return nil, misuse(c, "--ttl: %s", err)
		}
		body["token_ttl"] = ttl
	}
	if given("bind-source-ip") {
		body["bind_source_ip"] = f.bindSourceIP
	}
	if given("issue-limit") {
		if _, _, err := field.ParseRate(f.issueLimit); err != nil && f.issueLimit != "none" {
			return nil, misuse(c, "--issue-limit %s; or none for the server's limit", err)
		}
		body["issue_limit"] = f.issueLimit
	}
	if err := f.readMCP(c); err != nil {
		return nil, err
	}
	for flag, l := range map[string]struct {
		member string
		values []string
	}{
		"auth-method": {"auth_methods", f.authMethods},
		"source-ip":   {"source_ips", f.sourceIPs},
		"resource":    {"resources", f.resources},
		"mcp":         {"resources", f.resources}, // see readMCP
		"token-use":   {"token_uses", f.tokenUses},
		"enforces":    {"enforces", f.enforces},
	} {
		if given(flag) {
			body[l.member] = trimmed(l.values)
		}
	}
	return body, f.ownResource(c, body)
}

// readMCP makes --mcp the value of --resource: to grantd an MCP server is a
// resource server, and its URL is the resource that clients ask a token for.
func (f *clientFlags) readMCP(c *cobra.Command) error {
	if !c.Flags().Changed("mcp") {
		return nil
	}
	if c.Flags().Changed("resource") {
		return misuse(c, "--mcp and --resource set the same: give one of them")
	}
	f.resources = trimmed(f.mcp)
	if len(f.resources) == 0 || slices.ContainsFunc(f.resources, notMCP) {
		return misuse(c, "--mcp must be the URL at which clients call the MCP server, such as https://mcp.example.com/mcp, without query and fragment")
	}
	return nil
}

// notMCP reports whether s cannot be the canonical URI of an MCP server: the URL of
// its endpoint. The SDKs compare it with the URL that they call.
func notMCP(s string) bool {
	u, err := url.Parse(s)
	return err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil || strings.ContainsAny(s, "?#")
}

// ownResource makes --resource the URI of the resource server itself.
func (f *clientFlags) ownResource(c *cobra.Command, body clientBody) error {
	flag := "resource"
	if c.Flags().Changed("mcp") {
		flag = "mcp"
	}
	if !f.introspect || !c.Flags().Changed(flag) {
		return nil
	}
	if len(f.resources) > 1 {
		return misuse(c, "with --introspect, --%s is the URI of the resource server itself: give it only once", flag)
	}
	delete(body, "resources")
	body["resource"] = strings.Join(trimmed(f.resources), "")
	return nil
}

// addIntrospect sets the scope, with introspect added.
func (b clientBody) addIntrospect(scope string) {
	names := strings.Fields(scope)
	if !slices.Contains(names, scopes.Introspect) {
		names = append(names, scopes.Introspect)
	}
	b["scope"] = strings.Join(names, " ")
}

func wholeSeconds(s string) (int64, error) {
	d, err := config.ParseDuration(s)
	if err != nil {
		return 0, err
	}
	if d%time.Second != 0 {
		return 0, errors.New("must be a whole number of seconds")
	}
	return int64(d / time.Second), nil
}

// trimmed removes the spaces of "a, b".
func trimmed(values []string) []string {
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = strings.TrimSpace(v)
	}
	return out
}
