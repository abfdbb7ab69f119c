package backup

import (
	"fmt"
	"time"

	"github.com/grantd/grantd/server/feed"
	"github.com/grantd/grantd/store"
)

// moving changes what an item holds about the feed of the store that it comes from:
// positions mean nothing in another feed.
type moving struct {
	// voids is the feed of the store that the item comes from; nil: it was settled
	// before.
	voids *feed.Feed
	// to returns the position in the new feed; nil: positions stay.
	to func(store.Position) store.Position
}

// record returns the item of a record with its new positions. A partner token or an
// API key that only the feed says is void is revoked in the record. A record whose void may be
// missing in the feed keeps that mark, without a position: the next change appends
// the void.
func (m moving) record(i store.Item) (store.Item, error) {
	switch i.Section {
	case store.SectionOrgs:
		return changeForm(store.OrgKind, i, func(r *store.Org) bool { return m.head(&r.Head) })
	case store.SectionClients:
		return changeForm(store.ClientKind, i, func(r *store.Client) bool { return m.head(&r.Head) })
	case store.SectionCustomers:
		return changeForm(store.CustomerKind, i, func(r *store.Customer) bool { return m.head(&r.Head) })
	case store.SectionGrants:
		return changeForm(store.GrantKind, i, func(r *store.Grant) bool { return m.head(&r.Head) })
	case store.SectionAPIKeys:
		return changeForm(store.APIKeyKind, i, m.key)
	case store.SectionPartners:
		return changeForm(store.PartnerKind, i, m.partner)
	}
	return i, nil
}

func changeForm[R any](k store.Kind[R], i store.Item, change func(*R) bool) (store.Item, error) {
	r, err := k.Unmarshal(i.Form)
	if err != nil {
		return i, fmt.Errorf("%s %s: %w", i.Section, i.Name(), err)
	}
	if change(&r) {
		i.Form, err = k.Marshal(r)
	}
	return i, err
}

func (m moving) head(h *store.Head) (changed bool) {
	if m.to == nil || h.UnannouncedSince.IsZero() {
		return false
	}
	h.UnannouncedSince = store.Position{}
	return true
}

func (m moving) partner(p *store.Partner) bool {
	changed := m.head(&p.Head)
	for i := range p.Tokens {
		t := &p.Tokens[i]
		if e, void := m.voidOf(t); void && t.RevokedAt == nil {
			at := e.At.UTC().Truncate(time.Second)
			t.RevokedAt, t.RevokedBy, changed = &at, e.By, true
		}
		if m.to != nil {
			t.Position, changed = m.to(t.Position), true
		}
	}
	return changed
}

func (m moving) key(k *store.APIKey) bool {
	changed := m.head(&k.Head)
	if m.voids != nil && k.RevokedAt == nil {
		if e, void := m.voids.VoidedKey(store.PrincipalAllKeys, k.Position); void {
			at := e.At.UTC().Truncate(time.Second)
			k.RevokedAt, k.RevokedBy, changed = &at, e.By, true
		}
	}
	if m.to != nil {
		k.Position, changed = m.to(k.Position), true
	}
	return changed
}

// voidOf returns the entry of the feed that ended the partner token.
func (m moving) voidOf(t *store.PartnerToken) (store.Entry, bool) {
	if m.voids == nil {
		return store.Entry{}, false
	}
	if e, void := m.voids.VoidedKey(store.PrincipalPartnerToken(t.ID), store.Position{}); void {
		return e, true
	}
	return m.voids.VoidedKey(store.PrincipalAllPartnerTokens, t.Position)
}
