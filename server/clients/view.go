package clients

import (
	"slices"
	"time"

	"github.com/grantd/grantd/scopes"
	"github.com/grantd/grantd/server/credential"
	"github.com/grantd/grantd/server/lastuse"
	"github.com/grantd/grantd/store"
)

// View is a client as the admin API and the audit show it, without hashes.
// Times are UTC. token_ttl is in seconds, null for the server's default.
type View struct {
	ClientID      string           `json:"client_id"`
	Name          string           `json:"name"`
	OrgID         string           `json:"org_id,omitempty"`
	Scope         string           `json:"scope"`
	DefaultScope  string           `json:"default_scope"`
	TokenTTL      *int64           `json:"token_ttl"`
	AuthMethods   []string         `json:"auth_methods"`
	SourceIPs     []string         `json:"source_ips"`
	Resources     []string         `json:"resources"`
	TokenUses     []store.TokenUse `json:"token_uses"`
	Enforces      []string         `json:"enforces"`
	Resource      string           `json:"resource,omitempty"`
	Active        bool             `json:"active"`
	HeldBack      bool             `json:"held_back,omitempty"` // since the store came back older
	DeactivatedAt *time.Time       `json:"deactivated_at"`
	Weak          bool             `json:"weak,omitempty"` // a live secret is; see SecretView
	CreatedAt     time.Time        `json:"created_at"`
	UpdatedAt     time.Time        `json:"updated_at"`
	Version       uint64           `json:"version"`
}

// view returns the view of a record. Lists are never null.
func view(c store.Client) View {
	v := View{
		ClientID: c.ID, Name: c.Name, OrgID: c.OrgID,
		Scope: scopes.Join(c.Scopes), DefaultScope: scopes.Join(c.DefaultScopes),
		AuthMethods: list(c.AuthMethods), SourceIPs: list(c.SourceIPs), Resources: list(c.Resources),
		TokenUses: list(c.TokenUses), Enforces: list(c.Enforces), Resource: c.Resource,
		Active: c.Usable(), HeldBack: c.Held(), DeactivatedAt: c.DeactivatedAt,
		CreatedAt: c.CreatedAt, UpdatedAt: c.UpdatedAt, Version: c.Version,
	}
	if c.TokenTTL > 0 {
		seconds := int64(c.TokenTTL / time.Second)
		v.TokenTTL = &seconds
	}
	return v
}

func list[T any](l []T) []T {
	if l == nil {
		return []T{}
	}
	return l
}

// SecretView is a live secret as it is listed. Absent values are null.
type SecretView struct {
	ID        string     `json:"id"`
	CreatedAt time.Time  `json:"created_at"`
	ExpiresAt *time.Time `json:"expires_at"`
	// Weak: its hash was imported and costs little, so a thief of the store
	// can guess the secret. It is weak until it is rotated.
	Weak bool `json:"weak,omitempty"`
	lastuse.View
}

// viewAt is view, with what depends on the time.
func viewAt(c store.Client, now time.Time) View {
	v := view(c)
	v.Weak = slices.ContainsFunc(c.Secrets, func(s store.Secret) bool { return s.Live(now) && credential.IsWeak(s.Hash) })
	return v
}

// Created is a new client with its secret, which is shown only here.
type Created struct {
	View
	ClientSecret string `json:"client_secret,omitempty"` // absent if a hash was imported
	SecretID     string `json:"secret_id"`
}

// Rotated is the result of a rotation.
type Rotated struct {
	ClientID          string     `json:"client_id"`
	ClientSecret      string     `json:"client_secret"`
	SecretID          string     `json:"secret_id"`
	PreviousExpiresAt *time.Time `json:"previous_expires_at"` // null: there was no live secret
}
