package main

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// sampleCalls are results of the case calls.
func sampleCalls() *calls {
	c := &calls{
		Machine: machine{Date: "2026-01-02", CPU: `A & B`, Cores: 2}, Rounds: 3, Seconds: 2,
		Ways: []paid{
			{Way: wayES256, Title: "JWT, ES256", PerSecond: 20000, CPU: 80, Here: 80},
			{Way: wayEdge, Title: "an edge", PerSecond: 9000, CPU: 120, Here: 70},
			{Way: wayGuard, Title: "guard", PerSecond: 3e6, CPU: 0.4, Here: 0.4},
		},
		Check: check{Nanoseconds: 412, Allocations: 0}, Gin: pair{Rates: 0.986, CPUs: 1.01, Rounds: 12}, Edge: pair{Rates: 1.1, CPUs: 0.9},
		EdgeResident: 40 << 20, Delays: []delay{{Through: wayGuard, Count: 100, P50: 0.6, P99: 3, Most: 4}},
	}
	c.evaluate()
	return c
}

func TestCallGoals(t *testing.T) {
	c := sampleCalls()
	for _, want := range []string{
		"a check by the guard, of a cached token: ≤ 1 µs, 0.41 µs, yes",
		"allocations of that check: ≤ 1, 0, yes",
		"a guarded gin handler: requests/s to those of one that does nothing: ≥ 0.98 ×, 0.986 ×, yes",
		"introspection at the edge, cached: CPU per request to that of a hot one at the server: ≤ 1 ×, 0.9 ×, yes",
		"resident memory of an edge, 10000 cached tokens: ≤ 32 MiB, 40 MiB, no",
		"revocation until refusal through the guard, the longest of 100: ≤ 1000 ms, 4 ms, yes",
	} {
		found := false
		for _, g := range c.Goals {
			found = found || g.Name+": "+strings.Join(g.row()[1:], ", ") == want
		}
		if !found {
			t.Errorf("no goal %q in %+v", want, c.Goals)
		}
	}
}

func TestCallPlotIsXML(t *testing.T) {
	for name, c := range map[string]*calls{"sample": sampleCalls(), "nothing": {}} {
		var text strings.Builder
		for d := xml.NewDecoder(bytes.NewReader(c.plot())); ; {
			token, err := d.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if s, ok := token.(xml.CharData); ok {
				text.Write(s)
			}
		}
		if name == "sample" && (!strings.Contains(text.String(), "0.4 µs") || !strings.Contains(text.String(), c.Machine.CPU)) {
			t.Errorf("%s: %s", name, text.String())
		}
	}
}

// TestWriteLeavesTheRest: a run of the calls alone does not touch the other results.
func TestWriteLeavesTheRest(t *testing.T) {
	dir := t.TempDir()
	if err := (&results{Calls: sampleCalls()}).write(dir); err != nil {
		t.Fatal(err)
	}
	list, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(list) != 3 {
		t.Errorf("%v, %v: want calls.json, calls.md and calls.svg", list, err)
	}
	b, err := os.ReadFile(filepath.Join(dir, "calls.json"))
	var back calls
	if err != nil || json.Unmarshal(b, &back) != nil || len(back.Ways) != 3 {
		t.Errorf("%v: %s", err, b)
	}
}

// TestSigned: the JWTs that are compared are verified, and a changed one is refused.
func TestSigned(t *testing.T) {
	es256, rs256, err := newSigned(2)
	if err != nil {
		t.Fatal(err)
	}
	for name, s := range map[string]*signed{"ES256": es256, "RS256": rs256} {
		if err := s.check(1); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		s.list[0] = s.list[0][:len(s.list[0])-8] + "AAAAAAAA"
		if s.check(0) == nil {
			t.Errorf("%s: a changed JWT is accepted", name)
		}
	}
}
