package admin_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/grantd/grantd/tests/harness"
)

// day is how long a day of a token's life is.
const day = 24 * time.Hour

// listed returns the partner's tokens by id.
func listed(t *testing.T, s *harness.Server, partner string) map[string]object {
	t.Helper()
	all := map[string]object{}
	for _, item := range do(t, s, "GET", "/partners/"+partner+"/tokens", nil, 200)["tokens"].([]any) {
		all[item.(object)["token_id"].(string)] = item.(object)
	}
	return all
}

func parsed(t *testing.T, stamp any) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, fmt.Sprint(stamp))
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func TestPartnerTokenLife(t *testing.T) {
	harness.EachStore(t, func(t *testing.T, start func(...harness.Options) *harness.Server) {
		s := start()
		a := newAlliance(t, s)
		before := s.Clock.Now().Truncate(time.Second)
		made := do(t, s, "POST", "/partners/hurdlr/tokens", object{"name": "reporting", "source_ips": []string{"127.0.0.1", "2001:DB8::/32"}}, 201)
		id, token := made["token_id"].(string), made["token"].(string)
		if !strings.HasPrefix(token, "gp_sandbox_"+id+"_") || len(id) != 8 || len(token) != len("gp_sandbox_")+8+1+43 {
			t.Errorf("the token %q does not name its environment and id", token)
		}
		if end := parsed(t, made["expires_at"]); end.Before(before.Add(90*day)) || end.After(s.Clock.Now().Add(90*day)) {
			t.Errorf("the token ends at %v, want 90 days from now", end)
		}
		want := object{
			"token_id": id, "partner_id": "hurdlr", "name": "reporting", "source_ips": []any{"127.0.0.1", "2001:db8::/32"},
			"expires_at": made["expires_at"], "token": token,
		}
		if d := cmp.Diff(want, made); d != "" {
			t.Error(d)
		}
		if r := s.AdminDo(t, "GET", "/partners/hurdlr/tokens", nil); strings.Contains(r.Body, token) || strings.Contains(r.Body, "hash") {
			t.Errorf("the list holds a token: %s", r.Body)
		}
		got := listed(t, s, "hurdlr")[id]
		want = object{
			"token_id": id, "name": "reporting", "source_ips": want["source_ips"], "active": true, "created_by": got["created_by"],
			"created_at": got["created_at"], "expires_at": made["expires_at"], "revoked_at": nil, "revoked_by": nil,
			"last_used_at": nil, "last_used_ip": nil, "use_count": 0.0,
		}
		if d := cmp.Diff(want, got); d != "" || !strings.HasPrefix(got["created_by"].(string), "uid:") {
			t.Errorf("%v: %s", got["created_by"], d)
		}

		// Its use is written with the next batch.
		first := a.tokenID
		a.token, a.tokenID = token, id
		made1, made2 := a.mint("acme"), a.mint("other")
		for end := time.Now().Add(10 * time.Second); listed(t, s, "hurdlr")[id]["use_count"] != 2.0; time.Sleep(20 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("its use is not noted: %v", listed(t, s, "hurdlr")[id])
			}
		}
		if got := listed(t, s, "hurdlr")[id]; got["last_used_ip"] != "127.0.0.1" || parsed(t, got["last_used_at"]).Before(before) {
			t.Errorf("after its use the token is %v", got)
		}

		// Revoking it ends it and the tokens made from it. Revoking it twice
		// changes nothing.
		path := "/partners/hurdlr/tokens/" + id
		do(t, s, "DELETE", path, nil, 204)
		a.wants("revoked", false, token, made1, made2)
		a.refused("revoked", "acme", 401)
		revoked := listed(t, s, "hurdlr")[id]
		if revoked["active"] != false || revoked["revoked_at"] == nil || revoked["revoked_by"] != revoked["created_by"] {
			t.Errorf("the revoked token is %v", revoked)
		}
		s.Clock.Add(time.Hour)
		do(t, s, "DELETE", path, nil, 204)
		if again := listed(t, s, "hurdlr")[id]; again["revoked_at"] != revoked["revoked_at"] {
			t.Errorf("after the second revocation the token is %v", again)
		}
		do(t, s, "DELETE", "/partners/hurdlr/tokens/AAAAAAAA", nil, 404)
		do(t, s, "DELETE", "/partners/hurdlr/tokens/%20", nil, 404)
		do(t, s, "DELETE", "/partners/nobody/tokens/"+id, nil, 404)
		do(t, s, "DELETE", "/partners/nobody/tokens", nil, 404)
		do(t, s, "GET", "/partners/nobody/tokens", nil, 404)

		// All of the partner's tokens end at once.
		if !listed(t, s, "hurdlr")[first]["active"].(bool) {
			t.Error("another token has ended")
		}
		a.renew()
		mine := a.mint("acme")
		do(t, s, "DELETE", "/partners/hurdlr/tokens", nil, 204)
		a.wants("all revoked", false, a.token, mine)
		for id, token := range listed(t, s, "hurdlr") {
			if token["active"] != false || token["revoked_at"] == nil {
				t.Errorf("%s is %v", id, token)
			}
		}
		a.renew()
		a.mint("acme")

		audited := mustJSON(t, events(t, s, "partner:hurdlr"))
		for _, action := range []string{"partner.create_token", "partner.revoke_token", "partner.void_tokens"} {
			if !strings.Contains(audited, action) {
				t.Errorf("%s is not audited", action)
			}
		}
		for _, e := range events(t, s, "partner:hurdlr") {
			if e["action"] == "partner.create_token" && (e["before"] != nil || e["after"].(object)["name"] != "reporting") {
				t.Errorf("%v", e)
			}
			if e["action"] == "partner.revoke_token" && e["outcome"] == "done" && e["after"].(object)["token_id"] != id {
				t.Errorf("%v", e)
			}
		}
		for _, secret := range []string{token, a.token, mine, "hash"} {
			if strings.Contains(audited, secret) {
				t.Error("the audit holds a token, or its hash")
			}
		}
	})
}

func TestPartnerTokenRejections(t *testing.T) {
	t.Parallel()
	s := harness.Start(t)
	putPartner(t, s, "hurdlr")
	putPartner(t, s, "idle")
	do(t, s, "POST", "/partners/idle/deactivate", nil, 200)
	of := func(member string, value any) object {
		o := object{"name": "reporting"}
		o[member] = value
		return o
	}
	var many []string
	for i := range 33 {
		many = append(many, fmt.Sprintf("203.0.113.%d", i))
	}
	for _, tc := range []struct {
		name, path string
		body       any
		status     int
		field      string
	}{
		{"unknown partner", "/partners/nobody/tokens", of("name", "a"), 404, ""},
		{"a partner's id that none can have", "/partners/a%20b/tokens", of("name", "a"), 404, ""},
		{"deactivated partner", "/partners/idle/tokens", of("name", "a"), 409, ""},
		{"no name", "/partners/hurdlr/tokens", object{}, 400, "name"},
		{"empty name", "/partners/hurdlr/tokens", of("name", ""), 400, "name"},
		{"blank name", "/partners/hurdlr/tokens", of("name", " "), 400, "name"},
		{"name of two lines", "/partners/hurdlr/tokens", of("name", "a\nb"), 400, "name"},
		{"name that a terminal obeys", "/partners/hurdlr/tokens", of("name", "a\x1b[2Jb"), 400, "name"},
		{"name too long", "/partners/hurdlr/tokens", of("name", strings.Repeat("é", 65)), 400, "name"},
		{"name of another type", "/partners/hurdlr/tokens", of("name", true), 400, "name"},
		{"59 seconds", "/partners/hurdlr/tokens", of("lifetime", "59s"), 400, "lifetime"},
		{"366 days", "/partners/hurdlr/tokens", of("lifetime", "366d"), 400, "lifetime"},
		{"365 days and a second", "/partners/hurdlr/tokens", of("lifetime", "365d1s"), 400, "lifetime"},
		{"no time at all", "/partners/hurdlr/tokens", of("lifetime", "0"), 400, "lifetime"},
		{"less than none", "/partners/hurdlr/tokens", of("lifetime", "-90d"), 400, "lifetime"},
		{"empty lifetime", "/partners/hurdlr/tokens", of("lifetime", ""), 400, "lifetime"},
		{"a number without a unit", "/partners/hurdlr/tokens", of("lifetime", "90"), 400, "lifetime"},
		{"lifetime as a number", "/partners/hurdlr/tokens", of("lifetime", 90), 400, "lifetime"},
		{"more than a clock holds", "/partners/hurdlr/tokens", of("lifetime", "99999999999999d"), 400, "lifetime"},
		{"a name instead of an address", "/partners/hurdlr/tokens", of("source_ips", []string{"10.0.0.0/8", "example.com"}), 400, "source_ips"},
		{"a range too long", "/partners/hurdlr/tokens", of("source_ips", []string{"10.0.0.0/33"}), 400, "source_ips"},
		{"a list in one", "/partners/hurdlr/tokens", of("source_ips", []string{"10.0.0.1,10.0.0.2"}), 400, "source_ips"},
		{"an address of a zone", "/partners/hurdlr/tokens", of("source_ips", []string{"fe80::1%eth0"}), 400, "source_ips"},
		{"an empty address", "/partners/hurdlr/tokens", of("source_ips", []string{""}), 400, "source_ips"},
		{"33 addresses", "/partners/hurdlr/tokens", of("source_ips", many), 400, "source_ips"},
		{"addresses as text", "/partners/hurdlr/tokens", of("source_ips", "10.0.0.1"), 400, "source_ips"},
		{"unknown member", "/partners/hurdlr/tokens", of("expires_at", "2027-01-01T00:00:00Z"), 400, ""},
		{"no body", "/partners/hurdlr/tokens", nil, 400, ""},
	} {
		t.Run(strings.ReplaceAll(tc.name, " ", "_"), func(t *testing.T) {
			got := do(t, s, "POST", tc.path, tc.body, tc.status)
			if tc.field != "" && (got["error"] != "invalid_request" || got["field"] != tc.field) {
				t.Errorf("got %v, want an error at %q", got, tc.field)
			}
		})
	}
	if n := len(listed(t, s, "hurdlr")); n != 0 {
		t.Errorf("refused requests created %d tokens", n)
	}
	for lifetime, want := range map[string]time.Duration{"1m": time.Minute, "365d": 365 * day, "90m": 90 * time.Minute} {
		before := s.Clock.Now().Truncate(time.Second)
		made := do(t, s, "POST", "/partners/hurdlr/tokens", of("lifetime", lifetime), 201)
		if end := parsed(t, made["expires_at"]); end.Before(before.Add(want)) || end.After(s.Clock.Now().Add(want)) {
			t.Errorf("with the lifetime %s the token ends at %v", lifetime, end)
		}
	}
	if made := do(t, s, "POST", "/partners/hurdlr/tokens", of("source_ips", many[:32]), 201); len(made["source_ips"].([]any)) != 32 {
		t.Errorf("with 32 addresses the token has %v", made["source_ips"])
	}
}

// A partner has at most twenty live tokens. Ended ones do not count, and are
// listed for 30 days.
func TestPartnerTokensThatEnded(t *testing.T) {
	harness.EachStore(t, func(t *testing.T, start func(...harness.Options) *harness.Server) {
		s := start()
		putPartner(t, s, "hurdlr")
		var ids []string
		for i := range 20 {
			lifetime := "365d"
			if i == 0 {
				lifetime = "1h"
			}
			made := do(t, s, "POST", "/partners/hurdlr/tokens", object{"name": fmt.Sprint(i), "lifetime": lifetime}, 201)
			ids = append(ids, made["token_id"].(string))
		}
		more := object{"name": "one more"}
		do(t, s, "POST", "/partners/hurdlr/tokens", more, http.StatusConflict)
		if n := len(listed(t, s, "hurdlr")); n != 20 {
			t.Errorf("%d tokens", n)
		}
		do(t, s, "DELETE", "/partners/hurdlr/tokens/"+ids[1], nil, 204)
		do(t, s, "POST", "/partners/hurdlr/tokens", more, 201)
		do(t, s, "POST", "/partners/hurdlr/tokens", more, http.StatusConflict)
		s.Clock.Add(time.Hour + time.Second)
		do(t, s, "POST", "/partners/hurdlr/tokens", more, 201)
		do(t, s, "POST", "/partners/hurdlr/tokens", more, http.StatusConflict)
		if all := listed(t, s, "hurdlr"); len(all) != 22 || all[ids[0]]["active"] != false || all[ids[1]]["active"] != false {
			t.Errorf("%d tokens, and those that ended are %v and %v", len(all), all[ids[0]], all[ids[1]])
		}
		s.Clock.Add(30*day - 2*time.Hour)
		if n := len(listed(t, s, "hurdlr")); n != 22 {
			t.Errorf("%d tokens before 30 days have passed", n)
		}
		s.Clock.Add(3 * time.Hour)
		if n := len(listed(t, s, "hurdlr")); n != 20 {
			t.Errorf("%d tokens when 30 days have passed", n)
		}
		// After that, creating the next token removes them for good.
		do(t, s, "DELETE", "/partners/hurdlr/tokens/"+ids[2], nil, 204)
		do(t, s, "POST", "/partners/hurdlr/tokens", more, 201)
		do(t, s, "DELETE", "/partners/hurdlr/tokens/"+ids[0], nil, 404)
		do(t, s, "POST", "/tokens/revoke", object{"jti": ids[1]}, 400)
		do(t, s, "POST", "/tokens/revoke", object{"jti": ids[2]}, 200)
		if n := len(listed(t, s, "hurdlr")); n != 21 {
			t.Errorf("%d tokens after the ended ones were removed", n)
		}
	})
}
