package importer

import (
	"cmp"
	"errors"
	"fmt"

	"github.com/grantd/grantd/server/customers"
)

// Tally counts the lines of an import by their result.
type Tally struct {
	Created   int `json:"created"`
	Updated   int `json:"updated"`
	Unchanged int `json:"unchanged"`
	Refused   int `json:"refused"`
}

func (t Tally) accepted() int { return t.Created + t.Updated + t.Unchanged }

// String returns the counts on one line.
func (t Tally) String() string {
	s := fmt.Sprintf("%d created, %d updated, %d unchanged", t.Created, t.Updated, t.Unchanged)
	if t.Refused > 0 {
		s += fmt.Sprintf(", %d refused", t.Refused)
	}
	return s
}

// Summary returns the number of all customers and the counts, on one line.
func (t Tally) Summary() string {
	return plural(t.accepted()+t.Refused, "customer") + ": " + t.String()
}

const refusedWithoutReason = "was refused"

// count adds a result to the tally and returns what is wrong with the line.
func (t *Tally) count(it item, r customers.ImportResult) error {
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
		return fmt.Errorf("%s (%s)", cmp.Or(r.Error, refusedWithoutReason), r.Field)
	default:
		return errors.New(cmp.Or(r.Error, refusedWithoutReason))
	}
}
