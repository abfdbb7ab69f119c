package clients

import (
	"slices"
	"time"

	"github.com/grantd/grantd/scopes"
	"github.com/grantd/grantd/server/credential"
	"github.com/grantd/grantd/server/field"
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
	BindSourceIP  bool             `json:"bind_source_ip"`
	Resources     []string         `json:"resources"`
	TokenUses     []store.TokenUse `json:"token_uses"`
	Enforces      []string         `json:"enforces"`
	Resource      string           `json:"resource,omitempty"`
	IssueLimit    *string          `json:"issue_limit"` // null for the server's default
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
		AuthMethods: list(c.AuthMethods), SourceIPs: list(c.SourceIPs), BindSourceIP: c.BindSourceIP, Resources: list(c.Resources),
		TokenUses: list(c.TokenUses), Enforces: list(c.Enforces), Resource: c.Resource,
		Active: c.Usable(), HeldBack: c.Held(), DeactivatedAt: c.DeactivatedAt,
		CreatedAt: c.CreatedAt, UpdatedAt: c.UpdatedAt, Version: c.Version,
	}
	if c.TokenTTL > 0 {
		seconds := int64(c.TokenTTL / time.Second)
		v.TokenTTL = &seconds
	}
	if c.IssueLimit.Count > 0 {
		rate := field.FormatRate(c.IssueLimit.Count, c.IssueLimit.Per)
		v.IssueLimit = &rate
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
	// ExtendableUntil is the latest end that it can get.
	ExtendableUntil *time.Time `json:"extendable_until"`
	lastuse.View
}

func viewSecret(s *store.Secret, use lastuse.View) SecretView {
	return SecretView{
		ID: s.ID, CreatedAt: s.CreatedAt, ExpiresAt: s.ExpiresAt, Weak: credential.IsWeak(s.Hash), ExtendableUntil: extendableUntil(s), View: use,
	}
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
	ClientID     string `json:"client_id"`
	ClientSecret string `json:"client_secret"`
	SecretID     string `json:"secret_id"`
	// PreviousExpiresAt is when the first of the older secrets ends; null: no older
	// secret was live.
	PreviousExpiresAt *time.Time    `json:"previous_expires_at"`
	OlderSecrets      []OlderSecret `json:"older_secrets"` // those that were live, oldest first
}

// OlderSecret is a secret that was live when a newer one was made.
type OlderSecret struct {
	ID         string     `json:"secret_id"`
	ExpiresAt  time.Time  `json:"expires_at"`
	LastUsedAt *time.Time `json:"last_used_at"` // a few seconds behind; null: never, or not known
	// EndsEarly: it was used in the last 15 minutes, or perhaps, and ends before the
	// grace has passed.
	EndsEarly bool `json:"ends_before_grace,omitempty"`
}

// Undone is the result of an undone rotation.
type Undone struct {
	ClientID      string           `json:"client_id"`
	EndedSecretID string           `json:"ended_secret_id"`
	Restored      []RestoredSecret `json:"restored"` // every secret that works now
	// KeysEnded are the ids of the API keys that were made with the ended secret.
	KeysEnded []string `json:"keys_ended,omitempty"`
}

// RestoredSecret is a secret after a rotation was undone. ExpiresAt is null if it
// does not expire.
type RestoredSecret struct {
	ID        string     `json:"secret_id"`
	ExpiresAt *time.Time `json:"expires_at"`
}

// Extended is a secret that was extended.
type Extended struct {
	ClientID        string     `json:"client_id"`
	SecretID        string     `json:"secret_id"`
	ExpiresAt       time.Time  `json:"expires_at"`
	ExtendableUntil *time.Time `json:"extendable_until"`
}
