package guard

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// limitVoids makes the view remember fewer voids.
func (v *view) limitVoids(limit int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.voids.limit = limit
}

// TestManyVoids: of more voids than can be remembered, the oldest are forgotten. That
// ends what was not looked up since they came, and nothing else.
func TestManyVoids(t *testing.T) {
	inBubble(t, func(t *testing.T, s *fakeServer) {
		s.add("used", "", key(1))
		s.add("unused", "", key(2))
		s.add("late", "", key(3))
		g := s.warm(nil)
		defer g.Close()
		g.view.limitVoids(10)
		s.expect(g, "first", "used", 200, 1)
		s.expect(g, "first", "unused", 200, 1)
		void := func(from, n uint64) {
			for i := range n {
				s.void(key(from + i))
			}
			time.Sleep(moment)
		}
		void(100, 10)
		s.expect(g, "just full", "used", 200, 0)
		void(200, 5)
		s.expect(g, "used after those that are forgotten now", "used", 200, 0)
		s.expect(g, "not used since before them", "unused", 200, 1)
		s.expect(g, "asked for again", "unused", 200, 0)
		s.set(func() { s.lag = 11 })
		s.expect(g, "of a replica that is behind them", "late", 200, 1)
		s.expect(g, "which is not kept", "late", 200, 1)
		s.set(func() { s.lag = 10 })
		s.expect(g, "of one that just has them", "late", 200, 1)
		s.expect(g, "which is kept", "late", 200, 0)
		void(300, 100)
		s.expect(g, "after many more", "used", 200, 1)
		s.void(key(1))
		time.Sleep(moment)
		s.expect(g, "ended", "used", 401, 1)
		if n := len(g.view.voids.newer.at) + len(g.view.voids.older.at); n > 10 {
			t.Errorf("%d voids are remembered", n)
		}
		if st := g.State(); st.Resets != 0 || st.Streams != 1 {
			t.Errorf("state %+v", st)
		}
	})
}

// TestForgottenVoids compares a view that remembers few voids with the truth: it
// never lets a verdict through that a void has ended, and often lets others through.
func TestForgottenVoids(t *testing.T) {
	used, voided := 0, 0
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 2))
		v := newView(func() {})
		v.voids.limit = 2 + r.IntN(12)
		a, b := v.open(), v.open() // two links, of which one may lag
		if v.start(a, 0) != nil || v.confirm(a, position{1, 0}, 0) != nil {
			t.Fatal("the link does not begin")
		}
		b.term, b.last = a.term, a.last
		now := mostStaleness
		truth := []uint64{} // the key of the void at each position, from 1 on
		behind := 0         // how far b has come
		var cached []*verdict
		void := func(c *cursor, n int) {
			if err := v.void(c, position{1, uint64(n)}, truth[n-1:n], now); err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
		}
		for range 300 {
			switch r.IntN(4) {
			case 0:
				truth = append(truth, r.Uint64N(12))
				void(a, len(truth))
			case 1:
				if behind < len(truth) && r.IntN(3) > 0 {
					behind++
					void(b, behind)
				}
			case 2: // a replica that lags responds
				p := len(truth) - r.IntN(min(len(truth), 12)+1)
				made := &verdict{keys: []uint64{r.Uint64N(12), r.Uint64N(30)}, position: position{1, uint64(p)}, follows: true, epoch: v.current(), sent: now}
				if !v.meet(made) && made.coherent {
					cached = append(cached, made)
				}
			}
			cached = slices.DeleteFunc(cached, func(one *verdict) bool {
				if r.IntN(3) > 0 {
					return false // not looked up
				}
				generation := v.generation.Load()
				if one.checked.Load() != generation && v.ended(one) {
					return true
				}
				one.checked.Store(generation)
				for i, k := range truth[one.position.lo:] {
					if slices.Contains(one.keys, k) {
						t.Fatalf("seed %d: a verdict of position %d is used after the void at %d, limit %d", seed, one.position.lo, int(one.position.lo)+i+1, v.voids.limit)
					}
				}
				used++
				return false
			})
			if n := len(v.voids.newer.at) + len(v.voids.older.at); n > v.voids.limit {
				t.Fatal(fmt.Sprint("remembered: ", n))
			}
		}
		voided += len(truth)
	}
	if used < 2*voided {
		t.Errorf("%d uses of cached verdicts, %d voids: too much is forgotten", used, voided)
	}
}
