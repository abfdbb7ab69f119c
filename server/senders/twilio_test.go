package senders

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// messagingService is the id of a messaging service.
const messagingService = "MG0123456789abcdef0123456789abcdef"

func newTwilio(t *testing.T, baseURL, from string) *Twilio {
	t.Helper()
	s, err := NewTwilio(TwilioOptions{AccountSID: "AC1", AuthToken: "token1", From: from, BaseURL: baseURL, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestTwilioRequests(t *testing.T) {
	t.Setenv("TWILIO_EDGE", "sydney") // the environment must not choose the host
	t.Setenv("TWILIO_REGION", "au1")
	sms, call := message(), message()
	sms.Language, call.Channel = "es", Call
	for _, c := range []struct {
		rule, prefix, from string
		m                  Message
		path               string
		form               url.Values
	}{
		{"sms from a number", "", "+15555550100", sms, "/2010-04-01/Accounts/AC1/Messages.json",
			url.Values{"To": {"+15555550136"}, "From": {"+15555550100"}, "Body": {Text(sms)}}},
		{"sms from a service", "", messagingService, sms, "/2010-04-01/Accounts/AC1/Messages.json",
			url.Values{"To": {"+15555550136"}, "MessagingServiceSid": {messagingService}, "Body": {Text(sms)}}},
		{"sms from a name", "", "MGM", sms, "/2010-04-01/Accounts/AC1/Messages.json",
			url.Values{"To": {"+15555550136"}, "From": {"MGM"}, "Body": {Text(sms)}}},
		{"call", "", "+15555550100", call, "/2010-04-01/Accounts/AC1/Calls.json",
			url.Values{"To": {"+15555550136"}, "From": {"+15555550100"}, "Twiml": {Speech(call)}}},
		{"behind a path", "/twilio/", "+15555550100", call, "/twilio/2010-04-01/Accounts/AC1/Calls.json",
			url.Values{"To": {"+15555550136"}, "From": {"+15555550100"}, "Twiml": {Speech(call)}}},
	} {
		calls := 0
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			calls++
			user, password, _ := r.BasicAuth()
			if r.Method != http.MethodPost || r.URL.String() != c.path || user != "AC1" || password != "token1" {
				t.Errorf("%s: %s %s by %s:%s", c.rule, r.Method, r.URL, user, password)
			}
			if err := r.ParseForm(); err != nil {
				t.Error(err)
			}
			if diff := cmp.Diff(c.form, r.PostForm); diff != "" {
				t.Errorf("%s: form (-want +got):\n%s", c.rule, diff)
			}
			w.WriteHeader(http.StatusCreated)
			_, _ = io.WriteString(w, `{"sid":"SM1","status":"queued","to":"+15555550136"}`)
		}))
		if err := newTwilio(t, s.URL+c.prefix, c.from).Send(t.Context(), c.m); err != nil || calls != 1 {
			t.Errorf("%s: %d calls, %v", c.rule, calls, err)
		}
		s.Close()
	}
}

func TestTwilioRefuses(t *testing.T) {
	const told = `{"code":21211,"message":"The 'To' number +15555550136 is not valid: 048213","more_info":"0136","status":400,"details":{"to":"0136"}}`
	for _, c := range []struct {
		rule   string
		status int
		body   string
		why    string
	}{
		{"a number that is none", 400, told, "answered 400 with code 21211: see https://www.twilio.com/docs/errors/21211"},
		{"credentials", 401, `{"code":20003,"message":"0136"}`, "answered 401 with code 20003"},
		{"too many", 429, `{"code":20429}`, "answered 429"},
		{"a number as its code", 400, `{"code":15555550136}`, "answered 400"},
		{"down", 503, "<html>+15555550136</html>", "answered 503"},
		{"moved", 307, "", "answered 307"},
		{"not Twilio", 200, "<html>048213</html>", "not Twilio"},
		{"nor this", 200, `{}`, "not Twilio"},
		{"nor this number", 201, `{"sid":5555550136}`, "not Twilio"},
		{"cut short", 201, `{"sid":"SM`, "connection failed"},
		{"without end", 201, `{"body":"` + strings.Repeat("048213", 20<<10) + `"}`, "connection failed"},
	} {
		calls := 0
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			calls++
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(c.status)
			_, _ = io.WriteString(w, c.body)
		}))
		notSentWithout(t, newTwilio(t, s.URL, "+15555550100").Send(t.Context(), message()), c.why)
		if calls != 1 {
			t.Errorf("%s: %d calls; Twilio may have sent the first", c.rule, calls)
		}
		s.Close()
	}
}

func TestServicesCannotCall(t *testing.T) {
	m := message()
	m.Channel = Call
	notSentWithout(t, newTwilio(t, "http://127.0.0.1:1", messagingService).Send(t.Context(), m), "calls need a number")
	m.Channel = "fax"
	notSentWithout(t, newTwilio(t, "http://127.0.0.1:1", "+15555550100").Send(t.Context(), m), "does not support this channel")
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// TestTwilioTriesAgainOnlyWhereNothingWasSent checks that a request which may have
// reached Twilio is not repeated, because that could send a second code.
func TestTwilioTriesAgainOnlyWhereNothingWasSent(t *testing.T) {
	refused := &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
	for _, c := range []struct {
		rule    string
		respond roundTrip
		tries   int
		within  time.Duration
		why     string
	}{
		{"refused", func(*http.Request) (*http.Response, error) { return nil, refused }, 3, 2 * time.Second, "connection refused"},
		{"reset", func(*http.Request) (*http.Response, error) {
			return nil, &net.OpError{Op: "read", Err: syscall.ECONNRESET}
		}, 1, 0, "connection reset"},
		{"silent", silent, 1, 8 * time.Second, "in time"},
	} {
		t.Run(c.rule, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, n := newTwilio(t, "", "+15555550100"), 0
				s.client.Transport = roundTrip(func(r *http.Request) (*http.Response, error) {
					n++
					if r.URL.Scheme != "https" || r.URL.Host != "api.twilio.com" {
						t.Errorf("calls %s", r.URL)
					}
					return c.respond(r)
				})
				began := time.Now()
				notSentWithout(t, s.Send(t.Context(), message()), c.why)
				if took := time.Since(began); n != c.tries || took > c.within {
					t.Errorf("%d tries in %s, want %d within %s", n, took, c.tries, c.within)
				}
			})
		})
	}
}

func TestTwilioEndsWithItsCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newTwilio(t, "", "+15555550100")
		s.client.Transport = roundTrip(silent)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		notSentWithout(t, s.Send(ctx, message()), "in time")
		if took := time.Since(began); took != time.Second {
			t.Errorf("took %s", took)
		}
		m := message()
		m.ExpiresAt = time.Now()
		notSentWithout(t, s.Send(t.Context(), m), "expired")
	})
}

func TestNewTwilioRefuses(t *testing.T) {
	for rule, o := range map[string]TwilioOptions{
		"no account":      {AuthToken: "token1"},
		"no token":        {AccountSID: "AC1"},
		"a broken token":  {AccountSID: "AC1", AuthToken: "userinfo\n"},
		"another account": {AccountSID: "AC1/../AC2", AuthToken: "token1"},
		"a relative URL":  {AccountSID: "AC1", AuthToken: "token1", BaseURL: "api.twilio.com"},
	} {
		if _, err := NewTwilio(o); err == nil || strings.Contains(err.Error(), "userinfo") {
			t.Errorf("%s: error %v", rule, err)
		}
	}
}
