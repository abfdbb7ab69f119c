package notices

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/grantd/grantd/server/signedpost"
	"github.com/grantd/grantd/store"
	"github.com/grantd/grantd/store/embedded"
	"github.com/grantd/grantd/store/redisstore"
	"github.com/grantd/grantd/store/storetest"
	"github.com/grantd/grantd/store/storetest/redistest"
)

const webhookKey = "the key that sender and receiver have"

// world is a store, a clock and a receiver.
type world struct {
	store    store.Store
	shared   bool
	clock    *storetest.Clock
	receiver *receiver
	certs    []Certificate
	log      logged
}

// inWorlds runs the test on both stores.
func inWorlds(t *testing.T, test func(t *testing.T, w *world)) {
	t.Helper()
	for name, open := range map[string]func(t *testing.T, clock *storetest.Clock) store.Store{
		"embedded": func(t *testing.T, clock *storetest.Clock) store.Store {
			s, err := embedded.Open(embedded.Options{Path: filepath.Join(t.TempDir(), "data"), Now: clock.Now})
			if err != nil {
				t.Fatal(err)
			}
			return s
		},
		"redis": func(t *testing.T, clock *storetest.Clock) store.Store {
			s, err := redisstore.Open(t.Context(), redisstore.Options{Addresses: []string{redistest.Start(t).Addr}, KeyPrefix: "grantd:", Now: clock.Now})
			if err != nil {
				t.Fatal(err)
			}
			return s
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			clock := storetest.NewClock()
			w := &world{store: open(t, clock), shared: name == "redis", clock: clock, receiver: newReceiver(t, clock)}
			t.Cleanup(func() { w.store.Close() })
			test(t, w)
		})
	}
}

// replica returns one of several processes that share the store.
func (w *world) replica(t *testing.T) *Service {
	t.Helper()
	post, err := signedpost.New(signedpost.Options{Setting: "notices.webhook", URL: w.receiver.URL, Key: []byte(webhookKey), AllowPrivate: true, Now: w.clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	return New(Options{
		Environment: "sandbox", Issuer: func() string { return "https://auth.example.com" }, Store: w.store, Shared: w.shared, Post: post,
		Certificates: func() []Certificate { return w.certs }, Observe: &w.log, Now: w.clock.Now, Log: slog.New(slog.DiscardHandler),
	})
}

// audit appends events, which are old enough to be read when it returns.
func (w *world) audit(t *testing.T, events ...store.AuditEvent) {
	t.Helper()
	for i := range events {
		events[i].Time, events[i].Outcome = w.clock.Now().UTC(), "done"
	}
	if err := w.store.AppendAudit(t.Context(), events...); err != nil {
		t.Fatal(err)
	}
	w.clock.Advance(settled)
}

func locked(customer string) store.AuditEvent {
	return store.AuditEvent{Action: "customer.locked", Actor: "client:app", Target: "customer:" + customer, Traffic: true, After: json.RawMessage(`{"blocked_by":"wrong_codes_per_day"}`)}
}

// ticks runs one tick of each replica.
func ticks(t *testing.T, replicas ...*Service) {
	t.Helper()
	for _, s := range replicas {
		if err := s.tick(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// receiver is a webhook that checks each post as NOTICES.md says. It shares no code
// with the sender.
type receiver struct {
	*httptest.Server
	status atomic.Int64 // 0: accepts

	mu    sync.Mutex
	got   []Payload
	tries int
	bad   string // the subject of notices that it refuses with badAs
	badAs int
}

func newReceiver(t *testing.T, clock *storetest.Clock) *receiver {
	r := &receiver{}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		if err != nil {
			t.Error(err)
		}
		stamp := req.Header.Get("Grantd-Timestamp")
		h := hmac.New(sha256.New, []byte(webhookKey))
		fmt.Fprintf(h, "%s.%s", stamp, body)
		if want := "v1=" + hex.EncodeToString(h.Sum(nil)); req.Header.Get("Grantd-Signature") != want {
			t.Errorf("signature %s, want %s", req.Header.Get("Grantd-Signature"), want)
		}
		if at, err := strconv.ParseInt(stamp, 10, 64); err != nil || clock.Now().Sub(time.Unix(at, 0)).Abs() > 5*time.Minute {
			t.Errorf("timestamp %q: %v", stamp, err)
		}
		var p Payload
		if err := json.Unmarshal(body, &p); err != nil {
			t.Errorf("%s: %v", body, err)
		}
		if id := req.Header.Get("Idempotency-Key"); id != p.ID || id == "" {
			t.Errorf("Idempotency-Key %q of the notice %q", id, p.ID)
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.tries++
		if status := r.status.Load(); status != 0 {
			w.WriteHeader(int(status))
			return
		}
		if p.Subject == r.bad {
			w.WriteHeader(r.badAs)
			return
		}
		r.got = append(r.got, p)
	}))
	t.Cleanup(r.Close)
	return r
}

// take returns what came since the last call.
func (r *receiver) take() []Payload {
	r.mu.Lock()
	defer r.mu.Unlock()
	got := r.got
	r.got = nil
	return got
}

// refuse makes the receiver refuse notices with the subject.
func (r *receiver) refuse(subject string, status int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.bad, r.badAs = subject, status
}

// subjects returns the subjects of what came since the last call.
func (r *receiver) subjects() (got []string) {
	for _, n := range r.take() {
		got = append(got, n.Subject)
	}
	return got
}

// logged is an Observer.
type logged struct {
	mu      sync.Mutex
	results map[string]int
	pending int
	oldest  time.Duration
}

func (l *logged) NoticeDone(result string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.results == nil {
		l.results = map[string]int{}
	}
	l.results[result]++
}

func (l *logged) NoticesPending(n int, oldest time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pending, l.oldest = n, oldest
}

// certificate returns a certificate that ends at the time.
func certificate(t *testing.T, end time.Time) *x509.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: end.Add(-90 * day), NotAfter: end}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return leaf
}
