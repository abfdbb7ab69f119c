package stream

import (
	"context"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/grantd/grantd/store"
	"github.com/grantd/grantd/tests/poll"
)

// TestStuckReaderEnds: a credential that has ended ends the stream although a write to
// the reader waits.
func TestStuckReaderEnds(t *testing.T) {
	w := newWorld(t)
	s := w.read(make(chan struct{}))
	w.standing.Store(&Standing{})
	w.append(store.EntryChange, "client:rs")
	s.awaitEnd(EndCredential)
}

// TestFirstResetIsTheNewest: what is published between the request and the first event
// does not come after a reset that is later.
func TestFirstResetIsTheNewest(t *testing.T) {
	w := newWorld(t)
	for _, lastID := range []string{"unknown", ""} {
		var ids []string
		if lastID != "" {
			ids = append(ids, lastID)
		}
		r, err := w.open(Caller{Client: &store.Client{ID: "rs"}, Method: "basic"}, netip.MustParseAddr("192.0.2.1"), w.clock(), ids)
		if err != nil {
			t.Fatal(err)
		}
		key := "client:" + lastID
		w.append(store.EntryVoid, key)
		poll.AwaitTrue(t, poll.Patience, "it is published", func() bool { return w.recent.Load().at == w.feed.Position() })
		s := &sink{t: t, finished: make(chan struct{}), ended: make(chan End, 1), changed: make(chan struct{}, 1)}
		ctx, cancel := context.WithCancel(t.Context())
		go func() { why := r.serve(ctx, s); w.close(r, why); s.ended <- why }()
		s.await("event: fresh")
		cancel()
		s.awaitEnd(EndLeft)
		_, rest, _ := strings.Cut(s.String(), "\n\n")
		first, _, _ := strings.Cut(rest, "\ndata")
		want := "event: void\nid: "
		if lastID != "" {
			want = "event: reset\nid: "
		}
		if want += string(w.keys.AppendPosition(nil, w.feed.Position())); first != want || strings.Contains(rest, w.key(key)) != (lastID == "") {
			t.Errorf("Last-Event-ID %q: first %q, want %q; all: %s", lastID, first, want, rest)
		}
	}
}

// TestRoomOfChunks: a reader that lacked much once keeps no room for that.
func TestRoomOfChunks(t *testing.T) {
	if got := emptied(make([][]byte, 5, mostChunks)); len(got) != 0 || cap(got) != mostChunks {
		t.Errorf("%d of %d", len(got), cap(got))
	}
	if got := emptied(make([][]byte, maxRecent)); cap(got) > 0 {
		t.Errorf("room for %d is kept", cap(got))
	}
}

// TestReadersOpenAndOpen: new streams do not make the Hub write to the others more often
// than it may.
func TestReadersOpenAndOpen(t *testing.T) {
	w := newWorld(t)
	s := w.read(nil)
	s.await("event: fresh")
	began := time.Now()
	pace := time.NewTicker(10 * time.Millisecond)
	defer pace.Stop()
	for time.Since(began) < time.Second {
		<-pace.C
		other := w.read(nil)
		other.leave()
		other.awaitEnd(EndLeft)
	}
	took := time.Since(began)
	if n := strings.Count(s.String(), "event: fresh"); n > int(took/soonest)+2 {
		t.Errorf("%d events in %v", n, took)
	}
}

// TestSilenceIsBounded: while neither the feed nor the credential can be confirmed, the
// readers of a group wait for a minute, counted from the first failure.
func TestSilenceIsBounded(t *testing.T) {
	var g groups
	g.init()
	in := &group{}
	for _, c := range []struct {
		at   time.Duration
		want bool
	}{{5 * time.Second, true}, {5*time.Second + mostDoubt - 1, true}, {5*time.Second + mostDoubt, false}} {
		if got := g.wait(in, c.at); got != c.want || !in.doubt {
			t.Errorf("at %v: %v", c.at, got)
		}
	}
	g.members(in, time.Time{})
	if !g.wait(in, time.Hour) {
		t.Error("a check that worked does not count")
	}
}
