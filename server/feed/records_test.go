package feed

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/grantd/grantd/store"
)

// left returns an entry that says in which version a change left the client.
func left(client string, version uint64, form string) store.Entry {
	e := change(client)
	e.Version, e.Form = version, form
	return e
}

// leftKey is left for an API key.
func leftKey(version uint64, form string) store.Entry {
	e := left("", version, form)
	e.Key = store.PrincipalKey("Ab3dEf7h")
	return e
}

func gone(client string, version uint64) store.Entry {
	e := void(client)
	e.Version, e.Gone = version, true
	return e
}

// TestRecordsAreKept checks that the newest state of a record is known, whatever
// else its key is in, and whatever is written back later.
func TestRecordsAreKept(t *testing.T) {
	for _, row := range []struct {
		rule    string
		entries []store.Entry
		want    store.Entry
	}{
		{"the newest of two", []store.Entry{left("a", 7, "seven"), left("a", 8, "eight")}, left("a", 8, "eight")},
		{"a void by a grantd that knew no versions", []store.Entry{left("a", 7, "seven"), void("a")}, left("a", 7, "")},
		{"an older state that was written back", []store.Entry{left("a", 8, "eight"), left("a", 7, "seven")}, left("a", 8, "eight")},
		{"the same state without its form", []store.Entry{left("a", 8, "eight"), left("a", 8, "")}, left("a", 8, "eight")},
		{"the same state with its form", []store.Entry{left("a", 8, ""), left("a", 8, "eight")}, left("a", 8, "eight")},
		{"a deletion", []store.Entry{left("a", 8, "eight"), gone("a", 9)}, gone("a", 9)},
		{"a deletion, and an older state", []store.Entry{gone("a", 9), left("a", 8, "eight")}, gone("a", 9)},
		{"a record that was made again", []store.Entry{gone("a", 9), left("a", 70, "new")}, left("a", 70, "new")},
		{"more than there is memory for", []store.Entry{left("b", 1, strings.Repeat("x", maxForms-maxKeyForms)), left("a", 8, "eight")}, left("a", 8, "")},
		{"beside as many keys as there is memory for", []store.Entry{leftKey(1, strings.Repeat("x", maxKeyForms)), left("a", 8, "eight")}, left("a", 8, "eight")},
		{"memory that is free again", []store.Entry{left("a", 1, strings.Repeat("x", maxForms-maxKeyForms)), left("a", 2, "two")}, left("a", 2, "two")},
	} {
		t.Run(row.rule, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := newMemory()
				appended(t, m, row.entries...)
				f := loaded(t, options(m))
				got, known := f.Record(store.PrincipalClient("a"))
				got.Position, row.want.Kind, got.Kind = store.Position{}, "", ""
				got.At, row.want.At = time.Time{}, time.Time{}
				if d := cmp.Diff(row.want, got); !known || d != "" {
					t.Errorf("known %v (-want +got):\n%s", known, d)
				}
				if _, known := f.Record(store.PrincipalClient("other")); known {
					t.Error("a record that no entry names is known")
				}
			})
		})
	}
}

// TestFormsOfKeys: API keys, which clients make, have a separate bound.
func TestFormsOfKeys(t *testing.T) {
	s := newState()
	put := func(e store.Entry) string {
		s.put(&e)
		return s.records[e.Key].Form
	}
	if form := put(leftKey(1, strings.Repeat("x", maxKeyForms+1))); form != "" {
		t.Error("a key takes the memory of other records")
	}
	put(left("a", 1, strings.Repeat("x", maxForms-maxKeyForms)))
	if form := put(leftKey(2, "two")); form != "two" {
		t.Errorf("other records take the memory of keys: %q", form)
	}
}

// TestRecordsExpire checks that a state is forgotten with its entry, and that its
// memory is free again.
func TestRecordsExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		appended(t, m, left("a", 7, "seven"))
		f := loaded(t, options(m))
		time.Sleep(store.FeedRetention + store.ClockDrift + time.Second)
		f.prune()
		if _, known := f.Record(store.PrincipalClient("a")); known || f.state.forms != (forms{}) {
			t.Errorf("known %v, %+v bytes", known, f.state.forms)
		}
	})
}

// repairs are the calls of Options.Repair.
type repairs struct {
	m     *memory
	err   error
	tells []store.Entry
	calls []Loss
	fed   []int // how many entries the feed had at each call
}

func (r *repairs) repair(_ context.Context, l Loss) ([]store.Entry, error) {
	r.calls, r.fed = append(r.calls, l), append(r.fed, len(r.m.all()))
	if r.err != nil {
		return nil, r.err
	}
	tells := r.tells
	r.tells = nil // it has no more to say about the same loss
	return tells, nil
}

// TestRepairComesFirst checks that records are repaired before the feed is written
// back, with everything that is known, and that nothing is fresh without it.
func TestRepairComesFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		kept, seven, voided, five := left("kept", 3, "three"), left("lost", 7, "seven"), void("other"), gone("gone", 5)
		told := change("told")
		appended(t, m, kept, seven, voided, five)
		r := &repairs{m: m}
		o := options(m)
		o.Repair = r.repair
		f := loaded(t, o)
		r.calls, r.fed, r.tells = nil, nil, []store.Entry{told}
		m.lose(3)
		r.err = errors.New("the store is away")
		time.Sleep(2 * o.MaxStaleness)
		if _, err := f.Fresh(t.Context()); !errors.Is(err, ErrStale) {
			t.Fatalf("without the repair: %v", err)
		}
		if len(m.all()) != 1 {
			t.Errorf("the feed was written back first: %v", m.all())
		}
		r.err = nil
		time.Sleep(2 * time.Second)
		if _, err := f.Fresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		last := r.calls[len(r.calls)-1]
		if last.Entries != 3 || last.Cause != "" || r.fed[len(r.fed)-1] != 1 {
			t.Errorf("repaired with %+v, the feed had %d entries", last, r.fed[len(r.fed)-1])
		}
		same(t, "what the repair knows", last.Records, []store.Entry{seven, five})
		same(t, "the feed", m.all()[1:], []store.Entry{seven, voided, five, told})
	})
}

// TestRepairIsToldTheCause checks when more may be lost than a replica knows.
func TestRepairIsToldTheCause(t *testing.T) {
	for _, row := range []struct {
		rule  string
		age   time.Duration // of the newest entry that the store still has
		lose  int
		cause store.HoldCause
	}{
		{"a loss of what is remembered", time.Hour, 1, ""},
		{"nothing is lost, after a long time without entries", 3 * store.FeedRetention, 0, ""},
		{"a store from before what is remembered", store.FeedRetention + time.Minute, 1, store.BeyondMemory},
		{"a feed that is empty", time.Hour, 2, store.BeyondMemory},
		{"another replica has appended to it since", store.FeedRetention + time.Minute, -1, store.BeyondMemory},
		{"another replica has vouched for it", store.FeedRetention + time.Minute, -2, ""},
	} {
		t.Run(row.rule, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := newMemory()
				appended(t, m, void("kept"))
				r := &repairs{m: m}
				o := options(m)
				o.Repair = r.repair
				f := loaded(t, o)
				time.Sleep(row.age)
				if row.lose != 0 {
					appended(t, m, left("lost", 7, "seven"))
					synctest.Wait()
				}
				if _, err := f.Fresh(t.Context()); err != nil {
					t.Fatal(err)
				}
				r.calls = nil
				m.lose(max(row.lose, min(-row.lose, 1)))
				m.restart("run 2")
				switch row.lose {
				case -1:
					appended(t, m, change("another"))
				case -2:
					_ = m.WitnessFeed(t.Context(), "run 2")
				}
				_ = f.verify(t.Context())
				time.Sleep(2 * time.Second)
				if _, err := f.Fresh(t.Context()); err != nil {
					t.Fatal(err)
				}
				cause := store.HoldCause("")
				if len(r.calls) > 0 {
					cause = r.calls[0].Cause
				}
				if cause != row.cause {
					t.Errorf("cause %q, want %q: %+v", cause, row.cause, r.calls)
				}
			})
		})
	}
}

// TestUnwitnessedStartIsRepaired checks that a replica which starts after nobody
// watched says so, and tells the feed what the repair did.
func TestUnwitnessedStartIsRepaired(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		appended(t, m, left("a", 7, "seven"))
		m.lineage = store.Lineage{Current: "run 2", Witnessed: "run 1"}
		r := &repairs{m: m, tells: []store.Entry{change("told")}}
		o := options(m)
		o.Repair = r.repair
		f := New(o)
		if err := f.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(f.Stop)
		first := r.calls[0]
		if first.Cause != store.Unwitnessed || first.Incarnation != "run 2" || first.LastKnown.IsZero() {
			t.Errorf("repaired with %+v", first)
		}
		all := m.all()
		if len(all) != 3 || all[1].Key != store.PrincipalClient("told") || all[2].Key != store.PrincipalAll {
			t.Errorf("the feed has %v", all)
		}
	})
}

// TestDeletedMeanwhile checks that a record which one replica writes back while
// another one deletes it is deleted in the end.
func TestDeletedMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		appended(t, m, void("kept"), left("a", 7, "seven"))
		var records [][]store.Entry
		o := options(m)
		o.Repair = func(_ context.Context, l Loss) ([]store.Entry, error) {
			if len(records) == 0 { // another replica has recovered before, and deletes it now
				appended(t, m, gone("a", 8))
			}
			records = append(records, l.Records)
			return nil, nil
		}
		f := loaded(t, o)
		m.lose(1)
		time.Sleep(2 * o.MaxStaleness)
		if _, err := f.Fresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := len(records); n != 2 || records[0][0].Gone || !records[1][0].Gone {
			t.Errorf("repaired: %+v", records)
		}
	})
}

// TestStartWaitsForARecovery checks that a replica which starts while another one
// recovers waits for it longer than for one that may not be there.
func TestStartWaitsForARecovery(t *testing.T) {
	for _, row := range []struct {
		witnessed string
		vouched   time.Duration
		held      bool
	}{
		{"run 1", 30 * time.Second, true},
		{recovering + "run 2", 30 * time.Second, false},
		{recovering + "run 2", 2 * recoveryWait, true},
		{recovering + "run 0", 30 * time.Second, true}, // that one died long ago
	} {
		synctest.Test(t, func(t *testing.T) {
			m := newMemory()
			appended(t, m, void("kept"))
			m.lineage = store.Lineage{Current: "run 2", Witnessed: row.witnessed}
			r := &repairs{m: m}
			o := options(m)
			o.Repair = r.repair
			go func() {
				time.Sleep(row.vouched)
				_ = m.WitnessFeed(t.Context(), "run 2")
			}()
			f := New(o)
			if err := f.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			defer f.Stop()
			if held := len(r.calls) > 0; held != row.held {
				t.Errorf("%+v: held back %v", row, held)
			}
			time.Sleep(3 * recoveryWait)
		})
	}
}

// TestRecoveryIsAnnounced checks that a replica which knows the feed says so before
// it repairs anything.
func TestRecoveryIsAnnounced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		appended(t, m, void("kept"), left("lost", 7, "seven"))
		var during string
		o := options(m)
		o.Repair = func(context.Context, Loss) ([]store.Entry, error) { during = m.witnessed(); return nil, nil }
		f := loaded(t, o)
		m.lose(1)
		m.restart("run 2")
		_ = f.verify(t.Context())
		if during != recovering+"run 2" || m.witnessed() != "run 2" {
			t.Errorf("witnessed %q during the recovery, %q after it", during, m.witnessed())
		}
	})
}

// TestHoldMakesCachesStale checks that what was cached before a hold, or before a
// release, is read again.
func TestHoldMakesCachesStale(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		appended(t, m, void("kept"))
		f, stop := started(t, options(m))
		defer stop()
		before, err := f.Fresh(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		h := store.Hold{ID: store.HoldID, Number: 5, Head: store.Head{Version: 5}}
		form, err := store.HoldKind.Marshal(h)
		if err != nil {
			t.Fatal(err)
		}
		appended(t, m, store.Entry{Kind: store.EntryChange, Key: holdKey, Version: 5, Form: string(form), At: time.Now()})
		synctest.Wait()
		after, err := f.Fresh(t.Context())
		if err != nil || after.Epoch == before.Epoch || f.Hold() == nil || f.Hold().Number != 5 {
			t.Errorf("epoch %d, then %d; %+v, %v", before.Epoch, after.Epoch, f.Hold(), err)
		}
	})
}
