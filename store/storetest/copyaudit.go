package storetest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/grantd/grantd/store"
)

// traffic returns the event as one of traffic.
func traffic(e store.AuditEvent) store.AuditEvent {
	e.Traffic = true
	return e
}

func copyAudit(t *testing.T, o Opened) {
	const n = 30
	for i, e := range events(o.Now(), n) {
		e.Traffic = i%3 == 1 || i > 20
		ok(t, o.Store.AppendAudit(within(t), e))
	}
	want := listAudit(t, o.Store, "", n)
	slices.Reverse(want)
	for i := range want {
		want[i].ID = ""
	}
	for _, limit := range []int{2, 7, n, n + 1} {
		var got []store.AuditEvent
		for _, i := range dump(t, o.Store, store.SectionAudit, limit) {
			e := must[store.AuditEvent](t)(store.UnmarshalAudit(i.Form))
			e.Traffic = i.Section == store.SectionAuditTraffic
			got = append(got, e)
		}
		same(t, fmt.Sprintf("events in pages of %d", limit), got, want)
	}
	items := dump(t, o.Store, store.SectionAudit, n)
	ok(t, o.Store.Clear(within(t)))
	ok(t, o.Store.Load(within(t), items[:11]...))
	ok(t, o.Store.Load(within(t), items[11:]...))
	sameEvents(t, listAudit(t, o.Store, "", n+1), newestFirst(want))
	later := event(o.Now(), "client:later")
	ok(t, o.Store.AppendAudit(within(t), later))
	sameEvents(t, listAudit(t, o.Store, "", 1), []store.AuditEvent{later})
}

func copyAuditAge(t *testing.T, o Opened) {
	ok(t, o.Store.AppendAudit(within(t), events(o.Now(), 2*trimSlack)...))
	items := dump(t, o.Store, store.SectionAudit, 1000)
	ok(t, o.Store.Clear(within(t)))
	o.Advance(AuditRetention / 2)
	ok(t, o.Store.Load(within(t), items...))
	same(t, "events that were loaded", len(listAudit(t, o.Store, "", 1000)), 2*trimSlack)
	for i := range items {
		p := must[store.Position](t)(store.ParsePosition(items[i].Key))
		if at := time.UnixMilli(int64(p.Time)); at.Before(o.Now().Add(-AuditRetention)) || at.After(o.Now()) {
			t.Fatalf("the event %s is from %s", items[i].Key, at)
		}
	}
}
