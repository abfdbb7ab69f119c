package senders

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

const webhookKey = "sk_key of the receiver"

func webhook(t *testing.T, url string, allowPrivate bool) *Webhook {
	t.Helper()
	w, err := NewWebhook(WebhookOptions{URL: url, Key: []byte(webhookKey), AllowPrivate: allowPrivate, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// receive checks a post as WEBHOOK.md says, and returns its body. It shares no code
// with the sender.
func receive(t *testing.T, r *http.Request) map[string]any {
	t.Helper()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Error(err)
	}
	stamp := r.Header.Get("Grantd-Timestamp")
	h := hmac.New(sha256.New, []byte(webhookKey))
	fmt.Fprintf(h, "%s.%s", stamp, body)
	if got, want := r.Header.Get("Grantd-Signature"), "v1="+hex.EncodeToString(h.Sum(nil)); got != want {
		t.Errorf("signature %s, want %s", got, want)
	}
	if at, err := strconv.ParseInt(stamp, 10, 64); err != nil || time.Since(time.Unix(at, 0)).Abs() > 5*time.Minute {
		t.Errorf("timestamp %q (%v)", stamp, err)
	}
	var read map[string]any
	if err := json.Unmarshal(body, &read); err != nil {
		t.Error(err)
	}
	return read
}

func TestWebhookPosts(t *testing.T) {
	m := message()
	m.ExpiresAt = time.Date(2100, 1, 2, 3, 4, 5, 0, time.FixedZone("", 3600))
	posts := 0
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		posts++
		want := map[string]any{
			"id": "v_5xN2", "channel": "sms", "phone": "+15555550136", "code": "048213", "language": "en", "text_language": "en", "app_hash": "FA+9qCX9VSu",
			"text":   "Your Acme verification code is: 048213\nFA+9qCX9VSu",
			"org_id": "h5D8B5gyHtk=", "customer_id": "10001", "expires_at": "2100-01-02T02:04:05Z",
		}
		if diff := cmp.Diff(want, receive(t, r)); diff != "" {
			t.Errorf("body (-want +got):\n%s", diff)
		}
		for name, want := range map[string]string{"Content-Type": "application/json", "Idempotency-Key": "v_5xN2", "User-Agent": "grantd"} {
			if got := r.Header.Get(name); got != want {
				t.Errorf("%s: %q, want %q", name, got, want)
			}
		}
		if r.Method != http.MethodPost || r.URL.String() != "/codes?v=1" {
			t.Errorf("%s %s", r.Method, r.URL)
		}
		w.WriteHeader(http.StatusAccepted)
	}))
	defer s.Close()
	if err := webhook(t, s.URL+"/codes?v=1", true).Send(t.Context(), m); err != nil || posts == 0 {
		t.Errorf("%d posts, %v", posts, err)
	}
}

// receiver is a receiver without a network. It records the posts that it gets.
type receiver struct {
	t       *testing.T
	respond func(try int, r *http.Request) (*http.Response, error)
	ids     []string
	stamps  []string
	bodies  []map[string]any
}

func (a *receiver) RoundTrip(r *http.Request) (*http.Response, error) {
	a.ids = append(a.ids, r.Header.Get("Idempotency-Key"))
	a.stamps = append(a.stamps, r.Header.Get("Grantd-Timestamp"))
	a.bodies = append(a.bodies, receive(a.t, r))
	return a.respond(len(a.ids), r)
}

func status(code int) (*http.Response, error) {
	return &http.Response{StatusCode: code, Header: http.Header{}, Body: io.NopCloser(strings.NewReader("048213 +15555550136"))}, nil
}

// silent returns when the client has given up.
func silent(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

func TestWebhookTriesAgain(t *testing.T) {
	refused := &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
	for _, c := range []struct {
		rule    string
		respond func(try int, r *http.Request) (*http.Response, error)
		posts   int
		why     string // "": sent
	}{
		{"taken at once", func(int, *http.Request) (*http.Response, error) { return status(204) }, 1, ""},
		{"down, then up", func(n int, _ *http.Request) (*http.Response, error) { return status([]int{503, 500, 200}[n-1]) }, 3, ""},
		{"asked to come back", func(n int, _ *http.Request) (*http.Response, error) { return status([]int{429, 408, 200}[n-1]) }, 3, ""},
		{"not listening, then up", func(n int, _ *http.Request) (*http.Response, error) {
			if n == 1 {
				return nil, refused
			}
			return status(200)
		}, 2, ""},
		{"silent, then up", func(n int, r *http.Request) (*http.Response, error) {
			if n == 1 {
				return silent(r)
			}
			return status(200)
		}, 2, ""},
		{"down for good", func(int, *http.Request) (*http.Response, error) { return status(502) }, 3, "answered 502"},
		{"not listening", func(int, *http.Request) (*http.Response, error) { return nil, refused }, 3, "connection refused"},
		{"nonsense", func(int, *http.Request) (*http.Response, error) { return nil, errors.New(`malformed "048213"`) }, 3, "connection failed"},
		{"unknown host", func(int, *http.Request) (*http.Response, error) {
			return nil, &net.DNSError{Name: "0136", IsNotFound: true}
		}, 3, "host name"},
		{"refused", func(int, *http.Request) (*http.Response, error) { return status(400) }, 1, "answered 400"},
		{"wrong key", func(int, *http.Request) (*http.Response, error) { return status(401) }, 1, "answered 401"},
		{"moved", func(int, *http.Request) (*http.Response, error) { return status(301) }, 1, "redirects are not followed"},
		{"not HTTP at all", func(int, *http.Request) (*http.Response, error) { return status(101) }, 1, "answered 101"},
	} {
		t.Run(c.rule, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := webhook(t, "https://sms.example/codes?key=querytoken", false)
				a := &receiver{t: t, respond: c.respond}
				w.post.Client.Transport = a
				err := w.Send(t.Context(), message())
				if c.why == "" && err != nil {
					t.Error(err)
				} else if c.why != "" {
					notSentWithout(t, err, c.why)
				}
				if len(a.ids) != c.posts {
					t.Fatalf("%d posts, want %d", len(a.ids), c.posts)
				}
				for i := range a.ids {
					if a.ids[i] != "v_5xN2" {
						t.Errorf("post %d has the id %q", i+1, a.ids[i])
					}
					if diff := cmp.Diff(a.bodies[0], a.bodies[i]); diff != "" {
						t.Errorf("post %d differs:\n%s", i+1, diff)
					}
				}
			})
		})
	}
}

// TestWebhookGivesUp checks that tries without a response end after 8 s: three of
// them would take 9 s and the pauses.
func TestWebhookGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := webhook(t, "https://sms.example", false)
		a := &receiver{t: t, respond: func(_ int, r *http.Request) (*http.Response, error) { return silent(r) }}
		w.post.Client.Transport = a
		began := time.Now()
		notSentWithout(t, w.Send(t.Context(), message()), "in time")
		if took := time.Since(began); took > 8*time.Second || took < 6*time.Second {
			t.Errorf("took %s, want all of the 8 s or little less", took)
		}
		if len(a.stamps) != 3 || a.stamps[0] == a.stamps[1] || a.stamps[1] == a.stamps[2] {
			t.Errorf("timestamps %v, want a fresh one for each of three", a.stamps)
		}
	})
}

func TestWebhookEndsWithCodeAndCaller(t *testing.T) {
	for _, c := range []struct {
		rule    string
		life    time.Duration // of the code
		wait    time.Duration // of the caller
		respond func(int, *http.Request) (*http.Response, error)
		posts   int
		within  time.Duration
		why     string
	}{
		{"expired before", 0, time.Hour, func(int, *http.Request) (*http.Response, error) { return status(200) }, 0, 0, "expired"},
		{"expires meanwhile", 2 * time.Second, time.Hour, func(_ int, r *http.Request) (*http.Response, error) { return silent(r) }, 1, 4 * time.Second, "in time"},
		{"the caller leaves", time.Hour, time.Second, func(_ int, r *http.Request) (*http.Response, error) { return silent(r) }, 1, time.Second, "in time"},
		{"no time for a pause", time.Hour, 100 * time.Millisecond, func(int, *http.Request) (*http.Response, error) { return status(503) }, 1, 0, "answered 503"},
	} {
		t.Run(c.rule, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := webhook(t, "https://sms.example", false)
				a := &receiver{t: t, respond: c.respond}
				w.post.Client.Transport = a
				m := message()
				m.ExpiresAt = time.Now().Add(c.life)
				ctx, cancel := context.WithTimeout(t.Context(), c.wait)
				defer cancel()
				began := time.Now()
				notSentWithout(t, w.Send(ctx, m), c.why)
				if took := time.Since(began); len(a.ids) != c.posts || took > c.within {
					t.Errorf("%d posts in %s, want %d within %s", len(a.ids), took, c.posts, c.within)
				}
			})
		})
	}
	t.Run("the caller cancels", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		notSentWithout(t, webhook(t, "http://127.0.0.1:1", true).Send(ctx, message()), "did not wait")
	})
}

func TestWebhookFollowsNoRedirect(t *testing.T) {
	for _, code := range []int{301, 302, 303, 307, 308} {
		posts := 0
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			posts++
			http.Redirect(w, r, "/elsewhere", code)
		}))
		notSentWithout(t, webhook(t, s.URL, true).Send(t.Context(), message()), strconv.Itoa(code))
		if posts != 1 {
			t.Errorf("%d: %d requests", code, posts)
		}
		s.Close()
	}
}

// TestWebhookRefusesPrivateAddresses checks that a server which listens is not
// called under any spelling of its address.
func TestWebhookRefusesPrivateAddresses(t *testing.T) {
	calls := 0
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { calls++ }))
	defer s.Close()
	_, port, err := net.SplitHostPort(s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	for host, why := range map[string]string{
		"127.0.0.1": "allow_private_addresses", "localhost": "allow_private_addresses", "[::1]": "allow_private_addresses",
		"[::ffff:127.0.0.1]": "allow_private_addresses", "[::ffff:10.0.0.1]": "allow_private_addresses", "0.0.0.0": "allow_private_addresses",
		"userinfo:userinfo@127.0.0.1": "allow_private_addresses",
		// Resolvers disagree about numbers: Go's finds no such host, the C
		// library's reads an address.
		"2130706433": "", "0x7f000001": "",
	} {
		w := webhook(t, "http://"+host+":"+port+"/?key=querytoken", false)
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		notSentWithout(t, w.Send(ctx, message()), why)
		cancel()
	}
	if calls > 0 {
		t.Fatalf("%d calls", calls)
	}
	for _, host := range []string{"127.0.0.1", "localhost"} {
		if err := webhook(t, "http://"+host+":"+port, true).Send(t.Context(), message()); err != nil {
			t.Errorf("%s: allowed, and %v", host, err)
		}
	}
	if calls != 2 {
		t.Errorf("%d calls where they are allowed, want 2", calls)
	}
}

// TestWebhookUsesNoProxy checks that a proxy in the environment is not used, because
// it would make the connection instead.
func TestWebhookUsesNoProxy(t *testing.T) {
	calls := 0
	proxy := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { calls++ }))
	defer proxy.Close()
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"} {
		t.Setenv(name, proxy.URL)
	}
	notSentWithout(t, webhook(t, "http://10.0.0.1/codes", false).Send(t.Context(), message()), "allow_private_addresses")
	if calls > 0 || webhook(t, "http://10.0.0.1", false).post.Client.Transport.(*http.Transport).Proxy != nil {
		t.Errorf("%d calls of the proxy", calls)
	}
}

func TestWebhookWantsAnAcceptedCertificate(t *testing.T) {
	s := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("called") }))
	defer s.Close()
	s.Config.ErrorLog = nil
	notSentWithout(t, webhook(t, s.URL, true).Send(t.Context(), message()), "authority")
	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	notSentWithout(t, webhook(t, strings.Replace(plain.URL, "http:", "https:", 1), true).Send(t.Context(), message()), "TLS")
}

// endless is the body of a response without end.
type endless struct{ read int }

func (e *endless) Read(p []byte) (int, error) {
	e.read += len(p)
	return len(p), nil
}

func (*endless) Close() error { return nil }

func TestWebhookReadsLittle(t *testing.T) {
	w, e := webhook(t, "https://sms.example", false), &endless{}
	w.post.Client.Transport = roundTrip(func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: 200, Body: e}, nil
	})
	if err := w.Send(t.Context(), message()); err != nil || e.read > maxResponse {
		t.Errorf("%v after %d bytes", err, e.read)
	}
}

func TestNewWebhookRefuses(t *testing.T) {
	for rule, o := range map[string]WebhookOptions{
		"no URL":         {Key: []byte("k")},
		"a relative URL": {URL: "/codes", Key: []byte("k")},
		"another scheme": {URL: "ftp://sms.example", Key: []byte("k")},
		"no URL at all":  {URL: "https://userinfo@sms.example/\x7f?querytoken", Key: []byte("k")},
		"no key":         {URL: "https://sms.example"},
	} {
		_, err := NewWebhook(o)
		if err == nil || strings.Contains(err.Error(), "userinfo") || strings.Contains(err.Error(), "querytoken") {
			t.Errorf("%s: error %v", rule, err)
		}
	}
}
