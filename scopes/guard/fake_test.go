package guard

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// fakeServer is an authorization server that tests control. It speaks the wire
// format over connections in memory, so time is that of the test.
type fakeServer struct {
	t      *testing.T
	origin time.Time // of at_ms
	conns  chan net.Conn
	http   *http.Server
	done   sync.WaitGroup

	mu           sync.Mutex
	registration string            // members of the event
	secret       string            // that it accepts
	tokens       map[string]string // members of the introspection of an active token, without position
	position     uint64            // of the feed
	voids        []fakeVoid
	age          time.Duration // of the feed
	unconfirmed  bool          // no event fresh
	delay        time.Duration // of each event of a stream, after it is made
	lag          uint64        // of the positions of introspections
	ageMs        int64         // feed_age_ms of introspections
	twice        bool          // each event is sent twice
	clockAhead   time.Duration // of Date
	noDate       bool
	refuse       func(path string, h http.Header) int // status; 0: it does not refuse
	before       func(r *http.Request)                // called before an introspection is judged
	after        func(r *http.Request)                // called after it was judged, before it is sent
	metadata     string
	replace      func(w http.ResponseWriter) // writes the response of an introspection
	away         bool                        // nobody can connect
	open         []*fakeStream
	all          []net.Conn
	hole         bool // what the server writes is lost
	asked        int  // introspections
	streamed     int  // streams
	forms        []string
	resumed      []string // Last-Event-ID of each stream
	resetReason  string   // the next stream with Last-Event-ID gets this reset
}

type fakeVoid struct {
	at  uint64
	key string
}

// fakeStream is one open stream.
type fakeStream struct {
	queue chan queued
	end   chan struct{}
	once  sync.Once
}

type queued struct {
	text string
	due  time.Time
}

const (
	fakeIssuer = "http://auth.test"
	rsID       = "rs"
	rsSecret   = "gs_sandbox_aaaaaaaa_secret"
)

// inBubble runs a test with a server, with a fake clock: nothing waits.
func inBubble(t *testing.T, test func(t *testing.T, s *fakeServer)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := newFakeServer(t)
		test(t, s)
		s.close()
	})
}

func newFakeServer(t *testing.T) *fakeServer {
	s := &fakeServer{
		t: t, origin: time.Now().Add(-time.Hour), conns: make(chan net.Conn), secret: rsSecret, tokens: map[string]string{}, position: 1000,
		registration: `"client_id":"rs","token_uses":["client"],"enforces":[],"resource":""`,
		metadata:     `{"issuer":"` + fakeIssuer + `","introspection_endpoint":"` + fakeIssuer + `/oauth/introspect","revocation_events_endpoint":"` + fakeIssuer + `/oauth/revocations"}`,
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/oauth-authorization-server", func(w http.ResponseWriter, r *http.Request) {
		if s.refused(w, r) {
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, s.metadata)
	})
	mux.HandleFunc("POST /oauth/introspect", s.introspect)
	mux.HandleFunc("GET /oauth/revocations", s.stream)
	s.http = &http.Server{Handler: mux, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)}
	s.done.Go(func() { _ = s.http.Serve(pipeListener{s.conns, make(chan struct{}), &sync.Once{}}) })
	return s
}

// close ends everything; the bubble fails the test if a goroutine is left.
func (s *fakeServer) close() {
	s.endStreams("")
	_ = s.http.Close()
	s.done.Wait()
	time.Sleep(10 * time.Second) // for handlers that sleep
}

// set changes the server under its lock.
func (s *fakeServer) set(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
}

// refused sends an error if the test wants one, or the credentials are wrong.
func (s *fakeServer) refused(w http.ResponseWriter, r *http.Request) bool {
	s.mu.Lock()
	refuse, secret := s.refuse, s.secret
	s.mu.Unlock()
	status := 0
	if refuse != nil {
		status = refuse(r.URL.Path, w.Header())
	}
	id, got, _ := r.BasicAuth()
	if plain, err := url.QueryUnescape(got); err == nil { // RFC 6749 §2.3.1
		got = plain
	}
	if status == 0 && !strings.HasPrefix(r.URL.Path, "/.well-known/") && (id != rsID || got != secret) {
		status = http.StatusUnauthorized
	}
	if status == 0 {
		return false
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, `{"error":"refused"}`)
	return true
}

func (s *fakeServer) introspect(w http.ResponseWriter, r *http.Request) {
	_ = r.ParseForm()
	s.mu.Lock()
	s.asked++
	s.forms = append(s.forms, r.PostForm.Encode())
	before, after, replace := s.before, s.after, s.replace
	s.mu.Unlock()
	if replace != nil {
		w.Header().Set("Content-Type", "application/json")
		replace(w)
		return
	}
	if before != nil {
		before(r)
	}
	if s.refused(w, r) {
		return
	}
	s.mu.Lock()
	body := `{"active":false}`
	if members := s.tokens[r.PostForm.Get("token")]; members != "" {
		body = fmt.Sprintf(`{%s,"feed_position":%q,"feed_age_ms":%d}`, members, at(s.position-s.lag), s.ageMs)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Date", time.Now().Add(s.clockAhead).UTC().Format(http.TimeFormat))
	if s.noDate {
		w.Header()["Date"] = nil
	}
	s.mu.Unlock()
	if after != nil {
		after(r)
	}
	_, _ = io.WriteString(w, body)
}

// counts returns how often the server was asked, and streams were opened.
func (s *fakeServer) counts() (asked, streamed int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked, s.streamed
}

// resumes returns the Last-Event-ID of each stream.
func (s *fakeServer) resumes() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.resumed)
}

// config is the configuration of a guard of this server.
func (s *fakeServer) config() Config {
	return Config{Issuer: fakeIssuer, ClientID: rsID, Secret: rsSecret, Log: slog.New(slog.DiscardHandler)}
}

// monotonic is the clock that New uses.
func monotonic() func() instant {
	start := time.Now()
	return func() instant { return time.Since(start) }
}

// guard makes a guard, which the test must close.
func (s *fakeServer) guard(change func(*Config)) *Guard {
	s.t.Helper()
	c := s.config()
	if change != nil {
		change(&c)
	}
	g, err := open(c, monotonic(), s.dial)
	if err != nil {
		s.t.Fatal(err)
	}
	return g
}

// warm makes a guard that has followed for long enough to cache.
func (s *fakeServer) warm(change func(*Config)) *Guard {
	s.t.Helper()
	g := s.guard(change)
	time.Sleep(mostStaleness + 100*time.Millisecond)
	return g
}

// status returns the status of a check: 200 if the token is accepted.
func status(g *Guard, token string) int {
	t, err := g.Check(context.Background(), token, Need{Scopes: []string{"users:read"}})
	var r *Refusal
	switch {
	case err == nil && t.Active:
		return 200
	case errors.As(err, &r):
		return r.Status
	}
	return 0
}

// expect checks a token and how many introspections that took.
func (s *fakeServer) expect(g *Guard, when, token string, want, wantAsked int) {
	s.t.Helper()
	before, _ := s.counts()
	got := status(g, token)
	if after, _ := s.counts(); got != want || after-before != wantAsked {
		s.t.Errorf("%s: status %d after %d introspections, want %d after %d", when, got, after-before, want, wantAsked)
	}
}
