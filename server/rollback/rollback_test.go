package rollback

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/grantd/grantd/server/feed"
	"github.com/grantd/grantd/store"
	"github.com/grantd/grantd/store/embedded"
	"github.com/grantd/grantd/store/storetest"
)

var begun = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// known is what the feed says: the entries by key, and the hold.
type known struct {
	entries map[string]store.Entry
	hold    *store.Hold
}

func (k *known) Record(key string) (store.Entry, bool) { e, ok := k.entries[key]; return e, ok }
func (k *known) Hold() *store.Hold                     { return k.hold }

func open(t *testing.T) *storetest.Faulty {
	t.Helper()
	s, err := embedded.Open(embedded.Options{Path: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return storetest.NewFaulty(s)
}

// client returns the client a in a version, which its name says.
func client(version uint64, name string) store.Client {
	return store.Client{ID: "a", Name: name, Head: store.Head{CreatedAt: begun, UpdatedAt: begun, Version: version}}
}

// entry returns what the feed says of c; without its form if that is not known.
func entry(t *testing.T, c store.Client, form bool) store.Entry {
	t.Helper()
	e := store.Entry{Kind: store.EntryChange, Key: store.PrincipalClient(c.ID), At: begun, Version: c.Version}
	if form {
		b, err := store.ClientKind.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		e.Form = string(b)
	}
	return e
}

func gone(version uint64) store.Entry {
	return store.Entry{Kind: store.EntryVoid, Key: store.PrincipalClient("a"), At: begun, Version: version, Gone: true}
}

// held returns the stored client as it is when it is held back.
func held(c store.Client, version uint64) store.Client {
	c.HeldBack, c.Version = true, version
	return c
}

type row struct {
	rule   string
	stored *store.Client
	says   store.Entry
	read   *store.Client // through Guard; nil: there is none
	left   *store.Client // in the store afterward
	repair Rollback      // what Repair counts
}

func rows(t *testing.T) []row {
	five, seven := client(5, "five"), client(7, "seven")
	heldBack := held(five, 7)
	other := seven
	other.ID = "b"
	misplaced := entry(t, other, true)
	misplaced.Key = store.PrincipalClient("a")
	return []row{
		{"a newer record", &seven, entry(t, five, true), &seven, &seven, Rollback{}},
		{"the same record", &seven, entry(t, seven, true), &seven, &seven, Rollback{}},
		{"an older record", &five, entry(t, seven, true), &seven, &seven, Rollback{WrittenBack: 1}},
		{"an older record, whose newest form is not known", &five, entry(t, seven, false), &heldBack, &heldBack, Rollback{HeldBack: 1}},
		{"a form of another record", &five, misplaced, &heldBack, &heldBack, Rollback{HeldBack: 1}},
		{"a record that was deleted", &five, gone(6), nil, nil, Rollback{Deleted: 1}},
		{"a record that was deleted in this version", &five, gone(5), nil, nil, Rollback{Deleted: 1}},
		{"a record that was made after the deletion", &seven, gone(6), &seven, &seven, Rollback{}},
		{"no record, which was deleted", nil, gone(6), nil, nil, Rollback{}},
		// Guard cannot tell it from a deletion whose entry is on its way.
		{"no record, which was not deleted", nil, entry(t, seven, true), nil, &seven, Rollback{WrittenBack: 1}},
		{"no record, whose form is not known", nil, entry(t, seven, false), nil, nil, Rollback{Forgotten: 1}},
	}
}

func prepare(t *testing.T, s store.Store, c *store.Client) {
	t.Helper()
	if c == nil {
		return
	}
	if err := s.Clients().Create(t.Context(), *c); err != nil {
		t.Fatal(err)
	}
}

func stored(t *testing.T, s store.Store) *store.Client {
	t.Helper()
	c, err := s.Clients().Get(t.Context(), "a")
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	return &c
}

// Nobody reads a record that is older than the feed knows.
func TestGuard(t *testing.T) {
	for _, r := range rows(t) {
		t.Run(r.rule, func(t *testing.T) {
			s := open(t)
			prepare(t, s, r.stored)
			k := &known{entries: map[string]store.Entry{r.says.Key: r.says}}
			if d := cmp.Diff(r.read, stored(t, Guard(s, k, slog.New(slog.DiscardHandler)))); d != "" {
				t.Errorf("read (-want +got):\n%s", d)
			}
			if r.stored == nil {
				return
			}
			if d := cmp.Diff(r.left, stored(t, s)); d != "" {
				t.Errorf("left in the store (-want +got):\n%s", d)
			}
		})
	}
}

// A list shows the same as Get, and a deleted record as deactivated, so that the
// page keeps its length.
func TestGuardedList(t *testing.T) {
	for _, r := range rows(t) {
		if r.stored == nil {
			continue
		}
		t.Run(r.rule, func(t *testing.T) {
			s := open(t)
			prepare(t, s, r.stored)
			k := &known{entries: map[string]store.Entry{r.says.Key: r.says}}
			list, err := Guard(s, k, slog.New(slog.DiscardHandler)).Clients().List(t.Context(), store.Page{Limit: 10})
			if err != nil || len(list) != 1 {
				t.Fatalf("%v, %v", list, err)
			}
			if r.read == nil {
				if list[0].Usable() {
					t.Errorf("a deleted record can be used: %+v", list[0])
				}
				return
			}
			if d := cmp.Diff(*r.read, list[0]); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

// If an old record cannot be mended, nobody gets it.
func TestGuardFailsClosed(t *testing.T) {
	s := open(t)
	five := client(5, "five")
	prepare(t, s, &five)
	e := entry(t, client(7, "seven"), true)
	g := Guard(s, &known{entries: map[string]store.Entry{e.Key: e}}, slog.New(slog.DiscardHandler))
	s.Fail("RestoreClient", store.ErrUnavailable)
	if c, err := g.Clients().Get(t.Context(), "a"); !errors.Is(err, store.ErrUnavailable) || c.Name == "seven" {
		t.Errorf("%+v, %v", c, err)
	}
	if l, err := g.Clients().List(t.Context(), store.Page{Limit: 10}); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("%+v, %v", l, err)
	}
}

// A change that arrives between the read and the look at the feed is no old record.
func TestGuardBesideAChange(t *testing.T) {
	s := open(t)
	five, seven := client(5, "five"), client(7, "seven")
	prepare(t, s, &five)
	e := entry(t, seven, true)
	s.Hook("RestoreClient", func() {
		s.Heal("RestoreClient")
		if err := s.Store.Clients().Restore(t.Context(), seven, 5); err != nil {
			t.Error(err)
		}
	})
	c, err := Guard(s, &known{entries: map[string]store.Entry{e.Key: e}}, slog.New(slog.DiscardHandler)).Clients().Get(t.Context(), "a")
	if d := cmp.Diff(seven, c); err != nil || d != "" {
		t.Errorf("%v (-want +got):\n%s", err, d)
	}
}

// A record from before the hold is held back, until its kind is released.
func TestGuardMarksTheHold(t *testing.T) {
	s := open(t)
	c := client(5, "five")
	c.Confirmed = 3
	prepare(t, s, &c)
	for _, row := range []struct {
		rule string
		hold *store.Hold
		held bool
	}{
		{"no hold", nil, false},
		{"a later hold", &store.Hold{Number: 4}, true},
		{"the hold that it was made after", &store.Hold{Number: 3}, false},
		{"a later hold that is released", &store.Hold{Number: 4, Released: []string{"org", "client"}}, false},
		{"a later hold that is released for others", &store.Hold{Number: 4, Released: []string{"org"}}, true},
	} {
		g := Guard(s, &known{hold: row.hold}, slog.New(slog.DiscardHandler))
		c, err := g.Clients().Get(t.Context(), "a")
		l, listErr := g.Clients().List(t.Context(), store.Page{Limit: 10})
		if err != nil || listErr != nil || c.Held() != row.held || c.Usable() == row.held || l[0].Held() != row.held {
			t.Errorf("%s: %+v, %+v, %v, %v", row.rule, c, l, err, listErr)
		}
	}
}

// Repair does what Guard does, for all records at once, and counts.
func TestRepair(t *testing.T) {
	for _, r := range rows(t) {
		t.Run(r.rule, func(t *testing.T) {
			s := open(t)
			prepare(t, s, r.stored)
			var got []Rollback
			p := repairerOf(s, &got)
			loss := feed.Loss{Entries: 2, Incarnation: "run 2", LastKnown: begun, Records: []store.Entry{r.says, {Key: "secret:a/b", Version: 1}}}
			for range 2 { // a replica that failed afterward does so again
				if told, err := p.Repair(t.Context(), loss); err != nil || len(told) > 0 {
					t.Fatalf("%v, %v", told, err)
				}
			}
			if d := cmp.Diff(r.left, stored(t, s)); d != "" {
				t.Errorf("left in the store (-want +got):\n%s", d)
			}
			r.repair.Entries = 2
			if d := cmp.Diff([]Rollback{r.repair}, got); d != "" {
				t.Errorf("reported (-want +got):\n%s", d)
			}
		})
	}
}

func repairerOf(s store.Store, reports *[]Rollback) *Repairer {
	return NewRepairer(Options{Store: s, Now: func() time.Time { return begun.Add(time.Hour) }, Report: func(_ context.Context, r Rollback) {
		*reports = append(*reports, r)
	}})
}

// If more may be lost than is known, there is one hold for the loss, which the
// feed is told of. What was written back does not fall under it.
func TestRepairHolds(t *testing.T) {
	s := open(t)
	five := client(5, "five")
	other := five
	other.ID = "b"
	prepare(t, s, &five)
	prepare(t, s, &other)
	var reports []Rollback
	loss := feed.Loss{Cause: store.BeyondMemory, Incarnation: "run 2", LastKnown: begun, Records: []store.Entry{entry(t, client(7, "seven"), true)}}
	told, err := repairerOf(s, &reports).Repair(t.Context(), loss)
	if err != nil || len(told) != 1 || told[0].Key != store.PrincipalHold(store.HoldID) {
		t.Fatalf("%+v, %v", told, err)
	}
	again, err := repairerOf(s, &reports).Repair(t.Context(), loss) // another replica
	if err != nil || len(again) > 0 {
		t.Errorf("a second hold for the same loss: %+v, %v", again, err)
	}
	h, err := store.HoldKind.Unmarshal([]byte(told[0].Form))
	kept, getErr := s.Holds().Get(t.Context(), store.HoldID)
	if d := cmp.Diff(kept, h); err != nil || getErr != nil || d != "" || h.Cause != loss.Cause || !h.LastKnown.Equal(begun) {
		t.Errorf("the hold: %+v, %v, %v, %s", h, err, getErr, d)
	}
	g := Guard(s, &known{hold: &h}, slog.New(slog.DiscardHandler))
	a, err := g.Clients().Get(t.Context(), "a")
	b, errB := g.Clients().Get(t.Context(), "b")
	if err != nil || errB != nil || a.Name != "seven" || !a.Usable() || b.Usable() {
		t.Errorf("written back: %+v, %v; unknown: %+v, %v", a, err, b, errB)
	}

	loss.Incarnation, loss.Hold = "run 3", &h
	loss.Records = append(loss.Records, entry(t, client(9, "nine"), true)) // it is as old as the first hold
	told, err = repairerOf(s, &reports).Repair(t.Context(), loss)
	next, getErr := s.Holds().Get(t.Context(), store.HoldID)
	if err != nil || getErr != nil || len(told) != 1 || next.Number <= h.Number || next.Version <= h.Version {
		t.Errorf("another loss: %+v, %v, %v", next, err, getErr)
	}
	if a, err := Guard(s, &known{hold: &next}, slog.New(slog.DiscardHandler)).Clients().Get(t.Context(), "a"); err != nil || a.Usable() {
		t.Errorf("what fell under the first hold is used: %+v, %v", a, err)
	}
}

// A hold that the store lost is written back before there is another one.
func TestLostHoldIsWrittenBack(t *testing.T) {
	s := open(t)
	lost := store.Hold{ID: store.HoldID, Number: 1 << 50, Incarnation: "run 1", Cause: store.Unwitnessed, Since: begun, Head: store.Head{Version: 9}}
	form, err := store.HoldKind.Marshal(lost)
	if err != nil {
		t.Fatal(err)
	}
	var reports []Rollback
	p := repairerOf(s, &reports)
	e := store.Entry{Key: store.PrincipalHold(store.HoldID), Version: 9, Form: string(form)}
	for _, cause := range []store.HoldCause{"", store.BeyondMemory} {
		if _, err := p.Repair(t.Context(), feed.Loss{Cause: cause, Incarnation: "run 2", Entries: 1, Records: []store.Entry{e}}); err != nil {
			t.Fatal(err)
		}
		h, err := s.Holds().Get(t.Context(), store.HoldID)
		if want := map[bool]uint64{true: lost.Number, false: lost.Number + 1}[cause == ""]; err != nil || h.Number != want {
			t.Errorf("cause %q: %+v, %v, want the number %d", cause, h, err, want)
		}
	}
}

// A partner that is written back has the owner records of its tokens again: without
// them, nobody finds the partner of a token.
func TestOwnersComeBackWithThePartner(t *testing.T) {
	s := open(t)
	p := store.Partner{ID: "hurdlr", Name: "Hurdlr", Tokens: []store.PartnerToken{{ID: "kept"}, {ID: "lost"}}, Head: store.Head{Version: 7}}
	if err := s.PartnerTokens().Create(t.Context(), store.PartnerTokenOwner{ID: "kept", PartnerID: "hurdlr"}); err != nil {
		t.Fatal(err)
	}
	form, err := store.PartnerKind.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	var reports []Rollback
	e := store.Entry{Key: store.PrincipalPartner("hurdlr"), Version: 7, Form: string(form)}
	if _, err := repairerOf(s, &reports).Repair(t.Context(), feed.Loss{Entries: 1, Records: []store.Entry{e}}); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"kept", "lost"} {
		if o, err := s.PartnerTokens().Get(t.Context(), id); err != nil || o.PartnerID != "hurdlr" {
			t.Errorf("%s: %+v, %v", id, o, err)
		}
	}
}

// One record that cannot be read stops nobody: it is counted, and the others are
// repaired.
func TestDamagedRecord(t *testing.T) {
	s := open(t)
	five, other := client(5, "five"), client(5, "five")
	other.ID = "b"
	prepare(t, s, &five)
	prepare(t, s, &other)
	s.Fail("GetClient", store.ErrUnknownRecord)
	var reports []Rollback
	seven, eight := client(7, "seven"), client(8, "eight")
	eight.ID = "b"
	p := repairerOf(s, &reports)
	for _, e := range []store.Entry{entry(t, seven, true), entry(t, eight, true)} { // in turn: the first one fails
		if _, err := p.Repair(t.Context(), feed.Loss{Entries: 1, Records: []store.Entry{e}}); err != nil {
			t.Fatal(err)
		}
		s.Heal("GetClient")
	}
	if b, err := s.Clients().Get(t.Context(), "b"); err != nil || b.Name != "eight" {
		t.Errorf("%+v, %v", b, err)
	}
	if p.done[damaged] != 1 || p.done[writtenBack] != 1 {
		t.Errorf("counted %v", p.done)
	}
}
