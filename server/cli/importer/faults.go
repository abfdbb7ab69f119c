package importer

import "fmt"

// maxFaults is how many wrong lines are reported one by one.
const maxFaults = 100

// Fault is what is wrong with a line.
type Fault struct {
	Line    int
	Message string
}

// LinesError is the end of an import with wrong lines.
type LinesError struct {
	text  string
	Lines []Fault // the first ones
}

// Error returns how many lines are wrong, and what was done.
func (e *LinesError) Error() string { return e.text }

// faults collects the wrong lines of an import, in their order.
type faults struct {
	source string // its name
	shown  []Fault
	count  int
}

func (f *faults) add(line int, what error) {
	f.count++
	if f.count <= maxFaults {
		f.shown = append(f.shown, Fault{line, what.Error()})
	}
}

// report prints all of them.
func (f *faults) report(notify Notify) {
	for _, fault := range f.shown {
		notify("%s:%d: %s", f.source, fault.Line, fault.Message)
	}
	if more := f.count - len(f.shown); more > 0 {
		notify("and %d more %s", more, lineNoun(more))
	}
}

// failure returns the error that says how many there are, and then what was done; nil
// if there are none.
func (f *faults) failure(done string) error {
	switch f.count {
	case 0:
		return nil
	case 1:
		return &LinesError{"1 line is wrong" + done, f.shown}
	default:
		return &LinesError{fmt.Sprintf("%d lines are wrong%s", f.count, done), f.shown}
	}
}

func lineNoun(n int) string {
	if n == 1 {
		return "line"
	}
	return "lines"
}
