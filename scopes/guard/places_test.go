package guard

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// flooded is a guard whose server is slow, while many tokens that nobody knows are
// asked for.
type flooded struct {
	*Guard
	t    *testing.T
	all  sync.WaitGroup
	sent int
}

// flood sends n tokens that were made up, from each of the addresses.
func (f *flooded) flood(n int, from ...netip.Addr) {
	for _, address := range from {
		for range n {
			f.sent++
			token := fmt.Sprintf("garbage%d", f.sent)
			f.all.Go(func() { f.statusFrom(token, address) })
		}
	}
	synctest.Wait()
}

func (f *flooded) statusFrom(token string, from netip.Addr) int {
	_, err := f.Check(f.t.Context(), token, Need{SourceIP: from})
	if r := (*Refusal)(nil); errors.As(err, &r) {
		return r.Status
	}
	return 200
}

// TestFloodOfStrangers has a row for each token that somebody sends while the places are
// contended: the server takes a second for each verdict.
func TestFloodOfStrangers(t *testing.T) {
	attacker, other := netip.MustParseAddr("192.0.2.66"), netip.MustParseAddr("203.0.113.7")
	var many []netip.Addr
	for i := range byte(200) {
		many = append(many, netip.AddrFrom4([4]byte{198, 51, 100, i}))
	}
	var oneNetwork []netip.Addr
	for i := range byte(200) {
		oneNetwork = append(oneNetwork, netip.AddrFrom16([16]byte{0: 0x20, 1: 0x01, 2: 0x0d, 3: 0xb8, 15: i}))
	}
	for _, c := range []struct {
		rule  string
		flood func(f *flooded)
		token string
		from  netip.Addr
		want  int
	}{
		{"a token that was active lately", func(f *flooded) { f.flood(300, netip.Addr{}) }, "good", netip.Addr{}, 200},
		{"also if the flood comes from many addresses", func(f *flooded) { f.flood(2, many...) }, "good", netip.Addr{}, 200},
		{"also from the address of the flood", func(f *flooded) { f.flood(300, attacker) }, "good", attacker, 200},
		{"a new token from another address than the flood", func(f *flooded) { f.flood(300, attacker) }, "new", other, 200},
		{"a new token while two addresses flood", func(f *flooded) { f.flood(300, attacker, many[0]) }, "new", other, 200},
		{"a new token while a network of IPv6 floods", func(f *flooded) { f.flood(2, oneNetwork...) }, "new", other, 200},
		{"a new token from the address of the flood", func(f *flooded) { f.flood(300, attacker) }, "new", attacker, 503},
		{"a new token while the addresses are too many", func(f *flooded) { f.flood(2, many...) }, "new", other, 503},
		{"a token that was ended", func(f *flooded) { f.flood(300, netip.Addr{}) }, "ended", netip.Addr{}, 503},
	} {
		t.Run(c.rule, func(t *testing.T) {
			inBubble(t, func(t *testing.T, s *fakeServer) {
				s.add("good", "", key(1))
				s.add("ended", "", key(2))
				s.add("new", "", key(3))
				f := &flooded{Guard: s.warm(nil), t: t}
				defer f.Close()
				s.expect(f.Guard, "first", "good", 200, 1)
				s.expect(f.Guard, "first", "ended", 200, 1)
				s.void(key(2))
				time.Sleep(moment)
				s.expect(f.Guard, "ended", "ended", 401, 1)
				s.reset("recovered") // nothing is cached any more
				time.Sleep(2 * time.Second)
				s.set(func() { s.before = func(*http.Request) { time.Sleep(time.Second) } })
				c.flood(f)
				if got := f.statusFrom(c.token, c.from); got != c.want {
					t.Errorf("status %d, want %d", got, c.want)
				}
				f.all.Wait()
				if p := f.flights.places; p.known != 0 || p.strangers != 0 || len(p.from) != 0 {
					t.Errorf("places are held when nothing is in flight: %+v", p)
				}
			})
		})
	}
}

// TestBoundTokenFromElsewhere shows that a token that is bound to an address is known from
// there only. The server is asked about each address, so a caller with one such token and
// many addresses could take the places that are kept for tokens that are in use.
func TestBoundTokenFromElsewhere(t *testing.T) {
	inBubble(t, func(t *testing.T, s *fakeServer) {
		home := netip.MustParseAddr("192.0.2.1")
		s.add("good", "", key(1))
		s.add("bound", `,"source_ips":["192.0.2.1"]`, key(2))
		f := &flooded{Guard: s.warm(nil), t: t}
		defer f.Close()
		for _, token := range []string{"good", "bound"} {
			if got := f.statusFrom(token, home); got != 200 {
				t.Fatalf("%s: %d", token, got)
			}
		}
		s.reset("recovered") // nothing is cached any more
		time.Sleep(2 * time.Second)
		s.set(func() { s.before = func(*http.Request) { time.Sleep(time.Second) } })
		for i := range 2 * mostInFlight {
			from := netip.AddrFrom4([4]byte{198, 51, byte(i >> 8), byte(i)})
			f.all.Go(func() { f.statusFrom("bound", from) })
		}
		synctest.Wait()
		for _, token := range []string{"good", "bound"} {
			f.all.Go(func() {
				if got := f.statusFrom(token, home); got != 200 {
					t.Errorf("%s, from its address: %d", token, got)
				}
			})
		}
		f.all.Wait()
	})
}

// TestWaitersAreBounded shows that also look-ups of one token, which share a request, do
// not wait in any number while nobody knows the token.
func TestWaitersAreBounded(t *testing.T) {
	inBubble(t, func(t *testing.T, s *fakeServer) {
		s.add("good", "", key(1))
		f := &flooded{Guard: s.warm(nil), t: t}
		defer f.Close()
		s.expect(f.Guard, "first", "good", 200, 1)
		s.reset("recovered") // nothing is cached any more
		time.Sleep(2 * time.Second)
		s.set(func() { s.before = func(*http.Request) { time.Sleep(time.Second) } })
		var refused, passed atomic.Int32
		for range 2 * mostWaiting {
			f.all.Go(func() {
				if f.statusFrom("garbage", netip.Addr{}) == 503 {
					refused.Add(1)
				}
			})
			f.all.Go(func() {
				if f.statusFrom("good", netip.Addr{}) == 200 {
					passed.Add(1)
				}
			})
		}
		synctest.Wait()
		if got := refused.Load(); got != 2*mostWaiting-mostWaiting-1 {
			t.Errorf("%d look-ups were refused, and all but %d and the first wait", got, mostWaiting)
		}
		f.all.Wait()
		if got := passed.Load(); got != 2*mostWaiting {
			t.Errorf("%d of %d look-ups of a token that was active lately passed", got, 2*mostWaiting)
		}
		if f.flights.waiting != 0 {
			t.Errorf("%d look-ups wait when nothing is in flight", f.flights.waiting)
		}
	})
}

// TestKnownTokensAreBounded shows that also tokens that were active lately take no more
// than all places.
func TestKnownTokensAreBounded(t *testing.T) {
	p := places{from: map[netip.Prefix]int{}}
	for i := range 2 * mostInFlight {
		if err := p.take(asker{known: true}); (err == nil) != (i < mostInFlight) {
			t.Fatalf("place %d: %v", i, err)
		}
	}
	p.free(asker{known: true})
	if err := p.take(asker{}); err != nil {
		t.Errorf("the last place is free, and a stranger gets %v", err)
	}
}

// TestAcquainted shows what is remembered: the last two tokens of a bucket.
func TestAcquainted(t *testing.T) {
	l := &acquainted{}
	in := func(mark uint32) (k cacheKey) {
		binary.LittleEndian.PutUint32(k[8:], mark<<1)
		return k
	}
	for _, step := range []struct {
		note   uint32
		active bool
		want   string // which of 1, 2, 3 are known
	}{
		{1, true, "1"}, {1, true, "1"}, {2, true, "12"}, {3, true, "23"}, {2, true, "23"}, {3, false, "2"}, {3, false, "2"}, {1, true, "12"}, {2, false, "1"}, {1, false, ""},
	} {
		l.note(in(step.note), step.active)
		var got strings.Builder
		for i := range uint32(4) {
			if l.has(in(i)) {
				fmt.Fprint(&got, i)
			}
		}
		if got.String() != step.want {
			t.Errorf("after %d, active %v: %s is known, want %s", step.note, step.active, got.String(), step.want)
		}
	}
}
