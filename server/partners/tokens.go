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

// Bounds of partner tokens (contract §2).
const (
	DefaultLifetime = 90 * 24 * time.Hour
	maxLifetime     = 365 * 24 * time.Hour
	minLifetime     = time.Minute
	maxLiveTokens   = 20
	maxTokenRanges  = 32
	tokenIDLength   = 8
	// keepEnded is how long a token that has ended is still listed.
	keepEnded = 30 * 24 * time.Hour
	maxEnded  = 50
)

var (
	errTokenName = bad("name", "name is one line of 1 to 64 characters: what the token is for")
	errLifetime  = bad("lifetime", "lifetime (--expires) is 1m to 365d, such as 90d")
	errSources   = bad("source_ips", "source_ips are IP addresses or CIDRs such as 10.0.0.0/8, at most 32")
	errTooMany   = apierr.New(apierr.Conflict, "this partner has twenty live tokens already: revoke one first")
	errNoToken   = apierr.New(apierr.NotFound, "this partner has no token with this id")
)

// Tokens lists the partner's tokens, oldest first, with their last use (a few
// seconds behind); those that have ended, for 30 days. Errors: apierr.NotFound.
func (s *Service) Tokens(ctx context.Context, id string) ([]TokenView, error) {
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
		if longEnded(t, now) {
			continue
		}
		v := viewToken(t, now)
		v.View = lastuse.ViewOf(uses, t.ID)
		views = append(views, v)
	}
	return views, nil
}

// CreateToken gives the partner a token. It cannot be read again.
// Errors: apierr.InvalidRequest, NotFound, Conflict.
func (s *Service) CreateToken(ctx context.Context, by audit.Actor, id string, spec TokenSpec) (CreatedToken, error) {
	now := s.Registry.Now()
	t, err := tokenOf(spec, now)
	if err != nil {
		return CreatedToken{}, err
	}
	if _, err := s.Registry.Get(ctx, id); err != nil {
		return CreatedToken{}, err
	}
	view, err := s.o.Feed.Fresh(ctx)
	if err != nil {
		return CreatedToken{}, err
	}
	plain, tid, hash := s.o.Credentials.MakePartnerToken(t.ExpiresAt)
	t.ID, t.Hash, t.CreatedBy, t.Position = tid, hash, by.Name, view.Position
	owner := store.PartnerTokenOwner{ID: tid, PartnerID: id}
	if err := s.o.Tokens.Create(ctx, owner); err != nil {
		return CreatedToken{}, err
	}
	var gone []store.PartnerToken
	_, err = s.Registry.Change(ctx, registry.Step[store.Partner]{
		By: by, Action: "create_token", ID: id,
		Edit: func(p *store.Partner) (err error) {
			if p.DeactivatedAt != nil {
				return errOff
			}
			p.Tokens, gone, err = withToken(p.Tokens, t, now)
			return err
		},
		Entries: func() []store.Entry { return []store.Entry{s.Registry.Entry(store.EntryChange, id, by)} },
		After:   func() any { return viewToken(t, now) },
	})
	if f := (*apierr.Error)(nil); errors.As(err, &f) { // refused: nobody has the token
		return CreatedToken{}, errors.Join(err, s.forgetTokens(ctx, []store.PartnerToken{t}))
	}
	if err != nil {
		return CreatedToken{}, err
	}
	_ = s.forgetTokens(ctx, gone) // what stays says whose tokens are that ended long ago, and no more
	return CreatedToken{Token: plain, ID: tid, PartnerID: id, Name: t.Name, SourceIPs: list(t.SourceIPs), ExpiresAt: t.ExpiresAt}, nil
}

// tokenOf answers the token that the spec describes, but for its id and hash.
func tokenOf(spec TokenSpec, now time.Time) (store.PartnerToken, error) {
	t := store.PartnerToken{Name: spec.Name, CreatedAt: now}
	if !field.OneLine(spec.Name, maxName) {
		return t, errTokenName
	}
	life := DefaultLifetime
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

// withToken adds a token, and answers which ones ended so long ago that they
// are not listed any more.
func withToken(all []store.PartnerToken, t store.PartnerToken, now time.Time) (kept, gone []store.PartnerToken, err error) {
	live := 0
	ended := 0
	for _, old := range slices.Backward(all) {
		switch {
		case old.Live(now):
			live++
		case ended >= maxEnded || longEnded(old, now):
			gone = append(gone, old)
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
	return append(kept, t), gone, nil
}

// longEnded says whether the token ended so long ago that it is not listed any
// more.
func longEnded(t store.PartnerToken, now time.Time) bool {
	end := t.ExpiresAt
	if t.RevokedAt != nil && t.RevokedAt.Before(end) {
		end = *t.RevokedAt
	}
	return now.Sub(end) > keepEnded
}

// RevokeToken ends one token of the partner at once, with all that were made
// with it. Revoking one that has ended already is no error.
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
				s.Registry.Entry(store.EntryChange, id, by),
				{Kind: store.EntryVoid, Key: store.PrincipalPartnerToken(tokenID), By: by.Name},
			}
		},
		After: func() any { return map[string]any{"token_id": tokenID} },
	})
	return err
}

// RevokePresented ends the partner token that somebody has in hand, whatever
// has become of it. ok is false if it is none.
func (s *Service) RevokePresented(ctx context.Context, by audit.Actor, presented string) (partnerID, tokenID string, ok bool, err error) {
	t, err := s.o.Credentials.PartnerTokenOf(ctx, presented)
	if err != nil || t.Token == nil {
		return "", "", false, err
	}
	return t.Partner.ID, t.Token.ID, true, s.RevokeToken(ctx, by, t.Partner.ID, t.Token.ID)
}

// RevokeByID ends the partner token of that id. ok is false if there is none.
func (s *Service) RevokeByID(ctx context.Context, by audit.Actor, tokenID string) (ok bool, err error) {
	if len(tokenID) != tokenIDLength { // another token's jti
		return false, nil
	}
	owner, err := s.o.Tokens.Get(ctx, tokenID)
	if err == nil {
		err = s.RevokeToken(ctx, by, owner.PartnerID, tokenID)
	}
	return err == nil, ignoreNotFound(err)
}

func revoke(t *store.PartnerToken, by string, now time.Time) {
	if t.Live(now) {
		t.RevokedAt, t.RevokedBy = &now, by
	}
}

// endTokens revokes all of a partner's tokens.
func endTokens(p *store.Partner, by string, now time.Time) {
	p.Tokens = slices.Clone(p.Tokens)
	for i := range p.Tokens {
		revoke(&p.Tokens[i], by, now)
	}
}

// endAll ends every token of the partner, unless it is gone. The caller waits
// for the other replicas.
func (s *Service) endAll(ctx context.Context, by audit.Actor, id string) error {
	_, err := s.Registry.Change(ctx, registry.Step[store.Partner]{
		By: by, Action: "void_tokens", ID: id, Unsettled: true,
		Edit: func(p *store.Partner) error {
			endTokens(p, by.Name, s.Registry.Now())
			p.Unannounced = true
			return nil
		},
	})
	return ignoreNotFound(err)
}

// forgetTokens removes what says whose the tokens are.
func (s *Service) forgetTokens(ctx context.Context, gone []store.PartnerToken) error {
	for _, t := range gone {
		if err := ignoreNotFound(s.o.Tokens.Delete(ctx, t.ID, 1)); err != nil {
			return err
		}
	}
	return nil
}
