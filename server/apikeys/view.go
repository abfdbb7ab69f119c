package apikeys

import (
	"time"

	"github.com/grantd/grantd/scopes"
	"github.com/grantd/grantd/server/lastuse"
	"github.com/grantd/grantd/server/secretwatch"
	"github.com/grantd/grantd/store"
)

// View is an API key as the admin API and the audit log show it. Times are UTC, and
// absent values are null.
type View struct {
	ID        string           `json:"key_id"`
	OrgID     string           `json:"org_id"`
	Owner     string           `json:"owner"`
	Name      string           `json:"name"`
	Scope     string           `json:"scope"`
	Audience  []string         `json:"aud"`        // empty: all resource servers
	SourceIPs []string         `json:"source_ips"` // empty: from anywhere
	Resources []store.Resource `json:"resources"`  // empty: not restricted
	HeldBack  bool             `json:"held_back,omitempty"`
	CreatedBy string           `json:"created_by"`
	CreatedAt time.Time        `json:"created_at"`
	ExpiresAt time.Time        `json:"expires_at"`
	RevokedAt *time.Time       `json:"revoked_at"`
	RevokedBy *string          `json:"revoked_by"`
	// RevokedFor is the client, the secret or the token that the key was made with, if it
	// was revoked because that ended.
	RevokedFor *string `json:"revoked_for"`
	// ReplacedBy is the key that a rotation made in place of this one.
	ReplacedBy *string `json:"replaced_by"`
}

// ListedKey is a key as lists show it, with its state and its last use.
type ListedKey struct {
	View
	State   secretwatch.State `json:"state"`
	EndedAt *time.Time        `json:"ended_at"` // of one that was ended on purpose
	EndedBy *string           `json:"ended_by"` // the actor
	usage
}

// usage is a name for lastuse.View beside View.
type usage = lastuse.View

func view(k *store.APIKey) View {
	resources := k.Resources
	if resources == nil {
		resources = []store.Resource{}
	}
	v := View{
		ID: k.ID, OrgID: k.OrgID, Owner: k.Owner, Name: k.Name, Scope: scopes.Join(k.Scopes), Audience: orEmpty(k.Audience), SourceIPs: orEmpty(k.SourceIPs),
		Resources: resources, HeldBack: k.Held(), CreatedBy: k.CreatedBy, CreatedAt: k.CreatedAt, ExpiresAt: k.ExpiresAt,
		RevokedAt: k.RevokedAt, RevokedFor: orNull(k.RevokedFor), ReplacedBy: orNull(k.ReplacedBy),
	}
	if k.RevokedAt != nil {
		v.RevokedBy = &k.RevokedBy
	}
	return v
}

func viewListed(x secretwatch.Found[store.APIKey]) ListedKey {
	v := ListedKey{View: view(x.Record), State: x.State, usage: lastuse.ViewOfUse(x.Use)}
	if !x.EndedAt.IsZero() {
		v.EndedAt = &x.EndedAt
	}
	if x.EndedBy != "" {
		v.EndedBy = &x.EndedBy
	}
	return v
}

// Created is a new key. The key itself is shown only here.
type Created struct {
	Key string `json:"key"`
	View
}

// Rotated is a new key in place of an older one, which works until
// PreviousExpiresAt.
type Rotated struct {
	Created
	PreviousID        string    `json:"previous_key_id"`
	PreviousExpiresAt time.Time `json:"previous_expires_at"`
	// EarlierID is the key that an earlier rotation made in place of the older one, which
	// nobody may have received.
	EarlierID string `json:"earlier_key_id,omitempty"`
}

// orNull returns nil for "".
func orNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// orEmpty returns l, or an empty list that JSON does not write as null.
func orEmpty(l []string) []string {
	if l == nil {
		return []string{}
	}
	return l
}
