package service_test

import (
	"fmt"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/grantd/grantd/store/storetest/redistest"
	"github.com/grantd/grantd/tests/harness"
)

const (
	// alike is the largest allowed ratio of two medians. The test looks for a
	// slow hash or a store call that only some kinds have; a busy machine must
	// not fail it.
	alike = 1.6
	// Each round takes samples of every kind. One good round is enough, because
	// noise does not hit the same kind in every round.
	samples = 150
	rounds  = 4
)

// compare takes interleaved samples of each kind and fails the test unless the
// medians of all kinds are alike in one of the rounds.
func compare(t *testing.T, kinds map[string]func()) {
	t.Helper()
	var said string
	for range rounds {
		took := map[string][]time.Duration{}
		for range samples {
			for name, do := range kinds { // in a random order each time
				began := time.Now()
				do()
				took[name] = append(took[name], time.Since(began))
			}
		}
		low, high := time.Duration(1<<62), time.Duration(0)
		said = ""
		for name, all := range took {
			m := median(all)
			low, high = min(low, m), max(high, m)
			said += fmt.Sprintf("%s %v; ", name, m)
		}
		if float64(high) <= alike*float64(low) {
			t.Log(said)
			return
		}
	}
	t.Errorf("a caller can tell them apart by their time: %s", said)
}

// An unknown client, a wrong secret, a nearly right one, a deactivated client and
// an ended secret take the same time (RFC 6749 §10.10).
func TestTimeOfARefusal(t *testing.T) {
	harness.EachStoreInTurn(t, func(t *testing.T, start func(...harness.Options) *harness.Server) {
		s := start()
		c := s.NewClient(t, "billing", "users:read")
		off := s.NewClient(t, "off", "users:read")
		if _, err := s.Clients().Deactivate(t.Context(), auditor, "off"); err != nil {
			t.Fatal(err)
		}
		end := s.NewClient(t, "end", "users:read")
		if _, err := s.Clients().Rotate(t.Context(), auditor, "end", 0); err != nil {
			t.Fatal(err)
		}
		last, first := []byte(c.ClientSecret), []byte(c.ClientSecret)
		last[len(last)-2] ^= 1
		first[len(first)-42] ^= 1
		kind := func(id, secret string) func() {
			return func() { want(t, s, 401, attempt{id: id, secret: secret}, id) }
		}
		compare(t, map[string]func(){
			"unknown client":                   kind("nobody", c.ClientSecret),
			"unknown client, malformed secret": kind("nobody", "wrong"),
			"wrong secret":                     kind("billing", "wrong"),
			"another client's secret":          kind("billing", off.ClientSecret),
			"first bits wrong":                 kind("billing", string(first)),
			"last bits wrong":                  kind("billing", string(last)),
			"deactivated client":               kind("off", off.ClientSecret),
			"ended secret":                     kind("end", end.ClientSecret),
		})
	})
}

// A caller of introspection cannot tell by time why a token is inactive (RFC 7662
// §4). The keyed check in a token refuses made-up ones without a store read, so
// there are two groups: tokens issued here, whether ended or unknown to the
// store, take the same time, and so do all kinds of garbage.
func TestTimeOfInactive(t *testing.T) {
	addr := redistest.Start(t).Addr
	s := harness.Start(t, edits(harness.OnRedis(addr)))
	redis := harness.DialRedis(t, addr)
	rs := s.NewClient(t, "rs", "introspect")
	c := s.NewClient(t, "billing", "users:read")
	gone := s.NewClient(t, "gone", "users:read")
	lost := s.Token(t, c, "")
	for _, key := range redis.Keys(t, "grantd:t:*") {
		redis.Do(t, "DEL", key)
	}
	revoked, void, live := s.Token(t, c, ""), s.Token(t, gone, ""), s.Token(t, c, "")
	if r := s.Form(t, "/oauth/revoke", c.ClientID, c.ClientSecret, url.Values{"token": {revoked}}); r.Status != 200 {
		t.Fatalf("%d %s", r.Status, r.Body)
	}
	if err := s.Clients().Delete(t.Context(), auditor, "gone", 0); err != nil {
		t.Fatal(err)
	}
	ask := func(token string) func() {
		return func() {
			if r := s.Introspect(t, rs, token); r.Body != `{"active":false}` {
				t.Errorf("%d %s", r.Status, r.Body)
			}
		}
	}
	t.Run("made_here", func(t *testing.T) {
		compare(t, map[string]func(){"unknown to the store": ask(lost), "revoked": ask(revoked), "void": ask(void)})
	})
	t.Run("garbage", func(t *testing.T) {
		off := func(token string) string {
			b := []byte(token)
			b[len(b)-5] ^= 1
			return string(b)
		}
		compare(t, map[string]func(){
			"made up":                         ask("gt_sandbox_" + strings.Repeat("0", 43)),
			"one character off a live one":    ask(off(live)),
			"one character off a revoked one": ask(off(revoked)),
			"malformed":                       ask("x"),
			"of the other environment":        ask("gt_live_" + live[len("gt_sandbox_"):]),
		})
	})
}

// The time of a refusal does not tell whether a client id is known, not even on
// the embedded store, where a request is fast. Both take the same look into the
// cache, read and counts. Somebody who compares pairs of a known and an unknown
// id, 20 samples of each, is right as often as a coin; the medians of all samples
// are alike. Samples alternate, so that the machine treats both alike.
func TestTimeOfAnUnknownClient(t *testing.T) {
	const (
		pairs, each = 60, 20
		lean        = 18   // a coin leans further than this from pairs/2 once in a million runs
		even        = 0.06 // largest difference of the medians
		tries       = 3
	)
	harness.EachStoreInTurn(t, func(t *testing.T, start func(...harness.Options) *harness.Server) {
		s := start(edits(limited(1e6, 1e6)))
		var made sync.WaitGroup // on Redis, each waits for cache.max_staleness
		for i := range pairs {
			made.Go(func() {
				c := s.NewClient(t, fmt.Sprintf("bill%02d", i), "users:read")
				if i%2 == 0 { // it is in the cache
					want(t, s, 200, attempt{id: c.ClientID, secret: c.ClientSecret}, "the client")
				}
			})
		}
		made.Wait()
		var said string
		for range tries {
			var all [2][]time.Duration
			slower := 0 // pairs whose known id took longer
			for i := range pairs {
				ids, took := [2]string{fmt.Sprintf("bill%02d", i), fmt.Sprintf("bull%02d", i)}, [2][]time.Duration{}
				for n := range 2 * each {
					kind := (n + n/2) % 2 // 0 1 1 0: neither comes first more often
					began := time.Now()
					want(t, s, 401, attempt{id: ids[kind], secret: "wrong"}, ids[kind])
					took[kind] = append(took[kind], time.Since(began))
				}
				if median(took[0]) > median(took[1]) {
					slower++
				}
				all[0], all[1] = append(all[0], took[0]...), append(all[1], took[1]...)
			}
			known, unknown := median(all[0]), median(all[1])
			said = fmt.Sprintf("known %v, unknown %v; the known id took longer in %d of %d pairs", known, unknown, slower, pairs)
			if float64(max(known, unknown)) <= (1+even)*float64(min(known, unknown)) && slower >= pairs/2-lean && slower <= pairs/2+lean {
				t.Log(said)
				return
			}
		}
		t.Errorf("a caller can tell them apart by their time: %s", said)
	})
}
