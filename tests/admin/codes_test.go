package admin_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/grantd/grantd/tests/harness"
)

// caller is a backend that requests customer tokens with codes.
type caller struct {
	s      *harness.Server
	bearer func() string
}

func newCaller(t *testing.T, s *harness.Server) caller {
	t.Helper()
	c := create(t, s, object{"client_id": "backend", "org_id": "acme", "scope": backendScope})
	return caller{s, func() string {
		token, status := tokenFor(t, s, "backend", c["client_secret"].(string))
		if status != 200 {
			t.Fatalf("token: %d", status)
		}
		return token
	}}
}

// try requests a verification and submits the code as often as times says. It
// returns the last response.
func (c caller) try(t *testing.T, code string, times int) harness.Response {
	t.Helper()
	bearer := c.bearer()
	r := document(t, c.s, bearer, "/customers/10001/token/verification", "customerTokenVerification", object{"channel": "sms"})
	if r.Status != 201 {
		return r
	}
	verification := r.JSON(t)["data"].(object)["attributes"].(object)["verificationToken"]
	for range times {
		r = document(t, c.s, bearer, "/customers/10001/token", "customerToken", object{
			"scope": "cards cards-write", "verificationToken": verification, "verificationCode": code,
		})
	}
	return r
}

func codes(t *testing.T, s *harness.Server) (today, inRow float64, locked bool) {
	t.Helper()
	got := do(t, s, "GET", "/customers/10001", nil, 200)
	return got["wrong_codes_today"].(float64), got["wrong_codes_in_row"].(float64), got["codes_locked"].(bool)
}

func code(t *testing.T, r harness.Response) string {
	t.Helper()
	if r.Status == 201 {
		return "made"
	}
	return r.JSON(t)["errors"].([]any)[0].(object)["code"].(string)
}

// An operator sees how many codes were wrong, and can reset them.
func TestResetCodes(t *testing.T) {
	harness.EachStore(t, func(t *testing.T, start func(...harness.Options) *harness.Server) {
		s := start(harness.Options{Edit: withCodes})
		putOrg(t, s, "acme", "Acme")
		do(t, s, "PUT", "/customers/10001", person("acme"), 201)
		c := newCaller(t, s)
		for range 4 {
			if got := code(t, c.try(t, "999999", 5)); got != "invalid_verification" {
				t.Fatalf("a wrong code: %s", got)
			}
		}
		if today, inRow, locked := codes(t, s); today != 20 || inRow != 20 || locked {
			t.Errorf("after 20 wrong codes: %v today, %v in a row, locked %v", today, inRow, locked)
		}
		r := c.try(t, sandboxCode, 1)
		if code(t, r) != "too_many_requests" || r.Status != 429 || r.Header.Get("Retry-After") == "" {
			t.Errorf("the next one: %d %s, Retry-After %q", r.Status, r.Body, r.Header.Get("Retry-After"))
		}
		got := do(t, s, "POST", "/customers/10001/reset-codes", nil, 200)
		if got["wrong_codes_today"] != 0.0 || got["wrong_codes_in_row"] != 0.0 || got["codes_locked"] != false {
			t.Errorf("after the reset the customer is %v", got)
		}
		if got := code(t, c.try(t, sandboxCode, 1)); got != "made" {
			t.Errorf("after the reset a right code: %s", got)
		}
		e := events(t, s, "customer:10001")
		if last := e[len(e)-1]; last["action"] != "customer.create" {
			t.Errorf("the first event is %v", last)
		}
		if e[0]["action"] != "customer.verified_token" || e[0]["actor"] != "client:backend" || e[1]["action"] != "customer.send_code" {
			t.Errorf("the last events are %v and %v", e[0], e[1])
		}
		if d := cmp.Diff(object{"channel": "sms", "language": "en", "phone": "+*******0142"}, e[1]["after"]); d != "" {
			t.Error(d)
		}
		reset := actions(t, s, "customer:10001")
		if reset[len(reset)-3] != "customer.reset_codes" {
			t.Errorf("the events are %v", reset)
		}
	})
}

// After 100 wrong codes in a row only an operator can unlock the customer.
func TestLockedCodes(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{Edit: withCodes})
	putOrg(t, s, "acme", "Acme")
	do(t, s, "PUT", "/customers/10001", person("acme"), 201)
	c := newCaller(t, s)
	for range 5 {
		for range 4 {
			c.try(t, "999999", 5)
		}
		s.Clock.Add(25 * time.Hour)
	}
	if _, inRow, locked := codes(t, s); inRow != 100 || !locked {
		t.Fatalf("%v in a row, locked %v", inRow, locked)
	}
	r := c.try(t, sandboxCode, 1)
	if r.Status != 403 || code(t, r) != "access_denied" || r.Header.Get("Retry-After") != "" {
		t.Errorf("a right code: %d %s", r.Status, r.Body)
	}
	// Nothing else that an operator does to the customer unlocks it.
	do(t, s, "POST", "/customers/10001/deactivate", nil, 200)
	do(t, s, "POST", "/customers/10001/reactivate", nil, 200)
	do(t, s, "DELETE", "/customers/10001", nil, 204)
	do(t, s, "PUT", "/customers/10001", person("acme"), 201)
	if _, _, locked := codes(t, s); !locked {
		t.Error("deleting and creating the customer again unlocked it")
	}
	do(t, s, "POST", "/customers/10001/reset-codes", nil, 200)
	if got := code(t, c.try(t, sandboxCode, 1)); got != "made" {
		t.Errorf("after the reset: %s", got)
	}
}
