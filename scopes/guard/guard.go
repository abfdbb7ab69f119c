package guard

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Guard checks tokens for one resource server. Safe for concurrent use.
type Guard struct {
	cfg            Config
	rules          rules
	challenge      *challenge
	enforcesSource bool

	clock    func() instant // returns the present instant
	ctx      context.Context
	cancel   context.CancelFunc
	client   *client
	view     *view
	cache    *cache
	flights  flights
	active   acquainted // tokens that were active lately
	count    counters
	problems problems // of following
	unasked  problems // of introspection

	registration atomic.Pointer[registered]
	first        chan error // the first thing that is known: nil is a registration that fits
	once         sync.Once
	connected    atomic.Int32
	followed     sync.WaitGroup
}

// registered is what is known about the registration of this resource server.
type registered struct {
	Registration
	err error // it differs from Config
}

// New makes a guard and opens the stream of revocations. Close it when it is no longer
// needed.
//
// Errors: a configuration that cannot work, also if the authorization server says so: it
// has another issuer, refuses the secret, or has registered this resource server
// differently (MismatchError). If the authorization server cannot be reached within
// StartTimeout, New logs that and returns a guard that refuses everything with 503
// until it can be.
func New(c Config) (*Guard, error) {
	start := time.Now()
	return open(c, func() instant { return time.Since(start) }, nil)
}

// open is New with a monotonic clock and a way to connect; nil: TCP.
func open(c Config, clock func() instant, dial dialer) (*Guard, error) {
	c, err := c.withDefaults()
	if err != nil {
		return nil, err
	}
	g := &Guard{cfg: c, clock: clock, rules: newRules(c.Resource, c.TokenUses, slices.Contains(c.Enforces, EnforceResources)), challenge: newChallenge(cmp.Or(c.Realm, c.Resource, c.ClientID), c.Resource), first: make(chan error, 1)}
	g.enforcesSource = slices.Contains(c.Enforces, EnforceSourceIP)
	g.problems = problems{log: c.Log, clock: clock, begins: "guard: revocations are not followed", ends: "guard: revocations are followed again"}
	// Nobody asks while every look-up is a hit, so a single failure is not the present state for long.
	g.unasked = problems{log: c.Log, clock: clock, counts: quiet, begins: "guard: the authorization server does not say whether tokens are active; requests that need to know are refused with 503", ends: "guard: the authorization server says again whether tokens are active"}
	if g.client, err = newClient(&c, dial, g.clock, &g.count); err != nil {
		return nil, err
	}
	g.cache = newCache(c.MaxEntries)
	g.view = newView(g.cache.drop)
	g.flights.byKey, g.flights.from = map[cacheKey]*flight{}, map[netip.Prefix]int{}
	g.ctx, g.cancel = context.WithCancel(context.Background())
	f := newFollower(g)
	g.followed.Go(f.run)
	wait := time.NewTimer(c.StartTimeout)
	defer wait.Stop()
	select {
	case err = <-g.first:
	case <-wait.C:
		c.Log.Warn("guard: the authorization server cannot be reached; every request is refused with 503 until it can be",
			slog.String("issuer", c.Issuer), slog.Any("error", g.problems.last()))
	}
	if err != nil {
		_ = g.Close()
		return nil, err
	}
	return g, nil
}

// Close ends the stream and all requests to the authorization server. Checks are
// refused afterwards. It never returns an error.
func (g *Guard) Close() error {
	g.cancel()
	g.flights.end()
	g.followed.Wait()
	g.registration.Store(nil) // so every check is refused
	g.view.forget(g.clock())
	g.client.transport.CloseIdleConnections()
	g.problems.stop()
	g.unasked.stop()
	return nil
}

// Registration returns what the authorization server has on record about this
// resource server; ok is false while it is not known.
func (g *Guard) Registration() (r Registration, ok bool) {
	known := g.registration.Load()
	if known == nil {
		return Registration{}, false
	}
	return known.Registration, known.Registration.ClientID != ""
}

// admitted returns why no token can be accepted at all; nil if tokens can be.
func (g *Guard) admitted() error {
	switch known := g.registration.Load(); {
	case known == nil && g.ctx.Err() != nil:
		return unavailable(errClosed, 0)
	case known == nil:
		return unavailable(fmt.Errorf("the registration of this resource server is not known yet: %w", orUnreached(g.problems.last())), 0)
	case known.err != nil:
		return unavailable(known.err, 0)
	}
	return nil
}

// heard compares a registration that the authorization server has sent with Config.
func (g *Guard) heard(r Registration) {
	err := g.cfg.compare(r)
	before := g.registration.Swap(&registered{r, err})
	switch {
	case err != nil && (before == nil || before.err == nil):
		g.cfg.Log.Error("guard: every request is refused with 503", slog.Any("error", err))
	case before != nil && before.err != nil:
		g.cfg.Log.Info("guard: the registration of this resource server is right again")
	}
	g.report(err)
}

// unchecked lets the guard work with a server that has no stream to tell the
// registration by.
func (g *Guard) unchecked() {
	if g.registration.Swap(&registered{}) == nil {
		g.cfg.Log.Warn("guard: the authorization server does not tell the registration of this resource server, so nobody knows whether it is right")
	}
	g.report(nil)
}

// report tells New the first thing that is known.
func (g *Guard) report(err error) { g.once.Do(func() { g.first <- err }) }
