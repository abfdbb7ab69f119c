package metrics

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/grantd/grantd/store"
)

// measuredStore measures every operation of a store, except blocking reads of
// the feed, which mostly wait.
type measuredStore struct {
	*store.Intercepted[time.Time]
	plain store.Store
}

// Measure returns s with its operations measured.
func (m *Metrics) Measure(s store.Store) store.Store {
	timers := storeTimers{}
	for _, name := range store.Operations() {
		if name != store.OpClose {
			timers[name] = m.storeTimer(name)
		}
	}
	return &measuredStore{store.Intercept(s, timers), s}
}

// ReadFeed measures only reads that do not wait.
func (s *measuredStore) ReadFeed(ctx context.Context, after store.Position, wait time.Duration) ([]store.Entry, error) {
	if wait > 0 {
		return s.plain.ReadFeed(ctx, after, wait)
	}
	return s.Intercepted.ReadFeed(ctx, after, wait)
}

// storeTimers is the hook of a measured store: a timer for each operation.
type storeTimers map[string]*storeTimer

// Before returns when the operation began.
func (storeTimers) Before(context.Context, string) (time.Time, error) { return time.Now(), nil }

// After measures the operation, and returns its error.
func (t storeTimers) After(operation string, began time.Time, err error) error {
	if timer := t[operation]; timer != nil {
		timer.done(began, err)
	}
	return err
}

// storeTimer holds the four histograms of one operation, looked up once.
type storeTimer struct{ ok, refused, unavailable, canceled prometheus.Observer }

func (m *Metrics) storeTimer(operation string) *storeTimer {
	return &storeTimer{
		ok:          m.store.WithLabelValues(operation, "ok"),
		refused:     m.store.WithLabelValues(operation, "refused"),
		unavailable: m.store.WithLabelValues(operation, "unavailable"),
		canceled:    m.store.WithLabelValues(operation, "canceled"),
	}
}

func (t *storeTimer) done(began time.Time, err error) {
	took := time.Since(began).Seconds()
	switch {
	case err == nil:
		t.ok.Observe(took)
	case errors.Is(err, context.Canceled): // the caller hung up
		t.canceled.Observe(took)
	case errors.Is(err, store.ErrUnavailable):
		t.unavailable.Observe(took)
	default:
		t.refused.Observe(took)
	}
}
