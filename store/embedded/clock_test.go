package embedded

import (
	"testing"
	"time"

	"github.com/grantd/grantd/store"
)

// TestClockJumpsForward checks that no token, entry of the feed or event of the
// audit is lost when the wall clock jumps by more than a day, which is also the
// retention of the audit here, and is corrected later.
func TestClockJumpsForward(t *testing.T) {
	begun := time.Now().Round(0)
	jump := time.Duration(0)
	s, err := Open(Options{
		Path: t.TempDir(), Now: func() time.Time { return begun.Add(jump) }, Elapsed: func() time.Duration { return 0 },
		AuditRetention: store.FeedRetention,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer closeStore(t, s)
	entry := func() {
		t.Helper()
		for _, traffic := range []bool{false, true} {
			if err := s.AppendAudit(t.Context(), store.AuditEvent{Time: begun, Action: "client.create", Traffic: traffic}); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := s.AppendFeed(t.Context(), store.Entry{Kind: store.EntryVoid, Key: store.PrincipalAll, At: begun}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.PutToken(t.Context(), testDigest(1), testToken(begun, time.Hour)); err != nil {
		t.Fatal(err)
	}
	entry()
	entry()
	jump = store.FeedRetention + time.Hour
	entry()
	entry()
	jump = 0
	if _, err := s.GetToken(t.Context(), testDigest(1)); err != nil {
		t.Errorf("the token: %v", err)
	}
	entries, err := s.ReadFeed(t.Context(), store.Position{}, 0)
	if err != nil || len(entries) != 4 {
		t.Errorf("%d entries, %v, want 4", len(entries), err)
	}
	events, err := s.ListAudit(t.Context(), "", 100)
	if err != nil || len(events) != 8 {
		t.Errorf("%d events of the audit, %v, want 8", len(events), err)
	}
}
