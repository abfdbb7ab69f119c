package storetest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/grantd/grantd/store"
)

func auditChecks() []check {
	return []check{
		{"EventsComeBackWhole", auditWhole},
		{"LargeEvent", auditLarge},
		{"NewestFirstInPages", auditPages},
		{"AppendsDuringPagingDoNotShiftIt", auditStable},
		{"UnknownIDReturnsNone", auditUnknown},
		{"AppendsAtOnceAreAllThere", auditAtOnce},
		{"KeepsEventsForTheirRetention", auditKeeps},
		{"TrimsOldEvents", auditTrims},
		{"EventsOutliveReopening", auditReopen},
		{"PagesOverBothStreams", auditBoth},
		{"PagingContinuesAfterAnEventThatIsGone", auditGone},
		{"KeepsSoManyEvents", auditBounded},
		{"TrafficPushesOutNoChange", auditTrafficAlone},
		{"ChangesPushOutNoTraffic", auditChangesAlone},
	}
}

func listAudit(t *testing.T, s store.Store, before string, limit int) []store.AuditEvent {
	t.Helper()
	return must[[]store.AuditEvent](t)(s.ListAudit(within(t), before, limit))
}

// sameEvents compares the events without their ids, which must be set and
// unique.
func sameEvents(t *testing.T, got, want []store.AuditEvent) {
	t.Helper()
	if d := cmp.Diff(want, got, cmpopts.IgnoreFields(store.AuditEvent{}, "ID"), cmpopts.EquateEmpty()); d != "" {
		t.Fatalf("events (-want +got):\n%s", d)
	}
	seen := map[string]bool{"": true}
	for _, e := range got {
		if seen[e.ID] {
			t.Fatalf("id %q is empty or repeated", e.ID)
		}
		seen[e.ID] = true
	}
}

// events returns n events, oldest first.
func events(now time.Time, n int) []store.AuditEvent {
	list := make([]store.AuditEvent, n)
	for i := range list {
		list[i] = event(now, fmt.Sprintf("client:c%04d", i))
	}
	return list
}

func newestFirst(list []store.AuditEvent) []store.AuditEvent {
	list = slices.Clone(list)
	slices.Reverse(list)
	return list
}

func auditWhole(t *testing.T, o Opened) {
	sameEvents(t, listAudit(t, o.Store, "", 10), nil)
	full := event(o.Now(), "client:a")
	full.Address, full.RequestID, full.Count, full.Outcome = "192.0.2.1", "req-1", 7, "conflict"
	full.Before, full.After = json.RawMessage(`{"name":"a"}`), json.RawMessage(`{"name":"b"}`)
	given := event(o.Now(), "client:id")
	given.ID = "17"
	want := []store.AuditEvent{event(o.Now(), "client:plain"), full, given}
	ok(t, o.Store.AppendAudit(within(t), want...))
	sameEvents(t, listAudit(t, o.Store, "", 10), newestFirst(want))
}

func auditLarge(t *testing.T, o Opened) {
	large := event(o.Now(), "client:large")
	large.After = json.RawMessage(`"` + strings.Repeat("x", 256<<10) + `"`)
	ok(t, o.Store.AppendAudit(within(t), large, event(o.Now(), "client:a")))
	got := listAudit(t, o.Store, "", 10)
	if len(got) != 2 || !bytes.Equal(got[1].After, large.After) {
		t.Fatalf("%d events, or the large one differs", len(got))
	}
}

func auditPages(t *testing.T, o Opened) {
	want := events(o.Now(), 25)
	ok(t, o.Store.AppendAudit(within(t), want[:10]...))
	ok(t, o.Store.AppendAudit(within(t), want[10:]...))
	for _, limit := range []int{1, 7, 25, 26} {
		var got []store.AuditEvent
		before := ""
		for {
			page := listAudit(t, o.Store, before, limit)
			got = append(got, page...)
			if len(page) < limit {
				break
			}
			before = page[len(page)-1].ID
		}
		sameEvents(t, got, newestFirst(want))
	}
}

func auditStable(t *testing.T, o Opened) {
	want := events(o.Now(), 6)
	ok(t, o.Store.AppendAudit(within(t), want[:4]...))
	page := listAudit(t, o.Store, "", 2)
	ok(t, o.Store.AppendAudit(within(t), want[4:]...))
	sameEvents(t, listAudit(t, o.Store, page[1].ID, 10), newestFirst(want[:2]))
}

func auditUnknown(t *testing.T, o Opened) {
	ok(t, o.Store.AppendAudit(within(t), events(o.Now(), 2)...))
	for _, id := range []string{"x", "-", "-1", "1x", "a-b", "+", "(1", "0x10", strings.Repeat("9", 40)} {
		sameEvents(t, listAudit(t, o.Store, id, 10), nil)
	}
}

func auditAtOnce(t *testing.T, o Opened) {
	const writers, each = 20, 3
	ctx := within(t)
	concurrently(writers, func(i int) {
		if err := o.Store.AppendAudit(ctx, events(o.Now(), each)...); err != nil {
			t.Error(err)
		}
	})
	got := listAudit(t, o.Store, "", writers*each+1)
	sameEvents(t, got, got) // ids differ
	same(t, "events", len(got), writers*each)
}

func auditKeeps(t *testing.T, o Opened) {
	want := events(o.Now(), 2)
	ok(t, o.Store.AppendAudit(within(t), want[0]))
	o.Advance(AuditRetention - time.Hour)
	ok(t, o.Store.AppendAudit(within(t), want[1]))
	sameEvents(t, listAudit(t, o.Store, "", 10), newestFirst(want))
}

func auditTrims(t *testing.T, o Opened) {
	ok(t, o.Store.AppendAudit(within(t), events(o.Now(), 3*trimSlack)...))
	o.Advance(AuditRetention + time.Hour)
	newest := event(o.Now(), "client:newest")
	ok(t, o.Store.AppendAudit(within(t), newest))
	got := listAudit(t, o.Store, "", 4*trimSlack)
	if len(got) > trimSlack+1 {
		t.Fatalf("%d events are kept beyond their retention", len(got)-1)
	}
	sameEvents(t, got[:1], []store.AuditEvent{newest})
}

func auditReopen(t *testing.T, o Opened) {
	want := events(o.Now(), 3)
	ok(t, o.Store.AppendAudit(within(t), want[:2]...))
	page := listAudit(t, o.Store, "", 1)
	s := o.Reopen()
	ok(t, s.AppendAudit(within(t), want[2]))
	sameEvents(t, listAudit(t, s, "", 10), newestFirst(want))
	sameEvents(t, listAudit(t, s, page[0].ID, 10), newestFirst(want[:1]))
}

// mixed returns n events, oldest first; every third is a change.
func mixed(now time.Time, n int) []store.AuditEvent {
	list := events(now, n)
	for i := range list {
		list[i].Traffic = i%3 != 0
	}
	return list
}

// ofStream returns the events of one stream.
func ofStream(list []store.AuditEvent, traffic bool) []store.AuditEvent {
	changes, others := store.SplitAudit(list)
	if traffic {
		return others
	}
	return changes
}

func auditBoth(t *testing.T, o Opened) {
	want := mixed(o.Now(), 40)
	ok(t, o.Store.AppendAudit(within(t), want[:10]...))
	for i := range want[10:] {
		ok(t, o.Store.AppendAudit(within(t), want[10+i]))
	}
	all := listAudit(t, o.Store, "", 100)
	for _, traffic := range []bool{false, true} {
		sameEvents(t, ofStream(all, traffic), newestFirst(ofStream(want, traffic)))
	}
	for _, limit := range []int{1, 2, 7, 40, 41} {
		var got []store.AuditEvent
		before := ""
		for {
			page := listAudit(t, o.Store, before, limit)
			got = append(got, page...)
			if len(page) < limit {
				break
			}
			before = page[len(page)-1].ID
		}
		if d := cmp.Diff(all, got); d != "" {
			t.Fatalf("pages of %d (-want +got):\n%s", limit, d)
		}
	}
	for i, e := range all { // from every event, of either stream
		if d := cmp.Diff(all[i+1:], listAudit(t, o.Store, e.ID, 100), cmpopts.EquateEmpty()); d != "" {
			t.Fatalf("before event %d (-want +got):\n%s", i, d)
		}
	}
}

// appendMany appends n events to one stream.
func appendMany(t *testing.T, o Opened, n int, traffic bool) {
	t.Helper()
	list := events(o.Now(), n)
	for i := range list {
		list[i].Traffic = traffic
	}
	for chunk := range slices.Chunk(list, 100) {
		ok(t, o.Store.AppendAudit(within(t), chunk...))
	}
}

func auditGone(t *testing.T, o Opened) {
	change := event(o.Now(), "client:changed")
	ok(t, o.Store.AppendAudit(within(t), change))
	gone := event(o.Now(), "client:gone")
	gone.Traffic = true
	ok(t, o.Store.AppendAudit(within(t), gone))
	page := listAudit(t, o.Store, "", 1)
	sameEvents(t, page, []store.AuditEvent{gone})
	appendMany(t, o, AuditMaxEvents+2*trimSlack, true)
	sameEvents(t, listAudit(t, o.Store, page[0].ID, 10), []store.AuditEvent{change})
}

func auditBounded(t *testing.T, o Opened) {
	for _, traffic := range []bool{false, true} {
		const more = 2*trimSlack + 50
		appendMany(t, o, AuditMaxEvents+more, traffic)
		got := ofStream(listAudit(t, o.Store, "", 5*AuditMaxEvents), traffic)
		if len(got) < AuditMaxEvents || len(got) > AuditMaxEvents+trimSlack {
			t.Fatalf("traffic %v: %d events are kept, want about %d", traffic, len(got), AuditMaxEvents)
		}
		same(t, "the newest", got[0].Target, fmt.Sprintf("client:c%04d", AuditMaxEvents+more-1))
	}
}

func auditTrafficAlone(t *testing.T, o Opened) { auditAlone(t, o, false) }
func auditChangesAlone(t *testing.T, o Opened) { auditAlone(t, o, true) }

func auditAlone(t *testing.T, o Opened, traffic bool) {
	kept := event(o.Now(), "client:kept")
	kept.Traffic = traffic
	ok(t, o.Store.AppendAudit(within(t), kept))
	appendMany(t, o, AuditMaxEvents+2*trimSlack, !traffic)
	got := listAudit(t, o.Store, "", 5*AuditMaxEvents)
	sameEvents(t, ofStream(got, traffic), []store.AuditEvent{kept})
	sameEvents(t, got[len(got)-1:], []store.AuditEvent{kept})
}
