package main

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// sample is a run of two rounds. Its names need escaping.
func sample() *results {
	r := &results{
		Rounds: 2, Seconds: 2, Machine: machine{Date: "2026-01-02", CPU: `A & B <"turbo"> | C`, Cores: 2},
		Measurements: []measurement{
			measured(floorName, 1, 42000, 24, 100), measured(redisName, 1, 33600, 30, 140),
			measured(redisName, 2, 33600, 30, 140), measured(floorName, 2, 42000, 24, 100),
		},
		Memory:   &memory{Resident: 41 << 20, PerToken: 602.345},
		Startups: []startup{{Store: embeddedName, Seconds: 0.117}, {Store: embeddedName, Tokens: 1_000_000, Seconds: 3.2}},
		Growth:   []growth{{Store: redisName, Connections: 1, Ratio: 1.154}},
	}
	r.Summaries = summarize(r.Measurements)
	r.evaluate()
	return r
}

func TestGoals(t *testing.T) {
	r := sample()
	for start, want := range map[string]string{
		"introspect, hot, on Redis: requests/s":     "≥ 0.85 ×, 0.8 ×, no",
		"introspect, hot, on Redis: CPU":            "≤ 1.2 ×, 1.25 ×, no",
		"introspect, warm, on Redis: requests/s":    "≥ 0.85 ×, -, not measured",
		"resident after mixed":                      "≤ 64 MiB, 41 MiB, yes",
		"a cached token":                            "≤ 600 B, 602 B, no",
		"start until ready, embedded":               "≤ 300 ms, 117 ms, yes",
		"start until ready, embedded with many":     "≤ 3000 ms, 3200 ms, no",
		"start until ready, on Redis":               "≤ 300 ms, -, not measured",
		"cold, on Redis, connections 1: p50":        "≤ 1.15 ×, 1.15 ×, yes",
		"wrong secrets, on Redis: resident":         "≤ 1.1 ×, -, not measured",
		"introspect, garbage, on Redis: store comm": "≤ 0, -, not measured",
	} {
		i := slices.IndexFunc(r.Goals, func(g goal) bool { return strings.HasPrefix(g.Name, start) })
		if i < 0 {
			t.Errorf("no goal begins with %q", start)
		} else if got := strings.Join(r.Goals[i].row()[1:], ", "); got != want {
			t.Errorf("%s: %s, want %s", r.Goals[i].Name, got, want)
		}
	}
}

// A goal without a measurement is not reached.
func TestGoalsOfNothing(t *testing.T) {
	var r results
	r.evaluate()
	for _, g := range r.Goals {
		if g.Reached || g.Measured != nil {
			t.Errorf("%+v", g)
		}
	}
}

func TestPlotIsXML(t *testing.T) {
	for name, r := range map[string]*results{"sample": sample(), "nothing": {}} {
		var text strings.Builder
		d := xml.NewDecoder(bytes.NewReader(plot(r)))
		for {
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
		if !strings.Contains(text.String(), r.Machine.CPU) {
			t.Errorf("%s: the text is not there as it was: %s", name, text.String())
		}
		if name == "sample" && !strings.Contains(text.String(), "0.80 ×, 33,600/s") {
			t.Errorf("%s: no bar in %s", name, text.String())
		}
	}
}

func TestThousands(t *testing.T) {
	for v, want := range map[float64]string{7: "7", 999.4: "999", 1000: "1,000", 1234567: "1,234,567"} {
		if got := thousands(v); got != want {
			t.Errorf("%v: %s, want %s", v, got, want)
		}
	}
}

func TestRecordReadsBack(t *testing.T) {
	r := sample()
	b, err := r.record()
	if err != nil {
		t.Fatal(err)
	}
	var back results
	if err := json.Unmarshal(b, &back); err != nil {
		t.Fatalf("%v\n%s", err, b)
	}
	if d := cmp.Diff(r.Measurements, back.Measurements); d != "" {
		t.Errorf("measurements (-want +got):\n%s", d)
	}
	if n := bytes.Count(b, []byte(`{"case":`)); n != len(r.Measurements) {
		t.Errorf("%d lines of measurements, want %d", n, len(r.Measurements))
	}
}

func TestTables(t *testing.T) {
	tab := table{title: "T", text: 1, head: []string{"name", "µs"}, note: "n"}
	tab.add("a|b", "1.5")
	tab.divide()
	tab.add("longer", "12.25")
	var text, page bytes.Buffer
	if err := tab.print(&text); err != nil {
		t.Fatal(err)
	}
	tab.markdown(&page)
	const wantText = "T\n\n  name       µs\n  a|b       1.5\n               \n  longer  12.25\n\nn\n\n"
	if d := cmp.Diff(wantText, text.String()); d != "" {
		t.Errorf("text (-want +got):\n%s", d)
	}
	const wantPage = "### T\n\n| name | µs |\n| --- | ---: |\n| a\\|b | 1.5 |\n| longer | 12.25 |\n\nn\n\n"
	if d := cmp.Diff(wantPage, page.String()); d != "" {
		t.Errorf("page (-want +got):\n%s", d)
	}
}
