package edge

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/grantd/grantd/server/apierr"
)

var someKey = tokenKey{client: "shop", scope: "users:read"}

// numbered returns a source of tokens that live an hour and are numbered, and how many
// were fetched. Fetching takes 100 ms.
func numbered() (*source, *atomic.Int32) {
	var fetched atomic.Int32
	return newSource(func(context.Context, tokenKey) (issued, error) {
		sent := time.Now()
		time.Sleep(100 * time.Millisecond)
		return issued{value: strconv.Itoa(int(fetched.Add(1))), sent: sent, life: time.Hour}, nil
	}, func(string) {}), &fetched
}

func mustGet(t *testing.T, s *source, fresh bool) (string, time.Duration) {
	t.Helper()
	token, left, err := s.get(t.Context(), someKey, fresh)
	if err != nil {
		t.Error(err)
	}
	return token.value, left
}

// TestOneRequestForAll: callers share a request, and the token serves until 90 % of its
// life has passed.
func TestOneRequestForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, fetched := numbered()
		var all sync.WaitGroup
		for range 100 {
			all.Go(func() { mustGet(t, s, false) })
		}
		all.Wait()
		if fetched.Load() != 1 {
			t.Errorf("%d requests", fetched.Load())
		}
		time.Sleep(54*time.Minute - 200*time.Millisecond)
		if v, left := mustGet(t, s, false); v != "1" || left > 6*time.Minute+time.Second {
			t.Errorf("%s, %v left", v, left)
		}
		time.Sleep(200 * time.Millisecond)
		if v, _ := mustGet(t, s, false); v != "1" {
			t.Errorf("a caller waited for the successor, or got %s", v)
		}
		time.Sleep(time.Second)
		if v, _ := mustGet(t, s, false); v != "2" || fetched.Load() != 2 {
			t.Errorf("%s after 90%% of the life", v)
		}
	})
}

// TestFresh: a caller whose token was refused gets another one, and all such callers
// share it.
func TestFresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, fetched := numbered()
		mustGet(t, s, false)
		if v, _ := mustGet(t, s, true); v != "1" {
			t.Errorf("%s: it is only just issued", v)
		}
		time.Sleep(2 * time.Second)
		var all sync.WaitGroup
		for range 10 {
			all.Go(func() {
				if v, _ := mustGet(t, s, true); v != "2" {
					t.Errorf("%s", v)
				}
			})
		}
		all.Wait()
		if fetched.Load() != 2 {
			t.Errorf("%d requests", fetched.Load())
		}
	})
}

// TestRefusals: what the server says is passed on, and the server is not asked before it
// may be.
func TestRefusals(t *testing.T) {
	for _, tc := range []struct {
		name  string
		err   *apierr.Error
		pause time.Duration
	}{
		{"refused", apierr.New(apierr.InvalidScope, "no"), time.Second},
		{"limited", apierr.New(apierr.TooManyRequests, "no").After(20 * time.Second), 20 * time.Second},
		{"down", apierr.New(apierr.Unavailable, "no").After(3 * time.Second), 3 * time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			asked, works := 0, true
			s := newSource(func(context.Context, tokenKey) (issued, error) {
				asked++
				if works {
					return issued{value: "t", sent: time.Now(), life: time.Hour}, nil
				}
				return issued{}, tc.err
			}, func(string) {})
			mustGet(t, s, false)
			works = false
			time.Sleep(55 * time.Minute)
			for range 3 { // the old token still lives
				if v, _ := mustGet(t, s, false); v != "t" {
					t.Errorf("%s: %q", tc.name, v)
				}
				synctest.Wait()
			}
			if asked != 2 {
				t.Errorf("%s: asked %d times", tc.name, asked)
			}
			time.Sleep(10 * time.Minute)
			_, _, err := s.get(t.Context(), someKey, false)
			time.Sleep(tc.pause - 100*time.Millisecond)
			_, _, err2 := s.get(t.Context(), someKey, false)
			if codeOf(err) != tc.err.Code || codeOf(err2) != tc.err.Code || asked != 3 {
				t.Errorf("%s: %v, %v, asked %d times", tc.name, err, err2, asked)
			}
			if e, _ := errors.AsType[*apierr.Error](err2); tc.err.RetryAfter > 0 && e.RetryAfter != 100*time.Millisecond {
				t.Errorf("%s: wait %v", tc.name, e.RetryAfter)
			}
			if tc.pause > time.Second { // the client must wait, whatever it asks for
				if _, _, err := s.get(t.Context(), tokenKey{client: "shop", scope: "other"}, false); codeOf(err) != tc.err.Code || asked != 3 {
					t.Errorf("%s: another scope: %v", tc.name, err)
				}
			}
			time.Sleep(100 * time.Millisecond)
			works = true
			if v, _ := mustGet(t, s, false); v != "t" || asked != 4 {
				t.Errorf("%s: after the pause %q", tc.name, v)
			}
		})
	}
}

// TestSourceIsBounded: callers cannot fill the memory.
func TestSourceIsBounded(t *testing.T) {
	s := newSource(func(context.Context, tokenKey) (issued, error) {
		return issued{value: "t", sent: time.Now(), life: time.Hour}, nil
	}, func(string) {})
	for i := range 3 * maxTokens {
		if _, _, err := s.get(t.Context(), tokenKey{client: "shop", scope: strconv.Itoa(i)}, false); err != nil {
			t.Fatal(err)
		}
	}
	if s.size() > maxTokens {
		t.Errorf("%d tokens", s.size())
	}
}

// TestUselessTokens: tokens that end at once are no reason to ask for ever.
func TestUselessTokens(t *testing.T) {
	asked := 0
	s := newSource(func(context.Context, tokenKey) (issued, error) {
		asked++
		return issued{value: "t", sent: time.Now().Add(-time.Hour), life: time.Second}, nil
	}, func(string) {})
	if _, _, err := s.get(t.Context(), someKey, false); codeOf(err) != apierr.Unavailable || asked > maxRounds {
		t.Errorf("%v, asked %d times", err, asked)
	}
}

// TestToken: each rejection of the route is a row.
func TestToken(t *testing.T) {
	t.Parallel()
	x := start(t, nil)
	own := "shop:" + clientSecret
	for _, tc := range []struct {
		name, query, basic string
		status             int
		want               string
	}{
		{"scope", "?scope=users:read", own, 200, `"token_type":"Bearer","expires_in":35`},
		{"with the id", "?scope=users:read&client_id=shop", own, 200, `"scope":"users:read"`},
		{"order and repetition do not matter", "?scope=b+a+b", own, 200, `"scope":"a b"`},
		{"resources", "?resource=https://b.example.com&resource=https://a.example.com", own, 200, `"access_token"`},
		{"no credentials", "", "", 401, "invalid_client"},
		{"wrong secret", "", "shop:" + wrongSecret, 401, "invalid_client"},
		{"the resource server", "", "rs:" + ownSecret, 401, "invalid_client"},
		{"another client in the query", "?client_id=rs", own, 401, "invalid_client"},
		{"unknown client", "?client_id=nobody", "nobody:x", 401, "invalid_client"},
		{"secret in the URL", "?client_secret=x", own, 400, "invalid_request"},
		{"unknown parameter", "?scopes=a", own, 400, "invalid_request"},
		{"two scopes", "?scope=a&scope=b", own, 400, "invalid_request"},
		{"malformed", "?scope=%zz", own, 400, "invalid_request"},
		{"not a scope", "?scope=a++b", own, 400, "invalid_scope"},
		{"relative resource", "?resource=users", own, 400, "invalid_target"},
		{"fragment", "?resource=https://a.example.com/%23x", own, 400, "invalid_target"},
		{"line break", "?resource=https://a.example.com/%0a", own, 400, "invalid_target"},
		{"many resources", "?" + strings.Repeat("resource=https://a.example.com&", 1) + manyResources(), own, 400, "invalid_target"},
	} {
		if r := x.send(t, "GET", "/token"+tc.query, tc.basic, nil); r.status != tc.status || !strings.Contains(r.body, tc.want) {
			t.Errorf("%s: %d %s, want %d %s", tc.name, r.status, r.body, tc.status, tc.want)
		}
	}
	if r := x.send(t, "POST", "/token", own, form("scope", "a")); r.status != http.StatusMethodNotAllowed {
		t.Errorf("POST: %d", r.status)
	}
}

func manyResources() string {
	var b strings.Builder
	for i := range maxResources + 1 {
		b.WriteString("resource=https://" + strconv.Itoa(i) + ".example.com&")
	}
	return strings.TrimSuffix(b.String(), "&")
}

// TestUpstreamRefuses: the cause reaches the caller, and a response of something else
// becomes 503.
func TestUpstreamRefuses(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		status       int
		header, body string
		want         int
		code         string
	}{
		{400, "", `{"error":"invalid_scope","error_description":"no such scope"}`, 400, `"invalid_scope","error_description":"the server refuses to issue a token: no such scope"`},
		{400, "", `{"error":"<html>","error_description":"\u0000\"x\""}`, 503, "temporarily_unavailable"},
		{401, "", `{"error":"invalid_client"}`, 401, `"invalid_client","error_description":"the server refuses to issue a token: the server gives no reason"`},
		{403, "", `{"error":"access_denied"}`, 403, "access_denied"},
		{429, "7", `{"error":"too_many_requests"}`, 429, "too_many_requests"},
		{503, "7", ``, 503, "temporarily_unavailable"},
		{502, "", `<html>`, 503, "temporarily_unavailable"},
		{200, "", `{"access_token":"t","token_type":"DPoP","expires_in":60}`, 503, "temporarily_unavailable"},
		{200, "", `{"access_token":"","token_type":"Bearer","expires_in":60}`, 503, "temporarily_unavailable"},
		{200, "", `{"access_token":"t","token_type":"Bearer"}`, 503, "temporarily_unavailable"},
		{200, "", `<html>`, 503, "temporarily_unavailable"},
		{302, "", ``, 503, "temporarily_unavailable"},
	} {
		x := start(t, nil)
		x.server.set(func() {
			x.server.respond = func(w http.ResponseWriter, _ *http.Request) bool {
				if tc.header != "" {
					w.Header().Set("Retry-After", tc.header)
				}
				if tc.status == 302 {
					w.Header().Set("Location", "http://127.0.0.1:1/")
				}
				w.WriteHeader(tc.status)
				_, _ = w.Write([]byte(tc.body))
				return true
			}
		})
		r := x.send(t, "GET", "/token", "shop:"+clientSecret, nil)
		again := x.send(t, "GET", "/token?scope=other", "shop:"+clientSecret, nil)
		if r.status != tc.want || !strings.Contains(r.body, tc.code) || (tc.header != "") != (r.header.Get("Retry-After") == "7") {
			t.Errorf("%d %s: %d %v %s", tc.status, tc.body, r.status, r.header, r.body)
		}
		if tc.header != "" && (again.status != tc.want || x.server.count("/oauth/token") != 1) {
			t.Errorf("%d: the server was asked %d times within Retry-After", tc.status, x.server.count("/oauth/token"))
		}
	}
}

// TestClientSecretRotates: a new secret in the file is used without a restart.
func TestClientSecretRotates(t *testing.T) {
	t.Parallel()
	x := start(t, nil)
	x.server.set(func() { delete(x.server.live, clientSecret); x.server.live[otherSecret] = true })
	if r := x.send(t, "GET", "/token?scope=a", "shop:"+clientSecret, nil); r.status != 401 {
		t.Errorf("the old secret: %d %s", r.status, r.body)
	}
	secretIn(t, x.clients[0].path, otherSecret)
	if r := x.send(t, "GET", "/token?scope=b", "shop:"+otherSecret, nil); r.status != 200 {
		t.Errorf("the new secret: %d %s", r.status, r.body)
	}
}

// TestRetryAfter: seconds, or a time that counts from that of the response.
func TestRetryAfter(t *testing.T) {
	const date, later = "Mon, 30 Nov 2026 12:00:00 GMT", "Mon, 30 Nov 2026 12:00:30 GMT"
	for value, want := range map[string]time.Duration{
		"": 0, "0": 0, "7": 7 * time.Second, "99999999999999999999": mostWait, "-1": 0, "1.5": 0, "soon": 0,
		later: 30 * time.Second, date: 0, "Mon, 30 Nov 2026 11:00:00 GMT": 0, "Mon, 30 Nov 2037 12:00:00 GMT": mostWait,
	} {
		if got := parseRetryAfter(value, date); got != want {
			t.Errorf("%q: %v, want %v", value, got, want)
		}
	}
	if got := parseRetryAfter(later, ""); got != 0 {
		t.Errorf("without Date: %v", got)
	}
}

// FuzzTokenQuery: what is accepted has known parameters alone, and asks for what it says.
func FuzzTokenQuery(f *testing.F) {
	for _, q := range []string{"", "scope=a+b&client_id=shop", "scope=a&scope=b", "resource=https://a.example.com&resource=urn:a", "resource=x", "resource=https://a%0ab", "secret=x", "%73cope=a", "scope=a;client_id=b", "resource=https://a%23"} {
		f.Add(q)
	}
	f.Fuzz(func(t *testing.T, query string) {
		k, err := readTokenQuery(query)
		if err != nil {
			return
		}
		values, err := url.ParseQuery(query)
		if err != nil {
			t.Fatalf("%q is accepted, and no query: %v", query, err)
		}
		for name, given := range values {
			if name != paramClientID && name != paramScope && name != paramResource || name != paramResource && len(given) != 1 {
				t.Errorf("%q is accepted: %v", query, values)
			}
		}
		if k.client != values.Get(paramClientID) || len(strings.Fields(k.scope)) > len(strings.Fields(values.Get(paramScope))) {
			t.Errorf("%q asks for %+v", query, k)
		}
		for _, r := range strings.Split(strings.TrimSuffix(k.resources, "\n"), "\n") {
			if r != "" && !slices.Contains(values[paramResource], r) || strings.Contains(r, "#") {
				t.Errorf("%q asks for the resource %q", query, r)
			}
		}
		if n := strings.Count(k.resources, "\n"); n > maxResources {
			t.Errorf("%q asks for %d resources", query, n)
		}
	})
}
