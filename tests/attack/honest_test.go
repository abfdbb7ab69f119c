//go:build attack

package attack_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"testing"
	"time"
)

const (
	// workers send one request every pause: about 160 a second together.
	workers = 8
	pause   = 50 * time.Millisecond
)

// honest is a client that behaves well, with its resource server.
type honest struct {
	lab     *lab
	client  credentials
	server  credentials // may introspect
	old     credentials // has an imported secret, and got in before
	network []*http.Client
}

func newHonest(t *testing.T, l *lab) *honest {
	t.Helper()
	h := &honest{lab: l}
	h.client = l.client(t, map[string]any{"client_id": "honest", "scope": "users:read"})
	h.server = l.client(t, map[string]any{"client_id": "honest-rs", "scope": "introspect"})
	h.old = credentials{"honest-imported", "correct horse battery staple"}
	l.client(t, map[string]any{"client_id": h.old.ID, "scope": "users:read", "secret_hash": bcryptOf(t, h.old.Secret)})
	for range workers {
		h.network = append(h.network, from("127.0.0.1"))
	}
	h.network[workers-1].Transport.(*http.Transport).DisableKeepAlives = true // and one opens a connection each time
	if status, body, err := l.post(t.Context(), h.network[0], "/oauth/token", h.old, grant); status != 200 || err != nil {
		t.Fatalf("%d %s %v", status, body, err)
	}
	return h
}

var grant = url.Values{"grant_type": {"client_credentials"}}

// observed is how the requests of a while went.
type observed struct {
	requests int
	failures []string // a few of them
	failed   int
	took     []time.Duration
}

func (o *observed) p99() time.Duration {
	if len(o.took) == 0 {
		return 0
	}
	slices.Sort(o.took)
	return o.took[len(o.took)*99/100]
}

// work sends requests until ctx ends: tokens, introspections of them, and tokens
// with the imported secret, in turn.
func (h *honest) work(ctx context.Context) *observed {
	var mu sync.Mutex
	all := &observed{}
	var group sync.WaitGroup
	for w := range workers {
		group.Go(func() {
			token := ""
			tick := time.NewTicker(pause)
			defer tick.Stop()
			for turn := w; ; turn++ {
				select {
				case <-ctx.Done():
					return
				case <-tick.C:
				}
				// A request that has begun is finished: its time is what counts.
				begun := time.Now()
				what, err := h.one(context.WithoutCancel(ctx), h.network[w], turn%4, &token)
				took := time.Since(begun)
				mu.Lock()
				all.requests++
				all.took = append(all.took, took)
				if err != nil {
					if all.failed++; len(all.failures) < 5 {
						all.failures = append(all.failures, fmt.Sprintf("%s after %v: %v", what, took, err))
					}
				}
				mu.Unlock()
			}
		})
	}
	group.Wait()
	return all
}

func (h *honest) one(ctx context.Context, c *http.Client, turn int, token *string) (what string, err error) {
	what, path, as, form := "introspection", "/oauth/introspect", h.server, url.Values{"token": {*token}}
	switch {
	case turn == 0:
		what, path, as, form = "imported secret", "/oauth/token", h.old, grant
	case turn == 1 || *token == "":
		what, path, as, form = "token", "/oauth/token", h.client, grant
	}
	status, body, err := h.lab.post(ctx, c, path, as, form)
	if err != nil {
		return what, err
	}
	if status != http.StatusOK {
		return what, fmt.Errorf("%d %s", status, body)
	}
	var answer struct {
		Token  string `json:"access_token"`
		Active bool   `json:"active"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return what, err
	}
	if what == "introspection" {
		if !answer.Active {
			return what, fmt.Errorf("%s", body)
		}
		return what, nil
	}
	if what == "token" {
		*token = answer.Token
	}
	return what, nil
}
