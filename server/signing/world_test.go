package signing

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/grantd/grantd/server/audit"
	"github.com/grantd/grantd/server/feed"
	"github.com/grantd/grantd/server/rollback"
	"github.com/grantd/grantd/store/embedded"
	"github.com/grantd/grantd/store/storetest"
)

const staleness = 500 * time.Millisecond

var operator = audit.Actor{Name: "uid:0"}

// world is a store with some replicas. Its clock is that of the bubble, plus what
// pass adds: the feed does not see that.
type world struct {
	t      *testing.T
	store  *storetest.Faulty
	passed atomic.Int64
	since  atomic.Int64 // what the replicas told last, in Unix time
}

// replica is one grantd.
type replica struct {
	*Service
	feed *feed.Feed
}

func inWorld(t *testing.T, run func(t *testing.T, w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s, err := embedded.Open(embedded.Options{Path: t.TempDir()})
		ok(t, err)
		t.Cleanup(func() { s.Close() })
		run(t, &world{t: t, store: storetest.NewFaulty(s)})
	})
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (w *world) now() time.Time { return time.Now().Add(time.Duration(w.passed.Load())) }

func (w *world) pass(d time.Duration) { w.passed.Add(int64(d)) }

func (w *world) replica() replica {
	w.t.Helper()
	log := slog.New(slog.DiscardHandler)
	f := feed.New(feed.Options{Store: w.store, Shared: true, MaxStaleness: staleness, Now: time.Now, Log: log})
	ok(w.t, f.Start(w.t.Context()))
	w.t.Cleanup(f.Stop)
	s := rollback.Guard(w.store, f, log)
	return replica{New(Options{Store: s.SigningKeys(), Feed: f, Audit: &audit.Log{Store: s, Now: w.now, Log: log}, Now: w.now, Log: log, Since: func(at time.Time) { w.since.Store(at.Unix()) }}), f}
}

// signs returns the id of the key that the replica signs with, and fails unless
// verifier publishes it and it verifies.
func (r replica) signs(t *testing.T, verifier replica) string {
	t.Helper()
	signed, err := r.AppendSigned(t.Context(), nil, []byte(`{"iss":"https://auth.example.com","aud":"rs"}`))
	ok(t, err)
	published := verifier.published(t)
	var kid string
	_, err = jwt.Parse(string(signed), func(token *jwt.Token) (any, error) {
		kid, _ = token.Header["kid"].(string)
		if token.Header["typ"] != "token-introspection+jwt" {
			return nil, fmt.Errorf("typ %v", token.Header["typ"])
		}
		key, found := published[kid]
		if !found {
			return nil, fmt.Errorf("key %s is not published", kid)
		}
		return key, nil
	}, jwt.WithValidMethods([]string{"ES256"}), jwt.WithIssuer("https://auth.example.com"), jwt.WithAudience("rs"))
	if err != nil {
		t.Errorf("%s: %v", signed, err)
	}
	return kid
}

// published returns the public keys by their ids.
func (r replica) published(t *testing.T) map[string]*ecdsa.PublicKey {
	t.Helper()
	document, err := r.AppendPublished(t.Context(), nil)
	ok(t, err)
	if strings.Contains(string(document), `"d"`) {
		t.Errorf("the private half is published: %s", document)
	}
	var set struct{ Keys []map[string]string }
	ok(t, json.Unmarshal(document, &set))
	keys := map[string]*ecdsa.PublicKey{}
	for _, k := range set.Keys {
		if k["kty"] != "EC" || k["crv"] != "P-256" || k["alg"] != "ES256" || k["use"] != "sig" {
			t.Errorf("key %v", k)
		}
		point := []byte{4}
		for _, coordinate := range []string{k["x"], k["y"]} {
			b, err := base64.RawURLEncoding.DecodeString(coordinate)
			ok(t, err)
			point = append(point, b...)
		}
		public, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
		ok(t, err)
		keys[k["kid"]] = public
	}
	return keys
}

// states returns the states of the keys, oldest first.
func (r replica) states(t *testing.T) string {
	t.Helper()
	views, err := r.List(t.Context())
	ok(t, err)
	var states []string
	for _, v := range views {
		states = append(states, v.State)
	}
	return strings.Join(states, " ")
}

func (r replica) advances(t *testing.T, want string) {
	t.Helper()
	ok(t, r.advance(t.Context()))
	if got := r.states(t); got != want {
		t.Errorf("keys %q, want %q", got, want)
	}
}

// targets returns the targets of the audit events, oldest first.
func (w *world) targets() (targets []string) {
	w.t.Helper()
	events, err := w.store.ListAudit(context.Background(), "", 100)
	ok(w.t, err)
	for _, e := range slices.Backward(events) {
		targets = append(targets, e.Target)
	}
	return targets
}

// audited returns the audit events, oldest first, and fails if one has a private key.
func (w *world) audited() (audited []string) {
	w.t.Helper()
	events, err := w.store.ListAudit(context.Background(), "", 100)
	ok(w.t, err)
	for _, e := range slices.Backward(events) {
		audited = append(audited, strings.Join([]string{e.Action, e.Actor, e.Outcome}, " "))
		if strings.Contains(fmt.Sprintf("%s %s", e.Before, e.After), "private") {
			w.t.Errorf("%s shows a private key", e.Action)
		}
	}
	return audited
}
