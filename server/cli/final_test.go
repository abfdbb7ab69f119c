package cli

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"
)

// finalReplies are those of a server with records to end.
var finalReplies = map[string]reply{
	"GET /clients/billing":                               {200, "{}"},
	"GET /orgs/o":                                        {200, "{}"},
	"GET /customers/10001":                               {200, "{}"},
	"GET /partners/hurdlr":                               {503, `{"error":"temporarily_unavailable"}`}, // counts as there
	"GET /clients?limit=500&org_id=o":                    {200, `{"clients":[{"client_id":"billing"}]}`},
	"GET /secrets?client_id=billing&limit=500&state=all": {200, `{"secrets":[{"id":"Ab3dEf7h","client_id":"billing"}]}`},
	"GET /clients/nosuch":                                {404, `{"error":"not_found","error_description":"there is no client with this id"}`},
	"GET /clients?limit=500":                             {200, `{"clients":[{"client_id":"billing"},{"client_id":"shop"}]}`},
	"GET /clients/billing/secrets?limit=500":             {200, `{"secrets":[{"id":"Ab3dEf7h"}]}`},
	"GET /customers?limit=500&org_id=o":                  {200, `{"customers":[` + strings.Repeat(`{},`, 499) + `{}],"next_cursor":"eA"}`},
	"GET /orgs/o/partners?limit=500":                     {200, `{"partners":[]}`},
	"GET /partners/hurdlr/tokens?limit=500":              {200, `{"tokens":[{},{}]}`},
	"GET /partners/hurdlr/orgs?limit=500":                {503, `{"error":"temporarily_unavailable"}`},
}

// TestFinal: on a terminal, what cannot be undone says what it does and does nothing.
func TestFinal(t *testing.T) {
	terminal, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer terminal.Close()
	var b strings.Builder
	for _, line := range []string{
		"client|delete|billing", "client|void-tokens|billing", "client|revoke-secret|billing|Ab3dEf7h", "client|revoke-secret|billing|Ab3dEf7h|--void-tokens",
		"client|rotate-secret|billing|--undo", "client|rotate-secret|billing|--grace|0s",
		"org|delete|o", "org|delete|o|--with-clients-and-customers", "org|void-tokens|o", "customer|delete|10001", "customer|void-tokens|10001",
		"partner|delete|hurdlr", "partner|deactivate|hurdlr", "partner|void-tokens|hurdlr", "partner|revoke|hurdlr|o", "partner|token|revoke|hurdlr|tok1",
		"key|revoke|Ab3dEf7h", "key|rotate|Ab3dEf7h|--grace|0s",
		"token|void-all", "store|doctor|--release|client:billing", "signing-key|remove|OYK784VK",
	} {
		f := newFakeAdmin(t, finalReplies)
		args := append(strings.Split(line, "|"), "--socket", f.socket)
		var out, errs bytes.Buffer
		code := Run(t.Context(), args, Streams{In: terminal, Out: &out, Err: &errs})
		fmt.Fprintf(&b, "%s", strings.ReplaceAll(errs.String(), f.socket, "SOCKET"))
		if code != exitUsage || out.Len() > 0 || !strings.Contains(errs.String(), "to do it, run: grantd "+strings.Join(args, " ")+" --yes\n") {
			t.Errorf("%s: code %d, %s%s", line, code, &out, &errs)
		}
		for _, asked := range f.asked {
			if !strings.HasPrefix(asked, "GET ") {
				t.Errorf("%s asked %s", line, asked)
			}
		}
	}
	golden(t, "final.txt", b.String())
}

// TestFinalOfNothing: what does not exist is reported, instead of what its end would
// mean.
func TestFinalOfNothing(t *testing.T) {
	terminal, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer terminal.Close()
	f := newFakeAdmin(t, finalReplies)
	for line, want := range map[string]string{
		"client|delete|nosuch":                   "there is no client with this id",
		"client|void-tokens|nosuch":              "there is no client with this id",
		"client|revoke-secret|nosuch|Ab3dEf7h":   "there is no client with this id",
		"client|revoke-secret|billing|XXXXXXXX":  "this client has no secret with this id",
		"client|rotate-secret|nosuch|--grace|0s": "there is no client with this id",
	} {
		var out, errs bytes.Buffer
		code := Run(t.Context(), append(strings.Split(line, "|"), "--socket", f.socket), Streams{In: terminal, Out: &out, Err: &errs})
		if code != exitFailed || errs.String() != "grantd: "+want+"\n" {
			t.Errorf("%s: code %d, %s", line, code, &errs)
		}
	}
}

// TestFinalRuns: --yes, a script, and a command line that ends nothing need no
// question.
func TestFinalRuns(t *testing.T) {
	terminal, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer terminal.Close()
	defer null.Close()
	f := newFakeAdmin(t, map[string]reply{
		"DELETE /clients/a": {204, ""}, "POST /clients/a/secrets": {201, `{"client_id":"a"}`},
	})
	for _, tt := range []struct {
		in   *os.File
		args string
	}{{terminal, "client|delete|a|--yes"}, {null, "client|delete|a"}, {terminal, "client|rotate-secret|a|--grace|1h"}} {
		var out, errs bytes.Buffer
		code := Run(t.Context(), append(strings.Split(tt.args, "|"), "--socket", f.socket), Streams{In: tt.in, Out: &out, Err: &errs})
		if code != exitDone {
			t.Errorf("%s: code %d, %s", tt.args, code, &errs)
		}
	}
}

func TestShellQuote(t *testing.T) {
	for word, want := range map[string]string{"h5D8B5gyHtk=": "h5D8B5gyHtk=", "a b": "'a b'", "it's": `'it'\''s'`, "": "''", "$x": "'$x'"} {
		if got := shellQuote(word); got != want {
			t.Errorf("%q: %s, want %s", word, got, want)
		}
	}
	a := &app{args: []string{"client", "delete", "--", "-x"}}
	if got := a.withYes(); got != "grantd client delete --yes -- -x" {
		t.Error(got)
	}
}
