// Package importer makes or changes many records, such as customers, from a file with
// one of them on each line. It reads the file twice: the first pass checks every
// line, here and on the server, and the second writes them, only if none is
// wrong. An import that stopped is continued by running it again, because the
// records that were written are then unchanged.
//
// The caller makes the calls of the admin API, opens the file and prints the
// result; see package cli. No message contains a telephone number, a secret or a
// hash.
package importer

import (
	"context"
	"fmt"
	"io"

	"github.com/grantd/grantd/server/imports"
)

// Source is the input. Each pass opens it and reads it to the end.
type Source struct {
	Name string // as messages show it
	Open func() (io.ReadCloser, error)
}

// Notify prints one line for people.
type Notify func(format string, args ...any)

// Call makes one request of the admin API for part of the records, with one
// result for each. With check it only asks what would happen. retrying is called
// before a failed request is repeated; if it is nil, the first failure is returned.
type Call[T any] func(ctx context.Context, part []T, check bool, retrying Notify) (imports.Response, error)

// Importer imports one Source.
type Importer[T any] struct {
	Kind     Kind[T]
	Source   Source
	Call     Call[T]
	Notify   Notify    // prints wrong lines, notes, and what was done before an error
	Terminal io.Writer // progress is drawn here; nil: it is printed by Notify
	DryRun   bool      // only check
	// FaultsInError leaves wrong lines to the caller, who finds them in the LinesError.
	FaultsInError bool
}

// Run checks the whole source and then writes it, unless it is a dry run. The Tally
// is nil unless the last pass reached the end of the source. It comes with an error
// if the server refused lines that it had accepted in the check.
func (i *Importer[T]) Run(ctx context.Context) (*Tally, error) {
	progress := newProgress(i.Notify, i.Terminal)
	check := i.newPass(progress, pass[T]{check: true})
	err := check.run(ctx)
	wrong := check.faults.failure("; nothing was written")
	i.reportFaults(&check.faults, err)
	check.notes.report(i.Notify)
	switch {
	case err != nil:
		i.Notify("nothing was written")
		return nil, err
	case wrong != nil:
		return nil, wrong
	case check.accepted() == 0:
		return nil, fmt.Errorf("%s contains no %ss", i.Source.Name, i.Kind.Noun)
	case i.DryRun:
		check.Tally.DryRun = true
		return &check.Tally, nil
	}
	return i.write(ctx, i.newPass(progress, pass[T]{total: check.accepted(), reached: true}))
}

func (i *Importer[T]) newPass(progress *progress, p pass[T]) *pass[T] {
	p.Importer, p.progress, p.noun, p.faults.source = i, progress, i.Kind.Noun, i.Source.Name
	p.notes = notes{source: i.Source.Name, noun: i.Kind.Noun}
	return &p
}

func (i *Importer[T]) write(ctx context.Context, write *pass[T]) (*Tally, error) {
	err := write.run(ctx)
	i.reportFaults(&write.faults, err)
	if err != nil {
		i.Notify("stopped after writing %d of %s (%s); run the same command again to continue: %ss already written will be unchanged",
			write.accepted(), plural(write.total, i.Kind.Noun), write.Tally, i.Kind.Noun)
		return nil, err
	}
	return &write.Tally, write.faults.failure(", although the check accepted them, and the others were written: the file or the server changed in between")
}

// reportFaults prints the wrong lines, unless the error of the import lists them for a
// program. failed is what ended the pass early; nil if nothing did.
func (i *Importer[T]) reportFaults(f *faults, failed error) {
	if failed != nil || !i.FaultsInError {
		f.report(i.Notify)
	}
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
