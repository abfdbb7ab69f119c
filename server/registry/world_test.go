package registry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/grantd/grantd/server/apierr"
	"github.com/grantd/grantd/server/audit"
	"github.com/grantd/grantd/server/feed"
	"github.com/grantd/grantd/store"
	"github.com/grantd/grantd/store/embedded"
	"github.com/grantd/grantd/store/storetest"
)

// staleness is cache.max_staleness in these tests.
const staleness = 500 * time.Millisecond

var by = audit.Actor{Name: "uid:0", Address: "192.0.2.1", RequestID: "0badcafe"}

// world is one replica on a store that others share. Tests make the store fail
// by the methods of Faulty.
type world struct {
	*storetest.Faulty
	feed     *feed.Feed
	clients  *Registry[store.Client]
	partners *Registry[store.Partner] // with tokens in the record, and a grant that belongs to it
}

// inWorld runs the test in a bubble of synctest: time is the bubble's.
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
		w.feed = feed.New(feed.Options{Store: w, Shared: true, MaxStaleness: staleness, Now: time.Now, Log: log})
		if err := w.feed.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(w.feed.Stop)
		events := &audit.Log{Store: w, Now: time.Now, Log: log}
		w.clients = New(Kind[store.Client]{
			Kind: store.ClientKind, Store: w.Clients(),
			Valid: func(id string) bool { return id != "not valid" },
			View:  func(c store.Client) any { return c.Name },
			Tidy:  func(c *store.Client, _ time.Time) { c.Resource = "tidied" },
		}, w.feed, events, time.Now)
		w.partners = New(Kind[store.Partner]{
			Kind: store.PartnerKind, Store: w.Partners(),
			Valid: func(string) bool { return true },
			View:  func(p store.Partner) any { return p.Name },
			End:   func(p *store.Partner, by string, _ time.Time) { p.Name = "ended by " + by },
			Remove: func(ctx context.Context, p store.Partner) error {
				err := w.Grants().Delete(ctx, store.GrantID(p.ID, "acme"), 1)
				if errors.Is(err, store.ErrNotFound) {
					return nil // an earlier deletion stopped after this
				}
				return err
			},
		}, w.feed, events, time.Now)
		run(t, w)
	})
}

// add writes a client past the registry, and returns it as it is stored.
func (w *world) add(t *testing.T, id string) store.Client {
	t.Helper()
	c := store.Client{ID: id, Name: "first", Head: w.clients.NewHead()}
	if err := w.Store.Clients().Create(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	return c
}

// stored returns the client as the store has it.
func (w *world) stored(t *testing.T, id string) store.Client {
	t.Helper()
	c, err := w.Store.Clients().Get(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// rename changes the client as another replica does: record, then feed.
func (w *world) rename(t *testing.T, id, name string) {
	t.Helper()
	c := w.stored(t, id)
	c.Name = name
	if err := w.Store.Clients().Update(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	w.tell(t, store.EntryChange, id)
}

// tell appends an entry about the client as another replica does, and waits
// until this one has applied it.
func (w *world) tell(t *testing.T, kind store.EntryKind, id string) {
	t.Helper()
	if _, err := w.Store.AppendFeed(t.Context(), store.Entry{Kind: kind, Key: store.PrincipalClient(id), By: by.Name}); err != nil {
		t.Fatal(err)
	}
	synctest.Wait()
}

// told returns the feed after the given position, as "kind key".
func (w *world) told(t *testing.T, after store.Position) []string {
	t.Helper()
	entries, err := w.Store.ReadFeed(t.Context(), after, 0)
	if err != nil {
		t.Fatal(err)
	}
	var told []string
	for _, e := range entries {
		told = append(told, fmt.Sprintf("%s %s", e.Kind, e.Key))
	}
	return told
}

// audited returns the audit events, oldest first, as "action target outcome".
func (w *world) audited(t *testing.T) []string {
	t.Helper()
	events, err := w.Store.ListAudit(t.Context(), "", 100)
	if err != nil {
		t.Fatal(err)
	}
	var audited []string
	for _, e := range slices.Backward(events) {
		audited = append(audited, fmt.Sprintf("%s %s %s", e.Action, e.Target, e.Outcome))
	}
	return audited
}

// dead reports whether a token of the client that was minted at p is void.
func (w *world) dead(client string, p store.Position) bool {
	_, void := w.feed.Voided(store.Digest{}, &store.Token{Use: store.UseClient, ClientID: client, Position: p})
	return void
}

// failAt makes the n-th call from now of the method fail, and no other.
func (w *world) failAt(method string, n int) {
	calls := 0
	w.Hook(method, func() {
		switch calls++; calls {
		case n - 1:
			w.Fail(method, store.ErrUnavailable) // from the next call on
		case n:
			w.Heal(method) // this call fails all the same
		}
	})
	if n == 1 {
		w.Fail(method, store.ErrUnavailable)
	}
}

// to returns a step that gives the client another name and tells the feed.
func to(w *world, id, name string) Step[store.Client] {
	return Step[store.Client]{
		By: by, Action: "update", ID: id,
		Edit: func(c *store.Client) error { c.Name = name; return nil },
	}
}

// narrowing is to, with a change that ends tokens.
func narrowing(w *world, id, name string) Step[store.Client] {
	st := to(w, id, name)
	st.Edit = func(c *store.Client) error { c.Name, c.Unannounced = name, true; return nil }
	return st
}

// same fails the test if the lists differ.
func same(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: %q, want %q", what, got, want)
	}
}

// refused fails the test unless err has the code; "" wants no error.
func refused(t *testing.T, rule string, err error, code apierr.Code) {
	t.Helper()
	var e *apierr.Error
	switch {
	case code == "" && err != nil, code != "" && err == nil:
		t.Errorf("%s: error %v, want %q", rule, err, code)
	case code == apierr.Unavailable:
		if !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("%s: error %v, want the store's", rule, err)
		}
	case code != "" && (!errors.As(err, &e) || e.Code != code):
		t.Errorf("%s: error %v, want %q", rule, err, code)
	}
}
