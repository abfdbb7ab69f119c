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

// RolledBack counts that the store came back older.
func (m *Metrics) RolledBack() { m.rollbacks.Inc() }

// StoreUnsuitable records whether the settings of the store would lose records.
func (m *Metrics) StoreUnsuitable(is bool) { setIf(m.unsuitable, is) }

// StoreUnconfirmed records whether changes are in force that too few replicas of
// Redis have.
func (m *Metrics) StoreUnconfirmed(is bool) { setIf(m.unconfirmed, is) }

// RedisReplicas sets the number of replicas of the master that has the fewest.
func (m *Metrics) RedisReplicas(fewest int) { m.replicas.Set(float64(fewest)) }

// Batch measures how many writes shared a commit.
func (m *Metrics) Batch(writes int) { m.batches.Observe(float64(writes)) }

// Trip measures how many commands shared a round trip.
func (m *Metrics) Trip(commands int) { m.trips.Observe(float64(commands)) }
