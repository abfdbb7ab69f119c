package guard

import (
	"context"
	"encoding/base64"
	"encoding/binary"
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

// inBubble runs a test with a server, in time of its own: nothing waits.
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

type pipeListener struct {
	conns  chan net.Conn
	closed chan struct{}
	once   *sync.Once
}

func (l pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}
func (l pipeListener) Close() error   { l.once.Do(func() { close(l.closed) }); return nil }
func (l pipeListener) Addr() net.Addr { return &net.TCPAddr{} }

// dial connects to the server.
func (s *fakeServer) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	near, far := net.Pipe()
	s.mu.Lock()
	if s.away {
		s.mu.Unlock()
		return nil, errors.New("connection refused")
	}
	s.all = append(s.all, near)
	s.mu.Unlock()
	select {
	case s.conns <- &holed{far, s}:
		return near, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// holed loses what is written if the server has a hole.
type holed struct {
	net.Conn
	s *fakeServer
}

func (h *holed) Write(b []byte) (int, error) {
	h.s.mu.Lock()
	hole := h.s.hole
	h.s.mu.Unlock()
	if hole {
		return len(b), nil
	}
	return h.Conn.Write(b)
}

// cut closes every connection.
func (s *fakeServer) cut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.all {
		_ = c.Close()
	}
	s.all = nil
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

// key returns the text of a void key.
func key(n uint64) string {
	return base64.RawURLEncoding.EncodeToString(binary.BigEndian.AppendUint64(nil, n))
}

func at(n uint64) string { return position{7, n}.String() }

// add makes a token that ends with the keys, an hour from now.
func (s *fakeServer) add(token string, extra string, keys ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tokens[token] = fmt.Sprintf(`"active":true,"scope":"users:read","client_id":"shop","token_type":"Bearer","exp":%d,"iat":1,"sub":"client:shop","iss":%q,"jti":"j","token_use":"client"%s,"void_keys":["%s"]`,
		time.Now().Add(s.clockAhead+time.Hour).Unix(), fakeIssuer, extra, strings.Join(keys, `","`))
}

// void ends every token with the key, and tells the streams.
func (s *fakeServer) void(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.position++
	v := fakeVoid{s.position, key}
	s.voids = append(s.voids, v)
	for token, members := range s.tokens {
		if strings.Contains(members, `"`+key+`"`) {
			delete(s.tokens, token)
		}
	}
	s.tellAll(v.text())
}

// collide sends a void of the key that ends no token: another principal has it too.
func (s *fakeServer) collide(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.position++
	s.tellAll(fakeVoid{s.position, key}.text())
}

func (v fakeVoid) text() string {
	return fmt.Sprintf("event: void\nid: %s\ndata: {\"keys\":[%q]}\n\n", at(v.at), v.key)
}

// reset tells every stream to drop everything, with the registration before it.
func (s *fakeServer) reset(reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.position++
	s.tellAll(s.registered(s.now()) + s.resetText(reason))
}

func (s *fakeServer) resetText(reason string) string {
	return fmt.Sprintf("event: reset\nid: %s\ndata: {\"reason\":%q}\n\n", at(s.position), reason)
}

func (s *fakeServer) now() int64 { return time.Since(s.origin).Milliseconds() }

func (s *fakeServer) registered(atMS int64) string {
	return fmt.Sprintf("event: registration\ndata: {%s,\"at_ms\":%d}\n\n", s.registration, atMS)
}

func (s *fakeServer) freshText() string {
	return fmt.Sprintf("event: fresh\nid: %s\ndata: {\"age_ms\":%d,\"at_ms\":%d}\n\n", at(s.position), s.age.Milliseconds(), s.now())
}

// tell queues an event for a stream. s.mu is held.
func (s *fakeServer) tell(to *fakeStream, text string) {
	for range map[bool]int{false: 1, true: 2}[s.twice] {
		select {
		case to.queue <- queued{text, time.Now().Add(s.delay)}:
		default:
			s.t.Error("the queue of a stream is full")
		}
	}
}

func (s *fakeServer) tellAll(text string) {
	for _, to := range s.open {
		s.tell(to, text)
	}
}

// endStreams ends every stream, after a last text.
func (s *fakeServer) endStreams(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, to := range s.open {
		if text != "" {
			s.tell(to, text)
		}
		to.once.Do(func() { close(to.end) })
	}
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
		body = fmt.Sprintf(`{%s,"feed_position":%q}`, members, at(s.position-s.lag))
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

// stream serves one stream: it confirms the feed each 250 ms.
func (s *fakeServer) stream(w http.ResponseWriter, r *http.Request) {
	arrived := s.now()
	if s.refused(w, r) {
		return
	}
	st := s.openStream(r, arrived)
	defer s.forget(st)
	w.Header().Set("Content-Type", "text/event-stream")
	flush := http.NewResponseController(w).Flush
	if flush() != nil {
		return
	}
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-r.Context().Done():
			return
		case <-tick.C:
			s.mu.Lock()
			if !s.unconfirmed {
				s.tell(st, s.freshText())
			}
			s.mu.Unlock()
		case q := <-st.queue:
			for wait := time.Until(q.due); wait > 0; wait = time.Until(q.due) {
				select {
				case <-r.Context().Done():
					return
				case <-tick.C:
					s.mu.Lock()
					if !s.unconfirmed {
						s.tell(st, s.freshText())
					}
					s.mu.Unlock()
				case <-time.After(wait):
				}
			}
			if _, err := io.WriteString(w, q.text); err != nil || flush() != nil {
				return
			}
		case <-st.end:
			for len(st.queue) > 0 {
				_, _ = io.WriteString(w, (<-st.queue).text)
			}
			return
		}
	}
}

// openStream queues what a stream begins with.
func (s *fakeServer) openStream(r *http.Request, arrived int64) *fakeStream {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := &fakeStream{queue: make(chan queued, 10_000), end: make(chan struct{})}
	s.streamed++
	s.resumed = append(s.resumed, r.Header.Get("Last-Event-ID"))
	s.tell(st, s.registered(arrived))
	if last := r.Header.Get("Last-Event-ID"); last != "" {
		if s.resetReason != "" {
			s.tell(st, s.resetText(s.resetReason))
			s.resetReason = ""
		} else {
			for _, v := range s.voids {
				if at(v.at) > last {
					s.tell(st, v.text())
				}
			}
		}
	}
	if !s.unconfirmed {
		s.tell(st, s.freshText())
	}
	s.open = append(s.open, st)
	return st
}

func (s *fakeServer) forget(st *fakeStream) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open = slices.DeleteFunc(s.open, func(o *fakeStream) bool { return o == st })
}

// counts returns how often the server was asked, and streams were opened.
func (s *fakeServer) counts() (asked, streamed int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked, s.streamed
}

// config is the configuration of a guard of this server.
func (s *fakeServer) config() Config {
	return Config{Issuer: fakeIssuer, ClientID: rsID, Secret: rsSecret, Log: slog.New(slog.DiscardHandler)}
}

// guard makes a guard, which the test must close.
func (s *fakeServer) guard(change func(*Config)) *Guard {
	s.t.Helper()
	c := s.config()
	if change != nil {
		change(&c)
	}
	g, err := open(c, s.dial)
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
