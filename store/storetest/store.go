package storetest

import (
	"context"
	"testing"
	"time"

	"github.com/grantd/grantd/store"
)

func storeChecks() []check {
	return []check{
		{"Ping", ping},
		{"EveryOperationIsTried", everyOperation},
		{"CanceledContext", canceled},
		{"PassedDeadline", deadline},
		{"Closed", closed},
	}
}

func ping(t *testing.T, o Opened) {
	for range 3 {
		ok(t, o.Store.Ping(within(t)))
		o.Advance(time.Second)
	}
}

// everyOperation fails if calls lacks an operation.
func everyOperation(t *testing.T, o Opened) {
	tried := map[string]bool{store.OpClose: true}
	for _, c := range calls(o.Now()) {
		tried[c.name] = true
	}
	for _, name := range store.Operations() {
		if !tried[name] {
			t.Errorf("storetest does not try %s with a canceled context and a closed store: add it to calls", name)
		}
	}
}

// refused fails unless every operation returns ErrUnavailable at once.
func refused(t *testing.T, ctx context.Context, o Opened) {
	t.Helper()
	for _, c := range calls(o.Now()) {
		inTime(t, c.name, func() { wants(t, c.name, c.run(ctx, o.Store), store.ErrUnavailable) })
	}
}

func canceled(t *testing.T, o Opened) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	refused(t, ctx, o)
	_, err := o.Store.Clients().Get(within(t), "a")
	wants(t, "nothing was written", err, store.ErrNotFound)
}

func deadline(t *testing.T, o Opened) {
	ctx, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer cancel()
	refused(t, ctx, o)
}

func closed(t *testing.T, o Opened) {
	ok(t, o.Store.Clients().Create(within(t), plainClient(o.Now(), "a")))
	ok(t, o.Store.Close())
	refused(t, within(t), o)
	ok(t, o.Store.Close())
}
