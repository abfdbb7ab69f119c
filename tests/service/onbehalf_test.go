package service_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/grantd/grantd/config"
	"github.com/grantd/grantd/store/storetest/redistest"
	"github.com/grantd/grantd/tests/harness"
	"github.com/grantd/grantd/tests/poll"
)

// onBehalfQuota is how many tokens a partner may make in a window.
const onBehalfQuota = 4

func partnerQuota(c *config.Config) {
	c.Limits.OnBehalfTokensPerPartner.Limit = config.Limit{Count: onBehalfQuota, Per: window}
}

// newPartner creates a partner with a grant of the org acme and returns its
// partner token.
func newPartner(t *testing.T, s *harness.Server, id string) string {
	t.Helper()
	do := func(method, path string, body any) harness.Response {
		t.Helper()
		r := s.AdminDo(t, method, path, body)
		if r.Status >= 300 {
			t.Fatalf("%s %s: %d %s", method, path, r.Status, r.Body)
		}
		return r
	}
	do("PUT", "/orgs/acme", map[string]any{"name": "Acme"})
	do("PUT", "/partners/"+id, map[string]any{"name": id, "scope": "cards"})
	do("PUT", "/partners/"+id+"/orgs/acme", map[string]any{"scope": "cards"})
	return do("POST", "/partners/"+id+"/tokens", map[string]any{"name": "test"}).JSON(t)["token"].(string)
}

// onBehalf requests an on-behalf token by JSON:API.
func onBehalf(t *testing.T, s *harness.Server, token, org string) harness.Response {
	t.Helper()
	body := fmt.Sprintf(`{"data":{"type":"createOnBehalfToken","attributes":{"orgId":%q,"scopes":"cards"}}}`, org)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+"/partners/token", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header = http.Header{"Content-Type": {"application/vnd.api+json"}, "Authorization": {"Bearer " + token}}
	return harness.Do(t, nil, req)
}

// exchange requests an on-behalf token by RFC 8693.
func exchange(t *testing.T, s *harness.Server, token string) harness.Response {
	t.Helper()
	return s.Form(t, "/oauth/token", "", "", url.Values{
		"grant_type":         {"urn:ietf:params:oauth:grant-type:token-exchange"},
		"subject_token":      {token},
		"subject_token_type": {"urn:ietf:params:oauth:token-type:access_token"},
		"audience":           {"org:acme"},
	})
}

// wantQuota checks the JSON:API response to a partner that is over its quota.
func wantQuota(t *testing.T, r harness.Response) {
	t.Helper()
	var body struct {
		Errors []struct{ Status, Title, Detail, Code string }
	}
	if err := json.Unmarshal([]byte(r.Body), &body); err != nil || r.Status != http.StatusTooManyRequests || len(body.Errors) != 1 ||
		body.Errors[0].Status != "429" || body.Errors[0].Code != "too_many_requests" || body.Errors[0].Detail == "" {
		t.Fatalf("%d %s", r.Status, r.Body)
	}
	if got := r.Header.Get("Content-Type"); got != "application/vnd.api+json" {
		t.Errorf("content type %q", got)
	}
	if wait, err := strconv.Atoi(r.Header.Get("Retry-After")); err != nil || wait < 1 || wait > int(window/time.Second) {
		t.Errorf("Retry-After %q", r.Header.Get("Retry-After"))
	}
}

func TestOnBehalfQuota(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, edits(partnerQuota))
	token, other := newPartner(t, s, "hurdlr"), newPartner(t, s, "other")
	// Refused requests do not count, and both kinds of requests do.
	if r := onBehalf(t, s, token, "nobody"); r.Status != 403 {
		t.Fatalf("an org that did not agree: %d %s", r.Status, r.Body)
	}
	for i := range onBehalfQuota {
		ask, want := func() harness.Response { return onBehalf(t, s, token, "acme") }, http.StatusCreated
		if i%2 == 1 {
			ask, want = func() harness.Response { return exchange(t, s, token) }, http.StatusOK
		}
		if r := ask(); r.Status != want {
			t.Fatalf("token %d: %d %s", i+1, r.Status, r.Body)
		}
	}
	wantQuota(t, onBehalf(t, s, token, "acme"))
	refused(t, exchange(t, s, token), "an exchange over the quota")
	// All tokens of a partner share its quota; another partner has another one.
	second := s.AdminDo(t, "POST", "/partners/hurdlr/tokens", map[string]any{"name": "second"}).JSON(t)["token"].(string)
	wantQuota(t, onBehalf(t, s, second, "acme"))
	if r := onBehalf(t, s, other, "acme"); r.Status != http.StatusCreated {
		t.Errorf("another partner: %d %s", r.Status, r.Body)
	}
	// A partner over its quota still gets other errors first.
	if r := onBehalf(t, s, token, "nobody"); r.Status != 403 {
		t.Errorf("an org that did not agree: %d %s", r.Status, r.Body)
	}
	s.Clock.Add(window + time.Second)
	if r := onBehalf(t, s, token, "acme"); r.Status != http.StatusCreated {
		t.Errorf("in the next window: %d %s", r.Status, r.Body)
	}
}

// Replicas share twice a second how many tokens they issued.
func TestOnBehalfQuotaIsShared(t *testing.T) { // not parallel: replicas share counts twice a second
	o := edits(harness.OnRedis(redistest.Start(t).Addr), partnerQuota)
	a, b := harness.Start(t, o), harness.Start(t, o)
	token := newPartner(t, a, "hurdlr")
	for i := range onBehalfQuota {
		if r := onBehalf(t, a, token, "acme"); r.Status != http.StatusCreated {
			t.Fatalf("token %d: %d %s", i+1, r.Status, r.Body)
		}
	}
	wantQuota(t, onBehalf(t, a, token, "acme"))
	given := 0
	poll.Await(t, poll.Patience, "the other replica refuses", func() string {
		r := onBehalf(t, b, token, "acme")
		if r.Status == http.StatusTooManyRequests {
			wantQuota(t, r)
			return ""
		}
		given++
		return fmt.Sprint(r.Status)
	})
	if given > onBehalfQuota {
		t.Errorf("the other replica issued %d more tokens, over a whole quota", given)
	}
}

func TestOnBehalfQuotaOff(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, edits(func(c *config.Config) { c.Limits.OnBehalfTokensPerPartner.Count = 0 }))
	token := newPartner(t, s, "hurdlr")
	for i := range 300 {
		if r := onBehalf(t, s, token, "acme"); r.Status != http.StatusCreated {
			t.Fatalf("token %d: %d %s", i+1, r.Status, r.Body)
		}
	}
}
