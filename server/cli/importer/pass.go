package importer

import (
	"context"
	"errors"
	"fmt"

	"github.com/grantd/grantd/server/customers"
)

// pass reads the source once, to check all of it or to write it.
type pass struct {
	*Importer
	progress *progress
	check    bool
	total    int // how many customers there are; 0: not known yet

	Tally
	faults  faults
	reached bool // the server has responded once
}

func (p *pass) run(ctx context.Context) error {
	in, err := p.Source.Open()
	if err != nil {
		return err
	}
	defer in.Close()
	defer p.progress.clear()
	return newLines(in).forEachBatch(func(batch []item) error {
		if err := p.send(ctx, batch); err != nil {
			return err
		}
		if p.check {
			p.progress.show("%d customers checked", p.accepted()+p.Refused)
		} else {
			p.progress.show("%d of %d customers written", p.accepted(), p.total)
		}
		return nil
	})
}

// send calls the server for the good lines of the batch, and counts all lines
// in their order.
func (p *pass) send(ctx context.Context, batch []item) error {
	part := customers.Import{Check: p.check}
	for _, it := range batch {
		if it.fault == nil {
			part.Customers = append(part.Customers, it.customer)
		}
	}
	results, err := p.call(ctx, part)
	if err != nil {
		return err
	}
	for _, it := range batch {
		result := customers.ImportResult{Result: customers.Refused}
		if it.fault == nil {
			result, results = results[0], results[1:]
		}
		if fault := p.count(it, result); fault != nil {
			p.faults.add(it.line, fault)
		}
	}
	return nil
}

// call retries a failed request, which does no harm: customers that were
// written are then unchanged. The first request is not retried, so that a
// wrong address is reported at once.
func (p *pass) call(ctx context.Context, part customers.Import) ([]customers.ImportResult, error) {
	if err := ctx.Err(); err != nil || len(part.Customers) == 0 {
		return nil, err
	}
	var retrying Notify
	if p.reached {
		retrying = p.progress.note
	}
	imported, err := p.Call(ctx, part, retrying)
	if err != nil {
		return nil, err
	}
	p.reached = true
	if len(imported.Results) != len(part.Customers) {
		return nil, fmt.Errorf("the server returned %d results for %d customers", len(imported.Results), len(part.Customers))
	}
	for _, r := range imported.Results {
		switch r.Result {
		case customers.Created, customers.Updated, customers.Unchanged, customers.Refused:
		default:
			return nil, errors.New("the server returned a result that this grantd does not know (is one of the two an older version?)")
		}
	}
	return imported.Results, nil
}
