package guard

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// TestVoidBeforeTheVerdictIsKept shows that a void between an introspection and its
// verdict is not lost.
func TestVoidBeforeTheVerdictIsKept(t *testing.T) {
	inBubble(t, func(t *testing.T, s *fakeServer) {
		s.add("good", "", key(1))
		g := s.warm(nil)
		defer g.Close()
		once := sync.Once{}
		s.set(func() {
			s.after = func(*http.Request) { once.Do(func() { s.void(key(1)); time.Sleep(50 * time.Millisecond) }) }
		})
		s.expect(g, "judged before the void, sent after it", "good", 401, 2)
	})
}

// TestReplicaLags shows that a verdict from before a void is not used, and is asked for
// again a little later: the token may have been issued after the void.
func TestReplicaLags(t *testing.T) {
	inBubble(t, func(t *testing.T, s *fakeServer) {
		s.add("good", "", key(1))
		g := s.warm(nil)
		defer g.Close()
		s.collide(key(1))
		s.set(func() { s.lag = 1 })
		time.Sleep(moment)
		time.AfterFunc(60*time.Millisecond, func() { s.set(func() { s.lag = 0 }) })
		s.expect(g, "a replica that lags", "good", 200, 3)
		s.collide(key(1))
		s.set(func() { s.lag = 1 })
		time.Sleep(moment)
		s.expect(g, "a replica that lags for long", "good", 503, 6)
	})
}

// TestBeforeTheStream shows that a verdict of a lagging replica from before the stream
// began is not kept.
func TestPositionBeforeTheStream(t *testing.T) {
	inBubble(t, func(t *testing.T, s *fakeServer) {
		s.add("good", "", key(1))
		s.set(func() { s.lag = 5 })
		g := s.warm(nil)
		defer g.Close()
		s.expect(g, "first", "good", 200, 1)
		s.expect(g, "not kept", "good", 200, 1)
		s.set(func() { s.lag = 0 })
		s.expect(g, "at the floor", "good", 200, 1)
		s.expect(g, "kept", "good", 200, 0)
	})
}

func TestExpiry(t *testing.T) {
	for _, c := range []struct {
		rule   string
		server func(s *fakeServer)
		first  time.Duration // still cached
		last   time.Duration // asked again
	}{
		{"a second before exp", func(*fakeServer) {}, 3598 * time.Second, 3600 * time.Second},
		{"the clock of the server counts, ten years ahead", func(s *fakeServer) { s.clockAhead = 10 * 365 * 24 * time.Hour }, 3597 * time.Second, 3600 * time.Second},
		{"the clock of the server counts, ten years behind", func(s *fakeServer) { s.clockAhead = -10 * 365 * 24 * time.Hour }, 3597 * time.Second, 3600 * time.Second},
		{"without Date nothing is kept", func(s *fakeServer) { s.noDate = true }, -1, 0},
	} {
		t.Run(c.rule, func(t *testing.T) {
			inBubble(t, func(t *testing.T, s *fakeServer) {
				c.server(s)
				g := s.warm(nil)
				defer g.Close()
				s.add("good", "", key(1))
				s.expect(g, "first", "good", 200, 1)
				start := time.Now()
				if c.first >= 0 {
					time.Sleep(c.first)
					s.expect(g, "before its end", "good", 200, 0)
				}
				time.Sleep(time.Until(start.Add(c.last)))
				s.set(func() { clear(s.tokens) })
				s.expect(g, "after its end", "good", 401, 1)
			})
		})
	}
}

func TestInactiveIsKeptForASecond(t *testing.T) {
	inBubble(t, func(t *testing.T, s *fakeServer) {
		g := s.warm(nil)
		defer g.Close()
		s.expect(g, "unknown", "later", 401, 1)
		s.add("later", "", key(1))
		time.Sleep(990 * time.Millisecond)
		s.expect(g, "within a second", "later", 401, 0)
		time.Sleep(20 * time.Millisecond)
		s.expect(g, "after it", "later", 200, 1)
		s.expect(g, "malformed tokens are not asked about", "no token", 401, 0)
		s.expect(g, "nor long ones", strings.Repeat("x", 5000), 401, 0)
		s.expect(g, "nor the empty one", "", 401, 0)
	})
}

// TestErrorsAreNotKept has a row for each way in which the introspection endpoint
// fails.
func TestErrorsAreNotKept(t *testing.T) {
	for _, c := range []struct {
		rule  string
		write func(w http.ResponseWriter)
		after time.Duration
	}{
		{"429", func(w http.ResponseWriter) { w.Header().Set("Retry-After", "7"); w.WriteHeader(429) }, 7 * time.Second},
		{"503", func(w http.ResponseWriter) { w.Header().Set("Retry-After", "3"); w.WriteHeader(503) }, 3 * time.Second},
		{"503 that says nothing", func(w http.ResponseWriter) { w.WriteHeader(503) }, time.Second},
		{"503 until a date", func(w http.ResponseWriter) {
			w.Header().Set("Retry-After", "Wed, 21 Oct 2026 07:28:00 GMT")
			w.WriteHeader(503)
		}, time.Second},
		{"500", func(w http.ResponseWriter) { w.WriteHeader(500) }, time.Second},
		{"a redirect is not followed", func(w http.ResponseWriter) { w.Header().Set("Location", "http://elsewhere.test/"); w.WriteHeader(307) }, time.Second},
		{"a page", func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", "text/html")
			_, _ = w.Write([]byte(`{"active":true}`))
		}, time.Second},
		{"not JSON", func(w http.ResponseWriter) { _, _ = w.Write([]byte(`active`)) }, time.Second},
		{"no member active", func(w http.ResponseWriter) { _, _ = w.Write([]byte(`{}`)) }, time.Second},
		{"too long", func(w http.ResponseWriter) {
			_, _ = w.Write([]byte(`{"active":false,"x":"` + strings.Repeat("x", maxResponse) + `"}`))
		}, time.Second},
		{"cut off", func(w http.ResponseWriter) {
			w.Header().Set("Content-Length", "100")
			_, _ = w.Write([]byte(`{"active":`))
		}, time.Second},
		{"a malformed void key", func(w http.ResponseWriter) {
			_, _ = w.Write([]byte(`{"active":true,"token_use":"client","sub":"client:a","exp":1,"void_keys":["short"],"feed_position":"` + at(1) + `","feed_age_ms":0}`))
		}, time.Second},
		{"a malformed position", func(w http.ResponseWriter) {
			_, _ = w.Write([]byte(`{"active":true,"token_use":"client","sub":"client:a","exp":1,"void_keys":["` + key(1) + `"],"feed_position":"1-1","feed_age_ms":0}`))
		}, time.Second},
	} {
		t.Run(c.rule, func(t *testing.T) {
			inBubble(t, func(t *testing.T, s *fakeServer) {
				s.add("good", "", key(1))
				g := s.warm(nil)
				defer g.Close()
				s.set(func() { s.replace = c.write })
				_, err := g.Check(t.Context(), "good", Need{})
				var r *Refusal
				if !errors.As(err, &r) || r.Status != 503 || r.RetryAfter != c.after || r.Cause == nil {
					t.Errorf("%#v, want 503 with Retry-After %v", err, c.after)
				}
				if g.State().Err == nil || g.State().Entries != 0 {
					t.Errorf("state %+v", g.State())
				}
				s.set(func() { s.replace = nil })
				s.expect(g, "at once afterwards", "good", 200, 1)
				if err := g.State().Err; err != nil {
					t.Errorf("state: %v", err)
				}
			})
		})
	}
}

// TestUpstreamAway shows that cached tokens are accepted until the bound, and then
// nothing is.
func TestUpstreamAway(t *testing.T) {
	inBubble(t, func(t *testing.T, s *fakeServer) {
		s.add("good", "", key(1))
		g := s.warm(nil)
		defer g.Close()
		s.expect(g, "first", "good", 200, 1)
		s.set(func() { s.away = true })
		s.cut()
		time.Sleep(700 * time.Millisecond)
		s.expect(g, "within the bound", "good", 200, 0)
		s.expect(g, "a token that is not cached", "other", 503, 0)
		time.Sleep(400 * time.Millisecond)
		s.expect(g, "after the bound", "good", 503, 0)
		if st := g.State(); st.Fresh || st.StreamConnected || st.Err == nil || !st.Registered {
			t.Errorf("state %+v", st)
		}
		s.set(func() { s.away = false })
		time.Sleep(mostPause)
		s.expect(g, "when it is back", "good", 200, 0)
	})
}

// TestBrokenConnectionIsTriedOnceMore shows that a connection that died while it was
// idle costs nobody a 503.
func TestBrokenConnectionIsTriedOnceMore(t *testing.T) {
	inBubble(t, func(t *testing.T, s *fakeServer) {
		s.add("good", "", key(1))
		g := s.guard(nil)
		defer g.Close()
		once := sync.Once{}
		s.set(func() { s.before = func(*http.Request) { once.Do(s.cut) } })
		s.expect(g, "a connection that breaks", "good", 200, 2)
	})
}

func TestSecretFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "secret")
	write := func(v string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(v+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(rsSecret)
	inBubble(t, func(t *testing.T, s *fakeServer) {
		s.add("good", "", key(1))
		var refused atomic.Int32
		s.refuse = func(string, http.Header) int { return 0 }
		g := s.warm(func(c *Config) { c.Secret, c.SecretFile = "", file })
		defer g.Close()
		s.expect(g, "the first secret", "good", 200, 1)

		s.set(func() { s.secret = "rotated" })
		write("rotated")
		s.expect(g, "another token, with the new secret", "other", 401, 2)
		s.endStreams("")
		time.Sleep(2 * time.Second)
		if !g.State().Fresh {
			t.Error("the stream did not come back")
		}
		s.expect(g, "the cache is still good", "good", 200, 0)

		s.set(func() {
			s.secret = "rotated again"
			s.refuse = func(path string, _ http.Header) int {
				if path != "/.well-known/oauth-authorization-server" {
					refused.Add(1)
				}
				return 0
			}
		})
		s.endStreams("")
		for range 600 {
			time.Sleep(100 * time.Millisecond)
			if got := status(g, "good"); got != 503 && got != 200 {
				t.Fatalf("status %d", got)
			}
		}
		if n := refused.Load(); n > 12 {
			t.Errorf("a refused secret was sent %d times within a minute", n)
		}
		write("rotated again")
		g.client.secret.mu.Lock()
		g.client.secret.looked = never // as if it was a while ago
		g.client.secret.mu.Unlock()
		s.expect(g, "the file is read before anything is sent", "good", 200, 1)
	})
}

// TestSecretFileIsAFile shows that a guard neither waits for a pipe nor reads a device
// without an end.
func TestSecretFileIsAFile(t *testing.T) {
	for _, file := range []string{"/dev/zero", "/dev/null", t.TempDir()} {
		_, err := New(Config{Issuer: fakeIssuer, ClientID: rsID, SecretFile: file})
		if err == nil || !strings.Contains(err.Error(), "the secret file "+file+" is not a file") {
			t.Errorf("%s: %v", file, err)
		}
	}
}

// TestJoin shows that look-ups of one token share a request, but not one that began
// too long ago.
func TestJoin(t *testing.T) {
	inBubble(t, func(t *testing.T, s *fakeServer) {
		s.add("good", "", key(1))
		g := s.warm(nil)
		defer g.Close()
		release := make(chan struct{})
		s.set(func() { s.before = func(*http.Request) { <-release } })
		var all sync.WaitGroup
		ask := func(n int) {
			for range n {
				all.Go(func() {
					if got := status(g, "good"); got != 200 {
						t.Errorf("status %d", got)
					}
				})
			}
			synctest.Wait()
		}
		ask(50)
		time.Sleep(400 * time.Millisecond)
		ask(50)
		if asked, _ := s.counts(); asked != 1 {
			t.Errorf("%d introspections for the first hundred", asked)
		}
		time.Sleep(200 * time.Millisecond)
		ask(50)
		if asked, _ := s.counts(); asked != 2 {
			t.Errorf("%d introspections after those that came late", asked)
		}
		close(release)
		all.Wait()
		if st := g.State(); st.Joined != 148 || st.Misses != 150 || st.Introspections != 2 {
			t.Errorf("state %+v", st)
		}
	})
}

// TestSlowVerdictWithoutStream shows that a verdict that took too long counts only if
// the stream vouches for it.
func TestSlowVerdict(t *testing.T) {
	inBubble(t, func(t *testing.T, s *fakeServer) {
		s.add("good", "", key(1))
		g := s.warm(nil)
		defer g.Close()
		s.set(func() { s.after = func(*http.Request) { time.Sleep(1200 * time.Millisecond) } })
		s.expect(g, "with the stream", "good", 200, 1)
		s.set(func() { s.unconfirmed = true })
		time.Sleep(mostStaleness + moment)
		s.expect(g, "without it", "good", 503, 2)
	})
}

// TestFloodsAreBounded shows that no more than a fixed number of requests are in
// flight, and that cached tokens do not suffer.
func TestFloodsAreBounded(t *testing.T) {
	inBubble(t, func(t *testing.T, s *fakeServer) {
		s.add("good", "", key(1))
		g := s.warm(nil)
		defer g.Close()
		s.expect(g, "first", "good", 200, 1)
		release := make(chan struct{})
		s.set(func() { s.before = func(*http.Request) { <-release } })
		var all sync.WaitGroup
		var mu sync.Mutex
		got := map[int]int{}
		for i := range 1000 {
			all.Go(func() {
				n := status(g, "garbage"+string(rune('a'+i%26))+string(rune('a'+i/26%26))+string(rune('a'+i/676)))
				mu.Lock()
				defer mu.Unlock()
				got[n]++
			})
		}
		synctest.Wait()
		s.expect(g, "a cached token meanwhile", "good", 200, 0)
		close(release)
		all.Wait()
		if got[401] != mostStrangers || got[503] != 1000-mostStrangers {
			t.Errorf("statuses %v", got)
		}
		if asked, _ := s.counts(); asked != 1+mostStrangers {
			t.Errorf("%d introspections", asked)
		}
	})
}

// TestCallerLeaves shows that a caller that gives up does not wait, and does not end
// the request of the others.
func TestCallerLeaves(t *testing.T) {
	inBubble(t, func(t *testing.T, s *fakeServer) {
		s.add("good", "", key(1))
		g := s.warm(nil)
		defer g.Close()
		release := make(chan struct{})
		s.set(func() { s.before = func(*http.Request) { <-release } })
		ctx, cancel := context.WithCancel(t.Context())
		left := make(chan error)
		go func() { _, err := g.Check(ctx, "good", Need{}); left <- err }()
		synctest.Wait()
		stays := make(chan int)
		go func() { stays <- status(g, "good") }()
		synctest.Wait()
		cancel()
		if err := <-left; !errors.Is(err, context.Canceled) {
			t.Errorf("the caller that left: %v", err)
		}
		close(release)
		if got := <-stays; got != 200 {
			t.Errorf("the caller that stays: %d", got)
		}
	})
}

// TestClose shows that nothing is left: the bubble fails if a goroutine is.
func TestClose(t *testing.T) {
	inBubble(t, func(t *testing.T, s *fakeServer) {
		s.add("good", "", key(1))
		g := s.warm(nil)
		s.expect(g, "first", "good", 200, 1)
		hang := make(chan struct{})
		s.set(func() { s.before = func(r *http.Request) { <-hang } })
		waits := make(chan int)
		go func() { waits <- status(g, "other") }()
		synctest.Wait()
		if err := g.Close(); err != nil {
			t.Error(err)
		}
		close(hang)
		if got := <-waits; got != 503 {
			t.Errorf("a check during Close: %d", got)
		}
		s.expect(g, "after Close", "good", 503, 0)
		if st := g.State(); st.Fresh || st.StreamConnected || st.Registered {
			t.Errorf("state %+v", st)
		}
		_ = g.Close()
	})
}
