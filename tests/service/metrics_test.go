package service_test

import (
	"bufio"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/grantd/grantd/config"
	"github.com/grantd/grantd/server/audit"
	"github.com/grantd/grantd/server/version"
	"github.com/grantd/grantd/store"
	"github.com/grantd/grantd/store/embedded"
	"github.com/grantd/grantd/store/storetest"
	"github.com/grantd/grantd/store/storetest/redistest"
	"github.com/grantd/grantd/tests/harness"
	"github.com/grantd/grantd/tests/poll"
)

// scraped holds the values of one scrape: `name{labels}` → value.
type scraped map[string]float64

var line = regexp.MustCompile(`^([a-z_]+(?:\{.*\})?) (\S+)$`)

func scrape(t *testing.T, s *harness.Server) scraped {
	t.Helper()
	res, err := http.Get(s.Server.URL("metrics") + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != 200 {
		t.Fatalf("status %d", res.StatusCode)
	}
	all := scraped{}
	for lines := bufio.NewScanner(res.Body); lines.Scan(); {
		if m := line.FindStringSubmatch(lines.Text()); m != nil && strings.HasPrefix(m[1], "grantd_") {
			v, err := strconv.ParseFloat(m[2], 64)
			if err != nil {
				t.Fatalf("line %q", lines.Text())
			}
			all[m[1]] = v
		}
	}
	return all
}

func measured(more ...func(*config.Config)) harness.Options {
	return harness.Options{Edit: func(c *config.Config) {
		c.Metrics.Listen = "127.0.0.1:0"
		for _, edit := range more {
			edit(c)
		}
	}}
}

// changes checks by how much the scraped grew.
func changes(t *testing.T, what string, before, after scraped, want map[string]float64) {
	t.Helper()
	for name, by := range want {
		if got := after[name] - before[name]; got != by {
			t.Errorf("%s: %s grew by %v, want %v", what, name, got, by)
		}
	}
}

func request(listener, route string, code int) string {
	return fmt.Sprintf(`grantd_http_requests_total{code="%d",listener="%s",route="%s"}`, code, listener, route)
}

func TestEachMetricChanges(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, measured(func(c *config.Config) {
		c.Limits.AuthFailuresPerClientAndAddress = config.Limit{Count: 1, Per: time.Minute}
		c.Limits.IssuePerClient.Limit = config.Limit{Count: 3, Per: time.Minute}
	}))
	rs, c := s.NewClient(t, "resource-server", "introspect"), s.NewClient(t, "billing-client", "users:read")
	before := scrape(t, s)
	step := func(what string, do func(), want map[string]float64) {
		t.Helper()
		do()
		after := scrape(t, s)
		changes(t, what, before, after, want)
		before = after
	}
	token := ""
	causes := map[string]string{"refused": "wrong_secret", "limited": "cut_off"}
	authenticated := func(result string) string {
		return `grantd_client_authentications_total{cause="` + causes[result] + `",result="` + result + `"}`
	}
	introspections := func(result, cache string) string {
		return `grantd_introspections_total{cache="` + cache + `",result="` + result + `"}`
	}
	stored := func(operation, result string) string {
		return `grantd_store_operation_duration_seconds_count{operation="` + operation + `",result="` + result + `"}`
	}
	wrong := func() {
		s.Form(t, "/oauth/token", "billing-client", "wrong-secret", url.Values{"grant_type": {"client_credentials"}})
	}

	step("a token", func() { token = s.Token(t, c, "") }, map[string]float64{
		request("public", "/oauth/token", 200):                                                    1,
		`grantd_http_request_duration_seconds_count{listener="public",route="/oauth/token"}`:      1,
		`grantd_http_request_duration_seconds_count{listener="public",route="/oauth/introspect"}`: 0,
		`grantd_tokens_issued_total{token_use="client"}`:                                          1,
		authenticated("ok"):      1,
		stored("PutToken", "ok"): 1,
	})
	step("an introspection", func() { s.Introspect(t, rs, token) }, map[string]float64{
		introspections("active", "miss"): 1, introspections("active", "hit"): 0, stored("GetToken", "ok"): 1,
		request("public", "/oauth/introspect", 200): 1, authenticated("ok"): 1, `grantd_tokens_issued_total{token_use="client"}`: 0,
	})
	step("the same again", func() { s.Introspect(t, rs, token) }, map[string]float64{
		introspections("active", "hit"): 1, introspections("active", "miss"): 0, stored("GetToken", "ok"): 0,
	})
	step("garbage", func() { s.Introspect(t, rs, "made-up-0123456789") }, map[string]float64{
		introspections("inactive", "none"): 1, stored("GetToken", "ok"): 0, stored("GetToken", "refused"): 0,
	})
	poll.Await(t, poll.Patience, "the quota is shared", func() string { // it counts with AddHits too
		if before = scrape(t, s); before[stored("AddHits", "ok")] == 0 {
			return "not yet"
		}
		return ""
	})
	step("a wrong secret", wrong, map[string]float64{
		request("public", "/oauth/token", 401): 1, authenticated("refused"): 1, authenticated("ok"): 0, stored("AddHits", "ok"): 1,
	})
	step("one too many", wrong, map[string]float64{
		request("public", "/oauth/token", 429): 1, authenticated("limited"): 1, authenticated("refused"): 0,
		`grantd_limit_hits_total{limit="auth_failures_per_client_and_address"}`: 1,
	})
	step("a rotated secret", func() {
		if _, err := s.Clients().Rotate(t.Context(), audit.Actor{Name: "test"}, "billing-client", time.Hour); err != nil {
			t.Fatal(err)
		}
		s.Token(t, c, "")
	}, map[string]float64{authenticated("old_secret"): 1, authenticated("ok"): 0})
	step("over the quota", func() {
		s.Token(t, c, "")
		s.Form(t, "/oauth/token", c.ClientID, c.ClientSecret, url.Values{"grant_type": {"client_credentials"}})
	}, map[string]float64{`grantd_limit_hits_total{limit="issue_per_client"}`: 1, `grantd_tokens_issued_total{token_use="client"}`: 1})
	step("an unknown path", func() {
		s.Form(t, "/gt_sandbox_secret-in-the-path", "", "", nil)
		s.AdminDo(t, "GET", "/clients/billing-client", nil)
		s.AdminDo(t, "GET", "/clients/nobody", nil)
	}, map[string]float64{
		request("public", "unmatched", 404): 1, request("admin_socket", "/admin/v1/clients/:id", 200): 1, request("admin_socket", "/admin/v1/clients/:id", 404): 1,
	})
	step("a reload", func() {
		bad := config.Defaults()
		bad.Scopes.File = "/nowhere/scopes.yaml"
		if err := s.Reload(t.Context(), bad); err == nil {
			t.Error("a bad catalogue was accepted")
		}
	}, map[string]float64{
		`grantd_reloads_total{result="failed",what="catalogue"}`: 1, `grantd_reloads_total{result="ok",what="tls"}`: 1, `grantd_reloads_total{result="ok",what="log"}`: 1,
	})
	if before["grantd_store_batch_writes_count"] == 0 || before["grantd_store_batch_writes_sum"] < before["grantd_store_batch_writes_count"] {
		t.Errorf("batches: %v of %v writes", before["grantd_store_batch_writes_count"], before["grantd_store_batch_writes_sum"])
	}
	if before["grantd_feed_age_seconds"] != 0 {
		t.Errorf("the feed of one process is %v s old", before["grantd_feed_age_seconds"])
	}
	info := 0
	build := fmt.Sprintf(`grantd_build_info{go_version=%q,version=%q}`, runtime.Version(), version.Read().Version)
	for name, v := range before {
		if name == build && v == 1 {
			info++
		}
		for _, kept := range []string{"billing-client", "resource-server", "nobody", "secret-in-the-path", "wrong-secret", token, c.ClientSecret, c.SecretID} {
			if strings.Contains(name, kept) {
				t.Errorf("%s: a label holds what a caller sent", name)
			}
		}
	}
	if info != 1 {
		t.Errorf("%d build infos", info)
	}
}

// TestUncachedTokenWarnings: reports of clients that do not cache are counted.
func TestUncachedTokenWarnings(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, measured())
	c := s.NewClient(t, "billing", "users:read")
	for range 40 {
		s.Token(t, c, "")
	}
	s.Clock.Add(61 * time.Second)
	await(t, s, "grantd_uncached_token_warnings_total", func(v float64) bool { return v == 1 })
}

func await(t *testing.T, s *harness.Server, name string, is func(float64) bool) {
	t.Helper()
	poll.Await(t, poll.Patience, name, func() string {
		v := scrape(t, s)[name]
		if is(v) {
			return ""
		}
		return fmt.Sprint("it is ", v)
	})
}

// TestStoreFailures: failures of the store are counted by operation, and so are
// audit events that could not be stored.
func TestStoreFailures(t *testing.T) {
	t.Parallel()
	opened, err := embedded.Open(embedded.Options{Path: t.TempDir(), Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	faulty := storetest.NewFaulty(opened)
	o := measured()
	o.Use = faulty
	s := harness.Start(t, o)
	c := s.NewClient(t, "billing", "users:read")
	before := scrape(t, s)
	faulty.Fail("PutToken", store.ErrUnavailable)
	faulty.Fail("AppendAudit", store.ErrUnavailable)
	s.Form(t, "/oauth/token", c.ClientID, c.ClientSecret, url.Values{"grant_type": {"client_credentials"}})
	s.AdminDo(t, "PATCH", "/clients/billing", map[string]any{"name": "B"})
	s.AdminDo(t, "POST", "/clients", map[string]any{"client_id": "billing"})
	changes(t, "failures", before, scrape(t, s), map[string]float64{
		`grantd_store_operation_duration_seconds_count{operation="PutToken",result="unavailable"}`: 1,
		`grantd_store_operation_duration_seconds_count{operation="PutToken",result="ok"}`:          0,
		`grantd_store_operation_duration_seconds_count{operation="CreateClient",result="refused"}`: 1,
		`grantd_tokens_issued_total{token_use="client"}`:                                           0,
		request("public", "/oauth/token", 503):                                                     1,
		"grantd_audit_failures_total":                                                              2,
	})
}

// TestFeedAge: the age of a feed that cannot be confirmed grows.
func TestFeedAge(t *testing.T) {
	t.Parallel()
	link := harness.StartProxy(t, redistest.Start(t).Addr)
	s := harness.Start(t, measured(harness.OnRedis(link.Addr)))
	await(t, s, "grantd_feed_age_seconds", func(v float64) bool { return v > 0 && v < 1 })
	link.Set(harness.Refusing)
	await(t, s, "grantd_feed_age_seconds", func(v float64) bool { return v > 1.2 })
	link.Set(harness.Passing)
	await(t, s, "grantd_feed_age_seconds", func(v float64) bool { return v > 0 && v < 1 })
}

// TestSecretsExpiring: every server counts the active secrets that expire soon, those
// from before its start and those that are changed anywhere.
func TestSecretsExpiring(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t).Addr
	quick := func(c *config.Config) { c.Cache.MaxStaleness = harness.QuickStaleness } // changes wait for it
	first := harness.Start(t, measured(harness.OnRedis(redis), quick))
	by := audit.Actor{Name: "test"}
	rotate := func(id string, grace time.Duration) {
		t.Helper()
		first.NewClient(t, id, "users:read")
		if _, err := first.Clients().Rotate(t.Context(), by, id, grace); err != nil {
			t.Fatal(err)
		}
	}
	first.NewClient(t, "stays", "users:read")
	rotate("soon", 24*time.Hour)
	rotate("sooner", time.Hour)
	rotate("late", 8*24*time.Hour)
	rotate("ended", 0)
	rotate("deactivated", 24*time.Hour)
	if _, err := first.Clients().Deactivate(t.Context(), by, "deactivated"); err != nil {
		t.Fatal(err)
	}
	second := harness.Start(t, measured(harness.OnRedis(redis)))
	for _, s := range []*harness.Server{second, first} { // one that has read all, and one that has followed
		for window, want := range map[string]float64{"1d": 2, "7d": 2, "30d": 3} {
			await(t, s, fmt.Sprintf("grantd_secrets_expiring{within=%q}", window), func(v float64) bool { return v == want })
		}
	}
	if _, err := first.Clients().Rotate(t.Context(), by, "soon", 0); err != nil { // the other one follows too
		t.Fatal(err)
	}
	await(t, second, `grantd_secrets_expiring{within="7d"}`, func(v float64) bool { return v == 1 })
}

// TestPartnerTokensExpiring is TestSecretsExpiring for partner tokens.
func TestPartnerTokensExpiring(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t).Addr
	quick := func(c *config.Config) { c.Cache.MaxStaleness = harness.QuickStaleness } // changes wait for it
	first := harness.Start(t, measured(harness.OnRedis(redis), quick))
	admin := func(method, path string, body any) map[string]any {
		t.Helper()
		r := first.AdminDo(t, method, path, body)
		if r.Status >= 300 {
			t.Fatalf("%s %s: %d %s", method, path, r.Status, r.Body)
		}
		if r.Body == "" {
			return nil
		}
		return r.JSON(t)
	}
	partner := func(id string, lifetimes ...string) (tokens []string) {
		t.Helper()
		admin("PUT", "/partners/"+id, map[string]any{"name": id, "scope": "cards"})
		for _, lifetime := range lifetimes {
			made := admin("POST", "/partners/"+id+"/tokens", map[string]any{"name": lifetime, "lifetime": lifetime})
			tokens = append(tokens, made["token_id"].(string))
		}
		return tokens
	}
	partner("none")
	partner("soon", "1h", "7d", "8d", "90d")
	partner("sooner", "2h")
	admin("DELETE", "/partners/revoked/tokens/"+partner("revoked", "1h", "90d")[0], nil)
	partner("deactivated", "1h")
	admin("POST", "/partners/deactivated/deactivate", nil)
	second := harness.Start(t, measured(harness.OnRedis(redis)))
	await(t, second, "grantd_partner_tokens_expiring", func(v float64) bool { return v == 3 })
	if v := scrape(t, second)[`grantd_secrets_expiring{within="7d"}`]; v != 0 {
		t.Errorf("they count as %v secrets", v)
	}
}

// TestSecretsExpiringOverPages: clients on more than one page are counted.
func TestSecretsExpiringOverPages(t *testing.T) {
	t.Parallel()
	opened, err := embedded.Open(embedded.Options{Path: t.TempDir(), Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	end := time.Now().Add(time.Hour)
	const n = 503
	var all sync.WaitGroup // writes share commits
	for i := range n {
		all.Go(func() {
			c := store.Client{ID: fmt.Sprint("c", i), Secrets: []store.Secret{{ID: "AAAAAAAA", Hash: "sha256$x", ExpiresAt: &end}}}
			if err := opened.Clients().Create(t.Context(), c); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	o := measured()
	o.Use = opened
	s := harness.Start(t, o)
	await(t, s, `grantd_secrets_expiring{within="7d"}`, func(v float64) bool { return v == n })
}

// TestListener: the metrics listener serves only the metrics, and no other
// listener serves them.
func TestListener(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, measured())
	for at, status := range map[string]int{
		s.Server.URL("metrics") + "/": 404, s.Server.URL("metrics") + "/healthz": 404, s.Server.URL("metrics") + "/admin/v1/clients": 404,
		s.Server.URL("metrics") + "/oauth/token": 404, s.URL + "/metrics": 404,
	} {
		req, err := http.NewRequestWithContext(t.Context(), "GET", at, nil)
		if err != nil {
			t.Fatal(err)
		}
		if r := harness.Do(t, nil, req); r.Status != status {
			t.Errorf("%s: %d", at, r.Status)
		}
	}
	if u := harness.Start(t).Server.URL("metrics"); u != "" {
		t.Errorf("without metrics.listen there is %s", u)
	}
}
