package store

import "time"

// APIKey is a long-lived credential of an org, as a labeled hash. It is a separate
// record, because an org may have many.
type APIKey struct {
	ID    string `json:"id"` // 8 base62 characters
	OrgID string `json:"org_id"`
	// The org that the key was made for; see Org.Owns and Org.KeyEpoch.
	OrgIncarnation uint64     `json:"org_incarnation,omitempty"`
	OrgKeyEpoch    uint64     `json:"org_key_epoch,omitempty"`
	Owner          string     `json:"owner"` // whose it is within the org: an id that the org chooses
	Name           string     `json:"name"`  // what it is for
	Hash           string     `json:"hash"`
	Scopes         []string   `json:"scopes"`
	Audience       []string   `json:"audience,omitempty"`   // resource servers that it is for; none: all
	SourceIPs      []string   `json:"source_ips,omitempty"` // CIDRs that it may be used from; none: anywhere
	Resources      []Resource `json:"resources,omitempty"`  // that it is restricted to; none: it is not
	CreatedBy      string     `json:"created_by"`           // actor, as in the audit
	MadeWith       *KeyOrigin `json:"made_with,omitempty"`  // nil: an operator made it
	ExpiresAt      time.Time  `json:"expires_at"`
	Position       Position   `json:"position"` // in the feed, from before the key was made
	RevokedAt      *time.Time `json:"revoked_at,omitempty"`
	RevokedBy      string     `json:"revoked_by,omitempty"`
	// RevokedFor is the principal key of what the key was made with, if the key was
	// revoked because that ended: a client, a secret or a token. "": for itself.
	RevokedFor string `json:"revoked_for,omitempty"`
	// ReplacedBy is the id of the newest key that a rotation made in place of this one,
	// and FirstEnd the end that this one had before its first rotation.
	ReplacedBy string     `json:"replaced_by,omitempty"`
	FirstEnd   *time.Time `json:"first_end,omitempty"`
	Head
}

// KeyOrigin is what an API key was made with: a token, and the client and the secret that
// got the token. If one of them is ended with all that it made, the key ends too.
type KeyOrigin struct {
	ClientID string `json:"client_id"`
	SecretID string `json:"secret_id"`
	TokenID  string `json:"token_id"` // the jti
}

// Covers reports whether a key of the other origin was made with all that o names.
// What o leaves out fits everything, but an o that names nothing covers no key.
func (o KeyOrigin) Covers(other *KeyOrigin) bool {
	fits := func(want, is string) bool { return want == "" || want == is }
	return other != nil && o != KeyOrigin{} &&
		fits(o.ClientID, other.ClientID) && fits(o.SecretID, other.SecretID) && fits(o.TokenID, other.TokenID)
}

// Principal returns the principal key of the token, the secret or the client that o
// names.
func (o KeyOrigin) Principal() string {
	switch {
	case o.TokenID != "":
		return "token:" + o.TokenID
	case o.SecretID != "":
		return PrincipalSecret(o.ClientID, o.SecretID)
	}
	return PrincipalClient(o.ClientID)
}

// Lifetime returns how long the key was made for, whatever rotations have left of it.
func (k *APIKey) Lifetime() time.Duration {
	if k.FirstEnd != nil {
		return k.FirstEnd.Sub(k.CreatedAt)
	}
	return k.ExpiresAt.Sub(k.CreatedAt)
}

// Live reports whether the key has neither been revoked nor expired at the time
// now. Its org may have ended it: see EndedWith.
func (k *APIKey) Live(now time.Time) bool { return k.RevokedAt == nil && now.Before(k.ExpiresAt) }

// EndedWith reports whether the org ended the key: all keys of the org ended since
// the key was made, or the org is another one, or gone (nil).
func (k *APIKey) EndedWith(o *Org) bool {
	return o == nil || !o.Owns(k.OrgIncarnation, k.CreatedAt) || o.KeyEpoch != k.OrgKeyEpoch
}
