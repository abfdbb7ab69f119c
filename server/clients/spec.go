package clients

import (
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/grantd/grantd/scopes"
	"github.com/grantd/grantd/server/apierr"
	"github.com/grantd/grantd/server/auth"
	"github.com/grantd/grantd/server/field"
	"github.com/grantd/grantd/server/tokens"
	"github.com/grantd/grantd/store"
)

// Bounds of a client record.
const (
	maxName      = 200
	maxListItems = 64
	maxURI       = 512
)

// Spec is what an operator sets in a client. A nil field is absent: a new client
// gets the default, and an update leaves the field as it is.
type Spec struct {
	Name         *string           `json:"name"`
	Scope        *string           `json:"scope"`
	DefaultScope *string           `json:"default_scope"`
	TokenTTL     *int64            `json:"token_ttl"` // seconds; 0: the server's default
	AuthMethods  *[]string         `json:"auth_methods"`
	SourceIPs    *[]string         `json:"source_ips"`
	BindSourceIP *bool             `json:"bind_source_ip"`
	Resources    *[]string         `json:"resources"`
	TokenUses    *[]store.TokenUse `json:"token_uses"`
	Enforces     *[]string         `json:"enforces"`
	Resource     *string           `json:"resource"`
	IssueLimit   *string           `json:"issue_limit"` // such as 600/1m; "" or none: the server's default
}

// noLimit is the issue limit of a client that has the server's default.
const noLimit = "none"

// NewSpec is Spec with the fields that cannot be changed later.
type NewSpec struct {
	Spec
	ClientID string `json:"client_id"`
	OrgID    string `json:"org_id"`
	// SecretHash is the hash of an imported secret, as credential.ParseImported reads
	// it. "": a secret is generated.
	SecretHash string `json:"secret_hash"`
}

var uses = []store.TokenUse{store.UseClient, store.UseCustomer, store.UseOnBehalf, store.UsePartner, store.UseKey}

func bad(field, description string) error {
	return apierr.New(apierr.InvalidRequest, description).At(field)
}

// apply checks the fields that are given and puts them into the record.
// Errors: apierr.InvalidRequest.
func (s Spec) apply(c *store.Client, catalogue *scopes.Catalogue) error {
	if s.Name != nil {
		if utf8.RuneCountInString(*s.Name) > maxName || !utf8.ValidString(*s.Name) {
			return bad("name", "name must have at most 200 characters")
		}
		c.Name = *s.Name
	}
	if s.TokenTTL != nil {
		c.TokenTTL = time.Duration(*s.TokenTTL) * time.Second
		if *s.TokenTTL != 0 && (*s.TokenTTL > int64(scopes.MaxTokenLife/time.Second) || c.TokenTTL < scopes.MinTokenLife) {
			return bad("token_ttl", "token_ttl must be 60 to 86400 seconds, or 0 for the server's default")
		}
	}
	if s.IssueLimit != nil {
		limit := store.IssueLimit{}
		if *s.IssueLimit != "" && *s.IssueLimit != noLimit {
			var err error
			if limit.Count, limit.Per, err = field.ParseRate(*s.IssueLimit); err != nil {
				return bad("issue_limit", "issue_limit "+err.Error()+"; or none for the server's default")
			}
		}
		c.IssueLimit = limit
	}
	if err := s.applyScopes(c, catalogue); err != nil {
		return err
	}
	if err := s.applyLists(c); err != nil {
		return err
	}
	return s.applyBinding(c)
}

// maxBoundTo is how many addresses tokens can be bound to: every token has them all.
const maxBoundTo = 32

// applyBinding sets whether tokens of the client are bound to its addresses. If they
// are, the record has the addresses in the form that tokens carry.
func (s Spec) applyBinding(c *store.Client) error {
	if s.BindSourceIP != nil {
		c.BindSourceIP = *s.BindSourceIP
	}
	switch {
	case !c.BindSourceIP:
		return nil
	case len(c.SourceIPs) == 0 && s.BindSourceIP == nil:
		return bad("source_ips", "the tokens of this client are bound to source_ips: leave one of them, or set bind_source_ip to false")
	case len(c.SourceIPs) == 0:
		return bad("bind_source_ip", "bind_source_ip needs source_ips: the addresses that the tokens of the client are bound to")
	}
	clean, ok := field.CleanRanges(c.SourceIPs)
	if !ok || len(clean) > maxBoundTo {
		return bad("source_ips", "with bind_source_ip, source_ips must be at most 32 addresses or CIDRs, without a zone such as %eth0")
	}
	c.SourceIPs = clean
	return nil
}

func (s Spec) applyScopes(c *store.Client, catalogue *scopes.Catalogue) (err error) {
	if s.Scope != nil {
		if c.Scopes, err = parse("scope", *s.Scope, catalogue); err != nil {
			return err
		}
	}
	if s.DefaultScope != nil {
		if c.DefaultScopes, err = parse("default_scope", *s.DefaultScope, catalogue); err != nil {
			return err
		}
	}
	if !scopes.Subset(c.DefaultScopes, c.Scopes) {
		if s.DefaultScope != nil {
			return bad("default_scope", "default_scope has a name that scope does not have")
		}
		// Narrowing removes a scope from the defaults too, but never all of
		// them: a client without defaults gets every scope that it may have.
		c.DefaultScopes = slices.DeleteFunc(slices.Clone(c.DefaultScopes), func(n string) bool { return !slices.Contains(c.Scopes, n) })
		if len(c.DefaultScopes) == 0 {
			return bad("default_scope", "scope leaves none of the client's default scopes: set default_scope too")
		}
	}
	return nil
}

func parse(field, scope string, catalogue *scopes.Catalogue) ([]string, error) {
	set, err := catalogue.Parse(scope)
	if err != nil {
		return nil, bad(field, err.Error())
	}
	return set, nil
}

func (s Spec) applyLists(c *store.Client) error {
	for _, l := range []struct {
		given *[]string
		into  *[]string
		field string
		valid func(string) bool
		says  string
	}{
		{s.AuthMethods, &c.AuthMethods, "auth_methods", func(m string) bool { return slices.Contains(auth.Methods, m) }, "auth_methods may hold client_secret_basic and client_secret_post"},
		{s.SourceIPs, &c.SourceIPs, "source_ips", validRange, "source_ips must be IP addresses or CIDRs such as 10.0.0.0/8, at most 64"},
		{s.Resources, &c.Resources, "resources", validResource, "resources must be absolute URIs without a fragment, at most 16, each at most 512 characters"},
		{s.Enforces, &c.Enforces, "enforces", func(e string) bool { return slices.Contains(tokens.Enforcements, e) }, "enforces may hold source_ip, endpoints and resources"},
	} {
		if l.given == nil {
			continue
		}
		limit := maxListItems
		if l.field == "resources" {
			limit = maxResources
		}
		if len(*l.given) > limit || slices.ContainsFunc(*l.given, func(v string) bool { return !l.valid(v) }) {
			return bad(l.field, l.says)
		}
		*l.into = unique(*l.given)
	}
	if s.TokenUses != nil {
		if slices.ContainsFunc(*s.TokenUses, func(u store.TokenUse) bool { return !slices.Contains(uses, u) }) {
			return bad("token_uses", "token_uses may hold client, customer, on_behalf, partner and key")
		}
		c.TokenUses = unique(*s.TokenUses)
	}
	if s.Resource != nil {
		if *s.Resource != "" && !validResource(*s.Resource) {
			return bad("resource", "resource must be an absolute URI without a fragment, at most 512 characters")
		}
		c.Resource = *s.Resource
	}
	return nil
}

const maxResources = 16

func validRange(s string) bool {
	_, err := field.ParseRange(s)
	return err == nil
}

func validResource(s string) bool {
	u, err := url.Parse(s)
	// An empty fragment counts as one (RFC 8707 §2). url.URL does not show it.
	return err == nil && u.IsAbs() && !strings.Contains(s, "#") && len(s) <= maxURI && (u.Host != "" || u.Opaque != "")
}

func unique[T comparable](l []T) []T {
	var set []T
	for _, v := range l {
		if !slices.Contains(set, v) {
			set = append(set, v)
		}
	}
	return set
}
