package feed

import (
	"strings"
	"testing"
	"time"

	"github.com/grantd/grantd/store"
)

func at(seq uint64, e store.Entry) store.Entry {
	e.Position = store.Position{Seq: seq}
	return e
}

// TestReadsOverlap checks that neither the position nor a verdict goes back when
// the same entries are read more than once and late.
func TestReadsOverlap(t *testing.T) {
	f := New(options(newMemory()))
	first, second, third := at(1, void("a")), at(2, void("a")), at(3, change("a"))
	for _, step := range []struct {
		entries []store.Entry
		tail    uint64
		void    uint64 // latest void of a
	}{
		{nil, 0, 0},
		{[]store.Entry{first, second}, 2, 2},
		{[]store.Entry{first}, 2, 2},
		{[]store.Entry{second, third}, 3, 2},
		{[]store.Entry{first, second, third}, 3, 2},
	} {
		generation := f.applied.Load().Generation
		f.apply(step.entries)
		if f.Position().Seq != step.tail || f.state.voids[second.Key].Position.Seq != step.void {
			t.Errorf("after %d entries: position %v, void at %v", len(step.entries), f.Position(), f.state.voids[second.Key].Position)
		}
		if now := f.applied.Load().Generation; step.tail > 0 && now == generation && len(step.entries) > 1 {
			t.Error("the generation stayed")
		}
	}
}

func TestVerdicts(t *testing.T) {
	digest := store.Digest{1}
	token := store.Token{
		Use: store.UseOnBehalf, ClientID: "c", SecretID: "s", OrgID: "o", CustomerID: "u",
		PartnerID: "p", PartnerTID: "t", Parents: []string{strings.TrimPrefix(store.PrincipalToken(store.Digest{2}), "token:")}, Position: store.Position{Seq: 5},
	}
	keys := []string{store.PrincipalToken(digest)}
	for _, p := range token.Principals(new(store.PrincipalBuffer)) {
		keys = append(keys, string(p.Append(nil)))
	}
	for _, key := range keys {
		for seq, want := range map[uint64]bool{4: false, 5: false, 6: true} {
			f := New(options(newMemory()))
			f.apply([]store.Entry{at(seq, store.Entry{Kind: store.EntryVoid, Key: key})})
			if e, got := f.Voided(digest, &token); got != want || got && e.Key != key {
				t.Errorf("void of %s at %d of a token at 5: %v %q", key, seq, got, e.Key)
			}
			// No record is kept under a token's own key.
			changed := !store.IsTokenPrincipal(key)
			if f.Changed(key, store.Position{Seq: seq - 1}) != changed || f.Changed(key, store.Position{Seq: seq}) {
				t.Errorf("void of %s at %d: changed since?", key, seq)
			}
		}
		f := New(options(newMemory()))
		f.apply([]store.Entry{at(6, store.Entry{Kind: store.EntryChange, Key: key})})
		if _, got := f.Voided(digest, &token); got || !f.Changed(key, store.Position{Seq: 5}) {
			t.Errorf("a change of %s voids, or changes nothing", key)
		}
	}
	f := New(options(newMemory()))
	for i, key := range []string{"client:other", "secret:c/other", "secret:other/s", "org:c", "token:", "grant:p/other"} {
		f.apply([]store.Entry{at(6+uint64(i), store.Entry{Kind: store.EntryVoid, Key: key})})
	}
	if e, got := f.Voided(digest, &token); got {
		t.Errorf("void of %s, which is not one of the token's principals", e.Key)
	}
}

func TestPrune(t *testing.T) {
	begun := time.Now().Round(0)
	now := begun
	o := options(newMemory())
	o.Now = func() time.Time { return now }
	o.Elapsed = func() time.Duration { return now.Sub(begun) }
	f := New(o)
	short := at(1, void("short"))
	short.Until = now.Add(time.Hour)
	long := at(2, void("long"))
	long.At = now
	change := at(3, change("change"))
	change.At = now
	f.apply([]store.Entry{short, long, change})
	for _, step := range []struct {
		after                time.Duration
		short, long, changed bool
	}{
		{0, true, true, true},
		{time.Hour, true, true, true},
		{time.Hour + store.ClockDrift, true, true, true}, // the clock may be set back by so much unnoticed
		{time.Hour + store.ClockDrift + 1, false, true, true},
		{store.FeedRetention + store.ClockDrift, false, true, true},
		{store.FeedRetention + store.ClockDrift + 1, false, false, false},
	} {
		now = long.At.Add(step.after)
		f.prune()
		if dead(f, "short", store.Position{}) != step.short || dead(f, "long", store.Position{}) != step.long ||
			f.Changed(change.Key, store.Position{}) != step.changed {
			t.Errorf("after %v: %d voids, %d changes", step.after, len(f.state.voids), len(f.state.changes))
		}
	}
	if f.Position().Seq != 3 {
		t.Errorf("pruning moved the position to %v", f.Position())
	}
}

// TestClockJumpsForward checks that a void outlives a wall clock that jumps by more
// than a day and is corrected later.
func TestClockJumpsForward(t *testing.T) {
	begun := time.Now().Round(0)
	now := begun
	o := options(newMemory())
	o.Now = func() time.Time { return now }
	o.Elapsed = func() time.Duration { return time.Minute }
	f := New(o)
	token := store.PrincipalToken(digestOf(1))
	f.apply([]store.Entry{
		at(1, void("billing")),
		at(2, store.Entry{Kind: store.EntryVoid, Key: token, At: begun, Until: begun.Add(time.Hour)}),
	})
	now = begun.Add(store.FeedRetention + time.Hour)
	f.prune()
	now = begun.Add(2 * time.Minute)
	if !dead(f, "billing", store.Position{}) {
		t.Error("a void was forgotten")
	}
	if _, void := f.Voided(digestOf(1), &store.Token{}); !void {
		t.Error("a revocation was forgotten")
	}
}

// TestRevocationsKeepEverything checks that what is written back after a loss is
// what was read, for both stores, for actors, times and repeated revocations.
func TestRevocationsKeepEverything(t *testing.T) {
	begun := time.Now().UTC().Truncate(time.Millisecond)
	for name, position := range map[string]func(i int) store.Position{
		"redis": func(i int) store.Position {
			return store.Position{Time: 1_700_000_000_000 + uint64(i/3), Seq: uint64(i % 3)}
		},
		"embedded": func(i int) store.Position { return store.Position{Seq: 1<<40 + uint64(i)} },
	} {
		s, want := newState(), map[string]store.Entry{}
		for i := range 5000 {
			e := store.Entry{
				Position: position(i), Kind: store.EntryVoid, Key: store.PrincipalToken(digestOf(i % 4000)),
				By: []string{"client:a", "client:b", "uid:0"}[i%3], At: begun.Add(time.Duration(i) * time.Millisecond),
			}
			if i%7 != 0 {
				e.Until = e.At.Add(time.Duration(i%30) * time.Hour).Add(time.Second)
			}
			s.add([]store.Entry{e})
			want[e.Key] = e
		}
		if len(s.voids) > 0 || len(s.changes) > 0 {
			t.Errorf("%s: %d entries did not fit", name, len(s.voids))
		}
		for key, e := range want {
			if got, ok := s.void(key); !ok || got != e {
				t.Fatalf("%s: %s: %+v, want %+v", name, key, got, e)
			}
		}
		if e, ok := s.void(store.PrincipalToken(digestOf(4001))); ok {
			t.Errorf("%s: a token that was not revoked: %+v", name, e)
		}
		s.revoked.prune(begun.Add(26 * time.Hour))
		for h, x := range s.revoked.all() {
			if e := h.unpack(x); expiry(&e).Before(begun.Add(25 * time.Hour)) {
				t.Fatalf("%s: kept after its end: %+v", name, e)
			}
		}
	}
}

// TestRevocationThatDoesNotFit checks that an entry which the compact form cannot
// hold is kept all the same.
func TestRevocationThatDoesNotFit(t *testing.T) {
	now := time.Now().UTC().Truncate(time.Millisecond)
	for i, e := range []store.Entry{
		{At: now, Until: now.Add(100 * 24 * time.Hour)},
		{At: now, Until: now.Add(-time.Second)},
		{At: now.Add(-100 * 24 * time.Hour), Until: now.Add(time.Minute)},
	} {
		s := newState()
		first := store.Entry{Kind: store.EntryVoid, Key: store.PrincipalToken(digestOf(1)), At: now, Until: e.Until}
		e.Kind, e.Key = store.EntryVoid, store.PrincipalToken(digestOf(2))
		s.add([]store.Entry{at(1, first), at(2, e)})
		if got, ok := s.void(e.Key); !ok || got != at(2, e) {
			t.Errorf("entry %d: %+v %v", i, got, ok)
		}
	}
}
