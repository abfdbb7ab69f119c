package lastuse

import (
	"errors"
	"log/slog"
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	"github.com/grantd/grantd/server/audit"
	"github.com/grantd/grantd/store"
	"github.com/grantd/grantd/store/embedded"
	"github.com/grantd/grantd/store/storetest"
)

func recorder(t *testing.T) (*Recorder, *storetest.Faulty) {
	t.Helper()
	s, err := embedded.Open(embedded.Options{Path: filepath.Join(t.TempDir(), "data")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	if err := s.Clients().Create(t.Context(), store.Client{ID: "billing"}); err != nil {
		t.Fatal(err)
	}
	f := storetest.NewFaulty(s)
	log := slog.New(slog.DiscardHandler)
	a := &audit.Log{Store: f, Now: time.Now, Log: log}
	return New(f, a, time.Now, log), f
}

var from = netip.MustParseAddr("::ffff:203.0.113.7")

func TestFlushSumsUses(t *testing.T) {
	r, s := recorder(t)
	for range 3 {
		r.RecordUse("billing", "abcd1234", from)
		r.RecordIssue("billing", "abcd1234", from)
	}
	r.RecordFailure("billing", "wrong_secret", from)
	r.RecordFailure("", "wrong_secret", from) // of no client: no event
	r.Flush(t.Context())
	uses, err := s.ListUses(t.Context(), "client:billing")
	if err != nil || uses["abcd1234"].Count != 3 || uses["abcd1234"].LastIP != "203.0.113.7" {
		t.Errorf("uses %v, %v", uses, err)
	}
	events, err := s.ListAudit(t.Context(), "", 10)
	if err != nil || len(events) != 2 {
		t.Fatalf("events %v, %v", events, err)
	}
	counts := map[string]int64{}
	for _, e := range events {
		counts[e.Action+" "+e.Target+" "+e.Outcome] = e.Count
	}
	if counts["token.issue secret:billing/abcd1234 done"] != 3 || counts["client.authentication_refused client:billing invalid_client"] != 1 {
		t.Errorf("counts %v", counts)
	}
}

func TestUsesSurviveAStoreThatIsDown(t *testing.T) {
	r, s := recorder(t)
	s.Fail("AddUses", errors.Join(errors.New("down"), store.ErrUnavailable))
	r.RecordUse("billing", "abcd1234", from)
	r.Flush(t.Context())
	r.RecordUse("billing", "abcd1234", from)
	s.Heal("AddUses")
	r.Flush(t.Context())
	uses, err := s.ListUses(t.Context(), "client:billing")
	if err != nil || uses["abcd1234"].Count != 2 {
		t.Errorf("uses %v, %v; want 2 of them", uses, err)
	}
}

func TestGatheringIsBounded(t *testing.T) {
	r, _ := recorder(t)
	for i := range maxCounted + 10 {
		r.RecordUse("billing", string(rune('a'+i%26))+time.Duration(i).String(), from)
	}
	if len(r.used) > maxCounted {
		t.Errorf("%d things gathered, more than %d", len(r.used), maxCounted)
	}
}

func TestStopWritesWhatIsLeft(t *testing.T) {
	r, s := recorder(t)
	r.Start()
	r.RecordUse("billing", "abcd1234", from)
	r.Stop()
	if uses, err := s.ListUses(t.Context(), "client:billing"); err != nil || uses["abcd1234"].Count != 1 {
		t.Errorf("uses %v, %v", uses, err)
	}
}
