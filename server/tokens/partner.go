package tokens

import (
	"context"
	"slices"
	"time"

	"github.com/grantd/grantd/server/credential"
	"github.com/grantd/grantd/server/feed"
	"github.com/grantd/grantd/server/refusal"
	"github.com/grantd/grantd/store"
)

// MakePartnerToken returns a new partner token that ends at the given time, its
// id, and the hash to keep. It has the keyed check that all tokens have.
func (s *Service) MakePartnerToken(end time.Time) (plain, id, hash string) {
	prefix, id := credential.NewPartnerTokenPrefix(s.o.Environment)
	plain = s.o.Keys.make(prefix, end)
	return plain, id, credential.Hash(plain)
}

// PartnerToken is the record of a partner token, with that of its partner.
type PartnerToken struct {
	Partner *store.Partner      // shared: must not be changed
	Token   *store.PartnerToken // inside Partner
	Mark    feed.Mark           // from before anything was read
	Void    *store.Entry        // the entry of the feed that ended the token; nil: none
	cached  bool
}

// Refused says why a known partner token must not be used. The log shows it as
// the cause.
type Refused string

// The reasons.
const (
	RefusedRevoked     Refused = "revoked"
	RefusedVoid        Refused = "void"
	RefusedDeactivated Refused = "partner deactivated"
	RefusedHeld        Refused = "partner held back since the store came back older"
	RefusedExpired     Refused = "expired"
	RefusedAddress     Refused = "address not allowed"
)

// Refused returns why the token must not be used at the time now; "" if it may.
func (p PartnerToken) Refused(now time.Time) Refused {
	switch {
	case p.Token.RevokedAt != nil:
		return RefusedRevoked
	case p.Void != nil:
		return RefusedVoid
	case p.Partner.DeactivatedAt != nil:
		return RefusedDeactivated
	case p.Partner.Held():
		return RefusedHeld
	case !p.Token.Live(now):
		return RefusedExpired
	}
	return ""
}

// PartnerTokenOf returns the partner token that was presented, live or not. Its
// Token is nil if there is none: it was made up, or ended long ago.
// Errors: store.ErrUnavailable, feed.ErrStale.
func (s *Service) PartnerTokenOf(ctx context.Context, presented string) (PartnerToken, error) {
	id, ok := credential.PartnerTokenID(presented, s.o.Environment)
	if _, ours := s.o.Keys.Read(presented); !ok || !ours {
		return PartnerToken{}, nil
	}
	return s.partnerToken(ctx, presented, id)
}

// partnerToken reads the records of the token and its partner, which say
// whether the token has ended. It also checks the feed, which has two things
// from the last day that records may lack: a void of all partner tokens, and a
// revocation that the store lost with its newest writes.
func (s *Service) partnerToken(ctx context.Context, presented, id string) (p PartnerToken, err error) {
	p, err = s.partnerTokenByID(ctx, id)
	if p.Token != nil && !credential.Matches(p.Token.Hash, presented) {
		p.Partner, p.Token, p.Void = nil, nil, nil
	}
	return p, err
}

// partnerTokenByID is partnerToken for an id, which proves nothing.
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

// findPartner is Find for a partner token, which is never in the cache of tokens.
func (s *Service) findPartner(ctx context.Context, found Found, presented, id string) (Found, error) {
	p, err := s.partnerToken(ctx, presented, id)
	found.Mark, found.Source = p.Mark, FromStore
	if p.cached {
		found.Source = FromCache
	}
	if err != nil || p.Token == nil {
		found.End.Cause = refusal.Lost
		return found, err
	}
	if why := p.Refused(s.o.Now()); why != "" {
		found.Refused, found.End = &RefusedToken{p.Partner.ID, p.Token.ID, why}, endOfPartner(&p, why)
		return found, nil
	}
	found.Token = p.asToken()
	return found, nil
}

// asToken returns the token as introspection shows it. It has no scopes: it
// gives access only to grantd's routes for partners.
func (p PartnerToken) asToken() *store.Token {
	return &store.Token{
		Use: store.UsePartner, PartnerID: p.Partner.ID, PartnerTID: p.Token.ID, SourceIPs: p.Token.SourceIPs,
		IssuedAt: p.Token.CreatedAt, ExpiresAt: p.Token.ExpiresAt, Position: p.Mark.Position,
	}
}

// explainPartner is Explain for a partner token of this server.
func (s *Service) explainPartner(ctx context.Context, presented string, end time.Time) (Explanation, error) {
	p, err := s.PartnerTokenOf(ctx, presented)
	if err != nil {
		return Explanation{}, err
	}
	if p.Token == nil {
		x := Explanation{State: StateLost, Use: store.UsePartner, ExpiresBy: &end}
		x.Detail = "a partner token of this server of which there is no record: its partner was deleted, or it was revoked long ago"
		if !s.o.Now().Before(end) {
			x.State, x.Detail = StateExpired, "expired; its record, which has the exact end, is gone"
		}
		return x, nil
	}
	return s.explainPartnerToken(&p), nil
}

// explainPartnerID is explainPartner for the id of a partner token.
func (s *Service) explainPartnerID(ctx context.Context, id string) (Explanation, error) {
	p, err := s.partnerTokenByID(ctx, id)
	if err != nil {
		return Explanation{}, err
	}
	if p.Token == nil {
		return Explanation{State: StateUnknown, ID: id, Detail: "there is no partner token with this id: its partner was deleted, it ended long ago, or it was made elsewhere"}, nil
	}
	return s.explainPartnerToken(&p), nil
}

// explainPartnerToken explains a partner token that has a record.
func (s *Service) explainPartnerToken(p *PartnerToken) Explanation {
	x := explanationOf(store.Digest{}, p.asToken())
	x.ID = p.Token.ID
	switch p.Refused(s.o.Now()) {
	case RefusedRevoked:
		x.State, x.EndedAt, x.EndedBy = StateRevoked, p.Token.RevokedAt, p.Token.RevokedBy
		x.Detail = "revoked by " + p.Token.RevokedBy
	case RefusedVoid:
		x.State, x.EndedAt, x.EndedBy, x.VoidOf = StateVoid, &p.Void.At, p.Void.By, p.Void.Key
		x.Detail = "every token of " + p.Void.Key + " issued before was voided by " + p.Void.By
	case RefusedDeactivated:
		x.State, x.EndedAt, x.VoidOf = StateVoid, p.Partner.DeactivatedAt, store.PrincipalPartner(p.Partner.ID)
		x.Detail = "its partner is deactivated"
	case RefusedHeld:
		x.State, x.Detail = StateHeldBack, "its partner is held back since the store came back older: see grantd store doctor"
	case RefusedExpired:
		x.State, x.EndedAt = StateExpired, &p.Token.ExpiresAt
		x.Detail = "expired at " + p.Token.ExpiresAt.Format(time.RFC3339)
	default:
		x.State, x.Detail = StateActive, "active until "+p.Token.ExpiresAt.Format(time.RFC3339)
	}
	return x
}
