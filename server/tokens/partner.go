package tokens

import (
	"context"
	"slices"
	"time"

	"github.com/grantd/grantd/server/credential"
	"github.com/grantd/grantd/server/feed"
	"github.com/grantd/grantd/store"
)

// MakePartnerToken returns a new partner token that ends at the given time, its
// id, and the hash to keep.
func (s *Service) MakePartnerToken(end time.Time) (plain, id, hash string) {
	return s.makeKept(credential.PartnerToken, end)
}

// PartnerToken is the record of a partner token, with that of its partner.
type PartnerToken struct {
	Partner *store.Partner      // shared: must not be changed
	Token   *store.PartnerToken // inside Partner
	Mark    feed.Mark           // from before anything was read
	Void    *store.Entry        // the entry of the feed that ended the token; nil: none
	cached  bool
}

// Refused returns why the token must not be used at the time now; "" if it may.
func (p PartnerToken) Refused(now time.Time) Refused { return p.ending(now).why }

// ending returns why the token must not be used at the time now.
func (p PartnerToken) ending(now time.Time) ending {
	switch {
	case p.Token.RevokedAt != nil:
		return ending{RefusedRevoked, *p.Token.RevokedAt, p.Token.RevokedBy, "", "revoked by " + p.Token.RevokedBy}
	case p.Void != nil:
		return ending{RefusedVoid, p.Void.At, p.Void.By, p.Void.Key, "every token of " + p.Void.Key + " issued before was voided by " + p.Void.By}
	case p.Partner.DeactivatedAt != nil:
		return ending{RefusedDeactivated, *p.Partner.DeactivatedAt, "", store.PrincipalPartner(p.Partner.ID), "its partner is deactivated"}
	case p.Partner.Held():
		return ending{why: RefusedHeld, detail: "its partner is held back since the store came back older: see grantd store doctor"}
	case !p.Token.Live(now):
		return expiredAt(p.Token.ExpiresAt)
	}
	return ending{}
}

// PartnerTokenOf returns the partner token that was presented, live or not. Its
// Token is nil if there is none: it was made up, or ended long ago.
// Errors: store.ErrUnavailable, feed.ErrStale.
func (s *Service) PartnerTokenOf(ctx context.Context, presented string) (PartnerToken, error) {
	id, ok := credential.PartnerTokenID(presented, s.o.Environment)
	if _, ours := s.o.Keys.Read(presented); !ok || !ours {
		return PartnerToken{}, nil
	}
	p, err := s.partnerTokenByID(ctx, id)
	if p.Token != nil && !credential.Matches(p.Token.Hash, presented) {
		p.Partner, p.Token, p.Void = nil, nil, nil
	}
	return p, err
}

// readPartnerToken is keptKind.read of partner tokens.
func (s *Service) readPartnerToken(ctx context.Context, id string) (kept, error) {
	p, err := s.partnerTokenByID(ctx, id)
	found := kept{mark: p.Mark, cached: p.cached}
	if err != nil || p.Token == nil {
		return found, err
	}
	found.token, found.id, found.hash, found.partner = p.asToken(), p.Token.ID, p.Token.Hash, p.Partner.ID
	found.ending = p.ending(s.o.Now())
	return found, nil
}

// partnerTokenByID reads the records of the token and its partner, which say
// whether the token has ended. It also checks the feed, which has two things
// from the last day that records may lack: a void of all partner tokens, and a
// revocation that the store lost with its newest writes.
func (s *Service) partnerTokenByID(ctx context.Context, id string) (p PartnerToken, err error) {
	if p.Mark, err = s.o.Feed.Fresh(ctx); err != nil {
		return p, err
	}
	owner, err := s.o.PartnerTokens.Get(ctx, id)
	if err != nil || owner.Record == nil {
		return p, err
	}
	partner, err := s.o.Partners.Get(ctx, owner.Record.PartnerID)
	if err != nil || partner.Record == nil {
		return p, err
	}
	p.cached = owner.Cached && partner.Cached
	i := slices.IndexFunc(partner.Record.Tokens, func(t store.PartnerToken) bool { return t.ID == id })
	if i < 0 {
		return p, nil
	}
	p.Partner, p.Token = partner.Record, &partner.Record.Tokens[i]
	if e, void := s.o.Feed.VoidedKey(store.PrincipalAllPartnerTokens, p.Token.Position); void {
		p.Void = &e
	}
	if e, void := s.o.Feed.VoidedKey(store.PrincipalPartnerToken(id), store.Position{}); void {
		p.Void = &e
	}
	return p, nil
}

// asToken returns the token as introspection shows it. It has no scopes: it
// gives access only to grantd's routes for partners.
func (p PartnerToken) asToken() *store.Token {
	return &store.Token{
		Use: store.UsePartner, PartnerID: p.Partner.ID, PartnerTID: p.Token.ID, SourceIPs: p.Token.SourceIPs,
		IssuedAt: p.Token.CreatedAt, ExpiresAt: p.Token.ExpiresAt, Position: p.Mark.Position,
	}
}
