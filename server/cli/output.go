package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"
)

// outputFormat is the value of --output.
type outputFormat string

const (
	outputTable outputFormat = "table"
	outputJSON  outputFormat = "json"
)

// String, Set and Type make it a flag.
func (f *outputFormat) String() string { return string(*f) }

// Type is what the help shows.
func (*outputFormat) Type() string { return "FORMAT" }

// Set refuses what is no format.
func (f *outputFormat) Set(s string) error {
	if s != string(outputTable) && s != string(outputJSON) {
		return errors.New("choose table or json")
	}
	*f = outputFormat(s)
	return nil
}

// show prints an answer of the admin API: as it is in JSON, or what table
// makes of it.
func show[T any](a *app, answer []byte, table func(T)) error {
	if a.output == outputJSON {
		return a.printJSON(json.RawMessage(answer))
	}
	v, err := decode[T](answer)
	if err == nil {
		table(v)
	}
	return err
}

func (a *app) printJSON(v any) error {
	compact, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("cannot print the answer as JSON: %w", err)
	}
	var indented bytes.Buffer
	if err := json.Indent(&indented, compact, "", "  "); err != nil {
		return err
	}
	indented.WriteByte('\n')
	_, err = a.out.Write(indented.Bytes())
	return err
}

// println prints one line. That writing failed is found in a.out at the end.
func (a *app) println(format string, args ...any) {
	fmt.Fprintf(a.out, format+"\n", args...)
}

// grid prints rows below column heads.
func (a *app) grid(heads []string, rows [][]string) {
	w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	for _, row := range append([][]string{heads}, rows...) {
		fmt.Fprintln(w, strings.Join(row, "\t"))
	}
	w.Flush()
}

// pair is one line of what is shown of a single thing.
type pair struct{ name, value string }

func (a *app) pairs(pairs []pair) {
	w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	for _, p := range pairs {
		fmt.Fprintln(w, p.name+"\t"+p.value)
	}
	w.Flush()
}

// absent stands for a value that is not there.
const absent = "-"

// text is a cell: on one line, without anything that a terminal obeys.
func text[T ~string](s T) string {
	if s == "" {
		return absent
	}
	return visible(string(s))
}

// list is a cell of several values.
func list[T ~string](values []T) string {
	cells := make([]string, len(values))
	for i, v := range values {
		cells[i] = text(v)
	}
	if len(cells) == 0 {
		return absent
	}
	return strings.Join(cells, ",")
}

// stamp is a cell for a time.
func stamp(t *time.Time) string {
	if t == nil || t.IsZero() {
		return absent
	}
	return t.UTC().Format(time.RFC3339)
}

// seconds is a cell for a lifetime, in the form that --ttl takes.
func seconds(n *int64) string {
	if n == nil {
		return absent
	}
	s := (time.Duration(*n) * time.Second).String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// visible escapes control characters and the like: names come from whoever
// made the client.
func visible(s string) string {
	if strings.IndexFunc(s, hidden) < 0 {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if hidden(r) {
			b.WriteString(strings.Trim(strconv.QuoteRuneToASCII(r), "'"))
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

func hidden(r rune) bool { return !unicode.IsPrint(r) }

// number is a cell for a count.
func number(n int64) string { return strconv.FormatInt(n, 10) }
