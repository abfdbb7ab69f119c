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
	c := l.newClient(t, "app")
	p := &pool{live: l.tokens(t, c, kept+loadEnds)}
	all := p.live
	l.await(t, "all tokens are known", patience, accepted, all)

	before, _ := l.served(t)
	quiet, stop := context.WithTimeout(t.Context(), 2*time.Second)
	defer stop()
	rate := l.load(quiet, wantedRate, p.next)
	after, _ := l.served(t)
	requests := rate * 2 * float64(len(l.targets))
	t.Logf("%.0f requests/s to each; of %.0f requests, %.0f led to an introspection", rate, requests, after-before)
	if rate < leastRate {
		t.Errorf("%.0f requests/s: too few to say anything", rate)
	}
	// None, unless the machine stood still for so long that the stream was not fresh.
	if asked := after - before; asked > requests/20 {
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
	last, _ := l.served(t)
	t.Logf("%.0f requests/s to each while %d tokens were revoked; %.0f introspections", rate, loadEnds, last-after)
	l.await(t, "every ended token is refused", bound, refused, p.ended)
	l.report(t, l.targets, all)
	for _, at := range l.targets {
		if n := len(l.delays(at, all)); n != loadEnds {
			t.Errorf("%s: %d ends seen, want %d", at.name, n, loadEnds)
		}
	}
}

// serveAPI makes the API a real server, in place of calls within the process.
func (l *lab) serveAPI(t *testing.T) {
	t.Helper()
	s := httptest.NewServer(l.api)
	t.Cleanup(s.Close)
	caller := &http.Client{Timeout: callTimeout, Transport: &http.Transport{MaxIdleConnsPerHost: 256}}
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

// served returns how many introspections the replicas have served.
func (l *lab) served(t *testing.T) (sum float64, each []float64) {
	t.Helper()
	for _, r := range l.replicas {
		n := r.introspections(t)
		sum, each = sum+n, append(each, n)
	}
	return sum, each
}
