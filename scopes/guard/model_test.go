package guard

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// world is a model of an authorization server with replicas that lag, behind a network
// that delays. A void is acknowledged once every replica has it: lag after it was
// written. Nothing in it is a real server, so that it shows the worst that is allowed.
type world struct {
	s    *fakeServer
	born time.Time
	lag  time.Duration // of replicas, at most

	mu       sync.Mutex
	rand     *rand.Rand
	feed     []written
	lineages []lineage // the last is the present one
	delay    time.Duration
	slow     time.Duration // of introspections, at most
	quiet    bool          // streams confirm nothing
	cuts     int           // each cut ends the streams that are open
}

type written struct {
	key uint64
	at  time.Time
}

// lineage is a life of the feed: its positions have nothing to do with those before.
type lineage struct {
	base  uint64
	since time.Time
}

const (
	tokensOfWorld = 12
	lifeOfToken   = 4 * time.Second // then another one is issued
)

// issued returns when the token with a life was.
func (w *world) issued(life int) time.Time {
	return w.born.Add(time.Duration(life) * lifeOfToken)
}

// keysOf are the void keys of a token: some are shared.
func keysOf(token int) []uint64 { return []uint64{uint64(token), 100 + uint64(token%3), 200} }

// seen returns what a replica with the lag has: how many entries, in which lineage, and
// as of when. mu is held.
func (w *world) seen(lag time.Duration) (n int, l lineage, asOf time.Time) {
	asOf = time.Now().Add(-lag)
	l = w.lineages[len(w.lineages)-1]
	if asOf.Before(l.since) && len(w.lineages) > 1 { // it has not noticed the new lineage, and gets nothing more of the old one
		l, asOf = w.lineages[len(w.lineages)-2], minTime(asOf, l.since)
	}
	for n < len(w.feed) && !w.feed[n].at.After(asOf) {
		n++
	}
	return n, l, asOf
}

func minTime(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

func (w *world) random(most time.Duration) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	return time.Duration(w.rand.Int64N(int64(most) + 1))
}

// introspect judges a token by a replica.
func (w *world) introspect(rw http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	slow := w.slow
	w.mu.Unlock()
	time.Sleep(w.random(slow))
	lag := w.random(w.lag)
	var token, life int
	_, _ = fmt.Sscanf(r.PostFormValue("token"), "t%d.%d", &token, &life)
	w.mu.Lock()
	n, l, asOf := w.seen(lag)
	body := fmt.Sprintf(`{"active":true,"scope":"users:read","token_use":"client","sub":"client:a","exp":%d,"void_keys":["%s","%s","%s"],"feed_position":%q,"feed_age_ms":%d}`,
		time.Now().Add(time.Hour).Unix(), key(keysOf(token)[0]), key(keysOf(token)[1]), key(keysOf(token)[2]), at(l.base+uint64(n)), (time.Since(asOf) + time.Millisecond - 1).Milliseconds())
	for _, e := range w.feed[:n] {
		if slices.Contains(keysOf(token), e.key) && e.at.After(w.issued(life)) {
			body = `{"active":false}`
		}
	}
	w.mu.Unlock()
	rw.Header().Set("Date", time.Now().UTC().Format(http.TimeFormat))
	time.Sleep(w.random(slow))
	_, _ = io.WriteString(rw, body)
}

// stream is one stream of a replica with a lag, through a proxy that delays.
func (w *world) stream(rw http.ResponseWriter, r *http.Request) {
	arrived := w.s.now()
	time.Sleep(w.random(50 * time.Millisecond))
	lag := w.random(w.lag)
	w.mu.Lock()
	sent, here, _ := w.seen(lag)
	cuts := w.cuts
	first := w.s.registered(arrived)
	if last, err := parsePosition(r.Header.Get("Last-Event-ID")); err == nil {
		if last.lo < here.base || last.lo > here.base+uint64(sent) {
			first += w.resetText(here, sent)
		} else {
			sent = int(last.lo - here.base)
		}
	}
	w.mu.Unlock()
	rw.Header().Set("Content-Type", "text/event-stream")
	var line []queued // what the proxy holds
	hold := func(text string) {
		due := time.Now().Add(w.delay)
		if len(line) > 0 && line[len(line)-1].due.After(due) {
			due = line[len(line)-1].due
		}
		line = append(line, queued{text, due})
	}
	w.mu.Lock()
	hold(first)
	w.mu.Unlock()
	for tick := 0; ; tick++ {
		w.mu.Lock()
		n, l, asOf := w.seen(lag)
		if l != here {
			here, sent = l, n
			hold(w.s.registered(arrived) + w.resetText(here, sent))
		}
		for ; sent < n; sent++ {
			hold(fakeVoid{here.base + uint64(sent) + 1, key(w.feed[sent].key)}.text())
		}
		if tick%10 == 0 && !w.quiet && time.Since(asOf) < time.Second {
			age := (time.Since(asOf) + time.Millisecond - 1).Milliseconds()
			hold(fmt.Sprintf("event: fresh\nid: %s\ndata: {\"age_ms\":%d,\"at_ms\":%d}\n\n", at(here.base+uint64(sent)), age, w.s.now()))
		}
		cut := w.cuts != cuts
		w.mu.Unlock()
		for len(line) > 0 && !line[0].due.After(time.Now()) {
			if _, err := io.WriteString(rw, line[0].text); err != nil {
				return
			}
			line = line[1:]
		}
		if http.NewResponseController(rw).Flush() != nil || cut || r.Context().Err() != nil {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func (w *world) resetText(l lineage, n int) string {
	return fmt.Sprintf("event: reset\nid: %s\ndata: {\"reason\":\"recovered\"}\n\n", at(l.base+uint64(n)))
}

// disturb changes the world at random.
func (w *world) disturb() {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch w.rand.IntN(12) {
	case 0, 1, 2:
		w.feed = append(w.feed, written{[]uint64{uint64(w.rand.IntN(tokensOfWorld)), 100 + uint64(w.rand.IntN(3)), 300}[w.rand.IntN(3)], time.Now()})
	case 3:
		w.delay = []time.Duration{0, 0, 100 * time.Millisecond, 900 * time.Millisecond, 3 * time.Second}[w.rand.IntN(5)]
	case 4:
		w.slow = []time.Duration{0, 0, 50 * time.Millisecond, 700 * time.Millisecond}[w.rand.IntN(4)]
	case 5:
		w.quiet = !w.quiet && w.rand.IntN(3) == 0
	case 6:
		w.cuts++
	case 7:
		if last := w.lineages[len(w.lineages)-1]; w.rand.IntN(3) == 0 && time.Since(last.since) > 3*time.Second {
			w.lineages = append(w.lineages, lineage{uint64(1+w.rand.IntN(1000)) * 1_000_000, time.Now()})
		}
	}
}

var worlds = flag.Int("worlds", 20, "random worlds that TestWorld makes")

// TestWorld lets random voids, resets, delays and cuts meet random look-ups: a token is
// never active longer than MaxStaleness after a void of it was acknowledged.
func TestWorld(t *testing.T) {
	accepted, hits := 0, uint64(0)
	for seed := range *worlds {
		lag := []time.Duration{0, 300 * time.Millisecond, time.Second}[seed%3]
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n, h := liveInWorld(t, uint64(seed), lag)
				accepted, hits = accepted+n, hits+h
			})
		})
	}
	if accepted < 100**worlds || hits < 20*uint64(*worlds) {
		t.Errorf("%d accepted, %d hits: the worlds show too little", accepted, hits)
	}
}

func liveInWorld(t *testing.T, seed uint64, lag time.Duration) (accepted int, hits uint64) {
	s := newFakeServer(t)
	w := &world{s: s, born: time.Now(), lag: lag, rand: rand.New(rand.NewPCG(seed, 1)), lineages: []lineage{{1_000, time.Now().Add(-time.Hour)}}}
	mux := http.NewServeMux()
	mux.Handle("GET /.well-known/", s.http.Handler)
	mux.HandleFunc("POST /oauth/introspect", func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Content-Type", "application/json")
		w.introspect(rw, r)
	})
	mux.HandleFunc("GET /oauth/revocations", w.stream)
	s.http.Handler = mux
	g := s.guard(func(c *Config) { c.StartTimeout = time.Minute })
	if seed%2 == 1 {
		g.view.limitVoids(6)
	}
	defer s.close()
	defer g.Close()
	var mu sync.Mutex
	var all sync.WaitGroup
	for worker := range 4 {
		own := rand.New(rand.NewPCG(seed, uint64(10+worker)))
		all.Go(func() {
			for range 400 {
				time.Sleep(time.Duration(own.Int64N(int64(100 * time.Millisecond))))
				token, life := own.IntN(tokensOfWorld), int(time.Since(w.born)/lifeOfToken)-own.IntN(3)
				_, err := g.Check(t.Context(), fmt.Sprintf("t%d.%d", token, max(life, 0)), Need{})
				var r *Refusal
				if err != nil && !errors.As(err, &r) {
					t.Errorf("error %v", err)
				}
				if err == nil {
					w.verify(t, token, max(life, 0))
					mu.Lock()
					accepted++
					mu.Unlock()
				}
			}
		})
	}
	stop := make(chan struct{})
	var disturber sync.WaitGroup
	disturber.Go(func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(w.random(400 * time.Millisecond)):
				w.disturb()
			}
		}
	})
	all.Wait()
	close(stop)
	disturber.Wait()
	return accepted, g.State().Hits
}

// verify fails the test if the token, which was accepted just now, has been ended for
// too long.
func (w *world) verify(t *testing.T, token, life int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range w.feed {
		if over := time.Since(e.at) - w.lag; slices.Contains(keysOf(token), e.key) && e.at.After(w.issued(life)) && over > mostStaleness {
			t.Errorf("token %d was accepted %v after a void of it was acknowledged", token, over)
		}
	}
}
