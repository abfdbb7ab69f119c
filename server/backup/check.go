package backup

import (
	"context"

	"github.com/grantd/grantd/store"
)

// Report is the result of Check.
type Report struct {
	Counts   map[store.Section]int `json:"counts"`
	Problems int                   `json:"problems"`
	// Findings are the first maxFindings of the problems.
	Findings []store.Finding `json:"findings"`
}

// maxFindings is how many problems a report names.
const maxFindings = 1000

// Add adds a finding.
func (r *Report) Add(f store.Finding) {
	if r.Problems++; len(r.Findings) < maxFindings {
		r.Findings = append(r.Findings, f)
	}
}

// Check decodes everything in the store, and checks how the store keeps it. Errors:
// store.ErrUnavailable.
func Check(ctx context.Context, s store.Store, o Options) (*Report, error) {
	r := &Report{Counts: map[store.Section]int{}, Findings: []store.Finding{}}
	if err := s.Inspect(ctx, r.Add); err != nil {
		return r, err
	}
	if _, err := s.ReadStamp(ctx); err != nil {
		r.Add(store.Finding{Section: sectionStamp, Problem: err.Error()})
	}
	for _, section := range store.Sections() {
		err := eachPage(ctx, s, section, o, func(items []store.Item) error {
			for _, i := range items {
				r.Counts[i.Section]++
				if err := i.Check(); err != nil {
					r.Add(store.Finding{Section: i.Section, Key: i.Name(), Problem: err.Error()})
				}
			}
			return nil
		})
		if err != nil {
			r.Add(store.Finding{Section: section, Problem: err.Error()})
		}
	}
	if r.Counts[store.SectionTokenKeys] == 0 {
		r.Add(store.Finding{Section: store.SectionTokenKeys, Problem: "there is no key of the keyed check: no token can be read"})
	}
	return r, nil
}

// sectionStamp is the section of findings about the stamp.
const sectionStamp store.Section = "stamp"
