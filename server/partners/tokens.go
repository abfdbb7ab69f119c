package partners

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/grantd/grantd/server/apierr"
	"github.com/grantd/grantd/server/audit"
	"github.com/grantd/grantd/server/field"
	"github.com/grantd/grantd/server/lastuse"
	"github.com/grantd/grantd/server/registry"
	"github.com/grantd/grantd/store"
)

// Bounds of partner tokens (PARTNER_GUIDE.md).
const (
	defaultLifetime = 90 * 24 * time.Hour
	maxLifetime     = 365 * 24 * time.Hour
	minLifetime     = time.Minute
	maxLiveTokens   = 20
	maxTokenRanges  = 32
	tokenIDLength   = 8
	// keepEnded is how long lists show a token that has ended.
	keepEnded = 30 * 24 * time.Hour
	maxEnded  = 50
)

var (
	errTokenName = apierr.Member("name", "name is one line of 1 to 64 characters: what the token is for")
	errLifetime  = apierr.Member("lifetime", "lifetime is 1m to 365d, such as 90d")
	errSources   = apierr.Member("source_ips", "source_ips are IP addresses or CIDRs such as 10.0.0.0/8, at most 32")
	errTooMany   = apierr.New(apierr.Conflict, "this partner has twenty live tokens already: revoke one first")
	errVoided    = apierr.New(apierr.Conflict, "all partner tokens were voided while this one was made: make it again")
	errNoToken   = apierr.New(apierr.NotFound, "this partner has no token with this id")
)

// ListTokens returns the partner's tokens, oldest first, with their last use (a
// few seconds behind). It includes a token for 30 days after its end.
// Errors: apierr.NotFound.
func (s *Service) ListTokens(ctx context.Context, id string) ([]TokenView, error) {
	p, err := s.Registry.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	uses, err := s.o.Uses.ListUses(ctx, store.PrincipalPartner(id))
	if err != nil {
		return nil, err
	}
	views := []TokenView{}
	now := s.o.Now()
	for _, t := range p.Tokens {
		if endedLongAgo(t, now) {
			continue
		}
		v := viewToken(t, now)
		v.View = lastuse.ViewOf(uses, t.ID)
		views = append(views, v)
	}
	return views, nil
}

// CreateToken makes a token for the partner. The token cannot be read again.
// Errors: apierr.InvalidRequest, NotFound, Conflict.
func (s *Service) CreateToken(ctx context.Context, by audit.Actor, id string, spec TokenSpec) (CreatedToken, error) {
	now := s.Registry.Now()
	t, err := newToken(spec, now)
	if err != nil {
		return CreatedToken{}, err
	}
	if _, err := s.Registry.Get(ctx, id); err != nil {
		return CreatedToken{}, err
	}
	mark, err := s.o.Feed.Latest(ctx)
	if err != nil {
		return CreatedToken{}, err
	}
	plain, tid, hash := s.o.Credentials.MakePartnerToken(t.ExpiresAt)
	t.ID, t.Hash, t.CreatedBy, t.Position = tid, hash, by.Name, mark.Position
	owner := store.PartnerTokenOwner{ID: tid, PartnerID: id}
	if err := s.o.Tokens.Create(ctx, owner); err != nil {
		return CreatedToken{}, err
	}
	var dropped []store.PartnerToken
	_, err = s.Registry.Change(ctx, registry.Step[store.Partner]{
		By: by, Action: "create_token", ID: id,
		Edit: func(p *store.Partner) (err error) {
			if p.DeactivatedAt != nil {
				return errDeactivated
			}
			p.Tokens, dropped, err = addToken(p.Tokens, t, now)
			return err
		},
		After: func() any { return viewToken(t, now) },
	})
	if refused := (*apierr.Error)(nil); errors.As(err, &refused) { // nobody has the token
		return CreatedToken{}, errors.Join(err, s.deleteOwners(ctx, []store.PartnerToken{t}))
	}
	if err != nil {
		return CreatedToken{}, err
	}
	if err := s.confirmToken(ctx, by, id, &t); err != nil {
		return CreatedToken{}, err
	}
	_ = s.deleteOwners(ctx, dropped) // a leftover owner record belongs to a token that ended long ago: it does no harm
	return CreatedToken{Token: plain, ID: tid, PartnerID: id, Name: t.Name, SourceIPs: orEmpty(t.SourceIPs), ExpiresAt: t.ExpiresAt}, nil
}

// confirmToken is called with a token that is in the record, and that nobody has yet.
// It returns an error, and ends the token, if all partner tokens were voided while it
// was made: that void may have read the record before. Errors: errVoided, feed.ErrStale.
func (s *Service) confirmToken(ctx context.Context, by audit.Actor, id string, t *store.PartnerToken) error {
	_, err := s.o.Feed.Latest(ctx)
	if err == nil {
		if _, void := s.o.Feed.VoidedKey(store.PrincipalAllPartnerTokens, t.Position); !void {
			return nil
		}
		err = errVoided
	}
	return errors.Join(err, s.RevokeToken(ctx, by, id, t.ID))
}

// newToken returns the token that the spec describes, without its id and hash.
// Errors: apierr.InvalidRequest.
func newToken(spec TokenSpec, now time.Time) (store.PartnerToken, error) {
	t := store.PartnerToken{Name: spec.Name, CreatedAt: now}
	if !field.OneLine(spec.Name, maxName) {
		return t, errTokenName
	}
	life := defaultLifetime
	if spec.Lifetime != nil {
		var err error
		if life, err = field.ParseDuration(*spec.Lifetime); err != nil || life < minLifetime || life > maxLifetime {
			return t, errLifetime
		}
	}
	t.ExpiresAt = now.Add(life.Truncate(time.Second))
	var ok bool
	if t.SourceIPs, ok = field.CleanRanges(spec.SourceIPs); !ok || len(spec.SourceIPs) > maxTokenRanges {
		return t, errSources
	}
	return t, nil
}

// addToken adds t to the tokens of a partner. It drops the tokens that ended so
// long ago that lists no longer show them, and those that ended before the last
// 50. Errors: apierr.Conflict.
func addToken(all []store.PartnerToken, t store.PartnerToken, now time.Time) (kept, dropped []store.PartnerToken, err error) {
	live := 0
	ended := 0
	for _, old := range slices.Backward(all) {
		switch {
		case old.Live(now):
			live++
		case ended >= maxEnded || endedLongAgo(old, now):
			dropped = append(dropped, old)
			continue
		default:
			ended++
		}
		kept = append(kept, old)
	}
	if live >= maxLiveTokens {
		return nil, nil, errTooMany
	}
	slices.Reverse(kept)
	return append(kept, t), dropped, nil
}

// endedLongAgo reports whether the token ended so long ago that lists no longer
// show it.
func endedLongAgo(t store.PartnerToken, now time.Time) bool {
	end := t.ExpiresAt
	if t.RevokedAt != nil && t.RevokedAt.Before(end) {
		end = *t.RevokedAt
	}
	return now.Sub(end) > keepEnded
}

// RevokeToken ends one token of the partner at once, and all tokens that were
// made with it. Revoking a token that has already ended is not an error.
// Errors: apierr.NotFound.
func (s *Service) RevokeToken(ctx context.Context, by audit.Actor, id, tokenID string) error {
	_, err := s.Registry.Change(ctx, registry.Step[store.Partner]{
		By: by, Action: "revoke_token", ID: id,
		Edit: func(p *store.Partner) error {
			i := slices.IndexFunc(p.Tokens, func(t store.PartnerToken) bool { return t.ID == tokenID })
			if i < 0 {
				return errNoToken
			}
			p.Tokens = slices.Clone(p.Tokens)
			revoke(&p.Tokens[i], by.Name, s.Registry.Now())
			return nil
		},
		Entries: func() []store.Entry {
			return []store.Entry{
				{Kind: store.EntryVoid, Key: store.PrincipalPartnerToken(tokenID), By: by.Name},
			}
		},
		After: func() any { return map[string]any{"token_id": tokenID} },
	})
	return err
}

// RevokePresented ends the partner token that somebody presented, live or not.
// ok is false if it is not a partner token of this server.
func (s *Service) RevokePresented(ctx context.Context, by audit.Actor, presented string) (partnerID, tokenID string, ok bool, err error) {
	t, err := s.o.Credentials.PartnerTokenOf(ctx, presented)
	if err != nil || t.Token == nil {
		return "", "", false, err
	}
	return t.Partner.ID, t.Token.ID, true, s.RevokeToken(ctx, by, t.Partner.ID, t.Token.ID)
}

// RevokeByID ends the partner token with that id. ok is false if there is none.
func (s *Service) RevokeByID(ctx context.Context, by audit.Actor, tokenID string) (ok bool, err error) {
	if len(tokenID) != tokenIDLength { // the jti of another kind of token
		return false, nil
	}
	owner, err := s.o.Tokens.Get(ctx, tokenID)
	if err == nil {
		err = s.RevokeToken(ctx, by, owner.PartnerID, tokenID)
	}
	return err == nil, registry.IgnoreNotFound(err)
}

func revoke(t *store.PartnerToken, by string, now time.Time) {
	if t.Live(now) {
		t.RevokedAt, t.RevokedBy = &now, by
	}
}

// revokeAll revokes all tokens in a partner's record.
func revokeAll(p *store.Partner, by string, now time.Time) {
	p.Tokens = slices.Clone(p.Tokens)
	for i := range p.Tokens {
		revoke(&p.Tokens[i], by, now)
	}
}

// revokeAllOf revokes every token of the partner, unless the partner is deleted.
// The caller waits for the other replicas.
func (s *Service) revokeAllOf(ctx context.Context, by audit.Actor, id string) error {
	_, err := s.Registry.Change(ctx, registry.Step[store.Partner]{
		By: by, Action: "void_tokens", ID: id, Unsettled: true,
		Edit: func(p *store.Partner) error {
			revokeAll(p, by.Name, s.Registry.Now())
			p.Unannounced = true
			return nil
		},
	})
	return registry.IgnoreNotFound(err)
}

// deleteOwners deletes the records that say which partner owns the tokens.
func (s *Service) deleteOwners(ctx context.Context, tokens []store.PartnerToken) error {
	for _, t := range tokens {
		if err := registry.IgnoreNotFound(s.o.Tokens.Delete(ctx, t.ID, 1)); err != nil {
			return err
		}
	}
	return nil
}
