package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/grantd/grantd/store"
)

func feedChecks() []check {
	return []check{
		{"EmptyFeedReturnsNone", feedEmpty},
		{"EntriesComeBackWholeAndInOrder", feedWhole},
		{"ReadStartsAfterThePosition", feedAfter},
		{"PositionFieldOfAnEntryIsIgnored", feedIgnoresPosition},
		{"PageLimit", feedPage},
		{"AppendsAtOnceKeepEachOrder", feedAppendsAtOnce},
		{"PositionsGrowOverReopening", feedReopen},
		{"LostPositions", feedLost},
		{"KeepsEntriesForTheirRetention", feedKeeps},
		{"TrimsOldEntries", feedTrims},
		{"NeverTrimsTheNewest", feedNewest},
		{"TrimmingLeavesNoReaderBehind", feedReaderStays},
		{"TrimsByAgeInTheStore", feedOldClock},
		{"Lineage", feedLineage},
	}
}

// read returns the entries after a position, without waiting.
func read(t *testing.T, s store.Store, after store.Position) []store.Entry {
	t.Helper()
	return must[[]store.Entry](t)(s.ReadFeed(within(t), after, 0))
}

func appended(t *testing.T, s store.Store, entries ...store.Entry) store.Position {
	t.Helper()
	return must[store.Position](t)(s.AppendFeed(within(t), entries...))
}

// sameEntries compares the entries without their positions, which must grow.
func sameEntries(t *testing.T, got, want []store.Entry) {
	t.Helper()
	if d := cmp.Diff(want, got, cmpopts.IgnoreFields(store.Entry{}, "Position"), cmpopts.EquateEmpty()); d != "" {
		t.Fatalf("entries (-want +got):\n%s", d)
	}
	last := store.Position{}
	for _, e := range got {
		if !e.Position.After(last) {
			t.Fatalf("position %v comes after %v", e.Position, last)
		}
		last = e.Position
	}
}

func feedEmpty(t *testing.T, o Opened) {
	sameEntries(t, read(t, o.Store, store.Position{}), nil)
}

func feedWhole(t *testing.T, o Opened) {
	now := o.Now().UTC().Truncate(time.Millisecond)
	want := []store.Entry{
		{Kind: store.EntryVoid, Key: store.PrincipalAll, By: "uid:0", At: now},
		{Kind: store.EntryChange, Key: store.PrincipalClient(idAlphabet), By: "client:x", At: now.Add(-time.Second)},
		{Kind: store.EntryVoid, Key: store.PrincipalToken(digest("a")), At: now, Until: now.Add(time.Hour)},
		{Kind: store.EntryVoid, Key: store.PrincipalGrant("a/b"), By: "system", At: now.Add(time.Minute)},
		{Kind: store.EntryChange, Key: store.PrincipalOrg("acme"), By: "uid:0", At: now, Version: 1 << 50, Form: `{"v":1,"id":"acme","name":"\u003cAcme\u003e"}`},
		{Kind: store.EntryVoid, Key: store.PrincipalOrg("acme"), By: "uid:0", At: now, Version: 1<<50 + 1, Gone: true},
	}
	last := appended(t, o.Store, want...)
	got := read(t, o.Store, store.Position{})
	sameEntries(t, got, want)
	same(t, "position of the last", got[len(got)-1].Position, last)
}

func feedAfter(t *testing.T, o Opened) {
	want := voids(o.Now(), 5)
	appended(t, o.Store, want[:2]...)
	appended(t, o.Store, want[2:]...)
	for i, e := range read(t, o.Store, store.Position{}) {
		sameEntries(t, read(t, o.Store, e.Position), want[i+1:])
	}
}

func feedIgnoresPosition(t *testing.T, o Opened) {
	first := appended(t, o.Store, void(o.Now(), "a"))
	e := void(o.Now(), "b")
	e.Position = store.Position{Time: 1, Seq: 1}
	if second := appended(t, o.Store, e); !second.After(first) {
		t.Fatalf("position %v after %v", second, first)
	}
}

func feedPage(t *testing.T, o Opened) {
	want := voids(o.Now(), store.FeedPage+5)
	appended(t, o.Store, want[:3]...)
	last := appended(t, o.Store, want[3:]...)
	page := read(t, o.Store, store.Position{})
	sameEntries(t, page, want[:store.FeedPage])
	page = read(t, o.Store, page[len(page)-1].Position)
	sameEntries(t, page, want[store.FeedPage:])
	same(t, "last position", page[len(page)-1].Position, last)
	sameEntries(t, read(t, o.Store, last), nil)
}

func feedAppendsAtOnce(t *testing.T, o Opened) {
	const writers, each = 20, 5
	ctx := within(t)
	concurrently(writers, func(i int) {
		for j := range each {
			if _, err := o.Store.AppendFeed(ctx, void(o.Now(), fmt.Sprintf("%d-%d", i, j))); err != nil {
				t.Error(err)
			}
		}
	})
	got := read(t, o.Store, store.Position{})
	sameEntries(t, got, got) // positions grow
	same(t, "entries", len(got), writers*each)
	next := make([]int, writers)
	for _, e := range got {
		var i, j int
		if _, err := fmt.Sscanf(e.Key, "client:%d-%d", &i, &j); err != nil || next[i] != j {
			t.Fatalf("entry %q of a writer whose next was %d", e.Key, next[i])
		}
		next[i]++
	}
}

func feedReopen(t *testing.T, o Opened) {
	want := voids(o.Now(), 3)
	first := appended(t, o.Store, want[:2]...)
	s := o.Reopen()
	sameEntries(t, read(t, s, store.Position{}), want[:2])
	if second := appended(t, s, want[2]); !second.After(first) {
		t.Fatalf("position %v after %v", second, first)
	}
	sameEntries(t, read(t, s, first), want[2:])
}

func feedLost(t *testing.T, o Opened) {
	lost := func(rule string, p store.Position) {
		t.Helper()
		for _, wait := range []time.Duration{0, patience} {
			_, err := o.Store.ReadFeed(within(t), p, wait)
			wants(t, rule, err, store.ErrFeedLost)
		}
	}
	lost("an empty feed", store.Position{Seq: 1})
	lost("an empty feed", store.Position{Time: 1753488000123})
	p := appended(t, o.Store, voids(o.Now(), 3)...)
	lost("after the newest", store.Position{Time: p.Time, Seq: p.Seq + 1})
	lost("long after the newest", store.Position{Time: p.Time + 1, Seq: p.Seq})
	lost("before the oldest", store.Position{Time: 1})
	sameEntries(t, read(t, o.Store, p), nil)
}

func feedKeeps(t *testing.T, o Opened) {
	want := voids(o.Now(), 2)
	first := appended(t, o.Store, want[0])
	o.Advance(store.FeedRetention - time.Minute)
	appended(t, o.Store, want[1])
	sameEntries(t, read(t, o.Store, store.Position{}), want)
	sameEntries(t, read(t, o.Store, first), want[1:])
}

func feedTrims(t *testing.T, o Opened) {
	old := voids(o.Now(), 3*trimSlack)
	appended(t, o.Store, old...)
	oldest := read(t, o.Store, store.Position{})[0].Position
	o.Advance(store.FeedRetention + time.Minute)
	newest := void(o.Now(), "newest")
	appended(t, o.Store, newest)
	got := read(t, o.Store, store.Position{})
	if len(got) > trimSlack+1 {
		t.Fatalf("%d entries are kept beyond their retention", len(got)-1)
	}
	sameEntries(t, got[len(got)-1:], []store.Entry{newest})
	_, err := o.Store.ReadFeed(within(t), oldest, 0)
	wants(t, "a trimmed position", err, store.ErrFeedLost)
}

func feedNewest(t *testing.T, o Opened) {
	newest := appended(t, o.Store, voids(o.Now(), 2)...)
	o.Advance(3 * store.FeedRetention)
	sameEntries(t, read(t, o.Store, newest), nil)
	s := o.Reopen()
	sameEntries(t, read(t, s, newest), nil)
	next := appended(t, s, void(o.Now(), "next"))
	if !next.After(newest) {
		t.Fatalf("position %v after %v", next, newest)
	}
	sameEntries(t, read(t, s, next), nil)
}

// feedReaderStays: after a quiet day, every reader is at an entry older than the
// retention. An append must not remove that entry before readers can move on:
// ErrFeedLost would stop every replica. So an entry may be removed only once its
// successor is older than the retention too.
func feedReaderStays(t *testing.T, o Opened) {
	want := voids(o.Now(), 3)
	reader := appended(t, o.Store, want[0])
	o.Advance(3 * store.FeedRetention)
	appended(t, o.Store, want[1])
	sameEntries(t, read(t, o.Store, reader), want[1:2])
	appended(t, o.Store, want[2])
	sameEntries(t, read(t, o.Store, reader), want[1:])
}

// feedOldClock: At may be old, because a replica's clock is wrong or because the
// entry is written back after a loss. The retention starts when the entry is
// appended.
func feedOldClock(t *testing.T, o Opened) {
	want := voids(o.Now().Add(-10*store.FeedRetention), 2)
	appended(t, o.Store, want[0])
	appended(t, o.Store, want[1])
	sameEntries(t, read(t, o.Store, store.Position{}), want)
}

func feedLineage(t *testing.T, o Opened) {
	l := must[store.Lineage](t)(o.Store.FeedLineage(within(t)))
	if l.Current == "" || l.Witnessed != "" {
		t.Fatalf("a new store's lineage: %+v, want one without a witness", l)
	}
	ok(t, o.Store.WitnessFeed(within(t), l.Current))
	same(t, "witnessed", must[store.Lineage](t)(o.Store.FeedLineage(within(t))),
		store.Lineage{Current: l.Current, Witnessed: l.Current})
	s := o.Reopen()
	same(t, "after reopening", must[store.Lineage](t)(s.FeedLineage(within(t))).Witnessed, l.Current)
	ok(t, s.WitnessFeed(within(t), "another"))
	same(t, "the last witness", must[store.Lineage](t)(s.FeedLineage(within(t))).Witnessed, "another")
}
