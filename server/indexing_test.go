package server

import (
	"context"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/grantd/grantd/config"
	"github.com/grantd/grantd/server/tokens"
	"github.com/grantd/grantd/store"
	"github.com/grantd/grantd/store/embedded"
	"github.com/grantd/grantd/store/storetest"
)

// TestIndexingTriesAgain: the index of groups is completed at the start, again while
// that fails, and after the store was replaced; never after Stop.
func TestIndexingTriesAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, err := embedded.Open(embedded.Options{Path: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { e.Close() })
		f := storetest.NewFaulty(e)
		s := &Server{
			cfg: config.Defaults(), log: slog.New(slog.DiscardHandler), now: time.Now, store: f,
			keys: tokens.NewKeyring("gt_"), replaced: make(chan struct{}, 1),
		}
		s.life, s.end = context.WithCancel(t.Context())
		called := func(when string, want int) {
			t.Helper()
			synctest.Wait()
			if n := f.Calls("IndexGroups"); n != want {
				t.Errorf("%s: %d passes, want %d", when, n, want)
			}
		}
		f.Fail("IndexGroups", store.ErrUnavailable)
		s.startIndexing()
		called("at the start", 1)
		time.Sleep(indexAgain)
		called("after a failure", 2)
		f.Heal("IndexGroups")
		time.Sleep(indexAgain)
		called("after another failure", 3)
		time.Sleep(time.Hour)
		called("after a success", 3)
		for range 3 {
			if err := s.restoreAgain(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		if n := f.Calls("IndexGroups"); n < 4 {
			t.Errorf("after the store was replaced: %d passes, want a fourth", n)
		}
		before := f.Calls("IndexGroups")
		if err := s.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		called("after Stop", before)
	})
}
