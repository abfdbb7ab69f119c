package importer

import "fmt"

// maxFaults is how many wrong lines are reported one by one.
const maxFaults = 100

// faults collects the wrong lines of an import, in their order.
type faults struct {
	source string // its name
	shown  []string
	count  int
}

func (f *faults) add(line int, what error) {
	f.count++
	if f.count <= maxFaults {
		f.shown = append(f.shown, fmt.Sprintf("%s:%d: %s", f.source, line, what))
	}
}

// report prints all of them, and returns their number as a sentence; "" if
// there are none.
func (f *faults) report(notify Notify) string {
	for _, what := range f.shown {
		notify("%s", what)
	}
	if more := f.count - len(f.shown); more > 0 {
		notify("and %d more %s", more, lineNoun(more))
	}
	switch f.count {
	case 0:
		return ""
	case 1:
		return "1 line is wrong"
	default:
		return fmt.Sprintf("%d lines are wrong", f.count)
	}
}

func lineNoun(n int) string {
	if n == 1 {
		return "line"
	}
	return "lines"
}
