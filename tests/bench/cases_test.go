package main

import (
	"bufio"
	"io"
	"net/http"
	"strings"
	"testing"
)

// Requests are written by hand. An HTTP server must be able to read them, and
// their bodies must have the stated length.
func TestRequestsAreWellFormed(t *testing.T) {
	g := &grantd{
		client: credentials{ID: "bench", Secret: "gs_sandbox_cUtUYjmz_" + strings.Repeat("A", randomWidth), SecretID: "cUtUYjmz"},
		server: credentials{ID: "bench-rs", Secret: "gs_sandbox_dVYW44ZE_" + strings.Repeat("B", randomWidth)},
		tokens: tokenList{width: 54},
	}
	for _, w := range workloads() {
		more := map[string]int{fromNone: 0, fromList: 54, fromRandom: randomWidth}[w.source]
		in := bufio.NewReader(strings.NewReader(w.request(g, w.path) + strings.Repeat("x", more)))
		req, err := http.ReadRequest(in)
		if err != nil {
			t.Errorf("%s: %v", w.name, err)
			continue
		}
		body, err := io.ReadAll(req.Body)
		if err != nil || int64(len(body)) != req.ContentLength || in.Buffered() != 0 {
			t.Errorf("%s: %d of %d bytes of the body, %d left over: %v", w.name, len(body), req.ContentLength, in.Buffered(), err)
		}
		if more > 0 && !strings.HasSuffix(string(body), strings.Repeat("x", more)) {
			t.Errorf("%s: the token is not at the end: %s", w.name, body)
		}
	}
}

// The report names workloads, which must exist.
func TestNamesAreOfWorkloads(t *testing.T) {
	for _, name := range []string{"issue-form", "issue-json", "issue-basic", "hot", warmCase, "cold", "garbage", "mixed", "wrong", "customer-issue", customerHot, "on-behalf-issue"} {
		if got := named(name).name; got != name {
			t.Errorf("%s is %s", name, got)
		}
	}
}

func TestFlags(t *testing.T) {
	for _, c := range []struct{ args, fault string }{
		{"", ""},
		{"-rounds 1 -time 1s -conns 1,64 -cases ^hot$", ""},
		{"-time 1500ms", "whole seconds"},
		{"-rounds 0", "-rounds"},
		{"-conns 1,many", "many"},
		{"-cases (", "-cases"},
		{"-warm 1", "-warm"},
		{"stray", "stray"},
	} {
		_, err := parseFlags(strings.Fields(c.args), io.Discard)
		if (err == nil) != (c.fault == "") || err != nil && !strings.Contains(err.Error(), c.fault) {
			t.Errorf("%q: %v", c.args, err)
		}
	}
	o, err := parseFlags([]string{"-cases", "^issue"}, io.Discard)
	if err != nil || len(o.chosen()) != 3 {
		t.Errorf("%d cases, %v", len(o.chosen()), err)
	}
}
