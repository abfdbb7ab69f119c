package admin_test

import (
	"strings"
	"testing"

	"github.com/grantd/grantd/tests/harness"
)

func TestLeaks(t *testing.T) {
	harness.EachStore(t, func(t *testing.T, start func(...harness.Options) *harness.Server) {
		s := start(overTCP())
		_, writer := operators(t, s)
		rs := create(t, s, object{"client_id": "rs", "scope": "introspect"})
		c := create(t, s, object{"client_id": "billing", "scope": "users:read"})
		leaked, leakedID := c["client_secret"].(string), c["secret_id"].(string)
		rotated := do(t, s, "POST", "/clients/billing/secrets", object{"grace": "24h"}, 201)
		good := rotated["client_secret"].(string)
		stolen, _ := tokenFor(t, s, "billing", leaked)
		mine, _ := tokenFor(t, s, "billing", good)
		other, _ := tokenFor(t, s, "billing", good)
		report := func(credential string, status int) object {
			t.Helper()
			r := writer.do(t, "POST", "/leaks", object{"credential": credential})
			if r.Status != status {
				t.Fatalf("%d %s, want %d", r.Status, r.Body, status)
			}
			if strings.Contains(r.Body, credential) {
				t.Error("the response repeats the credential")
			}
			return r.JSON(t)
		}
		wants := func(got, want object) {
			t.Helper()
			for k, v := range want {
				if got[k] != v {
					t.Errorf("%s is %v, want %v", k, got[k], v)
				}
			}
		}

		// A leaked secret ends with its tokens; the client's other secrets and
		// tokens live on.
		wants(report(leaked, 200), object{"kind": "client_secret", "client_id": "billing", "secret_id": leakedID, "ended": true})
		if active(t, s, rs, stolen) {
			t.Error("a token of the leaked secret is active")
		}
		if _, status := tokenFor(t, s, "billing", leaked); status != 401 {
			t.Errorf("the leaked secret: %d", status)
		}
		if _, status := tokenFor(t, s, "billing", good); status != 200 || !active(t, s, rs, mine) {
			t.Errorf("the other secret: %d", status)
		}
		wants(do(t, s, "POST", "/tokens/explain", object{"token": stolen}, 200), object{"state": "void", "void_of": "secret:billing/" + leakedID, "ended_by": "client:terraform"})

		// A secret that has already ended is still recognized, so that its
		// tokens end too.
		wants(report(leaked, 200), object{"kind": "client_secret", "secret_id": leakedID, "ended": true})
		do(t, s, "POST", "/clients/billing/secrets", object{"grace": "0s"}, 201)
		wants(report(good, 200), object{"kind": "client_secret", "secret_id": rotated["secret_id"], "ended": true})
		if active(t, s, rs, mine) || active(t, s, rs, other) {
			t.Error("a token of an ended secret that leaked is active")
		}

		// A leaked token ends alone.
		d := create(t, s, object{"client_id": "shipping", "scope": "users:read"})
		found, _ := tokenFor(t, s, "shipping", d["client_secret"].(string))
		kept, _ := tokenFor(t, s, "shipping", d["client_secret"].(string))
		r := report(found, 200)
		wants(r, object{"kind": "token", "client_id": "shipping", "ended": true})
		if active(t, s, rs, found) || !active(t, s, rs, kept) {
			t.Error("the leaked token is active, or another one is not")
		}
		wants(report(found, 200), object{"kind": "token", "ended": true})

		// A credential that is not one of this server is 404.
		damaged := []byte(d["client_secret"].(string))
		damaged[len(damaged)-10] ^= 1
		unknown := []string{
			"made-up", string(damaged),
			strings.Replace(d["client_secret"].(string), "_sandbox_", "_live_", 1),
			strings.Replace(kept, "_sandbox_", "_live_", 1),
		}
		for _, credential := range unknown {
			wants(report(credential, 404), object{"error": "not_found"})
		}
		for _, credential := range []string{"", strings.Repeat("x", 4097)} {
			if r := writer.do(t, "POST", "/leaks", object{"credential": credential}); r.Status != 400 {
				t.Errorf("%d bytes: %d %s", len(credential), r.Status, r.Body)
			}
		}
		if !active(t, s, rs, kept) {
			t.Error("a wrong report ended a token")
		}

		// Every report is audited, without the credential.
		text := mustJSON(t, do(t, s, "GET", "/audit?limit=500", nil, 200))
		done, missed := 0, 0
		for _, e := range do(t, s, "GET", "/audit?limit=500", nil, 200)["events"].([]any) {
			ev := e.(object)
			if ev["action"] != "leak.report" {
				continue
			}
			if ev["actor"] != "client:terraform" || ev["address"] != "127.0.0.1" || ev["request_id"] == "" {
				t.Errorf("%v", ev)
			}
			switch {
			case ev["outcome"] == "done" && ev["target"] != "":
				done++
			case ev["outcome"] == "not_found":
				missed++
			default:
				t.Errorf("%v", ev)
			}
		}
		if done != 5 || missed != len(unknown) {
			t.Errorf("%d reports audited, and %d unknown ones", done, missed)
		}
		text += s.Logs.String()
		for _, credential := range append(unknown[1:], leaked, good, stolen, mine, found, kept) {
			if strings.Contains(text, credential) {
				t.Error("audit or log holds a credential")
			}
		}
	})
}
