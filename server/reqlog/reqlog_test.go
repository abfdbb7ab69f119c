package reqlog

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"strings"
	"testing"

	"github.com/grantd/grantd/server/refusal"
)

const id = "0123456789abcdef"

// lineOf returns a line of the log.
func lineOf(t testing.TB, members map[string]any) string {
	t.Helper()
	b, err := json.Marshal(members)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestFind shows the forms of a log in which a request is found.
func TestFind(t *testing.T) {
	line := lineOf(t, map[string]any{"msg": "request", "request_id": id, "client_id": "billing", "note": "ü \"quoted\""})
	for name, text := range map[string]string{
		"plain":       line,
		"windows":     line + "\r",
		"with a text": "Nov 29 22:29:19 auth1 grantd[123]: " + line,
		"journal":     lineOf(t, map[string]any{"MESSAGE": line, "_PID": "1", "__REALTIME_TIMESTAMP": "1"}),
		"Docker":      lineOf(t, map[string]any{"log": line + "\n", "stream": "stderr"}),
	} {
		log := "noise\n{\"msg\":\"request\",\"request_id\":\"fedcba9876543210\",\"note\":\"" + id + "\"}\n" + text + "\n{\"broken\":\"" + id + "\n"
		f, err := Find(strings.NewReader(log), id)
		if err != nil || len(f.Lines) != 1 || f.Lines[0].Text("client_id") != "billing" || f.Lines[0].Text("note") != "ü \"quoted\"" || f.Plain != 1 || f.Read != 4 {
			t.Errorf("%s: %v %+v", name, err, f)
		}
	}
}

// TestFindInGzip finds a request in a compressed log, and says that one is cut off.
func TestFindInGzip(t *testing.T) {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write([]byte(lineOf(t, map[string]any{"request_id": id}))); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if f, err := Find(bytes.NewReader(b.Bytes()), id); err != nil || len(f.Lines) != 1 {
		t.Errorf("%v %+v", err, f)
	}
	if _, err := Find(bytes.NewReader(b.Bytes()[:b.Len()-6]), id); err == nil {
		t.Error("a log that is cut off is read without an error")
	}
}

// TestBounds: huge lines are skipped, and of many lines the first are kept.
func TestBounds(t *testing.T) {
	line := lineOf(t, map[string]any{"request_id": id}) + "\n"
	log := `{"request_id":"` + id + `","stack":"` + strings.Repeat("x", longestLine) + "\"}\n" + strings.Repeat(line, mostLines+7)
	f, err := Find(strings.NewReader(log), id)
	if err != nil || len(f.Lines) != mostLines || f.More != 7 || f.Skipped != 1 || f.Read != mostLines+8 {
		t.Errorf("%v: %d lines, %d more, %d skipped, %d read", err, len(f.Lines), f.More, f.Skipped, f.Read)
	}
}

// TestExplain says something for each kind of line.
func TestExplain(t *testing.T) {
	for name, row := range map[string]struct {
		line          string
		result, means string
		done          bool
	}{
		"served":          {line: `{"status":200}`, result: Granted, means: "was served", done: true},
		"cause":           {line: `{"status":401,"error":"invalid_client","cause":"secret_ended","client_known":true}`, result: Refused, means: "ended on purpose"},
		"inactive":        {line: `{"status":200,"active":false,"cause":"void"}`, result: Inactive, means: "was voided"},
		"inactive, bare":  {line: `{"status":200,"active":false}`, result: Inactive, means: "not active"},
		"error":           {line: `{"status":403,"error":"insufficient_scope"}`, result: Refused, means: "lacks a scope"},
		"malformed":       {line: `{"status":400,"error":"invalid_request","error_description":"a parameter is repeated"}`, result: Refused, means: "a parameter is repeated"},
		"unknown error":   {line: `{"status":418,"error":"teapot"}`, result: Refused, means: "teapot"},
		"store":           {line: `{"status":503,"error":"temporarily_unavailable","cause":"store_full"}`, result: Failed, means: "the store is full"},
		"store, any text": {line: `{"status":503,"error":"temporarily_unavailable","cause":"dial tcp"}`, result: Failed, means: "could not serve"},
		"bug":             {line: `{"status":500,"error":"server_error","stack":"x"}`, result: Failed, means: "failed here"},
		"limit":           {line: `{"status":429,"error":"too_many_requests","limit":"codes_per_customer","customer_id":"10001"}`, result: Refused, means: "the limit codes_per_customer refused"},
		"lock":            {line: `{"status":403,"error":"access_denied","limit":"wrong_codes_in_row","customer_id":"10001"}`, result: Refused, means: "the limit wrong_codes_in_row refused"},
		"hung up":         {line: `{"status":499,"error":"caller_hung_up"}`, result: Refused, means: "hung up"},
		"of other types":  {line: `{"status":"x","client_known":"y","cause":1,"secret_right":[]}`, result: Granted, means: "served", done: true},
	} {
		x := Explain(parse([]byte(row.line)))
		if x.Result != row.result || !strings.Contains(x.Meaning, row.means) || (x.Next == "") != row.done {
			t.Errorf("%s: %+v", name, x)
		}
	}
	for _, c := range refusal.All() {
		if x := Explain(Line{"cause": json.RawMessage(`"` + string(c) + `"`)}); x.Next == "" {
			t.Errorf("%s: nothing to do", c)
		}
	}
}

// TestExplainNamesWhom: what the line says of whom the request is about is shown, and
// the advice names a command that has more.
func TestExplainNamesWhom(t *testing.T) {
	x := Explain(parse([]byte(`{"status":429,"error":"too_many_requests","limit":"codes_per_customer","customer_id":"10001"}`)))
	if x.Limit != "codes_per_customer" || x.CustomerID != "10001" || !strings.Contains(x.Next, "grantd customer show") {
		t.Errorf("a customer: %+v", x)
	}
	if x = Explain(parse([]byte(`{"status":429,"error":"too_many_requests","limit":"issue_per_client"}`))); strings.Contains(x.Next, "customer") {
		t.Errorf("a limit of no customer: %+v", x)
	}
}

// TestExplainClaimed: a client that did not authenticate is only claimed, whether or not
// it was looked up.
func TestExplainClaimed(t *testing.T) {
	for line, want := range map[string]bool{
		`{"status":401,"client_id":"billing","client_known":null,"cause":"no_secret"}`: true,
		`{"status":401,"client_id":"billing","client_known":true}`:                     true,
		`{"status":200,"client_id":"billing"}`:                                         false,
	} {
		if x := Explain(parse([]byte(line))); x.Claimed != want {
			t.Errorf("%s: %+v", line, x)
		}
	}
}

// TestExplainPartner: the id of a partner token is in no jti, so no advice names one.
func TestExplainPartner(t *testing.T) {
	for _, cause := range []string{"revoked", "expired", "void", "partner deactivated", "address not allowed"} {
		x := Explain(parse([]byte(`{"status":401,"error":"invalid_token","cause":"` + cause + `","partner_id":"hurdlr","partner_token_id":"Ab3dEf7h","org_id":"acme"}`)))
		if x.PartnerID != "hurdlr" || x.PartnerTID != "Ab3dEf7h" || x.OrgID != "acme" || strings.Contains(x.Next, "--jti") || !strings.Contains(x.Next, "grantd partner token list ID") {
			t.Errorf("%s: %+v", cause, x)
		}
	}
	for _, line := range []string{
		`{"status":503,"error":"temporarily_unavailable","cause":"store_full","partner_id":"hurdlr","partner_token_id":"Ab3dEf7h"}`,
		`{"status":503,"error":"temporarily_unavailable","cause":"dial tcp","partner_id":"hurdlr","partner_token_id":"Ab3dEf7h"}`,
		`{"status":499,"error":"caller_hung_up","cause":"context canceled","partner_id":"hurdlr","partner_token_id":"Ab3dEf7h"}`,
		`{"status":400,"error":"invalid_scope","cause":"scope_unknown","partner_id":"hurdlr","partner_token_id":"Ab3dEf7h"}`,
		`{"status":403,"error":"access_denied","partner_id":"hurdlr","partner_token_id":"Ab3dEf7h"}`,
	} {
		if x := Explain(parse([]byte(line))); strings.Contains(x.Next, "partner token list") {
			t.Errorf("%s: %+v", line, x)
		}
	}
}

// FuzzFind: no log makes the reader fail or keep too much, and what it finds is of the
// request.
func FuzzFind(f *testing.F) {
	for _, log := range []string{"", "\n\n", `{"request_id":"` + id + `"}`, `x {"MESSAGE":null}`, `{"log":"{\"request_id\":\"` + id + `\"}"}`, `{"event":{"request_id":"` + id + `"}}`, "\x1f\x8b", id} {
		f.Add([]byte(log))
	}
	f.Fuzz(func(t *testing.T, log []byte) {
		found, err := Find(bytes.NewReader(log), id)
		if err != nil && !bytes.HasPrefix(log, []byte{0x1f, 0x8b}) {
			t.Fatal(err)
		}
		if len(found.Lines) > mostLines {
			t.Fatalf("%d lines", len(found.Lines))
		}
		for _, l := range found.Lines {
			if l.Text("request_id") != id && eventOf(l).Text("request_id") != id {
				t.Errorf("another request: %v", l)
			}
			if _, err := json.Marshal(Explain(l)); err != nil {
				t.Error(err)
			}
		}
	})
}
