package guard

import (
	"context"
	"errors"
	"net/netip"
	"time"
)

// inactiveLife is how long a verdict about an inactive token is kept.
const inactiveLife = time.Second

// lookup returns a usable verdict about the token. The address of the caller matters
// only for tokens that are bound to addresses, and when many tokens are asked for; the
// zero Addr if it is not known. Errors: *Refusal.
func (g *Guard) lookup(ctx context.Context, token string, caller netip.Addr) (*verdict, error) {
	if !validToken(token) {
		return malformed, nil
	}
	if err := g.admitted(); err != nil {
		return nil, err
	}
	source := g.toSend(caller)
	plain := keyOf(token, netip.Addr{})
	k, now := plain, g.clock()
	// Without an address, a token that is bound to addresses is inactive.
	if a := g.find(k, now); a != nil && (a.token.Active || !source.IsValid()) {
		g.count.hits.Add(1)
		return a, nil
	}
	if source.IsValid() {
		k = keyOf(token, source)
		if a := g.find(k, now); a != nil {
			g.count.hits.Add(1)
			return a, nil
		}
	}
	g.count.misses.Add(1)
	return g.ask(ctx, token, source, k, asker{known: g.active.has(plain) || g.active.has(k), from: networkOf(caller)})
}

// malformed is the verdict about what cannot be a token: nobody needs to be asked.
var malformed = &verdict{token: inactiveToken}

// find returns a cached verdict that may be used.
func (g *Guard) find(k cacheKey, now instant) *verdict {
	a, ok := g.cache.get(k)
	switch {
	case !ok:
		return nil
	case !a.token.Active:
		if now-a.sent <= inactiveLife {
			return a
		}
		g.cache.remove(k)
		return nil
	case now >= a.deadline:
		g.cache.remove(k)
		return nil
	}
	// The age first, then the generation: see view.
	if g.fresh(now) {
		if !a.coherent { // the stream is there, but does not tell everything that can end it
			return nil
		}
	} else if g.cfg.CacheWithoutStream == 0 || g.ageOf(a, now) > g.cfg.CacheWithoutStream {
		return nil
	}
	generation := g.view.generation.Load()
	if a.checked.Load() == generation {
		return a
	}
	if g.view.ended(a) {
		g.cache.remove(k)
		return nil
	}
	a.checked.Store(generation)
	return a
}

// fresh reports whether the stream has told lately what was ended.
func (g *Guard) fresh(now instant) bool { return g.view.age(now) <= g.cfg.MaxStaleness }

// ageOf returns how long ago the verdict was certainly true: when it was asked for, less
// what the server itself lagged, or as of when the stream has told of everything that
// could have ended it.
func (g *Guard) ageOf(a *verdict, now instant) time.Duration {
	age := now - a.sent + a.lag
	if a.coherent {
		age = min(age, g.view.age(now))
	}
	return age
}

// keep caches a verdict, if it may be used later.
func (g *Guard) keep(a *verdict, token string, source netip.Addr) {
	now := g.clock()
	switch {
	case !a.token.Active:
	case a.deadline <= now:
		return
	case !a.coherent && (g.cfg.CacheWithoutStream == 0 || g.fresh(now)):
		return
	case len(a.token.SourceIPs) == 0:
		source = netip.Addr{} // the verdict does not depend on it
	}
	g.cache.set(keyOf(token, source), a)
}

// usable reports whether a verdict that just came may be used.
func (g *Guard) usable(a *verdict) bool {
	if !a.token.Active {
		return true
	}
	if g.ageOf(a, g.clock()) > g.cfg.MaxStaleness {
		return false
	}
	return !a.follows || !g.view.ended(a)
}

var errTooOld = errors.New("the authorization server responded too late, and there is no stream of revocations to check the verdict by")

// ask asks the authorization server, together with others that ask for the same.
func (g *Guard) ask(ctx context.Context, token string, source netip.Addr, k cacheKey, by asker) (*verdict, error) {
	for range 2 {
		f, mine, err := g.flights.join(k, by, g.clock(), g.cfg.MaxStaleness/2)
		switch {
		case errors.Is(err, errBusy):
			g.count.overloads.Add(1)
			return nil, unavailable(err, 0)
		case err != nil:
			return nil, unavailable(err, 0)
		case mine:
			go g.fly(f, token, source, k)
		default:
			g.count.joined.Add(1)
		}
		err = f.wait(ctx)
		if !mine {
			g.flights.left(by)
		}
		if err != nil {
			return nil, refusalOf(err)
		}
		if g.usable(f.verdict) {
			return f.verdict, nil
		}
	}
	return nil, unavailable(errTooOld, 0)
}

// wait waits until the flight has landed, and returns its error. Errors: also leftError.
func (f *flight) wait(ctx context.Context) error {
	select {
	case <-f.done:
		return f.err
	case <-ctx.Done():
		return &leftError{context.Cause(ctx)}
	}
}

// leftError is the cause if the caller left before there was a verdict.
type leftError struct{ cause error }

func (*leftError) Error() string   { return "the caller did not wait for the authorization server" }
func (e *leftError) Unwrap() error { return e.cause }

// refusalOf is the refusal if the authorization server gave no verdict.
func refusalOf(err error) *Refusal {
	var status *upstreamError
	if errors.As(err, &status) {
		return unavailable(err, status.after)
	}
	return unavailable(err, 0)
}
