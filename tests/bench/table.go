package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"unicode/utf8"
)

// table can be printed and written as Markdown.
type table struct {
	title string
	text  int // number of text columns on the left; the others are numbers
	head  []string
	rows  [][]string // an empty row divides groups
	note  string
}

func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

// divide starts a new group of rows.
func (t *table) divide() {
	if len(t.rows) > 0 {
		t.rows = append(t.rows, nil)
	}
}

// print prints the table with aligned columns: text left, numbers right.
func (t *table) print(w io.Writer) error {
	fmt.Fprintf(w, "%s\n\n", t.title)
	all := append([][]string{t.head}, t.rows...)
	widths := make([]int, t.text)
	for _, row := range all {
		for i := range min(len(row), t.text) {
			widths[i] = max(widths[i], utf8.RuneCountInString(row[i]))
		}
	}
	out := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	for _, row := range all {
		line := make([]string, len(t.head))
		copy(line, row)
		for i, width := range widths {
			line[i] += strings.Repeat(" ", width-utf8.RuneCountInString(line[i]))
		}
		fmt.Fprintln(out, strings.Join(line, "\t")+"\t")
	}
	if err := out.Flush(); err != nil {
		return err
	}
	if t.note != "" {
		fmt.Fprintf(w, "\n%s\n", t.note)
	}
	_, err := fmt.Fprintln(w)
	return err
}

// markdown writes the table for a page.
func (t *table) markdown(w io.Writer) {
	fmt.Fprintf(w, "### %s\n\n", t.title)
	line := func(row []string) {
		cells := make([]string, len(t.head))
		copy(cells, row)
		for i, c := range cells {
			cells[i] = strings.ReplaceAll(c, "|", `\|`)
		}
		fmt.Fprintf(w, "| %s |\n", strings.Join(cells, " | "))
	}
	line(t.head)
	rule := make([]string, len(t.head))
	for i := range rule {
		rule[i] = "---"
		if i >= t.text {
			rule[i] = "---:"
		}
	}
	line(rule)
	for _, row := range t.rows {
		if row != nil {
			line(row)
		}
	}
	if t.note != "" {
		fmt.Fprintf(w, "\n%s\n", t.note)
	}
	fmt.Fprintln(w)
}
