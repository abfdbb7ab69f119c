package apikeys

import (
	"time"

	"github.com/grantd/grantd/scopes"
	"github.com/grantd/grantd/server/lastuse"
	"github.com/grantd/grantd/server/secretwatch"
	"github.com/grantd/grantd/store"
)

// View is an API key as the admin API shows it. Times are UTC, and
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
	EndedAt   *time.Time       `json:"ended_at"` // of one that was ended on purpose
	EndedBy   *string          `json:"ended_by"` // the actor
	// EndedWith is the client, the secret or the token that the key was made with, if it
	// was revoked because that ended.
	EndedWith *string `json:"ended_with"`
	// ReplacedBy is the key that a rotation made in place of this one.
	ReplacedBy *string `json:"replaced_by"`
}

// ListedKey is a key as lists show it, with its state and its last use.
type ListedKey struct {
	View
	State secretwatch.State `json:"state"`
	usage
}

// usage is a name for lastuse.View beside View.
type usage = lastuse.View

// view returns the key without its state: its org may have ended it.
func view(k *store.APIKey) View {
	resources := k.Resources
	if resources == nil {
		resources = []store.Resource{}
	}
	v := View{
		ID: k.ID, OrgID: k.OrgID, Owner: k.Owner, Name: k.Name, Scope: scopes.Join(k.Scopes), Audience: orEmpty(k.Audience), SourceIPs: orEmpty(k.SourceIPs),
		Resources: resources, HeldBack: k.Held(), CreatedBy: k.CreatedBy, CreatedAt: k.CreatedAt, ExpiresAt: k.ExpiresAt,
		EndedAt: k.RevokedAt, EndedWith: orNull(k.RevokedFor), ReplacedBy: orNull(k.ReplacedBy),
	}
	if k.RevokedAt != nil {
		v.EndedBy = &k.RevokedBy
	}
	return v
}

// Bounds of what an audit event says of a key: clients cause these events.
const (
	auditName = 64 // characters
	auditList = 8  // scopes, addresses, ids
)

// auditKey is an API key as the audit shows it: with the beginning of each list, and
// how long the list is.
type auditKey struct {
	ID        string         `json:"key_id"`
	OrgID     string         `json:"org_id"`
	Owner     string         `json:"owner"`
	Name      string         `json:"name"`
	Scopes    auditPart      `json:"scopes"`
	Audience  *auditPart     `json:"aud,omitempty"`
	SourceIPs *auditPart     `json:"source_ips,omitempty"`
	Resources map[string]int `json:"resources,omitempty"` // how many ids of each type
	HeldBack  bool           `json:"held_back,omitempty"`
	ExpiresAt time.Time      `json:"expires_at"`
	RevokedAt *time.Time     `json:"revoked_at,omitempty"`
	RevokedBy string         `json:"revoked_by,omitempty"`
}

// auditPart is the beginning of a list.
type auditPart struct {
	Count int      `json:"count"`
	First []string `json:"first"`
}

func auditView(k *store.APIKey) auditKey {
	v := auditKey{
		ID: k.ID, OrgID: k.OrgID, Owner: k.Owner, Name: shortName(k.Name), Scopes: *partOf(k.Scopes), HeldBack: k.Held(),
		ExpiresAt: k.ExpiresAt, RevokedAt: k.RevokedAt, RevokedBy: k.RevokedBy,
	}
	if len(k.Audience) > 0 {
		v.Audience = partOf(k.Audience)
	}
	if len(k.SourceIPs) > 0 {
		v.SourceIPs = partOf(k.SourceIPs)
	}
	for _, r := range k.Resources {
		if v.Resources == nil {
			v.Resources = map[string]int{}
		}
		v.Resources[r.Type] += len(r.IDs)
	}
	return v
}

func partOf(list []string) *auditPart {
	return &auditPart{Count: len(list), First: orEmpty(list[:min(len(list), auditList)])}
}

func shortName(name string) string {
	if r := []rune(name); len(r) > auditName {
		return string(r[:auditName]) + "…"
	}
	return name
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
	State secretwatch.State `json:"state"`
}

func viewCreated(plain string, k *store.APIKey) Created {
	return Created{Key: plain, View: view(k), State: secretwatch.Active}
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
