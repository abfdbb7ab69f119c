package guarded_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/grantd/grantd/scopes/guard"
	"github.com/grantd/grantd/store/storetest/redistest"
	"github.com/grantd/grantd/tests/harness"
	"github.com/grantd/grantd/tests/parallel"
	"github.com/grantd/grantd/tests/poll"
	"github.com/grantd/grantd/tests/program"
)

// atOnce tests run at the same time: they mostly wait.
const atOnce = 7

func TestMain(m *testing.M) { os.Exit(parallel.Main(m, atOnce)) }

// uses are the kinds of tokens that the resource servers here handle.
var uses = []string{"client", "customer", "on_behalf", "key"}

type client struct {
	ID       string `json:"client_id"`
	Secret   string `json:"client_secret"`
	SecretID string `json:"secret_id"`
}

// lab is replicas on one Redis and, behind a link, two resource servers that cache: a Go
// API with a guard, and an edge.
type lab struct {
	*ledger
	redis    *redistest.Server
	wires    []*harness.Proxy // from each replica to Redis
	replicas []*replica
	link     *link
	rs       client // the resource server, which is both of them
	guard    *guard.Guard
	api      http.Handler  // with the guard
	targets  []target      // the API and the edge
	clients  int           // that were made
	probe    time.Duration // between two questions about a token that is ending
}

// newLab starts everything. Each replica has the clock that ahead says; 0 is a separate
// process, with the right clock.
func newLab(t *testing.T, ahead ...time.Duration) *lab {
	t.Helper()
	if testing.Short() {
		t.Skip("it starts several processes and breaks them")
	}
	t.Parallel()
	l := &lab{ledger: newLedger(), probe: 25 * time.Millisecond, redis: redistest.Start(t), link: startLink(t)}
	issuer := "http://" + l.link.addr
	for i, off := range ahead {
		wire := harness.StartProxy(t, l.redis.Addr)
		name := fmt.Sprintf("replica %d", i+1)
		l.wires = append(l.wires, wire)
		if off == 0 {
			l.replicas = append(l.replicas, newReplica(t, name, issuer, wire.Addr))
		} else {
			l.replicas = append(l.replicas, newWrongClock(t, name, issuer, wire.Addr, off))
		}
	}
	var all []func() string
	for _, r := range l.replicas {
		all = append(all, r.at)
	}
	l.link.lead(all...)
	body := object{"client_id": "api", "scope": "introspect", "token_uses": uses}
	l.must(t, func() error { return l.replicas[0].admin(http.MethodPost, "/clients", body, &l.rs) })
	l.startGuard(t, issuer)
	l.startEdge(t, issuer)
	return l
}

// must calls do until it succeeds: a busy machine lets a call fail.
func (l *lab) must(t *testing.T, do func() error) {
	t.Helper()
	poll.Await(t, patience, "a call that prepares the test", func() string {
		if err := do(); err != nil {
			time.Sleep(100 * time.Millisecond) // between two tries
			return err.Error()
		}
		return ""
	})
}

// startGuard makes the Go API.
func (l *lab) startGuard(t *testing.T, issuer string) {
	t.Helper()
	var err error
	l.guard, err = guard.New(guard.Config{
		Issuer: issuer, ClientID: l.rs.ID, Secret: l.rs.Secret, TokenUses: uses,
		Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.guard.Close() })
	l.api = l.guard.RequireUse(uses, "cards")(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNoContent)
	}))
	l.targets = append(l.targets, target{"guard", func(token string) (verdict, string) {
		req := httptest.NewRequest(http.MethodGet, "/cards", nil)
		req.Header.Set("Authorization", "Bearer "+token)
		w := httptest.NewRecorder()
		l.api.ServeHTTP(w, req)
		return judgeAPI(w.Result())
	}})
}

// judgeAPI returns what a response of the API says about a token.
func judgeAPI(res *http.Response) (verdict, string) {
	switch {
	case res.StatusCode == http.StatusNoContent:
		return accepted, ""
	case res.StatusCode == http.StatusUnauthorized && strings.Contains(res.Header.Get("WWW-Authenticate"), `error="invalid_token"`):
		return refused, ""
	case res.StatusCode == http.StatusServiceUnavailable && res.Header.Get("Retry-After") != "":
		return unavailable, ""
	}
	return wrong, fmt.Sprintf("status %d, %v", res.StatusCode, res.Header)
}

// startEdge starts the edge, which asks for the same resource server.
func (l *lab) startEdge(t *testing.T, issuer string) {
	t.Helper()
	secret := filepath.Join(newFolder(t), "secret")
	if err := os.WriteFile(secret, []byte(l.rs.Secret), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"edge", "--upstream", issuer, "--client-id", l.rs.ID, "--client-secret-file", secret, "--listen", "127.0.0.1:0"}
	for _, use := range uses {
		args = append(args, "--token-use", use)
	}
	_, ready := startProcess(t, "edge", "ready edge=", program.Path(t), args...)
	at, _, _ := strings.Cut(ready, " ")
	caller := &http.Client{Timeout: patience, Transport: &http.Transport{MaxIdleConnsPerHost: 256}}
	l.targets = append(l.targets, target{"edge", func(token string) (verdict, string) {
		req, err := http.NewRequest(http.MethodPost, at+"/oauth/introspect", strings.NewReader(url.Values{"token": {token}}.Encode()))
		if err != nil {
			return wrong, err.Error()
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.SetBasicAuth(l.rs.ID, l.rs.Secret)
		return judgeIntrospection(caller.Do(req))
	}})
}

// judgeIntrospection returns what an introspection says about a token.
func judgeIntrospection(res *http.Response, err error) (verdict, string) {
	if err != nil {
		return wrong, err.Error()
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	var body struct {
		Active *bool `json:"active"`
	}
	switch {
	case err != nil:
		return wrong, err.Error()
	case res.StatusCode == http.StatusServiceUnavailable && res.Header.Get("Retry-After") != "":
		return unavailable, ""
	case res.StatusCode != http.StatusOK || json.Unmarshal(b, &body) != nil || body.Active == nil:
		return wrong, fmt.Sprintf("status %d: %s", res.StatusCode, b)
	case *body.Active:
		return accepted, ""
	}
	return refused, ""
}

// await asks each target about each token until the verdict is as wanted.
func (l *lab) await(t *testing.T, what string, within time.Duration, want verdict, tokens []*token) {
	t.Helper()
	poll.Await(t, within, what, func() string {
		for _, at := range l.targets {
			for i, k := range tokens {
				if v := l.ask(at, k); v != want {
					return fmt.Sprintf("%s, token %d: verdict %d", at.name, i, v)
				}
			}
		}
		return ""
	})
}

// know asks each target about the tokens until it has all of them cached: no replica
// sees an introspection. In the first second of a stream, nothing is cached.
func (l *lab) know(t *testing.T, tokens []*token) {
	t.Helper()
	poll.Await(t, patience, "all tokens are cached", func() string {
		for _, at := range l.targets {
			before := l.served(t)
			for i, k := range tokens {
				if v := l.ask(at, k); v != accepted {
					return fmt.Sprintf("%s, token %d: verdict %d", at.name, i, v)
				}
			}
			if asked := l.served(t) - before; asked > 0 {
				time.Sleep(100 * time.Millisecond) // leaves the processors to others
				return fmt.Sprintf("%.0f introspections by the %s; guard: %+v", asked, at.name, l.guard.State())
			}
		}
		return ""
	})
}

// served returns how many introspections the replicas have served.
func (l *lab) served(t *testing.T) (sum float64) {
	t.Helper()
	for _, r := range l.replicas {
		sum += r.introspections(t)
	}
	return sum
}

// load asks each target about tokens at a rate, until ctx ends, and returns how many
// requests there were per second and target.
func (l *lab) load(ctx context.Context, rate int, next func() *token) float64 {
	const inFlight = 128 // for each target: with everything held back, there are no more
	var n int
	var all sync.WaitGroup
	slots := map[string]chan struct{}{}
	for _, at := range l.targets {
		slots[at.name] = make(chan struct{}, inFlight)
	}
	began := time.Now()
	for ctx.Err() == nil {
		time.Sleep(time.Until(began.Add(time.Duration(n) * time.Second / time.Duration(rate))))
		k := next()
		n++
		for _, at := range l.targets {
			select {
			case slots[at.name] <- struct{}{}:
				all.Go(func() {
					defer func() { <-slots[at.name] }()
					l.ask(at, k)
				})
			default: // it is full
			}
		}
	}
	took := time.Since(began)
	all.Wait()
	return float64(n) / took.Seconds()
}

// anywhere calls a replica, and another one if that fails.
func (l *lab) anywhere(first int, do func(r *replica) error) error {
	var all error
	for i := range l.replicas {
		err := do(l.replicas[(first+i)%len(l.replicas)])
		if err == nil {
			return nil
		}
		all = errors.Join(all, err)
	}
	return all
}
