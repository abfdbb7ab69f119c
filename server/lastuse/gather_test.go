package lastuse

import (
	"encoding/binary"
	"fmt"
	"log/slog"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/grantd/grantd/server/audit"
	"github.com/grantd/grantd/store"
	"github.com/grantd/grantd/store/embedded"
	"github.com/grantd/grantd/store/storetest"
)

// gathering is a Recorder with a clock, and the events that it wrote.
type gathering struct {
	*Recorder
	store store.Audit
	clock *storetest.Clock
}

func newGathering(t *testing.T) *gathering {
	t.Helper()
	clock := storetest.NewClock()
	s, err := embedded.Open(embedded.Options{Path: filepath.Join(t.TempDir(), "data"), Now: clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	log := slog.New(slog.DiscardHandler)
	return &gathering{New(s, &audit.Log{Store: s, Now: clock.Now, Log: log}, clock.Now, log), s, clock}
}

// events returns the events, newest first, as lines.
func (g *gathering) events(t *testing.T) []string {
	t.Helper()
	events, err := g.store.ListAudit(t.Context(), "", 100_000)
	if err != nil {
		t.Fatal(err)
	}
	lines := make([]string, len(events))
	for i, e := range events {
		if !e.Traffic {
			t.Errorf("%s is among the operators' changes", e.Action)
		}
		lines[i] = fmt.Sprintf("%s %s %s %s %d", e.Action, e.Actor, e.Target, e.Outcome, e.Count)
	}
	return lines
}

func (g *gathering) wrote(t *testing.T, want ...string) {
	t.Helper()
	if got := g.events(t); strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("events:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// The first event after a quiet time is written at the next flush. Then events
// are gathered.
func TestRefusalsAreGathered(t *testing.T) {
	g := newGathering(t)
	g.RecordFailure("billing", "wrong_secret", from)
	g.Flush(t.Context())
	first := "client.authentication_refused anonymous client:billing invalid_client 1"
	g.wrote(t, first)
	for range 1000 {
		g.RecordFailure("billing", "wrong_secret", from)
		g.clock.Advance(250 * time.Millisecond)
		g.Flush(t.Context())
	}
	g.wrote(t, first)
	g.clock.Advance(gatherFor)
	g.Flush(t.Context())
	gathered := "client.authentication_refused anonymous client:billing invalid_client 1000"
	g.wrote(t, gathered, first)
	g.clock.Advance(gatherFor)
	g.Flush(t.Context())
	if len(g.refusals.sums) != 0 {
		t.Error("a client that has been quiet is still kept")
	}
	g.RecordFailure("billing", "wrong_secret", from)
	g.Flush(t.Context())
	g.wrote(t, first, gathered, first)
}

func TestRevocationsAreGathered(t *testing.T) {
	g := newGathering(t)
	g.RecordRevocation("billing", "done", "jti-1", from)
	g.Flush(t.Context())
	for i := range 1000 {
		g.RecordRevocation("billing", "done", fmt.Sprint("jti-", i), from)
	}
	g.RecordRevocation("billing", "temporarily_unavailable", "jti-x", from)
	g.Flush(t.Context())
	g.clock.Advance(gatherFor)
	g.Flush(t.Context())
	g.wrote(t,
		"token.revoke client:billing client:billing done 1000",
		"token.revoke client:billing token:jti-x temporarily_unavailable 1",
		"token.revoke client:billing token:jti-1 done 1")
}

// A token that ended itself was revoked by its holder, who may be no client.
func TestRevocationsByHolders(t *testing.T) {
	g := newGathering(t)
	g.RecordRevocation(store.PrincipalCustomer("10001"), "done", "jti-1", from)
	g.clock.Advance(time.Millisecond)
	g.RecordRevocation(store.PrincipalPartner("hurdlr"), "done", "jti-2", from)
	g.clock.Advance(time.Millisecond)
	g.RecordRevocation(store.PrincipalClient("billing"), "done", "jti-3", from)
	g.Flush(t.Context())
	g.wrote(t,
		"token.revoke client:billing token:jti-3 done 1",
		"token.revoke partner:hurdlr token:jti-2 done 1",
		"token.revoke customer:10001 token:jti-1 done 1")
}

func TestIssuesAreGathered(t *testing.T) {
	g := newGathering(t)
	for range 3 {
		for range 50 {
			g.RecordIssue("billing", "abcd1234", from)
			g.RecordPartnerIssue("hurdlr", "t0ken", "10001", from)
		}
		g.Flush(t.Context())
	}
	g.clock.Advance(gatherFor)
	g.Flush(t.Context())
	if got := g.events(t); len(got) != 4 {
		t.Errorf("%d events, want 2 of 50 and 2 of 100: %v", len(got), got)
	}
}

// An event says when the first was, and from about how many addresses.
func TestGatheredEventsSayFromWhereAndSinceWhen(t *testing.T) {
	g := newGathering(t)
	since := g.clock.Now()
	for i := range 100 {
		g.RecordFailure("billing", "wrong_secret", netip.AddrFrom4([4]byte{203, 0, 113, byte(i)}))
		g.RecordIssue("billing", "abcd1234", from)
	}
	g.clock.Advance(time.Second)
	g.Flush(t.Context())
	events, err := g.store.ListAudit(t.Context(), "", 10)
	if err != nil || len(events) != 2 {
		t.Fatalf("%v, %v", events, err)
	}
	for _, e := range events {
		if !e.Since.Equal(since) || !e.Time.After(since) {
			t.Errorf("%s: since %s, time %s", e.Action, e.Since, e.Time)
		}
		switch e.Action {
		case ActionAuthFailed:
			if e.Address != "203.0.113.99" || e.Addresses < 90 || e.Addresses > 110 {
				t.Errorf("refusals: the last address %s, about %d addresses", e.Address, e.Addresses)
			}
		case ActionIssue:
			if e.Address != "203.0.113.7" || e.Addresses != 0 {
				t.Errorf("issues: the last address %s, %d addresses", e.Address, e.Addresses)
			}
		}
	}
}

func TestAddressEstimates(t *testing.T) {
	for _, n := range []int{0, 1, 2, 10, 100, 300} {
		var s addressSet
		for i := range n {
			var b [16]byte
			binary.BigEndian.PutUint64(b[:], 0x20010db8<<32|uint64(i))
			s.add(netip.AddrFrom16(b))
			s.add(netip.AddrFrom16(b))
		}
		if got := int(s.estimate()); got < n*8/10 || got > n*12/10 {
			t.Errorf("%d addresses are estimated as %d", n, got)
		}
	}
}

func TestGatheredCredentialsAreBounded(t *testing.T) {
	g := newGathering(t)
	const more = 50
	for i := range maxGathered + more {
		g.RecordFailure(fmt.Sprint("client", i), "wrong_secret", from)
		g.RecordIssue(fmt.Sprint("client", i), "abcd1234", from)
	}
	g.Flush(t.Context())
	count := map[string]int{}
	for _, e := range g.events(t) {
		if strings.Contains(e, nameOthers) {
			count[e]++
		}
		count[""]++
	}
	if count[""] != 2*(maxGathered+1) ||
		count[fmt.Sprint("client.authentication_refused anonymous others invalid_client ", more)] != 1 ||
		count[fmt.Sprint("token.issue others others done ", more)] != 1 {
		t.Errorf("events: %v", count)
	}
}

// What is counted between two flushes is bounded too, and nothing is lost.
func TestCountingIsBounded(t *testing.T) {
	g := newGathering(t)
	for i := range maxCounted + 50 {
		g.RecordFailure(fmt.Sprint("client", i), "wrong_secret", from)
	}
	if n := len(g.refused); n != maxCounted+1 || g.refused[others].count != 50 {
		t.Errorf("%d counters, others %d", n, g.refused[others].count)
	}
}

func TestStopWritesWhatIsGathered(t *testing.T) {
	g := newGathering(t)
	g.Start()
	g.RecordFailure("billing", "wrong_secret", from)
	g.Flush(t.Context())
	for range 7 {
		g.RecordFailure("billing", "wrong_secret", from)
	}
	g.Flush(t.Context())
	g.Stop()
	g.wrote(t,
		"client.authentication_refused anonymous client:billing invalid_client 7",
		"client.authentication_refused anonymous client:billing invalid_client 1")
}

// A clock that is set back does not hold events up.
func TestGatheringSurvivesAClockThatIsSetBack(t *testing.T) {
	g := newGathering(t)
	g.RecordFailure("billing", "wrong_secret", from)
	g.Flush(t.Context())
	g.clock.Advance(-24 * time.Hour)
	g.RecordFailure("billing", "wrong_secret", from)
	g.Flush(t.Context())
	if got := g.events(t); len(got) != 2 {
		t.Errorf("%v", got)
	}
}
