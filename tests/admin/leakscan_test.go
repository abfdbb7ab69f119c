package admin_test

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/grantd/grantd/tests/harness"
	"github.com/grantd/grantd/tests/poll"
)

// scan reports a text and returns what was found, as "kind of id state".
func scan(t *testing.T, s *harness.Server, body object) (found []string) {
	t.Helper()
	r := s.AdminDo(t, "POST", "/leaks", body)
	if r.Status != 200 {
		t.Fatalf("%d %s", r.Status, r.Body)
	}
	for _, v := range r.JSON(t)["found"].([]any) {
		f := v.(object)
		masked := strings.TrimSuffix(f["masked"].(string), "…")
		if !strings.Contains(body["text"].(string), masked) && !strings.Contains(body["text"].(string), "Basic ") {
			t.Errorf("%s is not in the text", masked)
		}
		if f["recognized"] != true {
			found = append(found, "unknown")
			continue
		}
		found = append(found, fmt.Sprintf("%v ended=%v already=%v", f["kind"], f["ended"], f["already_ended"] == true))
	}
	return found
}

func TestScanOfAText(t *testing.T) {
	harness.EachStore(t, func(t *testing.T, start func(...harness.Options) *harness.Server) {
		s := start()
		rs := create(t, s, object{"client_id": "rs", "scope": "introspect"})
		first, second := create(t, s, object{"client_id": "a", "scope": "users:read"}), create(t, s, object{"client_id": "b", "scope": "users:read"})
		secret, hidden := first["client_secret"].(string), second["client_secret"].(string)
		token, _ := tokenFor(t, s, "a", secret)
		of, _ := tokenFor(t, s, "b", hidden)
		text := strings.Join([]string{
			"export SECRET='" + secret + "'", `{"access_token":"` + token + `"}`,
			"Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte("b:"+hidden)),
			strings.Replace(secret, "_sandbox_", "_live_", 1), "nothing here", secret,
		}, "\n")
		want := func(step string, got []string, want ...string) {
			t.Helper()
			if strings.Join(got, ", ") != strings.Join(want, ", ") {
				t.Errorf("%s: %q, want %q", step, got, want)
			}
		}
		want("a check", scan(t, s, object{"text": text, "check": true}),
			"client_secret ended=false already=false", "token ended=false already=false", "client_secret ended=false already=false", "unknown")
		if !active(t, s, rs, token) || !active(t, s, rs, of) {
			t.Error("a check ended something")
		}
		if n := len(do(t, s, "GET", "/audit?action=leak.report", nil, 200)["events"].([]any)); n != 0 {
			t.Errorf("a check wrote %d events", n)
		}
		want("an end", scan(t, s, object{"text": text}),
			"client_secret ended=true already=false", "token ended=true already=true", "client_secret ended=true already=false", "unknown") // the secret has ended its token
		if active(t, s, rs, token) || active(t, s, rs, of) {
			t.Error("what was found is still active")
		}
		for _, c := range []object{first, second} {
			if _, status := tokenFor(t, s, c["client_id"].(string), c["client_secret"].(string)); status != 401 {
				t.Errorf("%v: %d", c["client_id"], status)
			}
		}
		want("a check afterward", scan(t, s, object{"text": text, "check": true}),
			"client_secret ended=true already=true", "token ended=true already=true", "client_secret ended=true already=true", "unknown")
		want("nothing", scan(t, s, object{"text": ""}))
		events := s.AdminDo(t, "GET", "/audit?action=leak.report", nil).Body
		if n := strings.Count(events, `"leak.report"`); n != 3 || strings.Contains(events, secret) || strings.Contains(events, hidden) || strings.Contains(events, token) {
			t.Errorf("%d events: %s", n, events)
		}
	})
}

func TestScanRejections(t *testing.T) {
	t.Parallel()
	s := harness.Start(t)
	a := create(t, s, object{"client_id": "a"})
	for name, body := range map[string]object{
		"too long": {"text": strings.Repeat("x", 128<<10+1)}, "a credential too": {"text": "x", "credential": "y"}, "a client too": {"text": "x", "client_id": "a"},
		"a check of a credential": {"credential": "x", "check": true}, "a check of nothing": {"check": true}, "a number": {"text": 1},
		"two in one credential": {"credential": a["client_secret"].(string) + " " + strings.Replace(a["client_secret"].(string), "sandbox", "live", 1)},
	} {
		if r := s.AdminDo(t, "POST", "/leaks", body); r.Status != 400 {
			t.Errorf("%s: %d %s", name, r.Status, r.Body)
		}
	}
}

// One request deals with a bounded number of credentials, and says where to go on.
func TestScanGoesOn(t *testing.T) {
	t.Parallel()
	s := harness.Start(t)
	var text strings.Builder
	for i := range 250 {
		fmt.Fprintf(&text, "gs_live_AAAAAAAA_%043d\n", i)
	}
	rest, found := text.String(), 0
	for requests := 0; ; requests++ {
		page := do(t, s, "POST", "/leaks", object{"text": rest, "check": true}, 200)
		found += len(page["found"].([]any))
		next, _ := page["next"].(float64)
		if next == 0 {
			if found != 250 || requests != 2 {
				t.Errorf("%d found after %d requests", found, requests+1)
			}
			return
		}
		rest = rest[int(next):]
	}
}

// A report says when and from where the secret was used, and the second time also
// when and by whom it was ended. What is around a credential does not matter.
func TestLeakSaysWhereItWasUsed(t *testing.T) {
	t.Parallel()
	s := harness.Start(t)
	c := create(t, s, object{"client_id": "a", "scope": "users:read"})
	secret := c["client_secret"].(string)
	tokenFor(t, s, "a", secret)
	poll.AwaitTrue(t, poll.Patience, "the use and its event are written", func() bool {
		return do(t, s, "GET", "/secrets?client_id=a", nil, 200)["secrets"].([]any)[0].(object)["use_count"] == 1.0 &&
			len(do(t, s, "GET", "/audit?action=token.issue", nil, 200)["events"].([]any)) == 1
	})
	for i, presented := range []string{`export SECRET="` + secret + `"`, secret} {
		l := do(t, s, "POST", "/leaks", object{"credential": presented}, 200)
		use, _ := l["last_use"].(object)
		issues, _ := l["issues"].([]any)
		if l["secret_id"] != c["secret_id"] || l["ended"] != true || use["last_used_ip"] != "127.0.0.1" || use["use_count"] != 1.0 || len(issues) != 1 || issues[0].(object)["address"] != "127.0.0.1" {
			t.Errorf("report %d: %v", i, l)
		}
		if again := i == 1; (l["already_ended"] == true) != again || (l["ended_at"] != nil) != again || (l["ended_by"] != nil) != again {
			t.Errorf("report %d: %v", i, l)
		}
	}
}
