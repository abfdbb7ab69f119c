package importer

import (
	"fmt"

	"github.com/grantd/grantd/server/imports"
)

// Tally counts the lines of an import by their result.
type Tally struct {
	Created   int  `json:"created"`
	Updated   int  `json:"updated"`
	Unchanged int  `json:"unchanged"`
	Refused   int  `json:"refused"`
	DryRun    bool `json:"dry_run,omitempty"` // nothing was written
	noun      string
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

// Summary returns the number of all records and the counts, on one line.
func (t Tally) Summary() string {
	s := plural(t.accepted()+t.Refused, t.noun) + ": " + t.String()
	if t.DryRun {
		s = "dry run, nothing was written: " + s
	}
	return s
}

// count adds a result to the tally.
func (t *Tally) count(r imports.Result) {
	switch r.Result {
	case imports.Created:
		t.Created++
	case imports.Updated:
		t.Updated++
	case imports.Unchanged:
		t.Unchanged++
	default:
		t.Refused++
	}
}
