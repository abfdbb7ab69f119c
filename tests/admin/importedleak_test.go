package admin_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/crypto/bcrypt"

	"github.com/grantd/grantd/store"
	"github.com/grantd/grantd/store/embedded"
	"github.com/grantd/grantd/tests/harness"
)

// A leaked imported secret is recognized if its client is named, and ends with
// every token that was issued with it.
func TestLeakOfAnImportedSecret(t *testing.T) {
	harness.EachStore(t, func(t *testing.T, start func(...harness.Options) *harness.Server) {
		s := start()
		rs := create(t, s, object{"client_id": "rs", "scope": "introspect"})
		c := create(t, s, object{"client_id": "legacy", "scope": "users:read", "secret_hash": hashOf(t, "leaked", 10)})
		do(t, s, "POST", "/clients/legacy/secrets", nil, 201)
		create(t, s, object{"client_id": "other", "scope": "users:read"})
		stolen, _ := tokenFor(t, s, "legacy", "leaked")

		for _, row := range []struct {
			what string
			body object
			want int
			says string
		}{
			{"without its client", object{"credential": "leaked"}, 404, "grantd leak --client ID"},
			{"another client", object{"credential": "leaked", "client_id": "other"}, 404, "nor an imported secret of this client"},
			{"no such client", object{"credential": "leaked", "client_id": "nobody"}, 404, "there is no client with this id"},
			{"not an id", object{"credential": "leaked", "client_id": "a b"}, 400, "client_id"},
			{"another secret", object{"credential": "leakee", "client_id": "legacy"}, 404, "nor an imported secret of this client"},
		} {
			r := s.AdminDo(t, "POST", "/leaks", row.body)
			if r.Status != row.want || !strings.Contains(r.Body, row.says) {
				t.Errorf("%s: %d %s", row.what, r.Status, r.Body)
			}
		}
		for target, want := range map[string]int{"client:legacy": 1, "client:other": 1, "client:nobody": 1} {
			failed := 0
			for _, e := range events(t, s, target) {
				if e["action"] == "leak.report" && e["outcome"] == "not_found" {
					failed++
				}
			}
			if failed != want {
				t.Errorf("the audit of %s has %d failed reports, want %d", target, failed, want)
			}
		}
		if !active(t, s, rs, stolen) {
			t.Fatal("a report that found nothing ended a token")
		}
		got := do(t, s, "POST", "/leaks", object{"credential": "leaked", "client_id": "legacy"}, 200)
		if got["kind"] != "client_secret" || got["client_id"] != "legacy" || got["secret_id"] != c["secret_id"] || got["ended"] != true {
			t.Errorf("%v", got)
		}
		if active(t, s, rs, stolen) {
			t.Error("a token of the leaked secret is active")
		}
		if _, status := tokenFor(t, s, "legacy", "leaked"); status != 401 {
			t.Errorf("the leaked secret: %d", status)
		}
		// The report is repeated, perhaps because its response was lost.
		do(t, s, "POST", "/leaks", object{"credential": "leaked", "client_id": "legacy"}, 200)
		reports := 0
		for _, e := range events(t, s, "secret:legacy/"+c["secret_id"].(string)) {
			if e["action"] == "leak.report" && e["outcome"] == "done" {
				reports++
			}
		}
		if reports != 2 {
			t.Errorf("the audit has %d reports of the secret", reports)
		}
		if strings.Contains(s.Logs.String(), "leaked") {
			t.Error("the log holds the secret")
		}
	})
}

// Several imported secrets of a client may be the same: all end, and are named.
func TestLeakOfSeveralImportedSecrets(t *testing.T) {
	t.Parallel()
	s := openedBefore(t, func(c *store.Client) {
		c.Secrets[0].Hash = hashOf(t, "leaked", 4)
		c.Secrets = append(c.Secrets, store.Secret{ID: "BBBBBBBB", CreatedAt: time.Now(), Hash: hashOf(t, "leaked", 4)})
	})
	got := do(t, s, "POST", "/leaks", object{"credential": "leaked", "client_id": "legacy"}, 200)
	want := object{"kind": "client_secret", "client_id": "legacy", "secret_id": "AAAAAAAA", "secret_ids": []any{"AAAAAAAA", "BBBBBBBB"}, "ended": true}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if _, status := tokenFor(t, s, "legacy", "leaked"); status != 401 {
		t.Errorf("the leaked secret: %d", status)
	}
	for _, e := range events(t, s, "secret:legacy/AAAAAAAA") {
		if e["action"] == "leak.report" {
			if d := cmp.Diff(any(want), e["after"]); d != "" {
				t.Errorf("the audit: %s", d)
			}
			return
		}
	}
	t.Error("the audit has no report")
}

// A secret whose imported hash costs too little to guess is marked until it is
// rotated. One that an older grantd imported keeps working.
func TestWeakSecrets(t *testing.T) {
	t.Parallel()
	s := harness.Start(t)
	c := create(t, s, object{"client_id": "legacy", "scope": "users:read", "secret_hash": hashOf(t, "right", 10)})
	if _, marked := c["weak"]; marked {
		t.Errorf("bcrypt of cost 10 is weak: %v", c)
	}
	r := s.AdminDo(t, "POST", "/clients", object{"client_id": "cheap", "secret_hash": hashOf(t, "right", 4)})
	if r.Status != 400 || !strings.Contains(r.Body, "it must be 10 to 12") {
		t.Errorf("bcrypt of cost 4: %d %s", r.Status, r.Body)
	}

	// As an older grantd stored it.
	weak := openedBefore(t, func(c *store.Client) { c.Secrets[0].Hash = hashOf(t, "right", 4) })
	if _, status := tokenFor(t, weak, "legacy", "right"); status != 200 {
		t.Errorf("a cheap hash of before: %d", status)
	}
	if v := do(t, weak, "GET", "/clients/legacy", nil, 200); v["weak"] != true {
		t.Errorf("the client is not marked: %v", v)
	}
	if v := do(t, weak, "GET", "/clients/legacy/secrets", nil, 200)["secrets"].([]any)[0].(object); v["weak"] != true {
		t.Errorf("the secret is not marked: %v", v)
	}
	do(t, weak, "POST", "/clients/legacy/secrets", object{"grace": "0s"}, 201)
	if v := do(t, weak, "GET", "/clients/legacy", nil, 200); v["weak"] != nil {
		t.Errorf("the client is marked after the rotation: %v", v)
	}
}

func hashOf(t *testing.T, secret string, cost int) string {
	t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte(secret), cost)
	if err != nil {
		t.Fatal(err)
	}
	return string(hash)
}

// openedBefore starts a server whose store holds the client legacy, as edit says.
func openedBefore(t *testing.T, edit func(*store.Client)) *harness.Server {
	t.Helper()
	opened, err := embedded.Open(embedded.Options{Path: t.TempDir(), Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	c := store.Client{ID: "legacy", Scopes: []string{"users:read"}, Secrets: []store.Secret{{ID: "AAAAAAAA", CreatedAt: time.Now()}}}
	edit(&c)
	if err := opened.Clients().Create(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	return harness.Start(t, harness.Options{Use: opened})
}
