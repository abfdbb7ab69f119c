package feed

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/grantd/grantd/store"
)

func TestSubscription(t *testing.T) {
	f := New(options(newMemory()))
	f.apply([]store.Entry{at(1, store.Entry{Kind: store.EntryVoid, Key: "client:before"})})
	s := f.Subscribe()
	var into []Applied
	take := func(step, want string, at uint64, wantGap Gap) {
		t.Helper()
		entries, mark, gap := s.Take(into)
		into = entries
		var got []string
		for _, e := range entries {
			got = append(got, fmt.Sprint(e.Position.Seq, " ", e.Kind, " ", e.Key))
		}
		if text := strings.Join(got, ", "); text != want || mark.Position.Seq != at || gap != wantGap {
			t.Errorf("%s: %s at %d, gap %d; want %s at %d, gap %d", step, text, mark.Position.Seq, gap, want, at, wantGap)
		}
	}
	woken := func(step string, want bool) {
		t.Helper()
		select {
		case <-s.Wake():
			if !want {
				t.Errorf("%s: woken", step)
			}
		default:
			if want {
				t.Errorf("%s: not woken", step)
			}
		}
	}
	take("at first", "", 1, 0)
	first := at(2, store.Entry{Kind: store.EntryVoid, Key: "client:a"})
	f.apply([]store.Entry{first, at(3, store.Entry{Kind: store.EntryChange, Key: "client:b"})})
	woken("applied", true)
	f.apply([]store.Entry{first}) // reads overlap
	f.apply([]store.Entry{at(4, store.Entry{Kind: store.EntryVoid, Key: store.PrincipalToken(store.Digest{1})})})
	if !s.Pending() {
		t.Error("nothing is pending")
	}
	take("applied", "2 void client:a, 3 change client:b, 4 void "+store.PrincipalToken(store.Digest{1}), 4, 0)
	if s.Pending() {
		t.Error("something is pending")
	}
	<-s.Wake()
	take("again", "", 4, 0)
	f.confirm(time.Second)
	woken("confirmed", true)
	f.confirm(time.Second)
	woken("confirmed as of the same time", false)
}

// TestSubscriptionSaysWhatItLacks: too many entries, a feed that was loaded again, and
// a hold. It goes on afterward.
func TestSubscriptionSaysWhatItLacks(t *testing.T) {
	f := New(options(newMemory()))
	s := f.Subscribe()
	seq := uint64(0)
	void := func() {
		seq++
		f.apply([]store.Entry{at(seq, store.Entry{Kind: store.EntryVoid, Key: "client:a"})})
	}
	for step, c := range []struct {
		lose func()
		want Gap
	}{
		{func() {
			for range maxApplied + 1 {
				void()
			}
		}, GapBehind},
		{func() { void(); f.replace(f.state) }, GapReloaded},
		{func() {
			seq++
			form, _ := store.HoldKind.Marshal(store.Hold{ID: store.HoldID, Number: 1})
			f.apply([]store.Entry{at(seq, store.Entry{Kind: store.EntryChange, Key: holdKey, Version: 1, Form: string(form)})})
		}, GapReloaded},
	} {
		c.lose()
		if entries, _, gap := s.Take(nil); gap != c.want || len(entries) > 0 {
			t.Errorf("step %d: %d entries, gap %d, want %d", step, len(entries), gap, c.want)
		}
		void()
		if entries, mark, gap := s.Take(nil); gap != 0 || len(entries) != 1 || mark.Position.Seq != seq {
			t.Errorf("step %d, then: %d entries, gap %d at %v", step, len(entries), gap, mark.Position)
		}
	}
}

// TestConfirmed: an old copy is not fresh, and a copy that is being loaded neither.
func TestConfirmed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := loaded(t, options(newMemory()))
		time.Sleep(300 * time.Millisecond)
		if age, fresh := f.Confirmed(); age != 300*time.Millisecond || !fresh {
			t.Errorf("%v, fresh %v", age, fresh)
		}
		f.lost.Store(true)
		if _, fresh := f.Confirmed(); fresh {
			t.Error("fresh while it is lost")
		}
		f.lost.Store(false)
		time.Sleep(700 * time.Millisecond)
		if _, fresh := f.Confirmed(); fresh {
			t.Error("fresh after a second")
		}
	})
	f := New(options(newMemory()))
	before := f.followWait()
	f.Hasten(true)
	if f.followWait() != before/2 {
		t.Errorf("hastened, it waits %v instead of %v", f.followWait(), before)
	}
	f.Hasten(false)
	if f.followWait() != before {
		t.Errorf("then it waits %v", f.followWait())
	}
}
