package embedded

import (
	"context"
	"sync"
	"time"

	"github.com/grantd/grantd/store"
)

// limits keeps counters in memory: there is one process, and a restart may lose
// them.
type limits struct {
	mu       sync.Mutex
	counters map[string]counter
	swept    time.Time
}

type counter struct {
	n   int64
	end time.Time
}

// sweepLimits is how often expired counters are dropped.
const sweepLimits = time.Minute

// AddHits adds to the counters in memory.
func (s *Store) AddHits(ctx context.Context, hits ...store.Hit) ([]store.Count, error) {
	if err := s.open(ctx, "add hits"); err != nil {
		return nil, err
	}
	now := s.now()
	l := &s.limits
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sweep(now)
	counts := make([]store.Count, len(hits))
	for i, h := range hits {
		c := l.counters[h.Key]
		if !now.Before(c.end) {
			c = counter{end: now.Add(h.Window)}
		}
		c.n += h.N
		if h.N != 0 {
			l.counters[h.Key] = c
		}
		if c.n != 0 {
			counts[i] = store.Count{N: c.n, Left: c.end.Sub(now)}
		}
	}
	return counts, nil
}

// ResetHits forgets the counters.
func (s *Store) ResetHits(ctx context.Context, keys ...string) error {
	if err := s.open(ctx, "reset hits"); err != nil {
		return err
	}
	s.limits.mu.Lock()
	defer s.limits.mu.Unlock()
	for _, key := range keys {
		delete(s.limits.counters, key)
	}
	return nil
}

func (l *limits) sweep(now time.Time) {
	if l.counters != nil && now.Sub(l.swept) < sweepLimits {
		return
	}
	l.swept = now
	left := make(map[string]counter)
	for key, c := range l.counters {
		if now.Before(c.end) {
			left[key] = c
		}
	}
	l.counters = left
}
