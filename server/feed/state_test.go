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
		if f.Position().Seq != step.tail || f.voids[second.Key].Position.Seq != step.void {
			t.Errorf("after %d entries: position %v, void at %v", len(step.entries), f.Position(), f.voids[second.Key].Position)
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
	now := time.Now()
	o := options(newMemory())
	o.Now = func() time.Time { return now }
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
		{time.Hour + 1, false, true, true},
		{store.FeedRetention, false, true, true},
		{store.FeedRetention + 1, false, false, false},
	} {
		now = long.At.Add(step.after)
		f.prune()
		if dead(f, "short", store.Position{}) != step.short || dead(f, "long", store.Position{}) != step.long ||
			f.Changed(change.Key, store.Position{}) != step.changed {
			t.Errorf("after %v: %d voids, %d changes", step.after, len(f.voids), len(f.changes))
		}
	}
	if f.Position().Seq != 3 {
		t.Errorf("pruning moved the position to %v", f.Position())
	}
}
