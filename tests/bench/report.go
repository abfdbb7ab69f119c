package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// print prints the tables.
func (r *results) print(w io.Writer) error {
	fmt.Fprintf(w, "%s\n\n", r.Machine)
	var tables []table
	if !r.onlyOthers() {
		tables = r.tables()
	}
	if r.Calls != nil {
		tables = append(tables, r.Calls.tables()...)
	}
	if r.Gateways != nil {
		tables = append(tables, r.Gateways.tables()...)
	}
	for _, t := range tables {
		if err := t.print(w); err != nil {
			return err
		}
	}
	return nil
}

// write writes results.json, results.md and results.svg to a folder, and those of the
// calls and the gateways beside them. What was not measured is left as it is.
func (r *results) write(dir string) error {
	files := map[string][]byte{}
	if !r.onlyOthers() {
		record, err := r.record()
		if err != nil {
			return err
		}
		files["results.json"], files["results.md"], files["results.svg"] = record, page(r.Machine, r.tables()), plot(r)
	}
	if r.Calls != nil {
		record, err := json.MarshalIndent(r.Calls, "", "  ")
		if err != nil {
			return err
		}
		files["calls.json"], files["calls.md"], files["calls.svg"] = append(record, '\n'), page(r.Machine, r.Calls.tables()), r.Calls.plot()
	}
	if r.Gateways != nil {
		record, err := json.MarshalIndent(r.Gateways, "", "  ")
		if err != nil {
			return err
		}
		files["gateways.json"], files["gateways.md"] = append(record, '\n'), page(r.Machine, r.Gateways.tables())
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for name, b := range files {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// page returns the tables as Markdown.
func page(m machine, tables []table) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "Written by `tests/bench`. %s\n\n", m)
	for _, t := range tables {
		t.markdown(&b)
	}
	return b.Bytes()
}

// record returns the results as JSON, with each measurement on one line.
func (r *results) record() ([]byte, error) {
	short := *r
	short.Measurements = []measurement{}
	b, err := json.MarshalIndent(short, "", "  ")
	if err != nil {
		return nil, err
	}
	var lines []string
	for _, m := range r.Measurements {
		line, err := json.Marshal(m)
		if err != nil {
			return nil, err
		}
		lines = append(lines, "\n    "+string(line))
	}
	b = bytes.TrimSuffix(b, []byte("[]\n}"))
	return fmt.Appendf(b, "[%s\n  ]\n}\n", strings.Join(lines, ",")), nil
}

func (m machine) String() string {
	return fmt.Sprintf("%s: %s, %d cores, Linux %s, %s, wrk %s, Redis %s, grantd %s.", m.Date, m.CPU, m.Cores, m.Kernel, m.Go, m.Wrk, m.Redis, m.Grantd)
}

// repeats reports how steady the machine was.
func (r *results) repeats() string {
	return fmt.Sprintf("Measured again because the machine stood still: %d times.", r.Repeated)
}

func (r *results) tables() []table {
	tables := []table{r.goalTable()}
	if len(r.Summaries) > 0 {
		tables = append(tables, r.caseTable())
	}
	if len(r.Startups) > 0 {
		tables = append(tables, r.startTable())
	}
	if r.Memory != nil {
		tables = append(tables, r.Memory.table())
	}
	if len(r.Growth) > 0 {
		tables = append(tables, r.growthTable())
	}
	return tables
}

// onlyOthers reports whether nothing was measured but what has separate files.
func (r *results) onlyOthers() bool {
	return (r.Calls != nil || r.Gateways != nil) && len(r.Summaries) == 0 && len(r.Startups) == 0 && r.Memory == nil && len(r.Growth) == 0
}

func (r *results) goalTable() table { return goalTable(r.Goals) }

func goalTable(goals []goal) table {
	t := table{title: "Goals", text: 1, head: []string{"goal", "target", "measured", "reached"}}
	for _, g := range goals {
		t.add(g.row()...)
	}
	return t
}

func (g goal) row() []string {
	sign, measured, reached := "≤", "-", "not measured"
	if g.AtLeast {
		sign = "≥"
	}
	text := func(v float64) string { return strings.TrimSpace(strconv.FormatFloat(v, 'f', -1, 64) + " " + g.Unit) }
	if g.Measured != nil {
		measured, reached = text(*g.Measured), "no"
		if g.Reached {
			reached = "yes"
		}
	}
	return []string{g.Name, sign + " " + text(g.Limit), measured, reached}
}

func (r *results) caseTable() table {
	t := table{
		title: fmt.Sprintf("Loads: medians of %d rounds of %g s", r.Rounds, r.Seconds), text: 2,
		head: []string{
			"case", "target", "connections", "requests/s", "to floor", "CPU µs", "CPU to floor",
			"p50 µs", "p99 µs", "p99 to floor", "p99.9 µs", "MiB", "Redis commands",
		},
		note: "CPU: of the server's process, for each request. To floor: the median of each round's ratio. MiB: resident. Redis commands: for each request. " + r.repeats(),
	}
	last := cell{}
	for _, s := range r.Summaries {
		if s.Case != last.Case || s.Connections != last.Connections {
			t.divide()
		}
		last = s.cell
		t.add(s.row()...)
	}
	return t
}

func (s summary) row() []string {
	return []string{
		named(s.Case).title, s.Target, fmt.Sprint(s.Connections),
		fmt.Sprintf("%.0f", s.PerSecond), ratioText(s.RateRatio),
		fmt.Sprintf("%.1f", s.CPU), ratioText(s.CPURatio),
		fmt.Sprintf("%.0f", s.P50), fmt.Sprintf("%.0f", s.P99), ratioText(s.P99Ratio),
		fmt.Sprintf("%.0f", s.P999), mib(s.Resident), commandsText(s.Commands),
	}
}

func (r *results) startTable() table {
	t := table{title: fmt.Sprintf("From start to ready: median of %d", starts), text: 1, head: []string{"store", "live tokens", "ms"}}
	for _, s := range r.Startups {
		t.add(s.Store, fmt.Sprint(s.Tokens), fmt.Sprintf("%.0f", s.Seconds*1000))
	}
	return t
}

func (m *memory) table() table {
	t := table{title: "Memory, on Redis", text: 1, head: []string{"", "cached tokens", "MiB"}, note: memoryMethod}
	t.add("resident after the mixed load", fmt.Sprint(m.Few.Cached), mib(float64(m.Resident)))
	t.add("heap in use", fmt.Sprint(m.Few.Cached), mib(m.Few.InUse))
	t.add("heap in use", fmt.Sprint(m.Many.Cached), mib(m.Many.InUse))
	t.add(fmt.Sprintf("a cached token: %.0f B of heap, %.0f B resident", m.PerToken, m.PerTokenRes))
	return t
}

func (r *results) growthTable() table {
	t := table{
		title: "Introspection past the cache with many live tokens", text: 1,
		head: []string{"store", "connections", "tokens", "p50 µs", "tokens", "p50 µs", "ratio", "grantd MiB"},
	}
	for _, g := range r.Growth {
		t.add(g.Store, fmt.Sprint(g.Connections), fmt.Sprint(g.Few), fmt.Sprintf("%.0f", g.P50Few),
			fmt.Sprint(g.Many), fmt.Sprintf("%.0f", g.P50Many), ratioText(g.Ratio), mib(float64(g.Resident)))
	}
	return t
}

func ratioText(r float64) string {
	if r == 0 {
		return "-"
	}
	return fmt.Sprintf("%.2f", r)
}

func mib(bytes float64) string { return fmt.Sprintf("%.1f", bytes/(1<<20)) }

// commandsText returns text such as "get 1.00", sorted by name.
func commandsText(commands map[string]float64) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(commands)) {
		parts = append(parts, fmt.Sprintf("%s %.2f", name, commands[name]))
	}
	if len(parts) == 0 {
		return "-"
	}
	return strings.Join(parts, ", ")
}
