package storetest

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/grantd/grantd/store"
)

// idAlphabet is every character of an id (contract §2).
const idAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._~=+-"

func clientChecks() []check {
	return []check{
		{"CreateThenGetAnswersTheWholeRecord", clientWhole},
		{"CreateKeepsVersion", clientFirstVersion},
		{"CreateOfAnIDThatIsThere", clientExists},
		{"GetOfAnUnknownID", clientUnknown},
		{"UpdateReplacesAndCounts", clientUpdate},
		{"UpdateOfAnotherVersion", clientConflict},
		{"UpdatesAtOnceLoseNothing", clientUpdatesAtOnce},
		{"CreatesAtOnceHaveOneWinner", clientCreatesAtOnce},
		{"Delete", clientDelete},
		{"ListPagesInByteOrder", clientList},
		{"ListAfterAnIDThatIsNotThere", clientListBetween},
		{"EveryCharacterOfAnID", clientIDs},
		{"LargeRecord", clientLarge},
		{"RecordsOutliveReopening", clientReopen},
	}
}

func clientWhole(t *testing.T, o Opened) {
	for _, c := range []store.Client{plainClient(o.Now(), "plain"), fullClient(o.Now(), "full")} {
		ok(t, o.Store.CreateClient(within(t), c))
		same(t, c.ID, must[store.Client](t)(o.Store.GetClient(within(t), c.ID)), c)
	}
}

func clientFirstVersion(t *testing.T, o Opened) {
	for given, want := range map[uint64]uint64{0: 1, 1: 1, 17: 17, 1 << 40: 1 << 40} {
		c := plainClient(o.Now(), fmt.Sprint("c", given))
		c.Version = given
		ok(t, o.Store.CreateClient(within(t), c))
		read := must[store.Client](t)(o.Store.GetClient(within(t), c.ID))
		same(t, "version", read.Version, want)
		ok(t, o.Store.UpdateClient(within(t), read))
		ok(t, o.Store.DeleteClient(within(t), c.ID, want+1))
	}
}

func clientExists(t *testing.T, o Opened) {
	first := fullClient(o.Now(), "a")
	ok(t, o.Store.CreateClient(within(t), first))
	wants(t, "second create", o.Store.CreateClient(within(t), plainClient(o.Now(), "a")), store.ErrExists)
	same(t, "the first record", must[store.Client](t)(o.Store.GetClient(within(t), "a")), first)
}

func clientUnknown(t *testing.T, o Opened) {
	ok(t, o.Store.CreateClient(within(t), plainClient(o.Now(), "ab")))
	for _, id := range []string{"a", "abc", "AB", "b"} {
		_, err := o.Store.GetClient(within(t), id)
		wants(t, "get "+id, err, store.ErrNotFound)
	}
	wants(t, "update", o.Store.UpdateClient(within(t), plainClient(o.Now(), "a")), store.ErrNotFound)
	wants(t, "delete", o.Store.DeleteClient(within(t), "a", 1), store.ErrNotFound)
}

func clientUpdate(t *testing.T, o Opened) {
	ok(t, o.Store.CreateClient(within(t), fullClient(o.Now(), "a")))
	next := plainClient(o.Now(), "a")
	next.Name = "after"
	ok(t, o.Store.UpdateClient(within(t), next))
	next.Version = 2
	same(t, "replaced, not merged", must[store.Client](t)(o.Store.GetClient(within(t), "a")), next)
	ok(t, o.Store.UpdateClient(within(t), next))
	same(t, "version", must[store.Client](t)(o.Store.GetClient(within(t), "a")).Version, uint64(3))
}

func clientConflict(t *testing.T, o Opened) {
	c := plainClient(o.Now(), "a")
	ok(t, o.Store.CreateClient(within(t), c))
	ok(t, o.Store.UpdateClient(within(t), c))
	want := must[store.Client](t)(o.Store.GetClient(within(t), "a"))
	for _, version := range []uint64{0, 1, 3} {
		stale := fullClient(o.Now(), "a")
		stale.Version = version
		wants(t, fmt.Sprint("update of version ", version), o.Store.UpdateClient(within(t), stale), store.ErrConflict)
		wants(t, fmt.Sprint("delete of version ", version), o.Store.DeleteClient(within(t), "a", version), store.ErrConflict)
	}
	same(t, "untouched record", must[store.Client](t)(o.Store.GetClient(within(t), "a")), want)
}

func clientUpdatesAtOnce(t *testing.T, o Opened) {
	const writers = 50
	ctx := within(t)
	first := plainClient(o.Now(), "a")
	first.Name = "0"
	ok(t, o.Store.CreateClient(ctx, first))
	increment := func() error {
		c, err := o.Store.GetClient(ctx, "a")
		if err != nil {
			return err
		}
		n, err := strconv.Atoi(c.Name)
		if err != nil {
			return err
		}
		c.Name = strconv.Itoa(n + 1)
		return o.Store.UpdateClient(ctx, c)
	}
	together(writers, func(int) {
		err := increment()
		for errors.Is(err, store.ErrConflict) {
			err = increment()
		}
		if err != nil {
			t.Errorf("increment: %v", err)
		}
	})
	last := must[store.Client](t)(o.Store.GetClient(ctx, "a"))
	same(t, "increments", last.Name, strconv.Itoa(writers))
	same(t, "version", last.Version, uint64(writers+1))
}

func clientCreatesAtOnce(t *testing.T, o Opened) {
	const writers = 20
	ctx := within(t)
	results := make([]error, writers)
	together(writers, func(i int) { results[i] = o.Store.CreateClient(ctx, plainClient(o.Now(), "a")) })
	made := 0
	for _, err := range results {
		if err == nil {
			made++
			continue
		}
		wants(t, "the losers", err, store.ErrExists)
	}
	same(t, "winners", made, 1)
}

func clientDelete(t *testing.T, o Opened) {
	for _, id := range []string{"a", "b"} {
		ok(t, o.Store.CreateClient(within(t), plainClient(o.Now(), id)))
	}
	ok(t, o.Store.DeleteClient(within(t), "a", 1))
	_, err := o.Store.GetClient(within(t), "a")
	wants(t, "get", err, store.ErrNotFound)
	wants(t, "delete again", o.Store.DeleteClient(within(t), "a", 1), store.ErrNotFound)
	same(t, "list", listIDs(t, o.Store, 10), []string{"b"})
	ok(t, o.Store.CreateClient(within(t), plainClient(o.Now(), "a")))
	same(t, "created again", listIDs(t, o.Store, 10), []string{"a", "b"})
}

// listIDs answers the ids of all clients, read in pages.
func listIDs(t *testing.T, s store.Store, page int) []string {
	t.Helper()
	var ids []string
	after := ""
	for {
		clients := must[[]store.Client](t)(s.ListClients(within(t), after, page))
		if len(clients) > page {
			t.Fatalf("a page of %d clients, limit %d", len(clients), page)
		}
		for _, c := range clients {
			ids = append(ids, c.ID)
			after = c.ID
		}
		if len(clients) < page {
			return ids
		}
	}
}

func clientList(t *testing.T, o Opened) {
	same(t, "empty store", len(must[[]store.Client](t)(o.Store.ListClients(within(t), "", 5))), 0)
	var want []string
	for i := range 21 {
		for _, form := range []string{"c%d", "C-%d", "c.%d~"} {
			want = append(want, fmt.Sprintf(form, i))
		}
	}
	together(len(want), func(i int) {
		if err := o.Store.CreateClient(within(t), plainClient(o.Now(), want[i])); err != nil {
			t.Error(err)
		}
	})
	slices.Sort(want)
	for _, page := range []int{1, 7, len(want), len(want) + 1} {
		same(t, fmt.Sprint("ids in pages of ", page), listIDs(t, o.Store, page), want)
	}
	got := must[[]store.Client](t)(o.Store.ListClients(within(t), "", 1))
	same(t, "a listed record", got, []store.Client{plainClient(o.Now(), want[0])})
}

func clientListBetween(t *testing.T, o Opened) {
	for _, id := range []string{"a", "c", "e"} {
		ok(t, o.Store.CreateClient(within(t), plainClient(o.Now(), id)))
	}
	got := must[[]store.Client](t)(o.Store.ListClients(within(t), "b", 1))
	same(t, "after b", got, []store.Client{plainClient(o.Now(), "c")})
	same(t, "after z", len(must[[]store.Client](t)(o.Store.ListClients(within(t), "z", 1))), 0)
}

func clientIDs(t *testing.T, o Opened) {
	ids := []string{idAlphabet, strings.Repeat("~", 128)}
	for _, c := range idAlphabet {
		ids = append(ids, string(c), "x"+string(c))
	}
	ctx := within(t)
	together(len(ids), func(i int) {
		if err := o.Store.CreateClient(ctx, plainClient(o.Now(), ids[i])); err != nil {
			t.Errorf("create %q: %v", ids[i], err)
		}
	})
	for _, id := range ids {
		same(t, id, must[store.Client](t)(o.Store.GetClient(ctx, id)).ID, id)
	}
	slices.Sort(ids)
	same(t, "list", listIDs(t, o.Store, 50), slices.Compact(ids))
}

func clientLarge(t *testing.T, o Opened) {
	c := fullClient(o.Now(), "large")
	for i := range 5000 {
		c.Scopes = append(c.Scopes, fmt.Sprintf("scope:%d:%s", i, strings.Repeat("x", 40)))
	}
	ok(t, o.Store.CreateClient(within(t), c))
	ok(t, o.Store.UpdateClient(within(t), c))
	c.Version = 2
	same(t, "large record", must[store.Client](t)(o.Store.GetClient(within(t), "large")), c)
}

func clientReopen(t *testing.T, o Opened) {
	c := fullClient(o.Now(), "a")
	ok(t, o.Store.CreateClient(within(t), c))
	s := o.Reopen()
	same(t, "after reopening", must[store.Client](t)(s.GetClient(within(t), "a")), c)
}
