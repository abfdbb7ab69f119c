package readme

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
)

const (
	anything   = "…"
	aTime      = `\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ`
	longestAgo = 1e9 // Unix seconds: what is later is a time
)

var (
	timeText = regexp.MustCompile(aTime)
	spaces   = regexp.MustCompile(` {2,}`)
)

// pattern turns one line of a page into a regular expression: columns may be
// wider than they are there.
func pattern(line string) string {
	p := regexp.QuoteMeta(strings.TrimRight(line, " "))
	p = timeText.ReplaceAllLiteralString(p, aTime)
	p = spaces.ReplaceAllLiteralString(p, " +")
	return strings.ReplaceAll(p, anything, ".*") + " *"
}

// matchText returns how got differs from what the page says; "" if it does not.
func matchText(want, got string) string {
	var p strings.Builder
	for line := range strings.Lines(want) {
		line = strings.TrimSuffix(line, "\n")
		if line == anything {
			p.WriteString(`(?:.*\n)*?`)
		} else {
			p.WriteString(pattern(line) + `\n`)
		}
	}
	if !strings.HasSuffix(got, "\n") {
		got += "\n" // as a terminal shows it
	}
	if regexp.MustCompile(`^(?:` + p.String() + `)$`).MatchString(got) {
		return ""
	}
	return fmt.Sprintf("the page says\n%s\nand it printed\n%s", want, got)
}

// matchJSON compares values: member order and spaces do not count.
func matchJSON(want, got string) string {
	var w, g any
	if err := json.Unmarshal([]byte(want), &w); err != nil {
		return "the page's JSON: " + err.Error()
	}
	if err := json.Unmarshal([]byte(got), &g); err != nil {
		return fmt.Sprintf("it printed no JSON: %v\n%s", err, got)
	}
	if where := differ(w, g, ""); where != "" {
		return fmt.Sprintf("at %s: the page says\n%s\nand it printed\n%s", where, want, got)
	}
	return ""
}

// differ returns the path of the first difference.
func differ(want, got any, path string) string {
	here := path
	if here == "" {
		here = "the top"
	}
	switch w := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		if _, more := w[anything]; !ok || len(g) != len(w) && !more {
			return here
		}
		for name := range w {
			if name == anything {
				continue
			}
			if _, ok := g[name]; !ok {
				return path + "." + name
			}
			if where := differ(w[name], g[name], path+"."+name); where != "" {
				return where
			}
		}
		return ""
	case []any:
		g, ok := got.([]any)
		if !ok || len(g) != len(w) {
			return here
		}
		for i := range w {
			if where := differ(w[i], g[i], fmt.Sprintf("%s[%d]", path, i)); where != "" {
				return where
			}
		}
		return ""
	case string:
		if g, ok := got.(string); !ok || !regexp.MustCompile("^"+pattern(w)+"$").MatchString(g) {
			return here
		}
		return ""
	case float64:
		if g, ok := got.(float64); ok && g > longestAgo && w > longestAgo {
			return ""
		}
	}
	if want != got {
		return here
	}
	return ""
}
