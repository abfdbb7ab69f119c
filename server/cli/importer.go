package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/grantd/grantd/server/customers"
)

// tally counts what became of the lines of an import.
type tally struct {
	Created   int `json:"created"`
	Updated   int `json:"updated"`
	Unchanged int `json:"unchanged"`
	Refused   int `json:"refused"`
}

func (t tally) good() int { return t.Created + t.Updated + t.Unchanged }

func (t tally) String() string {
	s := fmt.Sprintf("%d created, %d updated, %d unchanged", t.Created, t.Updated, t.Unchanged)
	if t.Refused > 0 {
		s += fmt.Sprintf(", %d refused", t.Refused)
	}
	return s
}

const refusedAlone = "is refused"

// add counts a result, and answers what is wrong with the line.
func (t *tally) add(it item, r customers.ImportResult) error {
	switch r.Result {
	case customers.Created:
		t.Created++
	case customers.Updated:
		t.Updated++
	case customers.Unchanged:
		t.Unchanged++
	default:
		t.Refused++
	}
	switch {
	case it.fault != nil:
		return it.fault
	case r.Result != customers.Refused:
		return nil
	case r.Field != "":
		return fmt.Errorf("%s (%s)", cmp.Or(r.Error, refusedAlone), r.Field)
	default:
		return errors.New(cmp.Or(r.Error, refusedAlone))
	}
}

// pass goes through a source once: it checks all of it, or writes it.
type pass struct {
	server   *api
	from     source
	progress *progress
	check    bool
	of       int // how many customers there are; 0: not known yet

	tally
	faults   faults
	answered bool // the server has answered once
}

func (p *pass) run(ctx context.Context) error {
	in, err := p.from.open()
	if err != nil {
		return err
	}
	defer in.Close()
	defer p.progress.clear()
	return newLines(in).batches(func(batch []item) error {
		if err := p.send(ctx, batch); err != nil {
			return err
		}
		if p.check {
			p.progress.show("%d customers are checked", p.good()+p.Refused)
		} else {
			p.progress.show("%d of %d customers are written", p.good(), p.of)
		}
		return nil
	})
}

// send asks for what is good in the batch, and tells all of it in the order of
// the lines.
func (p *pass) send(ctx context.Context, batch []item) error {
	body := customers.Import{Check: p.check}
	for _, it := range batch {
		if it.fault == nil {
			body.Customers = append(body.Customers, it.customer)
		}
	}
	results, err := p.ask(ctx, body)
	if err != nil {
		return err
	}
	for _, it := range batch {
		result := customers.ImportResult{Result: customers.Refused}
		if it.fault == nil {
			result, results = results[0], results[1:]
		}
		if fault := p.add(it, result); fault != nil {
			p.faults.add(it.line, fault)
		}
	}
	return nil
}

// ask makes the call again when it fails, which does no harm: what is done is
// unchanged then. The first call is not, a wrong address would take long to
// be said.
func (p *pass) ask(ctx context.Context, body customers.Import) ([]customers.ImportResult, error) {
	if err := ctx.Err(); err != nil || len(body.Customers) == 0 {
		return nil, err
	}
	what := call{method: http.MethodPost, path: path(pathCustomers, "import"), body: body, again: true}
	ask := p.server.do
	if p.answered {
		ask = func(ctx context.Context, what call) ([]byte, error) {
			return p.server.persist(ctx, what, p.progress.note)
		}
	}
	answer, err := ask(ctx, what)
	if err != nil {
		return nil, err
	}
	p.answered = true
	imported, err := decode[customers.Imported](answer)
	if err != nil {
		return nil, err
	}
	if len(imported.Results) != len(body.Customers) {
		return nil, fmt.Errorf("the server answered %d results for %d customers", len(imported.Results), len(body.Customers))
	}
	for _, r := range imported.Results {
		switch r.Result {
		case customers.Created, customers.Updated, customers.Unchanged, customers.Refused:
		default:
			return nil, errors.New("the server's answer has a result that this grantd does not know (is one of the two older?)")
		}
	}
	return imported.Results, nil
}
