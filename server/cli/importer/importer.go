// Package importer makes or changes many customers from a file with one JSON
// object on each line. It reads the file twice: the first pass checks every
// line, here and on the server, and the second writes them, only if none is
// wrong. An import that stopped is continued by running it again, because the
// customers that were written are then unchanged.
//
// The caller makes the calls of the admin API, opens the file and prints the
// result; see package cli. No message contains a telephone number.
package importer

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/grantd/grantd/server/customers"
)

// Source is the input. Each pass opens it and reads it to the end.
type Source struct {
	Name string // as messages show it
	Open func() (io.ReadCloser, error)
}

// Notify prints one line for people.
type Notify func(format string, args ...any)

// Call makes one request of the admin API for part of the customers, with one
// result for each. retrying is called before a failed request is repeated; if
// it is nil, the first failure is returned.
type Call func(ctx context.Context, part customers.Import, retrying Notify) (customers.Imported, error)

// Importer imports one Source.
type Importer struct {
	Source   Source
	Call     Call
	Notify   Notify    // prints wrong lines, and what was done before an error
	Terminal io.Writer // progress is drawn here; nil: it is printed by Notify
}

// Run checks the whole source and then writes it. The Tally is nil unless the
// second pass reached the end of the source. It comes with an error if the
// server refused lines that it had accepted in the check.
func (i *Importer) Run(ctx context.Context) (*Tally, error) {
	progress := newProgress(i.Notify, i.Terminal)
	check := &pass{Importer: i, progress: progress, check: true, faults: faults{source: i.Source.Name}}
	err := check.run(ctx)
	wrong := check.faults.report(i.Notify)
	switch {
	case err != nil:
		i.Notify("nothing was written")
		return nil, err
	case wrong != "":
		return nil, errors.New(wrong + "; nothing was written")
	case check.accepted() == 0:
		return nil, fmt.Errorf("%s contains no customers", i.Source.Name)
	}
	return i.write(ctx, &pass{
		Importer: i, progress: progress, total: check.accepted(), reached: true, faults: faults{source: i.Source.Name},
	})
}

func (i *Importer) write(ctx context.Context, write *pass) (*Tally, error) {
	err := write.run(ctx)
	wrong := write.faults.report(i.Notify)
	if err != nil {
		i.Notify("stopped after writing %d of %s (%s); run the same command again to continue: customers already written will be unchanged",
			write.accepted(), plural(write.total, "customer"), write.Tally)
		return nil, err
	}
	if wrong != "" {
		err = errors.New(wrong + ", although the check accepted them, and the others were written: the file or the server changed in between")
	}
	return &write.Tally, err
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
