package guarded_test

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

// lately is how many of the ended tokens are asked about: with endEvery between two
// ends, each is asked about for longer than the bound.
const lately = 40

// pool hands out tokens at random: one in four has ended lately.
type pool struct {
	mu          sync.Mutex
	live, ended []*token
}

func (p *pool) next() *token {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := len(p.ended); n > 0 && rand.IntN(4) == 0 {
		return p.ended[n-1-rand.IntN(min(n, lately))]
	}
	return p.live[rand.IntN(len(p.live))]
}

// doom moves a live token to the ended ones: its end is about to be asked for. It
// returns nil if fewer than keep live ones would be left.
func (p *pool) doom(keep int) *token {
	p.mu.Lock()
	defer p.mu.Unlock()
	last := len(p.live) - 1
	if last < keep {
		return nil
	}
	k := p.live[last]
	p.live = p.live[:last]
	p.ended = append(p.ended, k)
	return k
}

// endSome revokes tokens of the pool, one each endEvery, until ctx ends or keep live
// ones are left. Each is then asked about until it is refused, beside the load.
func (l *lab) endSome(ctx context.Context, p *pool, c client, keep int) error {
	var probes sync.WaitGroup
	defer probes.Wait()
	for i := 0; ctx.Err() == nil; i++ {
		k := p.doom(keep)
		if k == nil {
			return nil
		}
		err := l.end([]*token{k}, func() error {
			return l.anywhere(i, func(r *replica) error { return revoke(r, c, k) })
		})
		if err != nil {
			return err
		}
		for _, at := range l.targets {
			probes.Go(func() {
				for give := time.Now().Add(2 * bound); time.Now().Before(give) && l.ask(at, k) != refused; {
					time.Sleep(l.probe) // between two probes
				}
			})
		}
		select {
		case <-ctx.Done():
		case <-time.After(endEvery):
		}
	}
	return nil
}

// endEvery is the time between two ends.
const endEvery = 50 * time.Millisecond
