package auth

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"github.com/grantd/grantd/server/ratelimit"
	"github.com/grantd/grantd/server/registry"
	"github.com/grantd/grantd/store"
)

// checkSlow returns the live imported secret that was presented, and the record
// in which it was valid; the secret is nil if the client has none that it may
// use. A caller over a limit is refused before that.
func (a *Authenticator) checkSlow(ctx context.Context, rec registry.Lookup[store.Client], c Credentials, from netip.Addr) (registry.Lookup[store.Client], *store.Secret, error) {
	g := ratelimit.Guess{ClientID: c.ClientID, From: from}
	wait := a.o.Limiter.CheckLocal(g)
	var imported []*store.Secret
	if rec.Record != nil && admitted(rec.Record, c.Method, from) {
		imported = liveImported(rec.Record, a.o.Now())
	}
	if len(imported) == 0 {
		if wait > 0 {
			return rec, nil, a.limited(wait, a.explain(rec.Record, c, from))
		}
		return rec, nil, nil
	}
	g.Stranger = !a.o.Networks.Known(ctx, rec.Record.ID, from)
	if g.Stranger && wait == 0 {
		wait = a.o.Limiter.CheckLocal(g)
	}
	exempt := wait > 0 && !g.Stranger && a.slow.takeExempt(rec.Record.ID, a.o.Now())
	if wait > 0 && !exempt {
		return rec, nil, a.limited(wait, a.explain(rec.Record, c, from))
	}
	return a.checkImported(ctx, rec, imported, c, g, exempt)
}

// checkImported is checkSlow for a caller that is not over a limit, or exempt
// from it. It checks the limits again when it is this attempt's turn, and counts
// a failure before the next attempt has its turn, so a burst gets no more hashes
// than the limit.
func (a *Authenticator) checkImported(
	ctx context.Context, rec registry.Lookup[store.Client], imported []*store.Secret, c Credentials, g ratelimit.Guess, exempt bool,
) (registry.Lookup[store.Client], *store.Secret, error) {
	client := rec.Record
	release, err := a.slow.enter(ctx, client.ID, g)
	if errors.Is(err, errLimited) {
		return rec, nil, a.limited(time.Second, a.explain(client, c, g.From))
	}
	if err != nil {
		return rec, nil, err
	}
	defer release()
	if secret := a.slow.findRemembered(client, imported, c.Secret); secret != nil {
		return a.recheck(ctx, client.ID, secret, c, g.From) // the attempt before this one was right
	}
	if !exempt {
		wait := a.o.Limiter.CheckShared(ctx, g)
		if wait > 0 && (g.Stranger || !a.slow.takeExempt(client.ID, a.o.Now())) {
			return rec, nil, a.limited(wait, a.explain(client, c, g.From))
		}
	}
	matched := a.slow.match(client, imported, c.Secret)
	if matched == nil {
		return rec, nil, a.refuse(ctx, client, g, a.explain(client, c, g.From))
	}
	return a.recheck(ctx, client.ID, matched, c, g.From)
}

// recheck reads the client again after a slow check. While the attempt waited,
// the secret may have ended or the client may have been deactivated.
func (a *Authenticator) recheck(ctx context.Context, id string, matched *store.Secret, c Credentials, from netip.Addr) (registry.Lookup[store.Client], *store.Secret, error) {
	rec, err := a.o.Clients.Get(ctx, id)
	if err != nil {
		return rec, nil, err
	}
	if rec.Record != nil && admitted(rec.Record, c.Method, from) {
		for _, secret := range liveImported(rec.Record, a.o.Now()) {
			if secret.ID == matched.ID && secret.Hash == matched.Hash {
				return rec, secret, nil
			}
		}
	}
	return rec, nil, nil
}
