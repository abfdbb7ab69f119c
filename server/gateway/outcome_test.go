package gateway

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/grantd/grantd/server/refusal"
	"github.com/grantd/grantd/server/web"
)

// TestCauses: each refusal has a cause that package refusal explains, for the log and the
// metrics, and the response does not tell it.
func TestCauses(t *testing.T) {
	var seen [][2]string
	o := standard()
	o.Observe = func(outcome, cause string) { seen = append(seen, [2]string{outcome, cause}) }
	h := handlerOf(t, o)
	const address = "X-Forwarded-For: 203.0.113.9\nX-Forwarded-Method: GET\n"
	for _, tc := range []struct {
		query, headers string
		want           [2]string
	}{
		{"?scope=users:read", "Authorization: Bearer client", [2]string{Passed, ""}},
		{"", "", [2]string{Refused, "no_bearer_token"}},
		{"", "Authorization: Bearer a\nAuthorization: Bearer b", [2]string{Refused, "authorization_repeated"}},
		{"", "Authorization: Bearer ", [2]string{Refused, "bearer_token_empty"}},
		{"", "Authorization: Bearer nobody", [2]string{Refused, "token_not_active"}},
		{"", "Authorization: Bearer revoked", [2]string{Refused, "revoked"}},
		{"", "Authorization: Bearer elsewhere", [2]string{Refused, "token_audience"}},
		{"", "Authorization: Bearer cnf", [2]string{Refused, "token_bound"}},
		{"", "Authorization: Bearer customer", [2]string{Refused, "token_use"}},
		{"?scope=x", "Authorization: Bearer client", [2]string{Refused, "token_scope"}},
		{"", "Authorization: Bearer some", [2]string{Refused, "token_resources"}},
		{"", "Authorization: Bearer bound", [2]string{Refused, "token_source_ip"}},
		{"?token_use=on_behalf", "Authorization: Bearer anywhere\nX-Forwarded-For: 203.0.113.9", [2]string{Refused, "token_method"}},
		{"?token_use=on_behalf", "Authorization: Bearer anywhere\n" + address, [2]string{Refused, "token_endpoint"}},
		{"?x", "Authorization: Bearer client", [2]string{Refused, "gateway_query"}},
		{"", "Authorization: Bearer down", [2]string{Unavailable, ""}},
		{"", "Authorization: Bearer hangs", [2]string{Unavailable, ""}},
	} {
		w := ask(t, h, http.MethodGet, tc.query, tc.headers)
		got := seen[len(seen)-1]
		if got != tc.want {
			t.Errorf("%s %s: %v, want %v", tc.query, tc.headers, got, tc.want)
		}
		if _, ok := refusal.Cause(got[1]).Reason(); !ok && got[0] == Refused || got[1] != "" && strings.Contains(w.Body.String(), got[1]) {
			t.Errorf("%s: nothing explains it, or the response tells it: %s", got[1], w.Body)
		}
		if got[0] == Unavailable && (w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "") {
			t.Errorf("%s: %d %v", tc.headers, w.Code, w.Header())
		}
	}
	stranger := httptest.NewRequestWithContext(t.Context(), "GET", Path, http.NoBody)
	stranger.RemoteAddr = "192.0.2.1:4000"
	h.ServeHTTP(httptest.NewRecorder(), stranger)
	askEnvoy(t, h, "GET", PathEnvoy+"x/y", "")
	askEnvoy(t, h, "GET", PathEnvoy+"x", "")
	if diff := cmp.Diff([][2]string{{Refused, "not_a_gateway"}, {Refused, "policy_unknown"}, {Refused, "gateway_path"}}, seen[len(seen)-3:]); diff != "" {
		t.Error(diff)
	}
	if len(seen) != 20 {
		t.Errorf("%d decisions are counted", len(seen))
	}
}

// TestHungUp: a gateway that hangs up makes no alarm.
func TestHungUp(t *testing.T) {
	o := standard()
	o.Observe = func(outcome, cause string) { t.Errorf("%s %s is counted", outcome, cause) }
	h := handlerOf(t, o)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r := httptest.NewRequestWithContext(ctx, "GET", Path, http.NoBody)
	r.RemoteAddr = "127.0.0.1:4000"
	r.Header.Set("Authorization", "Bearer hangs")
	defer func() { _ = recover() }() // net/http's way to send nothing
	h.ServeHTTP(httptest.NewRecorder(), r)
}

// TestLog: of calls that are alike one is logged, with the address of the caller and
// what is known of the token; what passes is not.
func TestLog(t *testing.T) {
	var b strings.Builder
	log := slog.New(slog.NewJSONHandler(&b, nil))
	sampler := web.NewSampler(log)
	e, err := web.NewEngine(web.Options{Log: log, Sampler: sampler, Raw: []string{PathEnvoy}})
	if err != nil {
		t.Fatal(err)
	}
	New(standard()).Mount(e)
	for range 100 {
		ask(t, e, http.MethodGet, "", "Authorization: Bearer client\nX-Forwarded-For: 203.0.113.9")
		ask(t, e, http.MethodGet, "?scope=x", "Authorization: Bearer client\nX-Forwarded-For: 203.0.113.9")
		ask(t, e, http.MethodGet, "", "Authorization: Bearer revoked\nX-Forwarded-For: 203.0.113.9")
		ask(t, e, http.MethodGet, "", "Authorization: Bearer down")
		ask(t, e, http.MethodGet, "?x", "")
	}
	sampler.Flush()
	for _, want := range []string{
		`"address":"203.0.113.9","client_id":"shop","jti":"j1","scope":"x","error":"insufficient_scope","active":true,"cause":"token_scope"}`,
		`"address":"203.0.113.9","jti":"j2","void_of":"client:shop","error":"invalid_token","ended_at":"2026-01-02T03:04:05Z","active":false,"cause":"revoked"}`,
		`"address":"unknown","error":"temporarily_unavailable"`, `"error":"access_denied","cause":"gateway_query"}`, `"more":99,`,
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %s in\n%s", want, b.String())
		}
	}
	if got := strings.Count(b.String(), "\n"); got != 8 {
		t.Errorf("%d lines, want one and a count for each of four", got)
	}
}

// TestDeadline: it ends as that of context.WithDeadline does, and has no timer before
// something waits.
func TestDeadline(t *testing.T) {
	d := newDeadline(t.Context(), time.Millisecond)
	if d.armed != nil {
		t.Error("it has a timer")
	}
	<-d.Done()
	if at, ok := d.Deadline(); !ok || at != d.at || !errors.Is(d.Err(), context.DeadlineExceeded) {
		t.Errorf("%v %v %v", at, ok, d.Err())
	}
	d.stop()
	parent, cancel := context.WithCancel(t.Context())
	d = newDeadline(parent, time.Hour)
	child, stop := context.WithCancel(d)
	defer stop()
	cancel()
	<-child.Done()
	if !errors.Is(d.Err(), context.Canceled) {
		t.Error(d.Err())
	}
	d.stop()
	d = newDeadline(t.Context(), time.Hour)
	d.stop()
	if d.Err() != nil || d.Done() == nil {
		t.Error("it ends without a reason")
	}
}

// TestNeeds: many queries take little memory, and mistakes stay mistakes.
func TestNeeds(t *testing.T) {
	var n needs
	for i := range 3 * mostNeeds {
		query := "scope=" + strings.Repeat("a", i%100+1) + "." + string(rune('a'+i/100))
		for range 2 {
			if need, err := n.of(query, nil); err != nil || "scope="+need.Scopes[0] != query {
				t.Fatalf("%s: %v %v", query, need, err)
			}
		}
	}
	if got := len(*n.known.Load()); got != mostNeeds {
		t.Errorf("%d queries are kept", got)
	}
	for range 2 {
		if _, err := n.of("scope=", nil); err == nil {
			t.Error("a mistake is accepted")
		}
	}
}
