package storetest

import (
	"context"
	"reflect"
	"testing"
	"time"

	"github.com/grantd/grantd/store"
)

func storeChecks() []check {
	return []check{
		{"Ping", ping},
		{"EveryMethodIsTried", everyMethod},
		{"CancelledContext", cancelled},
		{"PassedDeadline", deadline},
		{"Closed", closed},
	}
}

// call is one method, called with arguments that are fine.
type call struct {
	name string
	run  func(ctx context.Context, s store.Store) error
}

// calls are all methods but Shared and Close, which cannot fail.
func calls(now time.Time) []call {
	return []call{
		{"CreateClient", func(ctx context.Context, s store.Store) error { return s.CreateClient(ctx, plainClient(now, "a")) }},
		{"GetClient", func(ctx context.Context, s store.Store) error { _, err := s.GetClient(ctx, "a"); return err }},
		{"UpdateClient", func(ctx context.Context, s store.Store) error { return s.UpdateClient(ctx, plainClient(now, "a")) }},
		{"DeleteClient", func(ctx context.Context, s store.Store) error { return s.DeleteClient(ctx, "a", 1) }},
		{"ListClients", func(ctx context.Context, s store.Store) error { _, err := s.ListClients(ctx, "", 1); return err }},
		{"PutToken", func(ctx context.Context, s store.Store) error {
			return s.PutToken(ctx, digest("a"), plainToken(now, time.Hour))
		}},
		{"GetToken", func(ctx context.Context, s store.Store) error { _, err := s.GetToken(ctx, digest("a")); return err }},
		{"ReplaceToken", func(ctx context.Context, s store.Store) error {
			return s.ReplaceToken(ctx, digest("a"), plainToken(now, time.Hour))
		}},
		{"AppendFeed", func(ctx context.Context, s store.Store) error {
			_, err := s.AppendFeed(ctx, void(now, "a"))
			return err
		}},
		{"ReadFeed", func(ctx context.Context, s store.Store) error {
			_, err := s.ReadFeed(ctx, store.Position{}, patience)
			return err
		}},
		{"FeedLineage", func(ctx context.Context, s store.Store) error { _, err := s.FeedLineage(ctx); return err }},
		{"WitnessFeed", func(ctx context.Context, s store.Store) error { return s.WitnessFeed(ctx, "a") }},
		{"AddHits", func(ctx context.Context, s store.Store) error {
			_, err := s.AddHits(ctx, store.Hit{Key: "a", N: 1, Window: time.Minute})
			return err
		}},
		{"AddSecretUses", func(ctx context.Context, s store.Store) error {
			return s.AddSecretUses(ctx, []store.SecretUse{use("a", "s", 1, now, "192.0.2.1")})
		}},
		{"ListSecretUses", func(ctx context.Context, s store.Store) error { _, err := s.ListSecretUses(ctx, "a"); return err }},
		{"AppendAudit", func(ctx context.Context, s store.Store) error { return s.AppendAudit(ctx, event(now, "a")) }},
		{"ListAudit", func(ctx context.Context, s store.Store) error { _, err := s.ListAudit(ctx, "", 1); return err }},
		{"Stamp", func(ctx context.Context, s store.Store) error { return s.Stamp(ctx, ours) }},
		{"EnsureTokenKey", func(ctx context.Context, s store.Store) error {
			_, err := s.EnsureTokenKey(ctx, store.TokenKey{ID: 1, Key: make([]byte, 32), CreatedAt: now})
			return err
		}},
		{"Ping", func(ctx context.Context, s store.Store) error { return s.Ping(ctx) }},
	}
}

func ping(t *testing.T, o Opened) {
	for range 3 {
		ok(t, o.Store.Ping(within(t)))
		o.Advance(time.Second)
	}
}

// everyMethod keeps calls complete when a role gets another method.
func everyMethod(t *testing.T, o Opened) {
	tried := map[string]bool{"Shared": true, "Close": true}
	for _, c := range calls(o.Now()) {
		tried[c.name] = true
	}
	for m := range reflect.TypeFor[store.Store]().Methods() {
		if !tried[m.Name] {
			t.Errorf("storetest does not try %s with a cancelled context and a closed store", m.Name)
		}
	}
}

// refused wants every method to answer ErrUnavailable, and at once.
func refused(t *testing.T, ctx context.Context, o Opened) {
	t.Helper()
	for _, c := range calls(o.Now()) {
		inTime(t, c.name, func() { wants(t, c.name, c.run(ctx, o.Store), store.ErrUnavailable) })
	}
}

func cancelled(t *testing.T, o Opened) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	refused(t, ctx, o)
	_, err := o.Store.GetClient(within(t), "a")
	wants(t, "nothing was written", err, store.ErrNotFound)
}

func deadline(t *testing.T, o Opened) {
	ctx, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer cancel()
	refused(t, ctx, o)
}

func closed(t *testing.T, o Opened) {
	ok(t, o.Store.CreateClient(within(t), plainClient(o.Now(), "a")))
	ok(t, o.Store.Close())
	refused(t, within(t), o)
	ok(t, o.Store.Close())
}
