package service_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/grantd/grantd/server/clients"
	"github.com/grantd/grantd/server/orgs"
	"github.com/grantd/grantd/server/refusal"
	"github.com/grantd/grantd/tests/harness"
	"github.com/grantd/grantd/tests/poll"
)

// logLine returns the line of the log with the message and the request id.
func logLine(t *testing.T, s *harness.Server, msg, requestID string) map[string]any {
	t.Helper()
	for text := range strings.Lines(s.Logs.String()) {
		var l map[string]any
		if err := json.Unmarshal([]byte(text), &l); err != nil {
			t.Fatal(err)
		}
		if l["msg"] == msg && (requestID == "" || l["request_id"] == requestID) {
			return l
		}
	}
	return nil
}

// refusalOf is a refused authentication: the request, and what the operator learns.
type refusalOf struct {
	cause    refusal.Cause
	id       string // in the log; "" if it is left out
	known    any    // client_known
	header   string // Authorization
	form     url.Values
	audited  bool
	secretID string
}

// Each refusal has its own cause in the log, the audit and the metrics, and all of them
// look alike to the caller.
func TestEachRefusalHasACause(t *testing.T) {
	harness.EachStore(t, func(t *testing.T, start func(...harness.Options) *harness.Server) {
		s := start(measured(limited(1e6, 1e6)))
		rows := refusals(t, s)
		faces := map[string]string{}
		for _, row := range rows {
			r := postForm(t, s, "/oauth/token", row.header, row.form)
			faces[face(r)] = string(row.cause)
			l := logLine(t, s, "request", r.Header.Get("X-Request-Id"))
			id, _ := l["client_id"].(string)
			if r.Status != 401 || l["cause"] != string(row.cause) || id != row.id || l["client_known"] != row.known || row.secretID != "" && l["secret_id"] != row.secretID {
				t.Errorf("%s: %d, %v", row.cause, r.Status, l)
			}
			if metric := `grantd_client_authentications_total{cause="` + string(row.cause) + `",result="refused"}`; scrape(t, s)[metric] < 1 {
				t.Errorf("%s is not counted", metric)
			}
		}
		if len(faces) != 1 {
			t.Errorf("a caller can tell refusals apart: %v", faces)
		}
		for _, row := range rows {
			if row.audited {
				poll.AwaitTrue(t, poll.Patience, string(row.cause)+" is in the audit", func() bool {
					r := s.AdminDo(t, "GET", "/audit?action=client.authentication_refused&target=client:"+row.id+"&limit=100", nil)
					return strings.Contains(r.Body, `"cause":"`+string(row.cause)+`"`)
				})
			}
		}
	})
}

// refusals makes clients that are refused for each cause.
func refusals(t *testing.T, s *harness.Server) []refusalOf {
	t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte("imported-secret"), bcrypt.MinCost+6)
	if err != nil {
		t.Fatal(err)
	}
	billing, other := s.NewClient(t, "billing", "users:read"), s.NewClient(t, "other", "users:read")
	off, ended, expired, none := s.NewClient(t, "off", "users:read"), s.NewClient(t, "ended", "users:read"), s.NewClient(t, "expired", "users:read"), s.NewClient(t, "none", "users:read")
	pinned := s.NewClient(t, "pinned", "users:read", func(c *clients.NewSpec) { c.AuthMethods = &[]string{"client_secret_post"} })
	away := s.NewClient(t, "away", "users:read", func(c *clients.NewSpec) { c.SourceIPs = &[]string{"192.0.2.0/24"} })
	s.NewClient(t, "old", "users:read", func(c *clients.NewSpec) { c.SecretHash = string(hash) })
	if _, _, err := s.Orgs().Put(t.Context(), auditor, "acme", 0, orgs.Spec{Name: "Acme"}); err != nil {
		t.Fatal(err)
	}
	member := s.NewClient(t, "member", "users:read", func(c *clients.NewSpec) { c.OrgID = "acme" })
	for path, body := range map[string]any{
		"POST /clients/off/deactivate": nil, "POST /orgs/acme/deactivate": nil, "DELETE /clients/none/secrets/" + none.SecretID: nil,
		"POST /clients/ended/secrets": map[string]string{"grace": "0s"}, "POST /clients/expired/secrets": map[string]string{"grace": "1m"},
	} {
		method, path, _ := strings.Cut(path, " ")
		if r := s.AdminDo(t, method, path, body); r.Status >= 300 {
			t.Fatalf("%s: %s", path, r)
		}
	}
	s.Clock.Add(2 * time.Minute)
	live := strings.Replace(billing.ClientSecret, "sandbox", "live", 1)
	grant := url.Values{"grant_type": {"client_credentials"}}
	basic := func(cause refusal.Cause, id, secret string) refusalOf {
		return refusalOf{cause: cause, id: id, known: true, header: basicHeader(id + ":" + secret), form: grant, audited: true}
	}
	unchecked := func(cause refusal.Cause, id, header string) refusalOf {
		return refusalOf{cause: cause, id: id, header: header, form: grant}
	}
	named := func(r refusalOf, id string) refusalOf { r.secretID = id; return r }
	unknown := refusalOf{cause: refusal.UnknownClient, id: "nobody", known: false, header: basicHeader("nobody:" + other.ClientSecret), form: grant, secretID: other.SecretID}
	swapped := func(secret string) refusalOf {
		return refusalOf{cause: refusal.UnknownClient, known: false, header: basicHeader(secret + ":billing"), form: grant}
	}
	return []refusalOf{
		unknown, swapped("s3cr3tPassw0rdForBilling"), swapped("Xk29fjQ81lmZ04pa"), swapped("555-555-0136"),
		basic(refusal.WrongSecret, "billing", "wrong"),
		named(basic(refusal.SecretNotOfClient, "billing", other.ClientSecret), other.SecretID),
		named(basic(refusal.SecretDamaged, "billing", billing.ClientSecret[:len(billing.ClientSecret)-3]+"AAA"), billing.SecretID),
		basic(refusal.OtherEnvironment, "billing", live),
		named(basic(refusal.SecretEnded, "ended", ended.ClientSecret), ended.SecretID),
		named(basic(refusal.SecretExpired, "expired", expired.ClientSecret), expired.SecretID),
		basic(refusal.NoLiveSecret, "none", "anything"),
		basic(refusal.ClientDeactivated, "off", off.ClientSecret),
		basic(refusal.OrgDeactivated, "member", member.ClientSecret),
		basic(refusal.MethodNotAllowed, "pinned", pinned.ClientSecret),
		basic(refusal.AddressNotAllowed, "away", away.ClientSecret),
		basic(refusal.SecretOver72Bytes, "old", strings.Repeat("x", 73)),
		unchecked(refusal.NothingSent, "", ""),
		unchecked(refusal.NoSecret, "billing", basicHeader("billing:")),
		unchecked(refusal.NoClientID, "", basicHeader(":wrong")),
		unchecked(refusal.BasicUnreadable, "", "Basic !!!"),
		unchecked(refusal.BasicNotEncoded, "billing", basicHeader("billing:50%off")),
		unchecked(refusal.ClientIDForm, "", basicHeader(billing.ClientSecret+":billing")),
		unchecked(refusal.SecretTooLong, "billing", basicHeader("billing:"+strings.Repeat("x", 1025))),
	}
}

func basicHeader(raw string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(raw))
}

// postForm posts the form, with the Authorization header unless that is empty.
func postForm(t *testing.T, s *harness.Server, path, authorization string, form url.Values) harness.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+path, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if authorization != "" {
		req.Header.Set("Authorization", authorization)
	}
	return harness.Do(t, nil, req)
}

// The log says when a secret ended that was right, and never shows a secret.
func TestLogOfAnEndedSecret(t *testing.T) {
	t.Parallel()
	s := harness.Start(t)
	c := s.NewClient(t, "billing", "users:read")
	before := s.Clock.Now()
	if _, err := s.Clients().Rotate(t.Context(), auditor, "billing", 0); err != nil {
		t.Fatal(err)
	}
	r := want(t, s, 401, attempt{id: "billing", secret: c.ClientSecret}, "the ended secret")
	l := logLine(t, s, "request", r.Header.Get("X-Request-Id"))
	at, err := time.Parse(time.RFC3339, l["ended_at"].(string))
	if err != nil || at.Before(before.Add(-time.Second)) || at.After(s.Clock.Now()) || l["secret_right"] != true {
		t.Errorf("%v: %v", err, l)
	}
	if strings.Contains(s.Logs.String(), c.ClientSecret) {
		t.Error("the log holds a secret")
	}
}

// Of a flood of 429, the log has one line and a count.
func TestFloodIsCountedInTheLog(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, edits(limited(perClient, 0)))
	s.NewClient(t, "billing", "users:read")
	guess := attempt{from: attacker, id: "billing", secret: "wrong"}
	exhaust(t, s, perClient, guess)
	const flood = 50
	for range flood {
		refused(t, try(t, s, guess), "a guess")
	}
	s.Close()
	log := s.Logs.String()
	if n := strings.Count(log, `"status":429`); n != 1 {
		t.Errorf("%d lines of 429, want 1", n)
	}
	l := logLine(t, s, "requests refused and not logged one by one", "")
	if l == nil || l["more"] != float64(flood-1) || l["client_id"] != "billing" || l["cause"] != string(refusal.CutOff) || l["address"] != attacker {
		t.Errorf("%v", l)
	}
}

// The metric of a caller that is cut off has its cause.
func TestCutOffIsCounted(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, measured(limited(perClient, 0)))
	guess := attempt{from: attacker, id: "billing", secret: "wrong"}
	exhaust(t, s, perClient, guess)
	refused(t, try(t, s, guess), "one too many")
	if n := scrape(t, s)[`grantd_client_authentications_total{cause="cut_off",result="limited"}`]; n != 1 {
		t.Errorf("%v", n)
	}
}
