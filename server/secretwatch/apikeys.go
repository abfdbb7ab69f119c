package secretwatch

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/grantd/grantd/store"
)

const (
	// orgsFor is how long an org that was read is not read again: a page of keys
	// mostly has few orgs.
	orgsFor = 2 * time.Second
	// orgTime bounds the read of one org.
	orgTime = 5 * time.Second
)

// APIKeys returns the API keys of orgs. A key also ends with its org.
func APIKeys(keys store.APIKeys, orgs store.Orgs) Kind[store.APIKey] {
	m := &orgMemo{orgs: orgs}
	return Kind[store.APIKey]{"API keys", store.APIKeyKind, keys, func(k *store.APIKey, now time.Time) []Credential {
		return []Credential{m.credential(k, now)}
	}}
}

// orgMemo remembers orgs for a moment. Safe for concurrent use.
type orgMemo struct {
	orgs store.Orgs

	mu    sync.Mutex
	since time.Time
	known map[string]*store.Org // nil: there is none
}

func (m *orgMemo) credential(k *store.APIKey, now time.Time) Credential {
	c := Credential{
		Owner: store.PrincipalKey(k.ID), OrgID: k.OrgID, ID: k.ID, CreatedAt: k.CreatedAt, ExpiresAt: k.ExpiresAt,
		EndedAt: timeOf(k.RevokedAt), EndedBy: k.RevokedBy, Replaced: k.ReplacedBy != "", KeyOwner: k.Owner, KeyName: k.Name,
	}
	org, err := m.get(k.OrgID)
	if err != nil { // it is shown rather than hidden
		c.State = stateOf(k.Live(now), k.RevokedAt != nil, k.Usable())
		return c
	}
	byOrg := k.RevokedAt == nil && k.EndedWith(org)
	if byOrg && org != nil && org.KeyEpoch != k.OrgKeyEpoch {
		c.EndedAt, c.EndedBy = timeOf(org.KeysEndedAt), org.KeysEndedBy
	}
	c.State = stateOf(k.Live(now), k.RevokedAt != nil || byOrg, k.Usable() && org != nil && org.Usable())
	return c
}

// get returns the org; nil if there is none.
func (m *orgMemo) get(id string) (*store.Org, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if time.Since(m.since) > orgsFor {
		m.since, m.known = time.Now(), map[string]*store.Org{}
	}
	if org, ok := m.known[id]; ok {
		return org, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), orgTime)
	defer cancel()
	org, err := m.orgs.Get(ctx, id)
	switch {
	case errors.Is(err, store.ErrNotFound):
		m.known[id] = nil
		return nil, nil //nolint:nilnil // there is none
	case err != nil:
		return nil, err
	}
	m.known[id] = &org
	return &org, nil
}
