package guard

import (
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// moment lets what was sent arrive.
const moment = time.Millisecond

// TestStream has a row for each way in which a stream fails. Each begins with a token
// in the cache of a guard that follows.
func TestStream(t *testing.T) {
	for _, c := range []struct {
		rule string
		then func(s *fakeServer, g *Guard)
	}{
		{"a void of another key ends nothing", func(s *fakeServer, g *Guard) {
			s.void(key(99))
			time.Sleep(moment)
			s.expect(g, "after it", "good", 200, 0)
		}},
		{"two tokens with one key end together", func(s *fakeServer, g *Guard) {
			s.add("second", "", key(1), key(5))
			s.expect(g, "before", "second", 200, 1)
			s.void(key(1))
			time.Sleep(moment)
			s.expect(g, "the first", "good", 401, 1)
			s.expect(g, "the second", "second", 401, 1)
		}},
		{"a collision of keys asks again, and keeps the token", func(s *fakeServer, g *Guard) {
			s.collide(key(1))
			time.Sleep(moment)
			s.expect(g, "once", "good", 200, 1)
			s.expect(g, "then cached", "good", 200, 0)
		}},
		{"a silent stream is not believed for longer than the bound", func(s *fakeServer, g *Guard) {
			s.set(func() { s.unconfirmed = true })
			time.Sleep(700 * time.Millisecond)
			s.expect(g, "soon", "good", 200, 0)
			time.Sleep(400 * time.Millisecond)
			s.expect(g, "later", "good", 200, 1)
			s.set(func() { s.unconfirmed = false })
			time.Sleep(300 * time.Millisecond)
			s.expect(g, "when it is confirmed again", "good", 200, 0)
		}},
		{"a silent stream is opened again", func(s *fakeServer, g *Guard) {
			_, before := s.counts()
			s.set(func() { s.unconfirmed = true })
			time.Sleep(5 * time.Second)
			if _, after := s.counts(); after == before {
				s.t.Error("nobody opened another stream")
			}
		}},
		{"the age of the replica counts", func(s *fakeServer, g *Guard) {
			s.set(func() { s.age = 800 * time.Millisecond })
			time.Sleep(1100 * time.Millisecond)
			s.set(func() { s.unconfirmed = true })
			time.Sleep(250 * time.Millisecond) // 800 ms and up to 500 ms
			s.expect(g, "both ages together", "good", 200, 1)
		}},
		{"a replica that is as old as the bound is not believed", func(s *fakeServer, g *Guard) {
			s.set(func() { s.age = time.Second })
			time.Sleep(1100 * time.Millisecond)
			s.expect(g, "old", "good", 200, 1)
			s.set(func() { s.age = 0 })
			time.Sleep(300 * time.Millisecond)
			s.expect(g, "young again", "good", 200, 0)
		}},
		{"a stream that a proxy delays is noticed by at_ms", func(s *fakeServer, g *Guard) {
			s.set(func() { s.delay = 1200 * time.Millisecond })
			time.Sleep(2 * time.Second) // confirmations come all the time, late
			s.expect(g, "late", "good", 200, 1)
			s.void(key(1))
			time.Sleep(moment)
			s.expect(g, "a void that is on its way", "good", 401, 1)
		}},
		{"a short delay only adds to the age", func(s *fakeServer, g *Guard) {
			s.set(func() { s.delay = 300 * time.Millisecond })
			time.Sleep(2 * time.Second)
			s.expect(g, "a little late", "good", 200, 0)
		}},
		{"a stream in a black hole", func(s *fakeServer, g *Guard) {
			s.set(func() { s.hole = true })
			time.Sleep(mostStaleness + 2*moment)
			s.expect(g, "nothing comes", "good", 503, 1)
			s.void(key(1))
			s.set(func() { s.hole = false })
			s.cut()
			time.Sleep(15 * time.Second)
			s.expect(g, "the void was sent into the hole", "good", 401, 1)
		}},
		{"a cut stream resumes and misses nothing", func(s *fakeServer, g *Guard) {
			s.add("other", "", key(7))
			s.expect(g, "before", "other", 200, 1)
			s.cut()
			s.void(key(1))
			time.Sleep(300 * time.Millisecond)
			s.expect(g, "voided meanwhile", "good", 401, 1)
			s.expect(g, "the other is still cached", "other", 200, 0)
			if all := s.resumes(); all[len(all)-1] != at(1000) {
				s.t.Errorf("the streams began after %q", all)
			}
		}},
		{"an event that is cut off does not count, and comes again", func(s *fakeServer, g *Guard) {
			s.set(func() {
				s.position++
				s.voids = append(s.voids, fakeVoid{s.position, key(1)})
				delete(s.tokens, "good")
			})
			text := fakeVoid{1001, key(1)}.text()
			s.endStreams(text[:len(text)-2])
			time.Sleep(moment)
			if g.view.hasAllForTest(key(1)) {
				s.t.Error("half an event was applied")
			}
			time.Sleep(300 * time.Millisecond)
			s.expect(g, "after it came again", "good", 401, 1)
		}},
		{"events that come twice change nothing", func(s *fakeServer, g *Guard) {
			s.set(func() { s.twice = true })
			s.void(key(99))
			time.Sleep(time.Second)
			s.expect(g, "after them", "good", 200, 0)
			if resets := g.State().Streams; resets != 1 {
				s.t.Errorf("%d streams", resets)
			}
		}},
		{"a void that comes after a later confirmation drops everything", func(s *fakeServer, g *Guard) {
			s.set(func() { s.position += 2; s.tellAll(s.freshText()); s.tellAll(fakeVoid{s.position - 1, key(50)}.text()) })
			time.Sleep(moment)
			s.expect(g, "after it", "good", 200, 1)
			time.Sleep(500 * time.Millisecond)
			if all := s.resumes(); len(all) != 2 || all[1] != "" {
				s.t.Errorf("the streams began after %q", all)
			}
		}},
		{"an end of the stream with retry is honored", func(s *fakeServer, g *Guard) {
			_, before := s.counts()
			s.endStreams("retry: 7000\n\n")
			time.Sleep(6900 * time.Millisecond)
			if _, after := s.counts(); after != before {
				s.t.Error("the guard came back too soon")
			}
			s.expect(g, "meanwhile", "good", 200, 1)
			time.Sleep(200 * time.Millisecond)
			if _, after := s.counts(); after != before+1 {
				s.t.Error("the guard did not come back")
			}
		}},
		{"a full server is left alone for as long as it says", func(s *fakeServer, g *Guard) {
			var tries atomic.Int32
			s.set(func() {
				s.refuse = func(path string, h http.Header) int {
					if path != "/oauth/revocations" {
						return 0
					}
					tries.Add(1)
					h.Set("Retry-After", "20")
					return http.StatusTooManyRequests
				}
			})
			s.endStreams("")
			time.Sleep(19 * time.Second)
			if n := tries.Load(); n != 1 {
				s.t.Errorf("%d tries within 20 s", n)
			}
			time.Sleep(8 * time.Second)
			if n := tries.Load(); n != 2 {
				s.t.Errorf("%d tries within 27 s", n)
			}
		}},
		{"the end of the credential drops everything and fails closed", func(s *fakeServer, g *Guard) {
			s.set(func() { s.secret = "another" })
			s.endStreams("")
			time.Sleep(200 * time.Millisecond)
			if n := g.State().Entries; n != 0 {
				s.t.Errorf("%d entries", n)
			}
			s.expect(g, "refused", "good", 503, 0) // the secret was just refused: it is not tried again at once
			if err := g.State().Err; err == nil || !strings.Contains(err.Error(), "refuses the credentials") {
				s.t.Errorf("state: %v", err)
			}
		}},
		{"a stream is replaced every ten minutes, without a gap", func(s *fakeServer, g *Guard) {
			_, before := s.counts()
			for range 12 * 60 {
				time.Sleep(time.Second)
				if !g.State().Fresh {
					s.t.Fatal("not fresh")
				}
			}
			if _, after := s.counts(); after != before+1 {
				s.t.Errorf("%d streams, want one more than %d", after, before)
			}
			s.expect(g, "after it", "good", 200, 0)
			s.set(func() {
				if len(s.open) != 1 {
					s.t.Errorf("%d streams are open", len(s.open))
				}
			})
		}},
		{"a clock of the server that runs ahead makes nothing younger", func(s *fakeServer, g *Guard) {
			s.set(func() { s.unconfirmed = true; s.origin = s.origin.Add(-time.Hour); s.tellAll(s.freshText()) })
			time.Sleep(mostStaleness + 2*moment)
			s.expect(g, "after it", "good", 200, 1)
		}},
		{"a clock of the server that goes back ends the stream", func(s *fakeServer, g *Guard) {
			_, before := s.counts()
			s.set(func() { s.origin = time.Now(); s.tellAll(s.freshText()) })
			time.Sleep(300 * time.Millisecond)
			if _, after := s.counts(); after != before+1 {
				s.t.Errorf("%d streams, want one more than %d", after, before)
			}
		}},
	} {
		t.Run(c.rule, func(t *testing.T) {
			inBubble(t, func(t *testing.T, s *fakeServer) {
				s.add("good", "", key(1), key(2))
				g := s.warm(nil)
				defer g.Close()
				s.expect(g, "first", "good", 200, 1)
				s.expect(g, "second", "good", 200, 0)
				c.then(s, g)
			})
		})
	}
}

// hasAllForTest reports whether a void of the key was applied.
func (v *view) hasAllForTest(text string) bool {
	k, err := parseVoidKey(text)
	v.mu.RLock()
	defer v.mu.RUnlock()
	return err == nil && v.voids.hasAll([]uint64{k}, position{})
}

// TestResets shows that each reason drops everything, and that nothing is kept for a
// second: a replica may still be in the state from before.
func TestResets(t *testing.T) {
	for _, reason := range []string{"position_unknown", "behind", "recovered", "registration", "keys"} {
		t.Run(reason, func(t *testing.T) {
			inBubble(t, func(t *testing.T, s *fakeServer) {
				s.add("good", "", key(1))
				g := s.warm(nil)
				defer g.Close()
				s.expect(g, "first", "good", 200, 1)
				s.reset(reason)
				time.Sleep(moment)
				if n := g.State().Entries; n != 0 {
					t.Errorf("%d entries", n)
				}
				s.expect(g, "after the reset", "good", 200, 1)
				time.Sleep(900 * time.Millisecond)
				s.expect(g, "before a second has passed", "good", 200, 1)
				time.Sleep(150 * time.Millisecond)
				s.expect(g, "after a second", "good", 200, 1)
				s.expect(g, "then cached", "good", 200, 0)
			})
		})
	}
	t.Run("while a verdict from before is being kept", func(t *testing.T) {
		inBubble(t, func(t *testing.T, s *fakeServer) {
			s.add("good", "", key(1))
			g := s.warm(nil)
			defer g.Close()
			s.expect(g, "first", "good", 200, 1)
			k := keyOf("good", netip.Addr{})
			before, _ := g.cache.get(k)
			s.set(func() { s.tokens = map[string]string{} }) // a void that only the reset tells of
			s.reset("recovered")
			time.Sleep(moment)
			g.cache.set(k, before)
			time.Sleep(300 * time.Millisecond) // the stream is fresh again
			s.expect(g, "it was kept late", "good", 401, 1)
		})
	})
	t.Run("and a replica that lags for long", func(t *testing.T) {
		inBubble(t, func(t *testing.T, s *fakeServer) {
			s.add("good", "", key(1))
			g := s.warm(nil)
			defer g.Close()
			s.reset("keys")
			s.set(func() { s.ageMs = 5000 })
			time.Sleep(4 * time.Second)
			s.expect(g, "it may not know of the reset", "good", 503, 2)
			time.Sleep(1100 * time.Millisecond)
			s.expect(g, "it knows", "good", 200, 1)
			s.expect(g, "which is kept", "good", 200, 0)
		})
	})
	t.Run("while a verdict is on its way", func(t *testing.T) {
		inBubble(t, func(t *testing.T, s *fakeServer) {
			s.add("good", "", key(1))
			g := s.warm(nil)
			defer g.Close()
			var once sync.Once
			s.set(func() {
				s.after = func(*http.Request) {
					once.Do(func() {
						s.set(func() { s.tokens = map[string]string{} })
						s.reset("recovered")
						time.Sleep(moment)
					})
				}
			})
			s.expect(g, "it was asked for before", "good", 401, 2)
		})
	})
	t.Run("of a stream that resumes", func(t *testing.T) {
		inBubble(t, func(t *testing.T, s *fakeServer) {
			s.add("good", "", key(1))
			g := s.warm(nil)
			defer g.Close()
			s.expect(g, "first", "good", 200, 1)
			s.set(func() { s.resetReason = "position_unknown" })
			s.cut()
			time.Sleep(200 * time.Millisecond)
			s.expect(g, "after it", "good", 200, 1)
		})
	})
}
