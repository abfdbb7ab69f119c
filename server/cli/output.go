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

// String returns the format; with Type and Set it makes a pflag.Value.
func (f *outputFormat) String() string { return string(*f) }

// Type returns the name of the value in the help.
func (*outputFormat) Type() string { return "FORMAT" }

// Set returns an error if s is not a format.
func (f *outputFormat) Set(s string) error {
	if s != string(outputTable) && s != string(outputJSON) {
		return errors.New("must be table or json")
	}
	*f = outputFormat(s)
	return nil
}

// show prints a response of the admin API: unchanged as JSON, or with table.
func show[T any](a *app, response []byte, table func(T)) error {
	if a.output == outputJSON {
		return a.printJSON(json.RawMessage(response))
	}
	v, err := decode[T](response)
	if err == nil {
		table(v)
	}
	return err
}

func (a *app) printJSON(v any) error {
	compact, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("cannot print the response as JSON: %w", err)
	}
	var indented bytes.Buffer
	if err := json.Indent(&indented, compact, "", "  "); err != nil {
		return err
	}
	indented.WriteByte('\n')
	_, err = a.out.Write(indented.Bytes())
	return err
}

// println prints one line. a.out keeps the error of a failed write for the end.
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

// pair is one line in the output of a single record.
type pair struct{ name, value string }

func (a *app) pairs(pairs []pair) {
	w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	for _, p := range pairs {
		fmt.Fprintln(w, p.name+"\t"+p.value)
	}
	w.Flush()
}

// absent is shown for a missing value.
const absent = "-"

// text returns a cell: one line without control characters for the terminal.
func text[T ~string](s T) string {
	if s == "" {
		return absent
	}
	return visible(string(s))
}

// optionalText is text for a value that may be missing.
func optionalText(s *string) string {
	if s == nil {
		return absent
	}
	return text(*s)
}

// list returns a cell with several values.
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

// stamp returns a cell with a time.
func stamp(t *time.Time) string {
	if t == nil || t.IsZero() {
		return absent
	}
	return t.UTC().Format(time.RFC3339)
}

// seconds returns a cell with a lifetime, in the form that --ttl accepts.
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

// visible escapes what cannot be printed, such as control characters: names may
// come from untrusted input.
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

// number returns a cell with a count.
func number(n int64) string { return strconv.FormatInt(n, 10) }

// yesNo returns a cell that says whether something is so.
func yesNo(yes bool) string {
	if yes {
		return "yes"
	}
	return "no"
}
