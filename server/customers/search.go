package customers

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/grantd/grantd/server/apierr"
	"github.com/grantd/grantd/server/field"
	"github.com/grantd/grantd/server/phone"
	"github.com/grantd/grantd/server/phonekeys"
	"github.com/grantd/grantd/store"
)

// Search is the body of one call of the search. It is a body and no query, because a
// number must not be in a URL.
type Search struct {
	Phone  string `json:"phone"`  // "": any
	OrgID  string `json:"org_id"` // "": any
	Locked bool   `json:"locked"` // only customers whose codes are refused now
	Limit  int    `json:"limit"`  // 0: 100
	Cursor string `json:"cursor"` // the next_cursor of the call before; "": from the start
}

// Found is the response to one call of the search. A call reads a bounded number of
// records, so it may find none before the last one.
type Found struct {
	Customers []Shown `json:"customers"`
	// Unreadable is how many of the records have a number that could not be compared,
	// because its key is missing.
	Unreadable int    `json:"unreadable"`
	NextCursor string `json:"next_cursor,omitempty"`
}

// Bounds of one call of the search.
const (
	searchPage   = 500
	searchMost   = 5000 // records
	searchAtOnce = 32   // customers whose counts are read at the same time
	defaultFound = 100
	maxFound     = 1000

	searchWait = time.Second // for one that finds another running
)

var (
	errFoundLimit = apierr.Member("limit", "limit is a number from 1 to 1000")
	errSearching  = apierr.New(apierr.TooManyRequests, "another search for locked customers is running: try again when it has ended").After(searchWait)
)

// Search finds customers by a number on file, or those whose codes are refused now. It
// reads the records one after the other, in the order of their ids: numbers are
// encrypted differently in each record, so there is no index of them.
// Knowing which customers are locked takes two more reads for each customer, so one such search runs
// at a time.
// Errors: apierr.InvalidRequest, TooManyRequests; store.ErrUnavailable.
func (s *Service) Search(ctx context.Context, q Search) (Found, error) {
	if err := q.check(); err != nil {
		return Found{}, err
	}
	if q.Locked {
		if !s.searching.TryLock() {
			return Found{}, errSearching
		}
		defer s.searching.Unlock()
	}
	out := Found{Customers: []Shown{}}
	after := q.Cursor
	for range searchMost / searchPage {
		page, err := s.o.Phones.List(ctx, store.Page{Group: q.OrgID, After: after, Limit: searchPage})
		if err != nil {
			return Found{}, err
		}
		found, err := s.searchPage(ctx, q, page, &out)
		if err != nil {
			return Found{}, err
		}
		if room := q.Limit - len(out.Customers); len(found) >= room {
			out.Customers = append(out.Customers, found[:room]...)
			out.NextCursor = found[room-1].CustomerID
			return out, nil
		}
		out.Customers = append(out.Customers, found...)
		if len(page) < searchPage {
			return out, nil
		}
		after = page[len(page)-1].ID
	}
	out.NextCursor = after
	return out, nil
}

// check completes the search, or refuses it.
func (q *Search) check() error {
	if q.Phone != "" {
		number, err := phone.Parse(q.Phone)
		if err != nil {
			return apierr.Member("phone", "phone "+err.Error())
		}
		q.Phone = number
	}
	if q.Limit == 0 {
		q.Limit = defaultFound
	}
	switch {
	case q.OrgID != "" && !field.ValidID(q.OrgID):
		return errOrgID
	case q.Limit < 1 || q.Limit > maxFound:
		return errFoundLimit
	case q.Cursor != "" && !field.ValidID(q.Cursor):
		return errCursor
	}
	return nil
}

// searchPage returns the customers of the page that the search selects.
func (s *Service) searchPage(ctx context.Context, q Search, page []store.Customer, out *Found) ([]Shown, error) {
	var candidates []store.Customer
	for _, c := range page {
		numbers := phonesOf(c)
		switch {
		case q.OrgID != "" && c.OrgID != q.OrgID:
		case q.Phone == "" || slices.Contains(numbers, q.Phone):
			candidates = append(candidates, c)
		case slices.ContainsFunc(numbers, func(n string) bool { return !phonekeys.Readable(n) }):
			out.Unreadable++
		}
	}
	if room := q.Limit - len(out.Customers); !q.Locked && len(candidates) > room {
		candidates = candidates[:room] // the counts of the others are not needed
	}
	all, err := s.showAll(ctx, candidates)
	if q.Locked {
		all = slices.DeleteFunc(all, func(v Shown) bool { return v.BlockedBy == nil })
	}
	return all, err
}

// showAll returns the customers with their counts, in the same order.
func (s *Service) showAll(ctx context.Context, customers []store.Customer) ([]Shown, error) {
	views, failed := make([]Shown, len(customers)), make([]error, len(customers))
	slots := make(chan struct{}, searchAtOnce)
	var all sync.WaitGroup
	for i, c := range customers {
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			views[i], failed[i] = s.shown(ctx, c)
		})
	}
	all.Wait()
	for _, err := range failed {
		if err != nil {
			return nil, err
		}
	}
	return views, nil
}
