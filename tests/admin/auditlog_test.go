package admin_test

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/grantd/grantd/tests/harness"
	"github.com/grantd/grantd/tests/poll"
)

// The log says what the audit says, event by event, and holds no secret, token,
// code or phone number.
func TestTheLogHoldsTheAudit(t *testing.T) {
	harness.EachStore(t, func(t *testing.T, start func(...harness.Options) *harness.Server) {
		s := start(harness.Options{Edit: withCodes})
		hidden := doALot(t, s)
		for _, action := range []string{"token.issue", "client.authentication_refused", "token.revoke"} {
			poll.Await(t, poll.Patience, "the gathered "+action, func() string {
				if len(auditEvents(t, s, "&action="+action+"&actor=client:backend"))+len(auditEvents(t, s, "&action="+action+"&actor=anonymous")) == 0 {
					return "there is none"
				}
				return ""
			})
		}
		poll.Await(t, poll.Patience, "the log and the audit agree", func() string {
			return cmp.Diff(sharedMembers(t, auditEvents(t, s, "")), sharedMembers(t, auditLines(t, s)))
		})
		for _, line := range auditLines(t, s) {
			text := mustJSON(t, line)
			for _, value := range hidden {
				if strings.Contains(text, value) {
					t.Errorf("a line holds %s: %s", value, text)
				}
			}
			unmasked(t, "a line", text)
		}
	})
}

// doALot causes an event of each kind that could show something, and returns
// what must not be shown.
func doALot(t *testing.T, s *harness.Server) (hidden []string) {
	t.Helper()
	putOrg(t, s, "acme", "Acme")
	do(t, s, "PUT", "/customers/10001", object{
		"org_id": "acme", "type": "business", "phone": phoneTwo, "authorized_users": []any{object{"name": "Jane", "phone": phoneThree}},
	}, 201)
	do(t, s, "PUT", "/customers/10001", person("acme"), 200)
	made := create(t, s, object{"client_id": "backend", "org_id": "acme", "scope": backendScope})
	secret := made["client_secret"].(string)
	bearer, _ := tokenFor(t, s, "backend", secret)
	hidden = append(hidden, secret, bearer)
	r := document(t, s, bearer, "/customers/10001/token/verification", "customerTokenVerification", object{"channel": "sms"})
	verification := r.JSON(t)["data"].(object)["attributes"].(object)["verificationToken"].(string)
	hidden = append(hidden, verification, sandboxCode)
	for _, code := range []string{"424242", sandboxCode} {
		r = document(t, s, bearer, "/customers/10001/token", "customerToken", object{
			"scope": "cards cards-write", "verificationToken": verification, "verificationCode": code,
		})
		hidden = append(hidden, code)
	}
	hidden = append(hidden, r.JSON(t)["data"].(object)["attributes"].(object)["token"].(string))

	putPartner(t, s, "hurdlr")
	putGrant(t, s, "hurdlr", "acme", object{"scope": "customers cards"})
	partner, id := partnerToken(t, s, "hurdlr")
	on, _ := onBehalf(t, s, partner, "acme", "cards")
	hidden = append(hidden, partner, on)
	do(t, s, "DELETE", "/partners/hurdlr/tokens/"+id, nil, 204)
	do(t, s, "DELETE", "/partners/hurdlr/orgs/acme", nil, 204)

	tokenFor(t, s, "backend", "not-the-secret")
	hidden = append(hidden, "not-the-secret")
	s.Form(t, "/oauth/revoke", "backend", secret, url.Values{"token": {bearer}})
	rotated := do(t, s, "POST", "/clients/backend/secrets", object{"grace": "0s"}, 201)["client_secret"].(string)
	do(t, s, "POST", "/leaks", object{"credential": rotated}, 200)
	hidden = append(hidden, rotated)
	do(t, s, "POST", "/tokens/void-all", nil, 200)
	do(t, s, "DELETE", "/clients/"+secret, nil, 404) // pasted into the wrong place
	do(t, s, "DELETE", "/clients/backend", nil, 204)
	return hidden
}

// auditLines returns the lines of the log that are events of the audit.
func auditLines(t *testing.T, s *harness.Server) (lines []object) {
	t.Helper()
	for text := range strings.Lines(s.Logs.String()) {
		var line object
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			t.Fatal(err)
		}
		if line["msg"] == "audit" {
			lines = append(lines, line)
		}
	}
	return lines
}

// sharedMembers returns the members that events and lines share, sorted.
func sharedMembers(t *testing.T, events []object) (all []string) {
	t.Helper()
	for _, e := range events {
		same := object{}
		for _, name := range []string{
			"time", "action", "actor", "target", "outcome", "address", "request_id", "since", "count", "addresses", "before", "after",
		} {
			if v := e[name]; v != nil && v != "" {
				same[name] = v
			}
		}
		if same["count"] == 1.0 {
			delete(same, "count")
		}
		all = append(all, mustJSON(t, same))
	}
	slices.Sort(all)
	return all
}
