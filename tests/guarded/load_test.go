package guarded_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"
)

const (
	// wantedRate is how many requests per second each resource server gets; a busy
	// machine may carry fewer.
	wantedRate = 1000
	leastRate  = 200
	loadEnds   = 100
	kept       = 50 // tokens that live to the end of a test
)

// TestRevocationsUnderLoad revokes 100 tokens while the API and the edge serve 1,000
// requests per second each, over HTTP. The server sees the stream and what is not in
// a cache, and nothing else.
func TestRevocationsUnderLoad(t *testing.T) {
	l := newLab(t, 0, 0)
	l.serveAPI(t)
	l.probe = 3 * time.Millisecond
	c := l.newClient(t, "app")
	p := &pool{live: l.tokens(t, c, kept+loadEnds)}
	all := p.live
	l.know(t, all)
	before := l.served(t)
	quiet, stop := context.WithTimeout(t.Context(), 2*time.Second)
	defer stop()
	stale := l.watchFreshness(quiet)
	rate := l.load(quiet, wantedRate, p.next)
	after := l.served(t)
	requests := rate * 2 * float64(len(l.targets))
	share, oldest := stale()
	t.Logf("%.0f requests/s to each; of %.0f requests, %.0f led to an introspection; the guard was stale for %.0f %% of the time, its view at most %v old",
		rate, requests, after-before, share*100, oldest)
	if rate < leastRate {
		t.Errorf("%.0f requests/s: too few to say anything", rate)
	}
	// None, unless the machine stood still for so long that the stream was not fresh.
	if asked := after - before; asked > requests*(share+0.05) {
		t.Errorf("%.0f introspections for %.0f requests about tokens that are in the caches", asked, requests)
	}

	loaded, stop := context.WithCancel(t.Context())
	var work sync.WaitGroup
	work.Go(func() { rate = l.load(loaded, wantedRate, p.next) })
	if err := l.endSome(t.Context(), p, c, kept); err != nil {
		t.Error(err)
	}
	stop()
	work.Wait()
	last := l.served(t)
	t.Logf("%.0f requests/s to each while %d tokens were revoked; %.0f introspections", rate, loadEnds, last-after)
	l.await(t, "every ended token is refused", recovery, refused, p.ended)
	l.report(t, l.targets, all)
	for _, at := range l.targets {
		if gone, _ := l.delays(at, all); len(gone) != loadEnds {
			t.Errorf("%s: %d ends seen, want %d", at.name, len(gone), loadEnds)
		}
	}
}

// watchFreshness looks at the guard until ctx ends. What it returns then returns the share
// of the looks at which it was not fresh, and the greatest age.
func (l *lab) watchFreshness(ctx context.Context) func() (share float64, oldest time.Duration) {
	var looks, stale int
	var oldest time.Duration
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ; ctx.Err() == nil; time.Sleep(10 * time.Millisecond) { // between two looks
			s := l.guard.State()
			looks++
			if !s.Fresh {
				stale++
			}
			oldest = max(oldest, s.Age)
		}
	}()
	return func() (float64, time.Duration) {
		<-done
		return float64(stale) / float64(looks), oldest
	}
}

// serveAPI makes the API a real server, in place of calls within the process.
func (l *lab) serveAPI(t *testing.T) {
	t.Helper()
	s := httptest.NewServer(l.api)
	t.Cleanup(s.Close)
	caller := &http.Client{Timeout: patience, Transport: &http.Transport{MaxIdleConnsPerHost: 256}}
	l.targets[0].ask = func(token string) (verdict, string) {
		req, err := http.NewRequest(http.MethodGet, s.URL+"/cards", nil)
		if err != nil {
			return wrong, err.Error()
		}
		req.Header.Set("Authorization", "Bearer "+token)
		res, err := caller.Do(req)
		if err != nil {
			return wrong, err.Error()
		}
		defer res.Body.Close()
		return judgeAPI(res)
	}
}
