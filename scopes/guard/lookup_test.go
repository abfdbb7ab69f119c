package guard

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestWithoutStream has a row for each way to work without a stream.
func TestWithoutStream(t *testing.T) {
	away := func(s *fakeServer, g *Guard) {
		s.set(func() {
			s.refuse = func(path string, _ http.Header) int { return map[bool]int{true: 503}[path == "/oauth/revocations"] }
		})
		s.endStreams("")
		time.Sleep(1500 * time.Millisecond)
	}
	for _, c := range []struct {
		rule   string
		config func(*Config)
		test   func(s *fakeServer, g *Guard)
	}{
		{"NoStream: each token is asked for", func(c *Config) { c.NoStream = true }, func(s *fakeServer, g *Guard) {
			s.expect(g, "first", "good", 200, 1)
			s.expect(g, "second", "good", 200, 1)
			s.void(key(1))
			s.expect(g, "after its void", "good", 401, 1)
			if st := g.State(); !st.Registered || st.StreamConnected || st.Fresh {
				s.t.Errorf("state %+v", st)
			}
		}},
		{"NoStream: what the replica lags counts", func(c *Config) { c.NoStream = true }, func(s *fakeServer, g *Guard) {
			s.set(func() { s.ageMs = 900 })
			s.expect(g, "within the bound", "good", 200, 1)
			s.set(func() { s.ageMs = 1100 })
			s.expect(g, "beyond it", "good", 503, 2)
		}},
		{"NoStream with a cache", func(c *Config) { c.NoStream, c.CacheWithoutStream = true, 10*time.Second }, func(s *fakeServer, g *Guard) {
			s.expect(g, "first", "good", 200, 1)
			time.Sleep(9 * time.Second)
			s.expect(g, "soon", "good", 200, 0)
			s.void(key(1))
			s.expect(g, "the price", "good", 200, 0)
			time.Sleep(1100 * time.Millisecond)
			s.expect(g, "when the time is over", "good", 401, 1)
		}},
		{"a stream that is away: each token is asked for", nil, func(s *fakeServer, g *Guard) {
			s.expect(g, "first", "good", 200, 1)
			away(s, g)
			s.expect(g, "once", "good", 200, 1)
			s.expect(g, "twice", "good", 200, 1)
		}},
		{"a stream that is away, with a cache", func(c *Config) { c.CacheWithoutStream = 10 * time.Second }, func(s *fakeServer, g *Guard) {
			s.expect(g, "first", "good", 200, 1)
			time.Sleep(time.Minute)
			away(s, g)
			s.expect(g, "the stream vouched for it until a moment ago", "good", 200, 0)
			time.Sleep(10 * time.Second)
			s.expect(g, "when the time is over", "good", 200, 1)
			s.expect(g, "then cached", "good", 200, 0)
		}},
		{"a cache for when the stream is away, while it is there", func(c *Config) { c.CacheWithoutStream = 10 * time.Second }, func(s *fakeServer, g *Guard) {
			s.set(func() { s.lag = 5 }) // the replica is behind the beginning of the stream
			s.expect(g, "nobody knows what ended meanwhile", "good", 200, 1)
			s.expect(g, "so it is asked for", "good", 200, 1)
			away(s, g)
			s.expect(g, "without the stream", "good", 200, 1)
			s.expect(g, "it is cached", "good", 200, 0)
			s.set(func() { s.refuse = nil })
			time.Sleep(5 * time.Second)
			s.expect(g, "until the stream is back", "good", 200, 1)
		}},
		{"a known void counts without the stream too", func(c *Config) { c.CacheWithoutStream = 10 * time.Second }, func(s *fakeServer, g *Guard) {
			s.expect(g, "first", "good", 200, 1)
			s.void(key(1))
			time.Sleep(moment)
			away(s, g)
			s.expect(g, "voided before the stream ended", "good", 401, 1)
		}},
	} {
		t.Run(c.rule, func(t *testing.T) {
			inBubble(t, func(t *testing.T, s *fakeServer) {
				s.add("good", "", key(1))
				g := s.warm(c.config)
				defer g.Close()
				c.test(s, g)
			})
		})
	}
	t.Run("a server that has no stream", func(t *testing.T) {
		inBubble(t, func(t *testing.T, s *fakeServer) {
			s.add("good", "", key(1))
			s.metadata, _, _ = strings.Cut(s.metadata, `,"revocation`)
			s.metadata += "}"
			g := s.guard(func(c *Config) { c.NoStream = true })
			defer g.Close()
			s.expect(g, "first", "good", 200, 1)
			if _, ok := g.Registration(); ok || !g.State().Registered {
				t.Errorf("state %+v", g.State())
			}
		})
	})
}

// TestSources shows what depends on the address of the caller.
func TestSources(t *testing.T) {
	home, away := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.9")
	check := func(s *fakeServer, g *Guard, when, token string, from netip.Addr, want, wantAsked int, wantForm string) {
		t.Helper()
		before, _ := s.counts()
		_, err := g.Check(context.Background(), token, Need{SourceIP: from})
		got := 200
		if r, ok := err.(*Refusal); ok { //nolint:errorlint // Check documents it
			got = r.Status
		}
		after, _ := s.counts()
		if got != want || after-before != wantAsked {
			t.Errorf("%s: status %d after %d introspections, want %d after %d", when, got, after-before, want, wantAsked)
		}
		if form := s.forms[len(s.forms)-1]; wantAsked > 0 && strings.Contains(form, "source_ip=") != (wantForm != "") || !strings.Contains(form, wantForm) {
			t.Errorf("%s: the form was %q, want %q", when, form, wantForm)
		}
	}
	const bound = `,"source_ips":["192.0.2.1/32"]`
	t.Run("the authorization server checks addresses", func(t *testing.T) {
		inBubble(t, func(t *testing.T, s *fakeServer) {
			s.add("bound", bound, key(1))
			s.add("free", "", key(1))
			g := s.warm(nil)
			defer g.Close()
			check(s, g, "its address", "bound", home, 200, 1, "source_ip=192.0.2.1")
			check(s, g, "cached", "bound", home, 200, 0, "")
			check(s, g, "as IPv4 in IPv6", "bound", netip.MustParseAddr("::ffff:192.0.2.1"), 200, 0, "")
			check(s, g, "another address, which the fake server accepts", "bound", away, 403, 1, "source_ip=192.0.2.9")
			check(s, g, "no address", "bound", netip.Addr{}, 403, 1, "")
			check(s, g, "a token that is not bound", "free", home, 200, 1, "source_ip=192.0.2.1")
			check(s, g, "from elsewhere: one entry is enough", "free", away, 200, 0, "")
			check(s, g, "without an address", "free", netip.Addr{}, 200, 0, "")
			check(s, g, "inactive without an address", "later", netip.Addr{}, 401, 1, "")
			s.add("later", bound, key(1))
			check(s, g, "that says nothing about an address", "later", home, 200, 1, "source_ip=192.0.2.1")
		})
	})
	t.Run("the guard checks addresses", func(t *testing.T) {
		inBubble(t, func(t *testing.T, s *fakeServer) {
			s.registration = strings.Replace(s.registration, `"enforces":[]`, `"enforces":["source_ip"]`, 1)
			s.add("bound", bound, key(1))
			g := s.warm(func(c *Config) {
				c.Enforces, c.ClientIP = []string{"source_ip"}, func(*http.Request) netip.Addr { return netip.Addr{} }
			})
			defer g.Close()
			check(s, g, "its address", "bound", home, 200, 1, "")
			check(s, g, "another address", "bound", away, 403, 0, "")
			check(s, g, "no address", "bound", netip.Addr{}, 403, 0, "")
			for from, want := range map[netip.Addr]bool{home: true, away: false, {}: true} {
				if token, err := g.Introspect(t.Context(), "bound", from); err != nil || token.Active != want {
					t.Errorf("introspection for %v: %+v %v", from, token, err)
				}
			}
		})
	})
}

func TestIntrospect(t *testing.T) {
	inBubble(t, func(t *testing.T, s *fakeServer) {
		s.add("good", "", key(1))
		g := s.warm(nil)
		defer g.Close()
		token, err := g.Introspect(t.Context(), "good", netip.Addr{})
		if err != nil || !token.Active || strings.Contains(string(token.Raw), "void_keys") || strings.Contains(string(token.Raw), "feed_position") || !strings.Contains(string(token.Raw), `"sub":"client:shop"`) {
			t.Errorf("%+v %v", token, err)
		}
		for _, bad := range []string{"other", "", "no token", strings.Repeat("x", 5000)} {
			if token, err := g.Introspect(t.Context(), bad, netip.Addr{}); err != nil || token.Active || string(token.Raw) != `{"active":false}` {
				t.Errorf("%q: %+v %v", bad, token, err)
			}
		}
	})
}

// TestClockIsInjected shows that only the clock of the guard counts: it goes on while
// nothing else does, and then nothing is fresh and everything has ended.
func TestClockIsInjected(t *testing.T) {
	inBubble(t, func(t *testing.T, s *fakeServer) {
		s.add("good", "", key(1))
		start, ahead := time.Now(), atomic.Int64{}
		g, err := open(s.config(), func() instant { return time.Since(start) + instant(ahead.Load()) }, s.dial)
		if err != nil {
			t.Fatal(err)
		}
		defer g.Close()
		time.Sleep(mostStaleness + 100*time.Millisecond)
		s.expect(g, "first", "good", 200, 1)
		s.expect(g, "second", "good", 200, 0)
		ahead.Store(int64(1100 * time.Millisecond))
		s.expect(g, "a second later", "good", 200, 1)
		ahead.Store(int64(2 * time.Hour))
		if k := keyOf("good", netip.Addr{}); g.find(k, g.clock()) != nil {
			t.Error("the token is used after its end")
		}
	})
}

// TestEntriesAreBounded shows that the cache holds no more than it may.
func TestEntriesAreBounded(t *testing.T) {
	inBubble(t, func(t *testing.T, s *fakeServer) {
		g := s.warm(func(c *Config) { c.MaxEntries = 50 })
		defer g.Close()
		for i := range 500 {
			token := fmt.Sprintf("t%d", i)
			s.add(token, "", key(uint64(i)))
			s.expect(g, "new", token, 200, 1)
		}
		time.Sleep(time.Second)
		if n := g.State().Entries; n < 40 || n > 60 {
			t.Errorf("%d entries", n)
		}
		g.cache.drop() // otherwise the cache may keep the small ones instead of the large ones
		for i := range 500 {
			token := fmt.Sprintf("large%d", i)
			s.add(token, `,"comment":"`+strings.Repeat("x", 8<<10)+`"`, key(uint64(i)))
			s.expect(g, "new", token, 200, 1)
		}
		time.Sleep(time.Second)
		if n := g.State().Entries; n > 50/8+1 {
			t.Errorf("%d entries, of which each counts as 8", n)
		}
	})
}

// TestParallel is for the race detector.
func TestParallel(t *testing.T) {
	inBubble(t, func(t *testing.T, s *fakeServer) {
		g := s.warm(nil)
		defer g.Close()
		for i := range uint64(20) {
			s.add(fmt.Sprintf("t%d", i), "", key(i), key(i%4))
		}
		var all sync.WaitGroup
		for w := range 8 {
			all.Go(func() {
				for i := range 300 {
					if got := status(g, fmt.Sprintf("t%d", (i*7+w)%20)); got != 200 && got != 401 && got != 503 {
						t.Errorf("status %d", got)
					}
					_ = g.State()
					if i%50 == 0 {
						time.Sleep(time.Millisecond)
					}
				}
			})
		}
		for i := range uint64(20) {
			s.void(key(i))
			time.Sleep(time.Millisecond)
			if i%7 == 6 {
				s.reset("behind")
			}
		}
		all.Wait()
	})
}
