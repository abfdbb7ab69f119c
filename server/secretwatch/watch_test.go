package secretwatch_test

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/grantd/grantd/server/audit"
	"github.com/grantd/grantd/server/feed"
	"github.com/grantd/grantd/server/registry"
	"github.com/grantd/grantd/server/secretwatch"
	"github.com/grantd/grantd/store"
	"github.com/grantd/grantd/store/embedded"
	"github.com/grantd/grantd/store/storetest"
)

const day = 24 * time.Hour

// world is a store with clients, and a Watch of their secrets.
type world struct {
	*storetest.Faulty
	clients *registry.Registry[store.Client]
	kind    secretwatch.Kind[store.Client]
	watch   *secretwatch.Watch[store.Client]
}

func inWorld(t *testing.T, run func(t *testing.T, w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s, err := embedded.Open(embedded.Options{Path: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		w := &world{Faulty: storetest.NewFaulty(s)}
		log := slog.New(slog.DiscardHandler)
		f := feed.New(feed.Options{Store: w, MaxStaleness: time.Second, Now: time.Now, Log: log})
		if err := f.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(f.Stop)
		w.clients = registry.New(registry.Kind[store.Client]{
			Kind: store.ClientKind, Store: w.Clients(), Valid: func(string) bool { return true }, View: func(store.Client) any { return nil },
		}, f, &audit.Log{Store: w, Now: time.Now, Log: log}, time.Now)
		w.kind = secretwatch.Secrets(w.Clients())
		w.watch = secretwatch.NewWatch(w.kind, f, time.Now, log)
		run(t, w)
	})
}

// client makes a client with one secret for each end; 0: it does not end.
func client(id string, ends ...time.Duration) store.Client {
	now := time.Now().UTC()
	c := store.Client{ID: id, Head: store.Head{CreatedAt: now}}
	for i, in := range ends {
		s := store.Secret{ID: fmt.Sprintf("secret%02d", i), Hash: "sha256$x", CreatedAt: now}
		if in != 0 {
			end := now.Add(in)
			s.ExpiresAt = &end
		}
		c.Secrets = append(c.Secrets, s)
	}
	return c
}

func (w *world) create(t *testing.T, clients ...store.Client) {
	t.Helper()
	for _, c := range clients {
		if err := w.clients.Create(t.Context(), audit.Actor{}, c); err != nil {
			t.Fatal(err)
		}
	}
}

func (w *world) change(t *testing.T, id string, edit func(*store.Client)) {
	t.Helper()
	_, err := w.clients.Change(t.Context(), registry.Step[store.Client]{Action: "update", ID: id, Edit: func(c *store.Client) error { edit(c); return nil }})
	if err != nil {
		t.Fatal(err)
	}
}

func (w *world) counts(t *testing.T, when string, within7, within30 int) {
	t.Helper()
	if a, b := w.watch.CountEnding(7*day), w.watch.CountEnding(30*day); a != within7 || b != within30 {
		t.Errorf("%s: %d within 7 days, %d within 30; want %d, %d", when, a, b, within7, within30)
	}
}

// A Watch knows what there was before it, and follows every change with one read of
// each record that changed.
func TestWatchFollowsChanges(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		off := client("off", day)
		at := time.Now()
		off.DeactivatedAt = &at
		w.create(t, client("a", 0, day), client("b", 8*day, 40*day), client("ended", -day), off, client("never", 0))
		w.watch.Refresh(t.Context())
		w.counts(t, "at first", 1, 2)

		w.create(t, client("new", 2*day, 3*day))
		w.change(t, "a", func(c *store.Client) { c.Secrets[1].Ended = true })
		w.change(t, "b", func(c *store.Client) { end := time.Now().Add(6 * day); c.Secrets[0].ExpiresAt = &end })
		w.Fail("ListClients", store.ErrUnavailable) // a change is no reason to read all
		w.watch.Refresh(t.Context())
		w.counts(t, "after changes", 3, 3)
		if err := w.clients.Delete(t.Context(), audit.Actor{}, "new", 0); err != nil {
			t.Fatal(err)
		}
		w.watch.Refresh(t.Context())
		w.counts(t, "after a deletion", 1, 1)
		time.Sleep(6 * day)
		w.counts(t, "after its end", 0, 0)
	})
}

// What the store does not return is read later, and the last knowledge stays.
func TestWatchWithTheStoreAway(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.create(t, client("a", day))
		w.Fail("ListClients", store.ErrUnavailable)
		w.watch.Refresh(t.Context())
		w.counts(t, "no pass yet", 0, 0)
		w.Heal("ListClients")
		w.watch.Refresh(t.Context())
		w.counts(t, "after the pass", 1, 1)
		w.create(t, client("b", day))
		w.Fail("GetClient", store.ErrUnavailable)
		w.watch.Refresh(t.Context())
		w.counts(t, "away", 1, 1)
		w.Heal("GetClient")
		w.watch.Refresh(t.Context())
		w.counts(t, "back", 2, 2)
	})
}

// A change that no entry of the feed names is found by the next full pass, and a
// Watch that runs follows within a minute.
func TestWatchRuns(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.watch.Start()
		defer w.watch.Stop()
		w.create(t, client("a", day))
		time.Sleep(time.Minute)
		w.counts(t, "after a minute", 1, 1)
		if err := w.Clients().Create(t.Context(), client("untold", day)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		w.counts(t, "untold", 1, 1)
		time.Sleep(2 * time.Hour)
		w.counts(t, "after a pass", 2, 2)
	})
}

func TestEndingBefore(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.create(t, client("b", 3*day, day), client("a", 3*day, 20*day, 0))
		w.watch.Refresh(t.Context())
		list, all := w.watch.EndingBefore(time.Now().Add(14 * day))
		var got []string
		for _, c := range list {
			got = append(got, c.Owner+"/"+c.ID)
		}
		if want := "client:b/secret01 client:a/secret00 client:b/secret00"; strings.Join(got, " ") != want || !all {
			t.Errorf("%v, all %v; want %s", got, all, want)
		}
	})
}
