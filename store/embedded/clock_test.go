package embedded

import (
	"testing"
	"time"

	"github.com/grantd/grantd/store"
)

// TestClockJumpsForward checks that neither a token nor an entry of the feed is
// lost when the wall clock jumps by more than a day and is corrected later.
func TestClockJumpsForward(t *testing.T) {
	begun := time.Now().Round(0)
	jump := time.Duration(0)
	s, err := Open(Options{
		Path: t.TempDir(), Now: func() time.Time { return begun.Add(jump) }, Elapsed: func() time.Duration { return 0 },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer closeStore(t, s)
	entry := func() {
		t.Helper()
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
}
