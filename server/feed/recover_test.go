package feed

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/grantd/grantd/store"
	"github.com/grantd/grantd/store/storetest"
)

// same compares entries without their positions.
func same(t *testing.T, what string, got, want []store.Entry) {
	t.Helper()
	if d := cmp.Diff(want, got, cmpopts.IgnoreFields(store.Entry{}, "Position"), cmpopts.EquateEmpty()); d != "" {
		t.Errorf("%s (-want +got):\n%s", what, d)
	}
}

// TestLostEntriesAreWrittenBack checks that exactly the entries that the store lost
// and that have not expired are written back: once, oldest first, unchanged.
func TestLostEntriesAreWrittenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		revoked := store.Entry{
			Kind: store.EntryVoid, Key: store.PrincipalToken(store.Digest{7}), By: "client:c",
			At: time.Now().UTC(), Until: time.Now().Add(time.Hour).UTC(),
		}
		over := revoked
		over.Key, over.Until = store.PrincipalToken(store.Digest{8}), time.Now().Add(time.Minute).UTC()
		superseded := void("twice")
		lost := []store.Entry{void("lost"), change("lost"), revoked, void("twice"), change("changed")}
		minted := appended(t, m, void("kept"))
		appended(t, m, superseded)
		tail := appended(t, m, append([]store.Entry{over}, lost...)...)
		f := loaded(t, options(m))
		time.Sleep(2 * time.Minute) // over has expired
		m.lose(2 + len(lost))
		_, err := f.Fresh(t.Context())
		wants(t, "after the loss", err)
		same(t, "the feed", m.all(), append([]store.Entry{m.all()[0]}, lost...))
		if !f.Position().After(tail) {
			t.Errorf("position %v, before the loss %v", f.Position(), tail)
		}
		for _, client := range []string{"lost", "twice"} {
			if !dead(f, client, minted) || !dead(f, client, tail) {
				t.Errorf("tokens of %s live again", client)
			}
		}
		if !f.Changed(store.PrincipalClient("changed"), tail) {
			t.Error("a record that may be cached counts as unchanged")
		}
		if dead(f, "other", minted) || dead(f, "lost", f.Position()) {
			t.Error("more is void than was lost")
		}
		if m.witnessed() != "run 1" {
			t.Error("the feed is whole again and has no witness")
		}
	})
}

// replacedStore is a store that another one takes the place of, without what was
// last appended, as soon as entries are written back.
type replacedStore struct {
	*memory
	times int
}

func (r *replacedStore) AppendFeed(ctx context.Context, entries ...store.Entry) (store.Position, error) {
	p, err := r.memory.AppendFeed(ctx, entries...)
	if r.times > 0 {
		r.times--
		r.lose(len(entries))
		r.mu.Lock()
		r.lineage.Current += " and then another"
		r.mu.Unlock()
	}
	return p, err
}

// TestStoreReplacedWhileWritingBack checks that what is written back to a store that
// is replaced meanwhile is written to the new one too, or that nothing is fresh.
func TestStoreReplacedWhileWritingBack(t *testing.T) {
	for _, tc := range []struct {
		times int
		fresh bool
	}{{1, true}, {3, true}, {100, false}} {
		synctest.Test(t, func(t *testing.T) {
			m := &replacedStore{memory: newMemory()}
			minted := appended(t, m.memory, void("kept"))
			appended(t, m.memory, void("lost"))
			o := options(m.memory)
			o.Store = m
			f := loaded(t, o)
			m.lose(1)
			time.Sleep(2 * o.MaxStaleness)
			m.times = tc.times
			_, err := f.Fresh(t.Context())
			if (err == nil) != tc.fresh {
				t.Fatalf("%d times: %v", tc.times, err)
			}
			if !dead(f, "lost", minted) {
				t.Errorf("%d times: a token lives again", tc.times)
			}
			if tc.fresh {
				if all := m.all(); all[len(all)-1].Key != store.PrincipalClient("lost") {
					t.Errorf("%d times: the store has %v", tc.times, all)
				}
			}
		})
	}
}

// TestReplicasDoNotRepeatEachOther checks that a replica does not write back what
// another one has written back already.
func TestReplicasDoNotRepeatEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		entries := []store.Entry{void("a"), void("b"), change("b"), change("c")}
		appended(t, m, entries...)
		first, second := loaded(t, options(m)), loaded(t, options(m))
		onlySecond := void("d")
		appended(t, m, onlySecond)
		time.Sleep(time.Second)
		_, err := second.Fresh(t.Context())
		wants(t, "before the loss", err)
		m.lose(5)
		for _, f := range []*Feed{first, second} {
			time.Sleep(time.Second)
			_, err := f.Fresh(t.Context())
			wants(t, "after the loss", err)
		}
		same(t, "the feed", m.all(), append(entries, onlySecond))
	})
}

// TestFollowerFindsTheLoss checks that the follower recovers without any request,
// even if the whole feed was lost.
func TestFollowerFindsTheLoss(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		f, stop := started(t, options(m))
		defer stop()
		appended(t, m, void("a"))
		synctest.Wait()
		if !dead(f, "a", store.Position{}) {
			t.Fatal("the follower did not apply an entry")
		}
		m.lose(2)
		time.Sleep(time.Second)
		synctest.Wait()
		if all := m.all(); len(all) != 2 || all[0].Key != store.PrincipalAll || all[1].Key != store.PrincipalClient("a") {
			t.Errorf("the feed: %+v", all)
		}
		if f.Age() > time.Second || f.lost.Load() {
			t.Errorf("not fresh: age %v", f.Age())
		}
	})
}

// TestRecoveryFails checks, for each step that can fail, that nothing is fresh
// until all steps are done, and that the next try does not write back more.
func TestRecoveryFails(t *testing.T) {
	for _, method := range []string{"FeedLineage", "AppendFeed", "WitnessFeed", "Restore"} {
		t.Run(method, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := newMemory()
				s := storetest.NewFaulty(m)
				o := options(s)
				broken, restored := errors.New("the store is foreign"), 0
				var fails error
				o.Restore = func(context.Context) error { restored++; return fails }
				appended(t, m, void("a"), void("b"))
				f := loaded(t, o)
				time.Sleep(time.Second)
				m.lose(1)
				if method == "Restore" {
					fails = broken
				} else {
					s.Fail(method, broken)
				}
				for range 3 {
					_, err := f.Fresh(t.Context())
					wants(t, "not recovered", err, ErrStale, broken)
				}
				wants(t, "an entry of this replica", f.Append(t.Context(), void("c")), broken)
				witnesses := s.Calls("WitnessFeed")
				if method == "Restore" && witnesses != 1 {
					t.Error("it vouched for a store that was not restored")
				}
				fails = nil
				time.Sleep(longestPause)
				if method != "Restore" {
					s.Heal(method)
				}
				_, err := f.Fresh(t.Context())
				wants(t, "recovered", err)
				if restored < 2 || !dead(f, "b", store.Position{}) {
					t.Errorf("restored %d times, b void: %v", restored, dead(f, "b", store.Position{}))
				}
				times := 0
				for _, e := range m.all() {
					if e.Key == store.PrincipalClient("b") {
						times++
					}
				}
				if times != 1 {
					t.Errorf("it was written back %d times", times)
				}
			})
		})
	}
}

// TestStart checks which replica vouches for the feed, and that everything is void
// if none does.
func TestStart(t *testing.T) {
	for _, row := range []struct {
		rule      string
		empty     bool
		witnessed string
		during    string // vouched for by another replica within a second of the start
		voids     bool
		waits     time.Duration
	}{
		{rule: "a new store", empty: true, voids: true},
		{rule: "the same incarnation", witnessed: "run 1"},
		{rule: "the same incarnation, but empty", empty: true, witnessed: "run 1", voids: true},
		{rule: "another incarnation without witness", witnessed: "run 0", voids: true, waits: witnessWait},
		{rule: "another incarnation, and a replica that lives", witnessed: "run 0", during: "run 1", waits: time.Second},
		{rule: "entries of a store that nobody vouched for", voids: true},
	} {
		t.Run(row.rule, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := newMemory()
				m.lineage.Witnessed = row.witnessed
				if !row.empty {
					appended(t, m, change("a"))
				}
				before := len(m.all())
				if row.during != "" {
					go func() {
						time.Sleep(time.Second - witnessPoll/2)
						_ = m.WitnessFeed(t.Context(), row.during)
					}()
				}
				begun := time.Now()
				f, stop := started(t, options(m))
				defer stop()
				if took := time.Since(begun); took != row.waits {
					t.Errorf("the start took %v, want %v", took, row.waits)
				}
				got := dead(f, "a", store.Position{Seq: m.last - 1}) || dead(f, "b", store.Position{})
				if got != row.voids || len(m.all())-before != map[bool]int{true: 1}[row.voids] {
					t.Errorf("everything is void: %v, want %v; entries %+v", got, row.voids, m.all())
				}
				if dead(f, "a", f.Position()) {
					t.Error("what is minted now is void")
				}
				if w := m.witnessed(); w != "run 1" {
					t.Errorf("vouched for %q", w)
				}
			})
		})
	}
}

// TestStartFails checks that Start reports a failure of each step.
func TestStartFails(t *testing.T) {
	for _, method := range []string{"FeedLineage", "ReadFeed", "AppendFeed", "WitnessFeed"} {
		s := storetest.NewFaulty(newMemory())
		s.Fail(method, store.ErrUnavailable)
		f := New(options(s))
		wants(t, method, f.Start(t.Context()), store.ErrUnavailable)
		f.Stop()
	}
}

// TestFollowerVouchesAgain checks that a replica vouches for a store that restarted
// with all its data, even if its first checks of the store fail.
func TestFollowerVouchesAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		s := storetest.NewFaulty(m)
		f, stop := started(t, options(s))
		defer stop()
		s.Fail(storetest.EveryMethod, store.ErrUnavailable)
		time.Sleep(3 * time.Second)
		_, err := f.Fresh(t.Context())
		wants(t, "while it is away", err, ErrStale)
		m.restart("run 2")
		s.Heal(storetest.EveryMethod)
		time.Sleep(time.Second)
		if w := m.witnessed(); w != "run 2" {
			t.Errorf("vouched for %q", w)
		}
		if len(m.all()) != 1 {
			t.Errorf("entries were added: %+v", m.all())
		}
		_, err = f.Fresh(t.Context())
		wants(t, "when it is back", err)
	})
}

// TestFollowerPausesAfterAFailure checks that a store which refuses each read at
// once, but nothing else, is not asked in a busy loop.
func TestFollowerPausesAfterAFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := storetest.NewFaulty(newMemory())
		_, stop := started(t, options(s))
		defer stop()
		s.Fail("ReadFeed", store.ErrUnavailable)
		before := s.Calls("ReadFeed")
		time.Sleep(10 * time.Second)
		if n := s.Calls("ReadFeed") - before; n < 9 || n > 15 {
			t.Errorf("%d reads in 10 s, want one each %v in the end", n, longestPause)
		}
	})
}

// TestRecoveryGoesOn checks that a recovery which fails on the way continues where
// it was, and that it takes as long as it needs.
func TestRecoveryGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		const pages = 5
		for i := range pages * store.FeedPage {
			m.entries = append(m.entries, at(uint64(i+1), void("a")))
		}
		m.last = uint64(len(m.entries))
		s := storetest.NewFaulty(m)
		reads := 0
		m.delay = func() {
			if reads++; reads == 3 {
				s.Fail("ReadFeed", store.ErrUnavailable)
			}
			time.Sleep(9 * time.Second)
		}
		f := New(options(s))
		wants(t, "the third page", f.recover(t.Context()), store.ErrUnavailable)
		s.Heal("ReadFeed")
		wants(t, "the rest", f.recover(t.Context()))
		if want := pages + 2; reads != want { // the empty page at the end, and the tail
			t.Errorf("%d reads, want %d", reads, want)
		}
		if f.Position().Seq != m.last {
			t.Errorf("position %v, want %d", f.Position(), m.last)
		}
	})
}

// TestRecoveryStartsAgain checks that what was read from one incarnation does not
// count for another one.
func TestRecoveryStartsAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		appended(t, m, void("a"), void("b"))
		s := storetest.NewFaulty(m)
		f := New(options(s))
		s.Fail("WitnessFeed", store.ErrUnavailable)
		wants(t, "no witness", f.recover(t.Context()), store.ErrUnavailable)
		m.entries = m.entries[1:] // an older file, in which something else is last
		m.restart("run 2")
		s.Heal("WitnessFeed")
		wants(t, "the other incarnation", f.recover(t.Context()))
		if dead(f, "a", store.Position{}) || !dead(f, "b", store.Position{}) {
			t.Error("the copy is not what the store holds")
		}
	})
}

// TestFailuresAreLoggedOnce checks how many lines a store costs that fails at once,
// for the follower and for requests, and that requests do not each begin a round.
func TestFailuresAreLoggedOnce(t *testing.T) {
	for _, method := range []string{"ReadFeed", "AppendFeed"} {
		synctest.Test(t, func(t *testing.T) {
			m := newMemory()
			s := storetest.NewFaulty(m)
			var out bytes.Buffer
			o := options(s)
			o.Log = slog.New(slog.NewTextHandler(&out, nil))
			f, stop := started(t, o)
			defer stop()
			appended(t, m, void("a"))
			time.Sleep(time.Second)
			synctest.Wait()
			out.Reset()
			s.Fail(method, store.ErrUnavailable)
			m.lose(1)
			before := s.Calls(method)
			for range 1000 {
				_, _ = f.Fresh(t.Context())
				time.Sleep(10 * time.Millisecond)
			}
			if n := s.Calls(method) - before; n > 60 {
				t.Errorf("%s: %d calls in 10 s", method, n)
			}
			synctest.Wait()
			if n := strings.Count(out.String(), "\n"); n == 0 || n > 4 {
				t.Errorf("%s: %d lines:\n%s", method, n, out.String())
			}
			s.Heal(method)
			time.Sleep(2 * time.Second)
			synctest.Wait()
			if !strings.Contains(out.String(), "feed: read again") || !strings.Contains(out.String(), "failures=") {
				t.Errorf("%s: no line says that it works again:\n%s", method, out.String())
			}
		})
	}
}

// TestClockSetBack checks that the feed is read again when the clock was wrong from
// the start and is corrected: what was dropped as expired is back.
func TestClockSetBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		appended(t, m, void("a"))
		o := options(m)
		var wrong atomic.Int64
		wrong.Store(int64(store.FeedRetention + time.Hour))
		o.Now = func() time.Time { return time.Now().Add(time.Duration(wrong.Load())) }
		m.lineage.Witnessed = m.lineage.Current
		f, stop := started(t, o)
		defer stop()
		time.Sleep(2 * pruneEvery)
		synctest.Wait()
		if dead(f, "a", store.Position{}) {
			t.Fatal("nothing was dropped")
		}
		wrong.Store(0)
		time.Sleep(time.Second)
		synctest.Wait()
		if _, err := f.Fresh(t.Context()); err != nil || !dead(f, "a", store.Position{}) {
			t.Errorf("the void is still forgotten: %v", err)
		}
	})
}

// TestOneRecoveryServesAllWhoWait checks that a recovery is not repeated for those
// who waited for it.
func TestOneRecoveryServesAllWhoWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := storetest.NewFaulty(newMemory())
		f := loaded(t, options(s))
		known, calls := f.recoveries.Load(), s.Calls("WitnessFeed")
		wants(t, "the first", f.recoverAfter(t.Context(), known))
		wants(t, "one that waited", f.recoverAfter(t.Context(), known))
		if n := s.Calls("WitnessFeed") - calls; n != 1 {
			t.Errorf("%d recoveries, want 1", n)
		}
		wants(t, "a later one", f.recover(t.Context()))
		if n := s.Calls("WitnessFeed") - calls; n != 2 {
			t.Errorf("%d recoveries, want 2", n)
		}
	})
}
