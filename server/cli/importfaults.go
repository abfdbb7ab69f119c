package cli

import "fmt"

// maxFaults is how many faulty lines are told one by one.
const maxFaults = 100

// faults are what is wrong with the lines of an import, in their order.
type faults struct {
	name  string // of the source
	shown []string
	count int
}

func (f *faults) add(line int, what error) {
	f.count++
	if f.count <= maxFaults {
		f.shown = append(f.shown, fmt.Sprintf("%s:%d: %s", f.name, line, what))
	}
}

// tell says all of them, and answers how many lines that is in words; "" if
// none is wrong.
func (f *faults) tell(a *app) string {
	for _, what := range f.shown {
		a.say("%s", what)
	}
	if more := f.count - len(f.shown); more > 0 {
		a.say("and %s more", plural(more, "line"))
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
