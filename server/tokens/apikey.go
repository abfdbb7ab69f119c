package tokens

import (
	"context"
	"time"

	"github.com/grantd/grantd/scopes"
	"github.com/grantd/grantd/server/credential"
	"github.com/grantd/grantd/store"
)

// MakeKey returns a new API key that ends at the given time, its id, and the hash to
// keep.
func (s *Service) MakeKey(end time.Time) (plain, id, hash string) {
	return s.makeKept(credential.APIKey, end)
}

// KeyOf returns the ids of the API key that was presented, live or not, and of its
// org. ok is false if there is none: it was made up, or ended long ago.
// Errors: store.ErrUnavailable, feed.ErrStale.
func (s *Service) KeyOf(ctx context.Context, presented string) (orgID, id string, ok bool, err error) {
	k, id := s.keptKindOf(presented)
	if _, ours := s.o.Keys.Read(presented); k == nil || k.use != store.UseKey || !ours {
		return "", "", false, nil
	}
	found, err := s.keptOf(ctx, k, presented, id)
	if err != nil || found.token == nil {
		return "", "", false, err
	}
	return found.token.OrgID, found.id, true, nil
}

// readKey is keptKind.read of API keys. A key ends with its record, and with its org.
// Both are newer than a feed that a store lost (see server/rollback), so only a void
// of all keys must be asked of the feed.
func (s *Service) readKey(ctx context.Context, id string) (found kept, err error) {
	if found.mark, err = s.o.Feed.Fresh(ctx); err != nil {
		return found, err
	}
	key, err := s.o.APIKeys.Get(ctx, id)
	if err != nil || key.Record == nil {
		return found, err
	}
	k := key.Record
	org, err := s.o.Orgs.Get(ctx, k.OrgID)
	if err == nil && k.RevokedAt == nil && (org.Record == nil || !org.Record.Usable() || k.EndedWith(org.Record)) {
		org, err = s.o.Orgs.Reread(ctx, k.OrgID, org) // nobody is refused because of a cached org
	}
	if err != nil {
		return found, err
	}
	found.cached = key.Cached && org.Cached
	found.key, found.id, found.hash = k, k.ID, k.Hash
	found.token = &store.Token{
		Use: store.UseKey, OrgID: k.OrgID, KeyID: k.ID, Scopes: scopes.Join(k.Scopes), Audience: k.Audience, SourceIPs: k.SourceIPs, Resources: k.Resources,
		IssuedAt: k.CreatedAt, ExpiresAt: k.ExpiresAt, Position: found.mark.Position,
	}
	found.ending = keyEnding(k, org.Record, s.o.Now())
	if e, void := s.o.Feed.VoidedKey(store.PrincipalAllKeys, k.Position); void && found.ending.why == "" {
		found.ending = ending{RefusedVoid, e.At, e.By, e.Key, "every API key made before was voided by " + e.By}
	}
	return found, nil
}

// keyEnding returns why the key of the org must not be used at the time now. org is
// nil if there is none.
func keyEnding(k *store.APIKey, org *store.Org, now time.Time) ending {
	ofOrg := store.PrincipalOrg(k.OrgID)
	switch {
	case k.RevokedAt != nil:
		e := ending{RefusedRevoked, *k.RevokedAt, k.RevokedBy, k.RevokedFor, "revoked by " + k.RevokedBy}
		if k.RevokedFor != "" {
			e.detail += ", with all that was made with " + k.RevokedFor
		}
		return e
	case k.DeactivatedAt != nil:
		return ending{why: RefusedRevoked, at: *k.DeactivatedAt, detail: "it is being deleted"}
	case org == nil:
		return ending{why: RefusedVoid, voidOf: ofOrg, detail: "its org was deleted"}
	case !org.Owns(k.OrgIncarnation, k.CreatedAt):
		return ending{why: RefusedVoid, voidOf: ofOrg, detail: "its org was deleted; the org that now has the id is another one"}
	case k.EndedWith(org):
		e := ending{why: RefusedVoid, by: org.KeysEndedBy, voidOf: ofOrg, detail: "every key of " + ofOrg + " made before was voided by " + org.KeysEndedBy}
		if org.KeysEndedAt != nil {
			e.at = *org.KeysEndedAt
		}
		return e
	case org.DeactivatedAt != nil:
		return ending{why: RefusedVoid, at: *org.DeactivatedAt, voidOf: ofOrg, detail: "its org is deactivated"}
	case k.Held(), org.Held():
		return ending{why: RefusedKeyHeld, detail: "it, or its org, is held back since the store came back older: see grantd store doctor"}
	case !k.Live(now):
		return expiredAt(k.ExpiresAt)
	}
	return ending{}
}
