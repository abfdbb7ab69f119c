package store

import (
	"slices"
	"time"
)

// Client is a backend service that authenticates itself. The zero value of an
// optional field means that it was not given.
type Client struct {
	ID    string `json:"id"`
	Name  string `json:"name,omitempty"`
	OrgID string `json:"org_id,omitempty"`
	// OrgIncarnation is that of the client's org; see Org.Owns.
	OrgIncarnation uint64        `json:"org_incarnation,omitempty"`
	Scopes         []string      `json:"scopes,omitempty"`         // allowed
	DefaultScopes  []string      `json:"default_scopes,omitempty"` // granted if the request names none
	TokenTTL       time.Duration `json:"token_ttl,omitempty"`      // nanoseconds; 0: the server's token.ttl
	AuthMethods    []string      `json:"auth_methods,omitempty"`   // pinned to these; none: all
	SourceIPs      []string      `json:"source_ips,omitempty"`     // CIDRs it may authenticate from; none: anywhere
	// BindSourceIP: its tokens may be used only from SourceIPs, of which there are some.
	BindSourceIP bool     `json:"bind_source_ip,omitempty"`
	Resources    []string `json:"resources,omitempty"` // RFC 8707 audiences it may ask for
	// IssueLimit replaces limits.issue_per_client; the zero value: it does not.
	IssueLimit IssueLimit `json:"issue_limit,omitzero"`

	// What it declares as a resource server that introspects tokens.
	TokenUses []TokenUse `json:"token_uses,omitempty"` // none: only UseClient
	Enforces  []string   `json:"enforces,omitempty"`
	Resource  string     `json:"resource,omitempty"` // its own identifier

	Secrets []Secret `json:"secrets,omitempty"`
	Head
}

// Clone returns a copy that shares nothing with c.
func (c Client) Clone() Client {
	for _, list := range []*[]string{&c.Scopes, &c.DefaultScopes, &c.AuthMethods, &c.SourceIPs, &c.Resources, &c.Enforces} {
		*list = slices.Clone(*list)
	}
	c.TokenUses = slices.Clone(c.TokenUses)
	c.Secrets = slices.Clone(c.Secrets)
	for i := range c.Secrets {
		c.Secrets[i] = c.Secrets[i].clone()
	}
	c.Head = c.Head.clone()
	return c
}

// Secret is one secret of a client, as a labeled hash.
type Secret struct {
	ID        string     `json:"id"`   // 8 base62 characters
	Hash      string     `json:"hash"` // see server/auth: sha256$…, or an imported PHC or crypt string
	CreatedAt time.Time  `json:"created_at"`
	ExpiresAt *time.Time `json:"expires_at,omitempty"` // nil: it does not expire
	// FirstEnd is the first ExpiresAt that it was given: it bounds extensions. nil:
	// none yet, or an older grantd gave it.
	FirstEnd *time.Time `json:"first_end,omitempty"`
	// Ended: it was ended on purpose, by a leak or at once. It never works again.
	// EndedAt and EndedBy are when and by which actor; an older grantd left them out.
	Ended   bool       `json:"ended,omitempty"`
	EndedAt *time.Time `json:"ended_at,omitempty"`
	EndedBy string     `json:"ended_by,omitempty"`
	// Shortened has what the rotation that made this secret did to the others.
	Shortened []ShortenedSecret `json:"shortened,omitempty"`
}

// ShortenedSecret is a secret that got an earlier end from a rotation.
type ShortenedSecret struct {
	ID  string     `json:"id"`
	Was *time.Time `json:"was,omitempty"` // its end before; nil: it did not expire
}

// Live reports whether the secret may be used at the time now.
func (s Secret) Live(now time.Time) bool {
	return !s.Ended && (s.ExpiresAt == nil || now.Before(*s.ExpiresAt))
}

func (s Secret) clone() Secret {
	s.ExpiresAt, s.FirstEnd, s.EndedAt = cloneTime(s.ExpiresAt), cloneTime(s.FirstEnd), cloneTime(s.EndedAt)
	s.Shortened = slices.Clone(s.Shortened)
	for i := range s.Shortened {
		s.Shortened[i].Was = cloneTime(s.Shortened[i].Was)
	}
	return s
}

// IssueLimit is how many tokens a client may get in a window.
type IssueLimit struct {
	Count int64         `json:"count"`
	Per   time.Duration `json:"per"` // nanoseconds
}

// Use is how often a credential was used, and when and from where it was last
// used.
type Use struct {
	Owner  string // principal key of the client or the partner
	ID     string // of the secret or the partner token
	Count  int64
	LastAt time.Time
	LastIP string
}
