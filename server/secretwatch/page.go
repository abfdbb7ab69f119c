package secretwatch

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/grantd/grantd/store"
)

const (
	// readAtOnce is how many records one read returns.
	readAtOnce = 500
	// readMost bounds the records that one call of Page reads, so that it ends soon
	// however few the filter selects.
	readMost = 10_000
)

// Filter selects credentials. A credential must match all that is set; the zero
// Filter selects those that work.
type Filter struct {
	State       State     // "": Active
	AnyState    bool      // whatever the state
	EndsBefore  time.Time // it ends by itself before this time, and was not replaced
	MadeBefore  time.Time // it was made before this time
	UnusedSince time.Time // it was made before this time and not used since
	Record      string    // id of the record that has it; "": any
	Group       string    // of the record (store.Page.Group), such as an org; "": any
}

// Found is a credential that a filter selects, with the record that has it and its
// last use, which is a few seconds behind; a Count of 0: it was never used.
type Found[R any] struct {
	Credential
	Record *R
	Use    store.Use
}

// matches reports whether the credential may be selected, without knowing its use.
func (f Filter) matches(c Credential) bool {
	state := f.State
	if state == "" {
		state = Active
	}
	switch {
	case !f.AnyState && c.State != state,
		!f.EndsBefore.IsZero() && (c.Replaced || c.ExpiresAt.IsZero() || !c.ExpiresAt.Before(f.EndsBefore)),
		!f.MadeBefore.IsZero() && !c.CreatedAt.Before(f.MadeBefore),
		!f.UnusedSince.IsZero() && !c.CreatedAt.Before(f.UnusedSince):
		return false
	}
	return true
}

// Page returns up to limit credentials that the filter selects, in the order of the
// ids of their records and then of their ids, after the one with the key after
// ("" starts at the first). next is the key to go on after, and "" at the end. Page
// reads a bounded number of records, so it may return fewer than limit, or none,
// before the end. It reads the uses of many records in one round trip.
func (k Kind[R]) Page(ctx context.Context, uses store.Uses, f Filter, after string, limit int, now time.Time) (found []Found[R], next string, err error) {
	record, credential := cutKey(after)
	var first []R
	if credential != "" { // the rest of the record that the last page ended in
		r, err := k.Records.Get(ctx, record)
		switch {
		case err == nil:
			first = []R{r}
		case !errors.Is(err, store.ErrNotFound):
			return nil, "", err
		}
	}
	page := first
	for read, atOnce := 0, min(limit+1, readAtOnce); ; atOnce = readAtOnce {
		selected, err := k.selectFrom(ctx, uses, f, page, now)
		if err != nil {
			return nil, "", err
		}
		for _, x := range selected {
			id := k.Of.ID(x.Record)
			if id == record && x.ID <= credential {
				continue
			}
			if len(found) == limit {
				last := &found[limit-1]
				return found, key(k.Of.ID(last.Record), last.ID), nil
			}
			found = append(found, x)
		}
		if read >= readMost {
			return found, key(record, ""), nil
		}
		if page, err = k.list(ctx, f, record, atOnce); err != nil {
			return nil, "", err
		}
		if len(page) == 0 {
			return found, "", nil
		}
		read += len(page)
		record, credential = k.Of.ID(&page[len(page)-1]), ""
	}
}

// list returns the records after the one with the given id.
func (k Kind[R]) list(ctx context.Context, f Filter, after string, limit int) ([]R, error) {
	if f.Record == "" {
		return k.Records.List(ctx, store.Page{Group: f.Group, After: after, Limit: limit})
	}
	if after >= f.Record {
		return nil, nil
	}
	r, err := k.Records.Get(ctx, f.Record)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	return []R{r}, err
}

// Each calls do with every credential that the filter selects. It reads all
// records, in pages.
func (k Kind[R]) Each(ctx context.Context, uses store.Uses, f Filter, now time.Time, do func(Found[R]) error) error {
	for after := ""; ; {
		found, next, err := k.Page(ctx, uses, f, after, readAtOnce, now)
		if err != nil {
			return err
		}
		for _, x := range found {
			if err := do(x); err != nil {
				return err
			}
		}
		if next == "" {
			return nil
		}
		after = next
	}
}

// selectFrom returns the credentials of the records that the filter selects.
func (k Kind[R]) selectFrom(ctx context.Context, uses store.Uses, f Filter, records []R, now time.Time) ([]Found[R], error) {
	var candidates []Found[R]
	var owners []string
	for i := range records {
		for _, c := range byID(k.Credentials(&records[i], now)) {
			if !f.matches(c) {
				continue
			}
			candidates = append(candidates, Found[R]{Credential: c, Record: &records[i]})
			if n := len(owners); n == 0 || owners[n-1] != c.Owner {
				owners = append(owners, c.Owner)
			}
		}
	}
	if len(candidates) == 0 {
		return nil, nil
	}
	list, err := uses.ListUsesOf(ctx, owners...)
	if err != nil {
		return nil, err
	}
	type id struct{ owner, id string }
	byID := make(map[id]store.Use, len(list))
	for _, u := range list {
		byID[id{u.Owner, u.ID}] = u
	}
	selected := candidates[:0]
	for _, x := range candidates {
		x.Use = byID[id{x.Owner, x.ID}]
		if f.UnusedSince.IsZero() || x.Use.LastAt.Before(f.UnusedSince) {
			selected = append(selected, x)
		}
	}
	return selected, nil
}

// key returns the place of a credential in the order of Page. credential "" is the
// place after all of the record.
func key(record, credential string) string {
	if credential == "" {
		return record
	}
	return record + "/" + credential
}

// cutKey splits what key returned.
func cutKey(key string) (record, credential string) {
	record, credential, _ = strings.Cut(key, "/")
	return record, credential
}
