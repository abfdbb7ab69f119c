package config

import (
	"fmt"
	"strconv"
	"strings"
)

// Fault is one error in the configuration.
type Fault struct {
	Path    string // the key path, or file:line if the file is not YAML
	Problem string // what is wrong, what to do, and where the value came from
}

// Faults lists all errors in the configuration.
type Faults []Fault

// Error returns one line for each fault, such as
// "config: public.listen: must be host:port".
func (f Faults) Error() string {
	lines := make([]string, len(f))
	for i, fault := range f {
		lines[i] = "config: " + fault.Path + ": " + fault.Problem
	}
	return strings.Join(lines, "\n")
}

func (f *Faults) add(path, format string, args ...any) {
	*f = append(*f, Fault{Path: path, Problem: fmt.Sprintf(format, args...)})
}

// quote returns a value for a message: quoted on one line, and shortened.
func quote(s string) string {
	const longest = 60
	if len(s) > longest {
		s = strings.ToValidUTF8(s[:longest], "") + "…"
	}
	return strconv.Quote(s)
}
