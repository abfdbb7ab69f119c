package web

import (
	"errors"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/grantd/grantd/server/refusal"
)

// TestPlainCause: only one https in lower case passes, and each other form of
// X-Forwarded-Proto has a cause.
func TestPlainCause(t *testing.T) {
	for want, rows := range map[refusal.Cause][][]string{
		"":                   {{"https"}},
		refusal.ProtoMissing: {nil},
		refusal.ProtoCase:    {{"HTTPS"}, {"Https"}},
		refusal.ProtoList:    {{"https, http"}, {"https,https"}, {"https", "https"}, {"https", "http"}},
		refusal.ProtoPlain:   {{"http"}, {"HTTP"}},
		refusal.ProtoUnknown: {{""}, {"on"}, {"https "}},
	} {
		for _, values := range rows {
			if got := plainCause(values); got != want {
				t.Errorf("%q: %q, want %q", values, got, want)
			}
		}
	}
}

// TestLooksLikeObject tells JSON that was sent as a form from a form.
func TestLooksLikeObject(t *testing.T) {
	for body, want := range map[string]bool{
		`{"grant_type":"client_credentials"}`: true, " { \"a\":1 }\n": true, "{}": true, "{\n}": true,
		"": false, "{": false, "}": false, "{a}": false, `{"a":1`: false, "grant_type=client_credentials": false, "{=}": false, "a={}": false,
	} {
		if got := looksLikeObject([]byte(body)); got != want {
			t.Errorf("%q: %v", body, got)
		}
	}
}

// TestTextError names the parameter if all that is wrong is a line break at its end.
func TestTextError(t *testing.T) {
	for value, named := range map[string]bool{"x\n": true, "x\r\n": true, "x\n\n": true, "\n": true, "x\ny": false, "x\x00\n": false, "\xff": false, "\ny": false} {
		err := textError("client_secret", value)
		if is := strings.Contains(err.Error(), "client_secret holds"); is != named || strings.Contains(err.Error(), "x") && strings.Contains(err.Error(), value) {
			t.Errorf("%q: %v", value, err)
		}
	}
}

// TestNoteBrackets notes only the names that the endpoint knows, and nothing of them.
func TestNoteBrackets(t *testing.T) {
	spec := &Spec{Params: []Param{{Name: "scope"}}}
	for name, want := range map[string]bool{"scope[]": true, "scope[0]": true, "scope": false, "other[]": false, "[": false, "scope]": false} {
		ev := &Event{}
		noteBrackets(ev, []param{{name, "s3cr3t"}}, spec)
		if got := strings.HasPrefix(ev.Note, "a parameter with brackets was ignored"); got != want || strings.Contains(ev.Note, "s3cr3t") {
			t.Errorf("%s: %q", name, ev.Note)
		}
	}
}

// TestSampler: of what is alike one line is logged, one network has few keys, and all
// that is beyond the bound is counted together.
func TestSampler(t *testing.T) {
	var b strings.Builder
	s := NewSampler(slog.New(slog.NewJSONHandler(&b, nil)))
	at := func(client, from string) *line {
		return &line{Event: &Event{ClientID: client, Error: "too_many_requests", Cause: errors.New("cut_off")}, route: "/oauth/token", address: netip.MustParseAddr(from)}
	}
	logged := 0
	admit := func(l *line) {
		if s.admit(l, time.Now()) {
			logged++
		}
	}
	for range 9_001 {
		admit(at("billing", "203.0.113.7"))
	}
	if logged != 1 {
		t.Fatalf("%d lines of one flood", logged)
	}
	for i := range 1_000 {
		admit(at("c"+strings.Repeat("x", i%100), "203.0.113.8"))
	}
	if logged > 1+sampledOfNetwork+1 {
		t.Errorf("%d lines, and one network has at most %d", logged, sampledOfNetwork)
	}
	for i := range 3 * sampledAtOnce {
		admit(at("billing", netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}).String()))
	}
	if len(s.seen) > sampledAtOnce+1 || logged > sampledAtOnce+1 {
		t.Errorf("%d are counted separately, %d lines", len(s.seen), logged)
	}
	s.Flush()
	if !strings.Contains(b.String(), `"more":9000,`) || len(s.seen) != 0 {
		t.Errorf("%.300s", b.String())
	}
	before := logged
	if admit(at("billing", "203.0.113.7")); logged != before+1 {
		t.Error("after a minute the next one is not logged")
	}
}

// TestSamplerKeepsApart: a flood hides no other customer, partner or limit, and no
// client whose secret is right. One network still has few keys.
func TestSamplerKeepsApart(t *testing.T) {
	flood := Event{ClientID: "app", CustomerID: "c-1", Limit: "codes", Error: "too_many_requests", Cause: errors.New("code_limit")}
	for name, change := range map[string]func(*Event){
		"customer_id":  func(e *Event) { e.CustomerID = "c-2" },
		"limit":        func(e *Event) { e.Limit = "sent" },
		"partner_id":   func(e *Event) { e.PartnerID = "acme" },
		"org_id":       func(e *Event) { e.OrgID = "north" },
		"actor":        func(e *Event) { e.Actor = "client:terraform" },
		"secret_right": func(e *Event) { e.SecretRight = true },
	} {
		var b strings.Builder
		s := NewSampler(slog.New(slog.NewJSONHandler(&b, nil)))
		admit := func(e Event) bool {
			return s.admit(&line{Event: &e, address: netip.MustParseAddr("203.0.113.7")}, time.Now())
		}
		other := flood
		change(&other)
		if !admit(flood) || admit(flood) || !admit(other) || admit(other) {
			t.Errorf("%s: what differs in it is counted as one", name)
		}
		s.Flush()
		if n := strings.Count(b.String(), `"`+name+`"`); strings.Count(b.String(), `"more":1,`) != 2 || n == 0 {
			t.Errorf("%s: the counts do not say it: %s", name, b.String())
		}
	}
}

// TestSamplerOfManyCustomers: beyond the bound, the customers of one client are counted
// together as the client's, and the flood does not use up what others need.
func TestSamplerOfManyCustomers(t *testing.T) {
	var b strings.Builder
	s := NewSampler(slog.New(slog.NewJSONHandler(&b, nil)))
	for i := range 100 {
		e := Event{ClientID: "app", CustomerID: strings.Repeat("c", i+1), Limit: "codes"}
		s.admit(&line{Event: &e, address: netip.MustParseAddr("203.0.113.7")}, time.Now())
	}
	if len(s.seen) != sampledCustomers+1 {
		t.Errorf("%d are counted separately", len(s.seen))
	}
	if e := (Event{ClientID: "other"}); !s.admit(&line{Event: &e, address: netip.MustParseAddr("203.0.113.7")}, time.Now()) {
		t.Error("another client of the network is not logged")
	}
	s.Flush()
	if log := b.String(); !strings.Contains(log, `"client_id":"app","limit":"codes"`) {
		t.Errorf("%s", log)
	}
}
