package importer

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/grantd/grantd/server/imports"
)

// pass reads the source once, to check all of it or to write it.
type pass[T any] struct {
	*Importer[T]
	progress *progress
	check    bool
	total    int // how many records there are; 0: not known yet

	Tally
	faults  faults
	notes   notes
	reached bool // the server has responded once
}

func (p *pass[T]) run(ctx context.Context) error {
	in, err := p.Source.Open()
	if err != nil {
		return err
	}
	defer in.Close()
	defer p.progress.clear()
	return newLines(p.Kind, in).forEachBatch(func(batch []item[T]) error {
		if err := p.send(ctx, batch); err != nil {
			return err
		}
		if p.check {
			p.progress.show("%d %ss checked", p.accepted()+p.Refused, p.Kind.Noun)
		} else {
			p.progress.show("%d of %d %ss written", p.accepted(), p.total, p.Kind.Noun)
		}
		return nil
	})
}

// send calls the server for the good lines of the batch, and counts all lines
// in their order.
func (p *pass[T]) send(ctx context.Context, batch []item[T]) error {
	var part []T
	for _, it := range batch {
		if it.fault == nil {
			part = append(part, it.record)
		}
	}
	results, err := p.call(ctx, part)
	if err != nil {
		return err
	}
	for _, it := range batch {
		result := imports.Result{Result: imports.Refused}
		if it.fault == nil {
			result, results = results[0], results[1:]
		}
		p.count(result)
		fault := it.fault
		if fault == nil {
			fault = p.refusal(result)
		}
		if fault == nil {
			p.notes.add(it.line, it.notes)
		} else {
			p.faults.add(it.line, fault)
		}
	}
	return nil
}

// call retries a failed request, which does no harm: records that were
// written are then unchanged. The first request is not retried, so that a
// wrong address is reported at once.
func (p *pass[T]) call(ctx context.Context, part []T) ([]imports.Result, error) {
	if err := ctx.Err(); err != nil || len(part) == 0 {
		return nil, err
	}
	var retrying Notify
	if p.reached {
		retrying = p.progress.note
	}
	response, err := p.Call(ctx, part, p.check, retrying)
	if err != nil {
		return nil, err
	}
	p.reached = true
	if len(response.Results) != len(part) {
		return nil, fmt.Errorf("the server returned %d results for %d %ss", len(response.Results), len(part), p.Kind.Noun)
	}
	for _, r := range response.Results {
		switch r.Result {
		case imports.Created, imports.Updated, imports.Unchanged, imports.Refused:
		default:
			return nil, errors.New("the server returned a result that this grantd does not know (is one of the two an older version?)")
		}
	}
	return response.Results, nil
}

// refusal returns why the server refused a line; nil: it did not.
func (p *pass[T]) refusal(r imports.Result) error {
	switch {
	case r.Result != imports.Refused:
		return nil
	case r.Field != "":
		return fmt.Errorf("%s (%s)", cmp.Or(r.Error, refusedWithoutReason), p.Kind.member(r.Field))
	default:
		return errors.New(cmp.Or(r.Error, refusedWithoutReason))
	}
}

const refusedWithoutReason = "was refused"
