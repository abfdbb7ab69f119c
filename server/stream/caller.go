package stream

import (
	"net/netip"
	"slices"
	"time"

	"github.com/grantd/grantd/server/field"
	"github.com/grantd/grantd/store"
)

// Caller is an authenticated resource server that may read, and the credential that it
// came with: a secret, or a bearer token of it.
type Caller struct {
	Client *store.Client // shared: must not be changed
	Method string        // of client authentication; "": a bearer token
	// SecretID is the secret's.
	SecretID string
	// Token is the bearer token, and Digest its digest; nil: it was a secret. Shared.
	Token  *store.Token
	Digest store.Digest
}

// Standing is what the credential of a caller is worth.
type Standing struct {
	Client *store.Client // nil: it has ended, or gives no right to read
	Ends   time.Time     // when it ends by itself; zero: it does not
}

// principals returns the keys of the feed whose entries may end the credential, or
// change what it is worth.
func (c *Caller) principals() []string {
	keys := []string{store.PrincipalClient(c.Client.ID)}
	if c.Client.OrgID != "" {
		keys = append(keys, store.PrincipalOrg(c.Client.OrgID))
	}
	if c.Token == nil {
		return append(keys, store.PrincipalSecret(c.Client.ID, c.SecretID))
	}
	keys = append(keys, store.PrincipalToken(c.Digest))
	var room store.PrincipalBuffer
	for _, p := range c.Token.Principals(&room) {
		if key := string(p.Append(nil)); !slices.Contains(keys, key) {
			keys = append(keys, key)
		}
	}
	return keys
}

// credential identifies the credential: readers with the same one share a group.
type credential struct {
	clientID, method, secretID string
	token                      store.Digest
}

func (c *Caller) credential() credential {
	return credential{c.Client.ID, c.Method, c.SecretID, c.Digest}
}

// admits reports whether the client may still authenticate from the address. The
// addresses that a token is bound to never change.
func (c *Caller) admits(client *store.Client, from netip.Addr) bool {
	return c.Token != nil || len(client.SourceIPs) == 0 || field.RangesContain(client.SourceIPs, from)
}

// sameRegistration reports whether the resource servers declare the same.
func sameRegistration(a, b *store.Client) bool {
	return a == b || a.Resource == b.Resource && a.OrgID == b.OrgID &&
		slices.Equal(a.TokenUses, b.TokenUses) && slices.Equal(a.Enforces, b.Enforces)
}
