package stream

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/grantd/grantd/server/feed"
	"github.com/grantd/grantd/server/voidkeys"
	"github.com/grantd/grantd/store"
	"github.com/grantd/grantd/store/embedded"
)

// world is a Hub over a feed, and what its credentials are worth.
type world struct {
	*Hub
	t        *testing.T
	feed     *feed.Feed
	keys     *voidkeys.Encoder
	standing atomic.Pointer[Standing]
	failing  atomic.Bool
	counted  counts
}

// counts counts what the Hub observes.
type counts struct {
	mu    sync.Mutex
	of    map[string]int
	voids int
}

func (c *counts) count(what string) { c.mu.Lock(); c.of[what]++; c.mu.Unlock() }
func (c *counts) get(what string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.of[what]
}
func (c *counts) ReadersChanged(int)              {}
func (c *counts) CountVoids(keys int)             { c.mu.Lock(); c.voids += keys; c.mu.Unlock() }
func (c *counts) CountReset(why string)           { c.count("reset " + why) }
func (c *counts) CountEnded(why string)           { c.count("ended " + why) }
func (c *counts) CountStreamRefused(why string)   { c.count("refused " + why) }
func (c *counts) ObserveDelay(took time.Duration) { c.count("delay") }

func newWorld(t *testing.T) *world {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	e, err := embedded.Open(embedded.Options{Path: filepath.Join(t.TempDir(), "data"), Logger: log})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, keys: &voidkeys.Encoder{}, feed: feed.New(feed.Options{Store: e, MaxStaleness: time.Second, Now: time.Now, Log: log})}
	w.counted.of = map[string]int{}
	w.keys.Use([]byte("one"))
	w.standing.Store(&Standing{Client: &store.Client{ID: "rs"}})
	if err := w.feed.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.Hub = New(Options{
		Feed: w.feed, VoidKeys: w.keys, Now: time.Now, Limits: Limits{Readers: 100, PerClient: 50}, Observe: &w.counted,
		Recheck: func(context.Context, *Caller) (Standing, error) {
			if w.failing.Load() {
				return Standing{}, errors.New("down")
			}
			return *w.standing.Load(), nil
		},
	})
	w.Start()
	t.Cleanup(func() {
		if err := w.Stop(context.Background()); err != nil {
			t.Error(err)
		}
		w.feed.Stop()
		_ = e.Close()
	})
	return w
}

func (w *world) append(kind store.EntryKind, keys ...string) {
	w.t.Helper()
	var entries []store.Entry
	for _, key := range keys {
		entries = append(entries, store.Entry{Kind: kind, Key: key, By: "test"})
	}
	if err := w.feed.Append(w.t.Context(), entries...); err != nil {
		w.t.Fatal(err)
	}
}

// sink is the Writer of a reader: what it was sent, and how it is stopped.
type sink struct {
	t     *testing.T
	mu    sync.Mutex
	sent  strings.Builder
	stuck chan struct{} // closed: writes go on; nil: they always do
	// finished is closed by Finish, which ends a write that is stuck.
	finished chan struct{}
	once     sync.Once
	ended    chan End
	changed  chan struct{}
	leave    context.CancelFunc
}

func (s *sink) Write(_ time.Duration, chunks [][]byte) error {
	if s.stuck != nil {
		select {
		case <-s.stuck:
		case <-s.finished:
			return os.ErrDeadlineExceeded
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range chunks {
		s.sent.Write(c)
	}
	select {
	case s.changed <- struct{}{}:
	default:
	}
	return nil
}

func (s *sink) Extend(time.Duration) {}
func (s *sink) Finish(time.Duration) { s.once.Do(func() { close(s.finished) }) }

func (s *sink) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sent.String()
}

// await returns when the text was sent.
func (s *sink) await(text string) {
	s.t.Helper()
	timer := time.NewTimer(20 * time.Second)
	defer timer.Stop()
	for !strings.Contains(s.String(), text) {
		select {
		case <-s.changed:
		case why := <-s.ended:
			s.ended <- why
			s.t.Fatalf("ended for %s without %q:\n%s", why, text, s)
		case <-timer.C:
			s.t.Fatalf("%q was not sent:\n%s", text, s)
		}
	}
}

func (s *sink) awaitEnd(want End) {
	s.t.Helper()
	select {
	case why := <-s.ended:
		if why != want {
			s.t.Errorf("ended for %s, want %s", why, want)
		}
	case <-time.After(20 * time.Second):
		s.t.Fatalf("did not end:\n%s", s)
	}
}

// read opens a stream of the client.
func (w *world) read(stuck chan struct{}, lastID ...string) *sink {
	w.t.Helper()
	r, err := w.open(Caller{Client: &store.Client{ID: "rs"}, Method: "basic", SecretID: "one"}, netip.MustParseAddr("192.0.2.1"), w.clock(), lastID)
	if err != nil {
		w.t.Fatal(err)
	}
	s := &sink{t: w.t, stuck: stuck, finished: make(chan struct{}), ended: make(chan End, 1), changed: make(chan struct{}, 1)}
	ctx, cancel := context.WithCancel(w.t.Context())
	s.leave = cancel
	go func() {
		why := r.serve(ctx, s)
		w.close(r, why)
		s.ended <- why
	}()
	return s
}

// key returns the void key of a principal.
func (w *world) key(principal string) string { return string(w.keys.AppendKeyOf(nil, principal)) }

func TestVoidsAndChanges(t *testing.T) {
	w := newWorld(t)
	s := w.read(nil)
	s.await("event: fresh")
	w.append(store.EntryChange, "client:other")
	w.append(store.EntryVoid, "client:shop", "org:acme")
	s.await(w.key("client:shop") + `","` + w.key("org:acme"))
	if strings.Contains(s.String(), w.key("client:other")) {
		t.Error("a change that ends nothing was sent as a void")
	}
	if !strings.HasPrefix(s.String(), "event: registration\ndata: {\"client_id\":\"rs\"") {
		t.Errorf("begins with %.80s", s)
	}
}

// TestManyVoids: an event is bounded, and no void is missing.
func TestManyVoids(t *testing.T) {
	w := newWorld(t)
	s := w.read(nil)
	s.await("event: fresh")
	keys := make([]string, 3*maxKeys+5)
	for i := range keys {
		keys[i] = store.PrincipalToken(store.Digest{byte(i), byte(i >> 8)})
	}
	w.append(store.EntryVoid, keys...)
	s.await(w.key(keys[len(keys)-1]))
	sent := s.String()
	for _, k := range keys {
		if !strings.Contains(sent, w.key(k)) {
			t.Fatal("a void is missing")
		}
	}
	for event := range strings.SplitSeq(sent, "\n\n") {
		if n := strings.Count(event, `","`); n >= maxKeys && strings.HasPrefix(event, "event: void") {
			t.Errorf("an event has %d keys", n+1)
		}
	}
}

// TestResume goes on after each event of a stream.
func TestResume(t *testing.T) {
	w := newWorld(t)
	s := w.read(nil)
	s.await("event: fresh")
	for _, k := range []string{"client:a", "client:b", "client:c"} {
		w.append(store.EntryVoid, k)
		s.await(w.key(k))
	}
	var ids []string
	for line := range strings.SplitSeq(s.String(), "\n") {
		if id, ok := strings.CutPrefix(line, "id: "); ok && (len(ids) == 0 || ids[len(ids)-1] != id) {
			ids = append(ids, id)
		}
	}
	if len(ids) != 4 {
		t.Fatalf("ids %v", ids)
	}
	for i, id := range ids {
		again := w.read(nil, id)
		again.await("event: fresh")
		for j, k := range []string{"client:a", "client:b", "client:c"} {
			if got := strings.Contains(again.String(), w.key(k)); got != (j >= i) {
				t.Errorf("after event %d, void %d was sent: %v", i, j, got)
			}
		}
		if strings.Contains(again.String(), "reset") {
			t.Errorf("after event %d: a reset", i)
		}
		again.leave()
		again.awaitEnd(EndLeft)
	}
	future := string(w.keys.AppendPosition(nil, store.Position{Seq: 1 << 40}))
	for name, lastID := range map[string][]string{"malformed": {"x"}, "empty": {""}, "two": {ids[0], ids[0]}, "of the future": {future}, "of before": {string(w.keys.AppendPosition(nil, store.Position{}))}} {
		s := w.read(nil, lastID...)
		s.await("event: fresh")
		registration, rest, _ := strings.Cut(s.String(), "\n\n")
		if !strings.HasPrefix(registration, "event: registration") || !strings.HasPrefix(rest, "event: reset\nid: "+ids[3]+"\ndata: {\"reason\":\"position_unknown\"}\n\nevent: fresh") {
			t.Errorf("%s: %s", name, s)
		}
		s.leave()
		s.awaitEnd(EndLeft)
	}
}

// TestSlowReader: it is reset, keeps nothing in memory, and delays nobody.
func TestSlowReader(t *testing.T) {
	w := newWorld(t)
	stuck := make(chan struct{})
	slow, quick := w.read(stuck), w.read(nil)
	quick.await("event: fresh")
	for i := range 2 * maxRecentBytes / (maxKeys * 14) {
		keys := make([]string, maxKeys)
		for j := range keys {
			keys[j] = store.PrincipalToken(store.Digest{byte(i), byte(i >> 8), byte(j), byte(j >> 8), 1})
		}
		w.append(store.EntryVoid, keys...)
	}
	w.append(store.EntryVoid, "client:last")
	quick.await(w.key("client:last"))
	close(stuck)
	slow.await(`"reason":"behind"`)
	w.append(store.EntryVoid, "client:more")
	slow.await(w.key("client:more"))
	if strings.Contains(quick.String(), "reset") || w.counted.get("reset behind") != 1 {
		t.Errorf("the quick reader was reset, or there were %d resets", w.counted.get("reset behind"))
	}
}

// TestResetsOfAll: other keys, and a feed that was loaded again.
func TestResetsOfAll(t *testing.T) {
	w := newWorld(t)
	s := w.read(nil)
	s.await("event: fresh")
	w.keys.Use([]byte("two"))
	s.await(`"reason":"keys"`)
	w.keys.Use([]byte("two"))
	w.append(store.EntryVoid, "client:shop")
	s.await(w.key("client:shop"))
	hold := store.Hold{ID: store.HoldID, Number: 1, Head: store.Head{Version: 1}}
	form, err := store.HoldKind.Marshal(hold)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.feed.Append(t.Context(), store.Entry{Kind: store.EntryChange, Key: store.PrincipalHold(hold.ID), By: "test", Version: 1, Form: string(form)}); err != nil {
		t.Fatal(err)
	}
	s.await(`"reason":"recovered"`)
	if n := strings.Count(s.String(), "event: reset"); n != 2 {
		t.Errorf("%d resets", n)
	}
}

func TestCredentialEnds(t *testing.T) {
	for name, change := range map[string]func(*world){
		"ended":      func(w *world) { w.standing.Store(&Standing{}); w.append(store.EntryChange, "client:rs") },
		"its secret": func(w *world) { w.standing.Store(&Standing{}); w.append(store.EntryVoid, "secret:rs/one") },
		"address": func(w *world) {
			w.standing.Store(&Standing{Client: &store.Client{ID: "rs", SourceIPs: []string{"198.51.100.0/24"}}})
			w.append(store.EntryChange, "client:rs")
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			s := w.read(nil)
			s.await("event: fresh")
			change(w)
			s.awaitEnd(EndCredential)
			if strings.Contains(s.String(), "retry:") {
				t.Error("the reader was told to come back")
			}
		})
	}
	t.Run("unchecked", func(t *testing.T) {
		w := newWorld(t)
		s := w.read(nil)
		s.await("event: fresh")
		w.failing.Store(true)
		w.append(store.EntryChange, "client:rs")
		s.awaitEnd(EndUnchecked)
		if !strings.Contains(s.String(), "retry: ") {
			t.Error("the reader was not told when to come back")
		}
	})
	t.Run("expires", func(t *testing.T) {
		w := newWorld(t)
		w.standing.Store(&Standing{Client: &store.Client{ID: "rs"}, Ends: time.Now().Add(time.Second)})
		s := w.read(nil)
		s.await("event: fresh")
		time.AfterFunc(time.Second, func() { w.standing.Store(&Standing{}) })
		s.awaitEnd(EndCredential)
	})
}

func TestRegistrationChanges(t *testing.T) {
	w := newWorld(t)
	s := w.read(nil)
	s.await("event: fresh")
	w.standing.Store(&Standing{Client: &store.Client{ID: "rs", Name: "another"}})
	w.append(store.EntryChange, "client:rs")
	w.standing.Store(&Standing{Client: &store.Client{ID: "rs", Resource: "https://api.example.com"}})
	w.append(store.EntryChange, "client:rs")
	s.await(`"reason":"registration"`)
	_, again, _ := strings.Cut(s.String()[1:], "event: registration")
	if !strings.Contains(again, `"resource":"https://api.example.com"`) || strings.Count(s.String(), "event: reset") != 1 {
		t.Errorf("sent:\n%s", s)
	}
}

func TestDrain(t *testing.T) {
	w := newWorld(t)
	var all []*sink
	for range 20 {
		all = append(all, w.read(nil))
	}
	all[0].await("event: fresh")
	w.Drain(20 * time.Millisecond)
	for _, s := range all {
		s.awaitEnd(EndDrain)
		if !strings.Contains(s.String(), "\n\nretry: ") {
			t.Errorf("no retry: %s", s)
		}
	}
	if _, err := w.open(Caller{Client: &store.Client{ID: "rs"}}, netip.Addr{}, 0, nil); err == nil {
		t.Error("a stream was opened")
	}
	if len(w.groups.all)+len(w.groups.named)+len(w.readers) > 0 || w.doors.open.Load() != 0 {
		t.Error("something is left of the readers")
	}
}
