package admin_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/grantd/grantd/config"
	"github.com/grantd/grantd/server/audit"
	"github.com/grantd/grantd/store"
	"github.com/grantd/grantd/store/storetest/redistest"
	"github.com/grantd/grantd/tests/harness"
	"github.com/grantd/grantd/tests/poll"
)

// secretsIn returns what all pages of the list of secrets name: client/state.
func secretsIn(t *testing.T, s *harness.Server, query string) (found []string) {
	t.Helper()
	for cursor := ""; ; {
		page := do(t, s, "GET", "/secrets?"+query+cursor, nil, 200)
		for _, v := range page["secrets"].([]any) {
			found = append(found, fmt.Sprint(v.(object)["client_id"], "/", v.(object)["state"]))
		}
		next, _ := page["next_cursor"].(string)
		if next == "" {
			slices.Sort(found)
			return found
		}
		cursor = "&cursor=" + next
	}
}

func TestSecretsOfAllClients(t *testing.T) {
	harness.EachStore(t, func(t *testing.T, start func(...harness.Options) *harness.Server) {
		s := start()
		putOrg(t, s, "acme", "Acme")
		create(t, s, object{"client_id": "old", "scope": "users:read"})
		s.Clock.Add(100 * 24 * time.Hour)
		used := create(t, s, object{"client_id": "used", "scope": "users:read", "org_id": "acme"})
		create(t, s, object{"client_id": "off", "scope": "users:read"})
		do(t, s, "POST", "/clients/off/deactivate", nil, 200)
		do(t, s, "POST", "/clients/used/secrets", object{"grace": "7d"}, 201)
		ended := create(t, s, object{"client_id": "ended", "scope": "users:read"})
		if _, status := tokenFor(t, s, "ended", ended["client_secret"].(string)); status != 200 {
			t.Fatal(status)
		}
		poll.AwaitTrue(t, poll.Patience, "the use is written", func() bool {
			return do(t, s, "GET", "/secrets?client_id=ended", nil, 200)["secrets"].([]any)[0].(object)["use_count"] == 1.0
		})
		do(t, s, "DELETE", "/clients/ended/secrets/"+ended["secret_id"].(string), nil, 204)
		for query, want := range map[string][]string{
			"":                                    {"old/active", "used/active", "used/active"},
			"state=active":                        {"old/active", "used/active", "used/active"},
			"state=deactivated":                   {"off/deactivated"},
			"state=ended":                         {"ended/ended"},
			"state=expired":                       nil,
			"state=all":                           {"ended/ended", "off/deactivated", "old/active", "used/active", "used/active"},
			"expires_within=30d":                  {"used/active"},
			"expires_within=6d":                   nil,
			"unused_for=90d":                      {"old/active"},
			"older_than=90d&expires_within=30d":   nil,
			"client_id=used":                      {"used/active", "used/active"},
			"client_id=used&expires_within=30d":   {"used/active"},
			"client_id=used&unused_for=90d":       nil,
			"client_id=ended&state=ended&limit=1": {"ended/ended"},
		} {
			for _, limit := range []string{"", "&limit=1", "&limit=2"} {
				if strings.Contains(query, "limit") {
					limit = ""
				}
				if d := cmp.Diff(want, secretsIn(t, s, strings.TrimPrefix(query+limit, "&"))); d != "" {
					t.Errorf("%q%s: %s", query, limit, d)
				}
			}
		}
		// An ended secret keeps its last use, and says when and by whom it was ended.
		v := do(t, s, "GET", "/secrets?state=ended", nil, 200)["secrets"].([]any)[0].(object)
		if v["use_count"] != 1.0 || v["last_used_ip"] != "127.0.0.1" || v["ended_at"] == nil || v["ended_by"] == nil || v["org_id"] != nil {
			t.Errorf("%v", v)
		}
		v = do(t, s, "GET", "/secrets?client_id=used&expires_within=30d", nil, 200)["secrets"].([]any)[0].(object)
		if v["id"] != used["secret_id"] || v["org_id"] != "acme" || v["expires_at"] == nil || v["ended_at"] != nil || v["last_used_at"] != nil {
			t.Errorf("%v", v)
		}
	})
}

// One request returns the secrets of 300 clients, and takes a number of store
// operations that does not grow with the clients.
func TestSecretsOfManyClients(t *testing.T) {
	t.Parallel()
	s, faulty, _ := faultyServer(t)
	const n = 300
	by := audit.Actor{Name: "test"}
	for i := range n {
		c := store.Client{
			ID: fmt.Sprintf("c%03d", i), Head: store.Head{CreatedAt: s.Clock.Now(), Version: 1},
			Secrets: []store.Secret{{ID: "AAAAAAAA", Hash: "sha256$x", CreatedAt: s.Clock.Now()}},
		}
		if err := s.Clients().Registry.Create(t.Context(), by, c); err != nil {
			t.Fatal(err)
		}
	}
	var operations atomic.Int64
	for _, op := range []string{"ListClients", "ListUses", "ListUsesOf"} {
		faulty.Hook(op, func() { operations.Add(1) })
	}
	page := do(t, s, "GET", "/secrets?limit=500", nil, 200)
	if got := len(page["secrets"].([]any)); got < n || page["next_cursor"] != nil {
		t.Errorf("%d secrets, next %v", got, page["next_cursor"])
	}
	if n := operations.Load(); n > 3 {
		t.Errorf("%d operations", n)
	}
}

func TestClientFilters(t *testing.T) {
	t.Parallel()
	s := harness.Start(t)
	putOrg(t, s, "acme", "Acme")
	putOrg(t, s, "other", "Other")
	create(t, s, object{"client_id": "pay-1", "name": "Payments", "org_id": "acme"})
	create(t, s, object{"client_id": "b", "name": "The PAYER", "org_id": "other"})
	create(t, s, object{"client_id": "c", "name": "Cards"})
	do(t, s, "POST", "/clients/b/deactivate", nil, 200)
	for query, want := range map[string]string{
		"":                                   "b c pay-1",
		"org_id=acme":                        "pay-1",
		"org_id=none":                        "",
		"state=active":                       "c pay-1",
		"state=deactivated":                  "b",
		"q=pay":                              "b pay-1",
		"q=PAY-":                             "pay-1",
		"q=pay&state=active":                 "pay-1",
		"org_id=other&state=active":          "",
		"org_id=other&q=p&state=deactivated": "b",
	} {
		for _, limit := range []string{"limit=1", "limit=2", "limit=50"} {
			var got []string
			for cursor := ""; ; {
				page := do(t, s, "GET", "/clients?"+strings.TrimPrefix(query+"&"+limit+cursor, "&"), nil, 200)
				for _, v := range page["clients"].([]any) {
					got = append(got, v.(object)["client_id"].(string))
				}
				next, _ := page["next_cursor"].(string)
				if next == "" {
					break
				}
				cursor = "&cursor=" + next
			}
			if strings.Join(got, " ") != want {
				t.Errorf("%q, %s: %v, want %s", query, limit, got, want)
			}
		}
	}
}

// What a list cannot apply is refused, and the error names it.
func TestFilterRejections(t *testing.T) {
	t.Parallel()
	s := harness.Start(t)
	create(t, s, object{"client_id": "a"})
	for query, field := range map[string]string{
		"/clients?org=acme": "org", "/clients?state=held": "state", "/clients?state=ACTIVE": "state", "/clients?org_id=a/b": "org_id", "/clients?q=": "q",
		"/clients?q=" + strings.Repeat("x", 129): "q", "/clients?q=a&q=b": "q", "/clients?limit=501": "limit", "/clients?cursor=!": "cursor",
		"/secrets?expires=30d": "expires", "/secrets?expires_within=30": "expires_within", "/secrets?expires_within=-1d": "expires_within", "/secrets?expires_within=0s": "expires_within",
		"/secrets?unused_for=x": "unused_for", "/secrets?older_than=4000d": "older_than", "/secrets?state=live": "state", "/secrets?state=": "state",
		"/clients/a/secrets?state=all": "state", "/orgs?q=a": "q", "/customers?org=a": "org", "/partners?state=active": "state", "/scopes?q=a": "q",
		"/audit?actors=a": "actors", "/audit?since=x": "since", "/audit?until=x": "until",
	} {
		r := s.AdminDo(t, "GET", query, nil)
		if r.Status != http.StatusBadRequest || r.JSON(t)["field"] != field {
			t.Errorf("%s: %d %s", query, r.Status, r.Body)
		}
	}
	if r := s.AdminDo(t, "GET", "/secrets?client_id=none", nil); r.Status != http.StatusNotFound {
		t.Errorf("an unknown client: %d %s", r.Status, r.Body)
	}
}

// null in a PATCH gives the member its default (RFC 7396); what is left out stays.
func TestNullResets(t *testing.T) {
	t.Parallel()
	s := harness.Start(t)
	create(t, s, object{
		"client_id": "a", "name": "A", "scope": "users:read users:write", "default_scope": "users:read", "token_ttl": 600, "auth_methods": []string{"client_secret_basic"},
		"source_ips": []string{"10.0.0.0/8"}, "resources": []string{"https://a.example"}, "token_uses": []string{"customer"}, "enforces": []string{"source_ip"},
		"resource": "https://rs.example", "issue_limit": "600/1m",
	})
	do(t, s, "PATCH", "/clients/a", object{"bind_source_ip": true}, 200)
	create(t, s, object{"client_id": "fresh", "scope": "users:read users:write"})
	fresh := do(t, s, "GET", "/clients/fresh", nil, 200)
	for _, member := range []string{
		"name", "default_scope", "token_ttl", "auth_methods", "bind_source_ip", "source_ips", "resources", "token_uses", "enforces", "resource", "issue_limit",
	} {
		before := do(t, s, "GET", "/clients/a", nil, 200)
		after := do(t, s, "PATCH", "/clients/a", object{member: nil}, 200)
		for name, value := range after {
			want := before[name]
			if name == member {
				want = fresh[name]
			}
			if name != "version" && name != "updated_at" && !cmp.Equal(value, want) {
				t.Errorf("null as %s: %s is %v, want %v", member, name, value, want)
			}
		}
	}
	if got := do(t, s, "PATCH", "/clients/a", object{"scope": nil}, 200); got["scope"] != "" {
		t.Errorf("null as scope: %v", got)
	}
	do(t, s, "PATCH", "/clients/a", object{"client_id": nil}, 400) // not a member of a PATCH
}

func TestPutClient(t *testing.T) {
	harness.EachStore(t, func(t *testing.T, start func(...harness.Options) *harness.Server) {
		s := start()
		rs := create(t, s, object{"client_id": "rs", "scope": "introspect"})
		putOrg(t, s, "acme", "Acme")
		spec := object{"name": "A", "scope": "users:read users:write", "org_id": "acme", "token_ttl": 600}
		made := do(t, s, "PUT", "/clients/a", spec, 201)
		secret, _ := made["client_secret"].(string)
		token, status := tokenFor(t, s, "a", secret)
		if status != 200 || made["secret_id"] == nil {
			t.Fatalf("%d, %v", status, made)
		}
		again := do(t, s, "PUT", "/clients/a", spec, 200)
		if again["client_secret"] != nil || again["secret_id"] != nil || again["version"] != made["version"] {
			t.Errorf("a repetition: %v", again)
		}
		if !active(t, s, rs, token) {
			t.Error("a repetition ended the token")
		}
		changed := do(t, s, "PUT", "/clients/a", object{"scope": "users:read", "org_id": "acme"}, 200)
		if changed["name"] != "" || changed["token_ttl"] != nil || changed["scope"] != "users:read" || active(t, s, rs, token) {
			t.Errorf("what is left out stays, or the token outlives its scope: %v", changed)
		}
		if _, status := tokenFor(t, s, "a", secret); status != 200 {
			t.Errorf("the secret: %d", status)
		}
		for name, tc := range map[string]struct {
			path   string
			body   object
			status int
			field  any
		}{
			"another id":   {"a", object{"client_id": "b", "org_id": "acme"}, 400, "client_id"},
			"a hash":       {"a", object{"secret_hash": "$2b$12$x", "org_id": "acme"}, 400, "secret_hash"},
			"another org":  {"a", object{"org_id": "other"}, 400, "org_id"},
			"no org":       {"a", object{}, 409, "org_id"},
			"no such org":  {"new", object{"org_id": "none"}, 400, "org_id"},
			"a bad member": {"new", object{"issue_limit": "x"}, 400, "issue_limit"},
			"a bad id":     {"a%20b", object{}, 400, "client_id"},
		} {
			r := s.AdminDo(t, "PUT", "/clients/"+tc.path, tc.body)
			if r.Status != tc.status || r.JSON(t)["field"] != tc.field {
				t.Errorf("%s: %d %s", name, r.Status, r.Body)
			}
		}
		for etag, want := range map[string]int{`"1"`: 412, "*": 200, fmt.Sprintf(`"%.0f"`, changed["version"]): 200} {
			if r := changeIf(t, s, "PUT", "/clients/a", etag, object{"scope": "users:read", "org_id": "acme"}); r.Status != want {
				t.Errorf("If-Match %s: %d %s", etag, r.Status, r.Body)
			}
		}
		if r := changeIf(t, s, "PUT", "/clients/none", "*", object{}); r.Status != 412 {
			t.Errorf("If-Match * without a client: %d %s", r.Status, r.Body)
		}
		if d := cmp.Diff([]string{"client.create", "client.update", "client.update conflict", "client.update precondition_failed"}, actions(t, s, "client:a")); d != "" {
			t.Error(d)
		}
		if got := actions(t, s, "client:new"); len(got) != 0 {
			t.Errorf("refused creations are in the audit: %v", got)
		}
	})
}

// A refused creation of an id that nothing has leaves no trace in the audit.
func TestRefusedCreatesAreNotAudited(t *testing.T) {
	t.Parallel()
	s := harness.Start(t)
	create(t, s, object{"client_id": "a"})
	for _, body := range []object{{"client_id": "b", "scope": "no-such"}, {"client_id": "b c"}, {"client_id": "b", "org_id": "none"}, {"client_id": "b", "token_ttl": 1}} {
		do(t, s, "POST", "/clients", body, 400)
	}
	do(t, s, "POST", "/clients", object{"client_id": "a"}, 409)
	if d := cmp.Diff([]string{"client.create", "client.create conflict"}, actions(t, s, "client:a")); d != "" {
		t.Error(d)
	}
	if got := do(t, s, "GET", "/audit?action=client.create", nil, 200)["events"].([]any); len(got) != 2 {
		t.Errorf("%d events: %v", len(got), got)
	}
}

// A client's issue limit is in force on every replica as soon as the call returns.
func TestIssueLimit(t *testing.T) {
	t.Parallel()
	quick := func(c *config.Config) { c.Cache.MaxStaleness = harness.QuickStaleness }
	onRedis := harness.OnRedis(redistest.Start(t).Addr)
	o := harness.Options{Edit: func(c *config.Config) { quick(c); onRedis(c) }}
	a, b := harness.Start(t, o), harness.Start(t, o)
	c := create(t, a, object{"client_id": "billing", "scope": "users:read", "issue_limit": "2/1h"})
	secret := c["client_secret"].(string)
	statuses := func(s *harness.Server) (got []int) {
		for range 3 {
			_, status := tokenFor(t, s, "billing", secret)
			got = append(got, status)
		}
		return got
	}
	for i, step := range []struct {
		limit any
		want  []int
	}{{"1/2h", []int{200, 429, 429}}, {nil, []int{200, 200, 200}}, {"2/3h", []int{200, 200, 429}}, {"none", []int{200, 200, 200}}} {
		if i == 0 {
			if got := statuses(b); !slices.Equal(got, []int{200, 200, 429}) {
				t.Errorf("as created: %v", got)
			}
		}
		v := do(t, a, "PATCH", "/clients/billing", object{"issue_limit": step.limit}, 200)
		if step.limit == "none" {
			step.limit = nil
		}
		if v["issue_limit"] != step.limit {
			t.Errorf("it is shown as %v, not %v", v["issue_limit"], step.limit)
		}
		if got := statuses(b); !slices.Equal(got, step.want) {
			t.Errorf("%v: %v, want %v", step.limit, got, step.want)
		}
	}
	for _, bad := range []string{"0/1m", "600", "600/1x", "20000/1s", "2000000/24h", "1/2d", "600/500ms"} {
		if r := a.AdminDo(t, "PATCH", "/clients/billing", object{"issue_limit": bad}); r.Status != 400 || r.JSON(t)["field"] != "issue_limit" {
			t.Errorf("%s: %d %s", bad, r.Status, r.Body)
		}
	}
}
