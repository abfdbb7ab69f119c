package guard

import (
	"context"
	"errors"
	"net/netip"
	"sync"
	"time"
)

// flight is a request to the introspection endpoint that look-ups of one token
// share.
type flight struct {
	began   instant
	by      asker // who began it
	done    chan struct{}
	verdict *verdict // once done is closed; nil: err
	err     error
}

// flights are the requests in flight.
type flights struct {
	mu    sync.Mutex
	byKey map[cacheKey]*flight // the newest of each token
	places
	all   sync.WaitGroup
	ended bool
}

var (
	errClosed = errors.New("the guard is closed")
	errEnded  = errors.New("the authorization server has ended something that the token depends on, and its verdicts are from before; try again")
)

// join returns the flight that a look-up at now may wait for: one that began a short
// time ago, or a new one, which the caller must run. An older one would bring what is
// too old. A caller that only waits calls left after that. Errors: errClosed, errBusy.
func (f *flights) join(k cacheKey, by asker, now instant, most time.Duration) (joined *flight, mine bool, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ended {
		return nil, false, errClosed
	}
	if running := f.byKey[k]; running != nil && now-running.began < most {
		if err := f.wait(by); err != nil {
			return nil, false, err
		}
		return running, false, nil
	}
	if err := f.take(by); err != nil {
		return nil, false, err
	}
	mineNow := &flight{began: now, by: by, done: make(chan struct{})}
	f.byKey[k] = mineNow
	f.all.Add(1)
	return mineNow, true, nil
}

// left notes that a look-up waits no more.
func (f *flights) left(by asker) {
	if by.known {
		return
	}
	f.mu.Lock()
	f.waiting--
	f.mu.Unlock()
}

// land ends a flight.
func (f *flights) land(k cacheKey, landed *flight) {
	f.mu.Lock()
	if f.byKey[k] == landed {
		delete(f.byKey, k)
	}
	f.free(landed.by)
	f.mu.Unlock()
	close(landed.done)
	f.all.Done()
}

// end lets no more flights begin, and waits for those that run.
func (f *flights) end() {
	f.mu.Lock()
	f.ended = true
	f.mu.Unlock()
	f.all.Wait()
}

// retries are the pauses before asking again if a void is already known that the
// verdict is from before: the replica that was asked lags a little.
var retries = []time.Duration{20 * time.Millisecond, 100 * time.Millisecond}

// fly asks for a token, and keeps the verdict.
func (g *Guard) fly(f *flight, token string, source netip.Addr, k cacheKey) {
	defer g.flights.land(k, f)
	ctx, cancel := context.WithTimeout(g.ctx, flightTimeout)
	defer cancel()
	for attempt := 0; ; attempt++ {
		epoch := g.view.current()
		a, err := g.client.introspect(ctx, token, source)
		if err != nil {
			g.count.failures.Add(1)
			f.err = err
			if g.ctx.Err() == nil {
				g.unasked.note(err)
			}
			return
		}
		g.unasked.over()
		g.acquaint(a, token, source)
		a.epoch = epoch
		ended := g.view.meet(a) && a.token.Active && a.follows
		if ended && attempt < len(retries) {
			if sleep(ctx, retries[attempt]) != nil {
				f.err = errEnded
				return
			}
			continue
		}
		f.verdict = a
		if !ended {
			g.keep(a, token, source)
		}
		return
	}
}

// acquaint notes whether the token is active. A token that is bound to addresses is known
// only from the address it was asked about: the server is asked about each address, and
// from the others it would be known without being active.
func (g *Guard) acquaint(a *verdict, token string, source netip.Addr) {
	plain := keyOf(token, netip.Addr{})
	switch bound := keyOf(token, source); {
	case !a.token.Active:
		g.active.note(plain, false) // never noted for a token that is bound
		g.active.note(bound, false)
	case len(a.token.SourceIPs) > 0:
		g.active.note(bound, true)
	default:
		g.active.note(plain, true)
	}
}

// flightTimeout bounds a flight with its repetitions.
const flightTimeout = 4 * time.Second

// sleep waits; it returns an error if ctx ends first.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
