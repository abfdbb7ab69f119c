package registry

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"testing"

	"github.com/grantd/grantd/store"
)

// numbered is a store of n clients, named 0000 and so on, that counts its reads.
type numbered struct {
	store.Clients // nil: there are only lists
	n             int
	reads         []string
	fail          error
}

func (s *numbered) List(_ context.Context, p store.Page) (list []store.Client, err error) {
	s.reads = append(s.reads, fmt.Sprintf("%s+%d", p.After, p.Limit))
	for i := 0; i < s.n && len(list) < p.Limit; i++ {
		if id := fmt.Sprintf("%04d", i); id > p.After {
			list = append(list, store.Client{ID: id})
		}
	}
	return list, s.fail
}

// List reads on until it has a full page of what the view keeps.
func TestList(t *testing.T) {
	every := func(n int) func(store.Client) (string, bool, error) {
		return func(c store.Client) (string, bool, error) {
			i, err := strconv.Atoi(c.ID)
			return c.ID, i%n == 0, err
		}
	}
	for _, row := range []struct {
		rule  string
		n     int
		page  store.Page
		keep  int // every n-th
		want  []string
		reads []string
	}{
		{"nothing", 0, store.Page{Limit: 2}, 1, nil, []string{"+2"}},
		{"fewer than a page", 1, store.Page{Limit: 2}, 1, []string{"0000"}, []string{"+2"}},
		{"a full page", 9, store.Page{Limit: 2}, 1, []string{"0000", "0001"}, []string{"+2"}},
		{"the next page", 9, store.Page{After: "0001", Limit: 2}, 1, []string{"0002", "0003"}, []string{"0001+2"}},
		{"some are left out", 9, store.Page{Limit: 3}, 4, []string{"0000", "0004", "0008"}, []string{"+3", "0002+500"}},
		{"nearly all are left out", 1200, store.Page{Limit: 3}, 400, []string{"0000", "0400", "0800"}, []string{"+3", "0002+500", "0502+500"}},
		{"all are left out", 4, store.Page{After: "0000", Limit: 3}, 9, nil, []string{"0000+3", "0003+500"}},
	} {
		s := &numbered{n: row.n}
		g := New(Kind[store.Client]{Kind: store.ClientKind, Store: s}, nil, nil, nil)
		got, err := List(t.Context(), g, row.page, every(row.keep))
		if err != nil || got == nil {
			t.Errorf("%s: %v, %v; never nil, which JSON writes as null", row.rule, got, err)
		}
		same(t, row.rule, got, row.want...)
		same(t, row.rule+": reads", s.reads, row.reads...)
	}
}

func TestListThatFails(t *testing.T) {
	s := &numbered{n: 3, fail: store.ErrUnavailable}
	g := New(Kind[store.Client]{Kind: store.ClientKind, Store: s}, nil, nil, nil)
	_, err := List(t.Context(), g, store.Page{Limit: 3}, func(c store.Client) (string, bool, error) { return c.ID, true, nil })
	if !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("the store fails: %v", err)
	}
	s.fail = nil
	broken := errors.New("broken")
	_, err = List(t.Context(), g, store.Page{Limit: 3}, func(store.Client) (string, bool, error) { return "", false, broken })
	if !errors.Is(err, broken) {
		t.Errorf("the view fails: %v", err)
	}
}
