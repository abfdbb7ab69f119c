package embedded

import (
	"fmt"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/grantd/grantd/store"
)

// A file of a grantd that had one stream has neither the second one nor counts.
// Its events are all there, and the bound holds.
func TestAuditOfAnOlderGrantd(t *testing.T) {
	folder := t.TempDir()
	s, err := Open(Options{Path: folder})
	if err != nil {
		t.Fatal(err)
	}
	add := func(from, to int, traffic bool) {
		t.Helper()
		for i := from; i < to; i++ {
			if err := s.AppendAudit(t.Context(), store.AuditEvent{Time: time.Now(), Action: "client.create", Target: fmt.Sprint(i), Traffic: traffic}); err != nil {
				t.Fatal(err)
			}
		}
	}
	list := func(before string) []store.AuditEvent {
		t.Helper()
		events, err := s.ListAudit(t.Context(), before, 1000)
		if err != nil {
			t.Fatal(err)
		}
		return events
	}
	add(0, 20, false)
	seventh := list("")[7].ID
	err = s.db.Update(func(tx *bbolt.Tx) error {
		for _, k := range [][]byte{keyAuditCount, keyAuditTrafficCount} {
			if err := meta(tx).Delete(k); err != nil {
				return err
			}
		}
		return tx.DeleteBucket(bucketAuditTraffic)
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if s, err = Open(Options{Path: folder, AuditMaxEvents: 10}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	if got := list(""); len(got) != 20 || got[0].Target != "19" {
		t.Fatalf("%d events of the older grantd", len(got))
	}
	if got := list(seventh); len(got) != 12 {
		t.Errorf("%d events before one that the older grantd listed", len(got))
	}
	add(20, 25, true)
	if got := list(""); len(got) != 25 || got[0].Target != "24" || got[5].Target != "19" {
		t.Errorf("%d events with traffic", len(got))
	}
	add(25, 26, false)
	got := list("")
	if len(got) != 10+5 || got[0].Target != "25" || got[14].Target != "11" {
		t.Errorf("%d events after a change", len(got))
	}
}
