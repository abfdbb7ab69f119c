package apikeys

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/grantd/grantd/store"
)

// longest makes the longest key that a client may make.
func longest(s *Spec) {
	s.Owner, s.Name, s.Scope = strings.Repeat("o", 128), strings.Repeat("é", maxName), "cards customers"
	for i := range maxRanges {
		s.SourceIPs = append(s.SourceIPs, fmt.Sprintf("2001:db8:aaaa:bbbb:cccc:dddd:eeee:%x", 0xf000+i))
	}
	var ids []string
	for i := range 15 {
		ids = append(ids, strings.Repeat("i", 126)+fmt.Sprint(10+i))
	}
	s.Resources = []store.Resource{{Type: "card", IDs: ids}}
}

// TestGrowth: what a client adds to the feed and the audit with each key is small,
// however long the key is.
func TestGrowth(t *testing.T) {
	w := newWorld(t)
	c := w.key(t, longest)
	if err := w.Revoke(t.Context(), operator, c.ID); err != nil {
		t.Fatal(err)
	}
	entries, err := w.store.ReadFeed(t.Context(), store.Position{}, 0)
	if err != nil {
		t.Fatal(err)
	}
	told, forms := 0, 0
	for _, e := range entries {
		if e.Key == store.PrincipalKey(c.ID) {
			told, forms = told+1, forms+len(e.Form)
		}
	}
	if told != 2 || forms > maxFeedForm {
		t.Errorf("%d entries with %d bytes", told, forms)
	}
	events, err := w.store.ListAudit(t.Context(), "", 10)
	if err != nil || len(events) != 2 {
		t.Fatalf("%d events, %v", len(events), err)
	}
	for _, e := range events {
		b, err := json.Marshal(e)
		if err != nil || len(b) > 4<<10 {
			t.Errorf("%s: %d bytes, %v", e.Action, len(b), err)
		}
		if !strings.Contains(string(e.After), `"source_ips":{"count":32,"first":["2001:`) || !strings.Contains(string(e.After), `"resources":{"card":15}`) {
			t.Errorf("%s: %s", e.Action, e.After)
		}
	}
}

// TestEndedKeyInTheFeed: what the feed says of a key that was revoked is enough for a
// store that came back older: the key stays revoked for everyone.
func TestEndedKeyInTheFeed(t *testing.T) {
	for _, edit := range []func(*Spec){nil, longest} {
		w := newWorld(t)
		c := w.key(t, edit)
		older, err := w.store.APIKeys().Get(t.Context(), c.ID)
		if err != nil {
			t.Fatal(err)
		}
		if e, known := w.feed.Record(store.PrincipalKey(c.ID)); !known || e.Version != older.Version || (e.Form == "") != (edit != nil) {
			t.Errorf("a key that works: known %v, %d bytes", known, len(e.Form))
		}
		w.clock.Advance(time.Minute)
		if err := w.Revoke(t.Context(), operator, c.ID); err != nil {
			t.Fatal(err)
		}
		e, _ := w.feed.Record(store.PrincipalKey(c.ID))
		k, err := store.APIKeyKind.Unmarshal([]byte(e.Form))
		if err != nil || k.Version != e.Version || e.Version <= older.Version || k.Live(w.clock.Now()) || k.Hash != older.Hash || k.OrgID != "acme" || k.Resources != nil {
			t.Errorf("the feed says %+v, %v", k, err)
		}
		if err := w.store.APIKeys().Restore(t.Context(), k, e.Version); err != nil {
			t.Fatal(err)
		}
		w.tell(t, store.PrincipalKey(c.ID))
		w.works(t, "written back", c.Key, false)
	}
}
