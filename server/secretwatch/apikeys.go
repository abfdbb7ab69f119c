package secretwatch

import (
	"context"
	"time"

	"github.com/grantd/grantd/server/registry"
	"github.com/grantd/grantd/store"
)

// APIKeys returns the API keys of orgs. A key also ends with its org, which is read
// as it is read for a request that presents the key.
func APIKeys(keys store.APIKeys, orgs *registry.Cache[store.Org]) Kind[store.APIKey] {
	return Kind[store.APIKey]{"API keys", store.APIKeyKind, keys, func(ctx context.Context, records []store.APIKey, now time.Time) ([][]Credential, error) {
		read := orgsRead{orgs, map[string]registry.Lookup[store.Org]{}}
		lists := make([][]Credential, len(records))
		for i := range records {
			k := &records[i]
			org, err := read.of(ctx, k)
			if err != nil {
				return nil, err
			}
			lists[i] = []Credential{keyCredential(k, org, now)}
		}
		return lists, nil
	}}
}

// orgsRead remembers the orgs that were read for one list of keys.
type orgsRead struct {
	orgs  *registry.Cache[store.Org]
	known map[string]registry.Lookup[store.Org]
}

// of returns the org of the key; nil if there is none.
// Errors: feed.ErrStale, store.ErrUnavailable.
func (o orgsRead) of(ctx context.Context, k *store.APIKey) (*store.Org, error) {
	found, ok := o.known[k.OrgID]
	var err error
	if !ok {
		found, err = o.orgs.Get(ctx, k.OrgID)
	}
	if err == nil && k.RevokedAt == nil && (k.EndedWith(found.Record) || !found.Record.Usable()) {
		found, err = o.orgs.Reread(ctx, k.OrgID, found) // no key is shown as ended because of a cached org
	}
	if err != nil {
		return nil, err
	}
	o.known[k.OrgID] = found
	return found.Record, nil
}

// keyCredential returns what is known of the key. org is nil if it is gone.
func keyCredential(k *store.APIKey, org *store.Org, now time.Time) Credential {
	c := Credential{
		Owner: store.PrincipalKey(k.ID), OrgID: k.OrgID, ID: k.ID, CreatedAt: k.CreatedAt, ExpiresAt: k.ExpiresAt,
		EndedAt: timeOf(k.RevokedAt), EndedBy: k.RevokedBy, Replaced: k.ReplacedBy != "", KeyOwner: k.Owner, KeyName: k.Name,
	}
	byOrg := k.RevokedAt == nil && (k.EndedWith(org) || org.DeactivatedAt != nil)
	if byOrg && org != nil && org.KeyEpoch != k.OrgKeyEpoch {
		c.EndedAt, c.EndedBy = timeOf(org.KeysEndedAt), org.KeysEndedBy
	}
	c.State = stateOf(k.Live(now), k.RevokedAt != nil || k.DeactivatedAt != nil || byOrg, &k.Head)
	if c.State == Active && org.Held() {
		c.State = HeldBack
	}
	return c
}
