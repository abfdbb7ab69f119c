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

func (k records[R]) checks() []check {
	return []check{
		{"CreateThenGetReturnsTheWholeRecord", k.whole},
		{"CreateKeepsVersion", k.firstVersion},
		{"CreateOfAnExistingID", k.exists},
		{"GetOfAnUnknownID", k.unknown},
		{"UpdateReplacesAndCounts", k.replaces},
		{"UpdateOfAnotherVersion", k.conflict},
		{"UpdatesAtOnceLoseNothing", k.updatesAtOnce},
		{"CreatesAtOnceHaveOneWinner", k.createsAtOnce},
		{"RestoreReplacesWithTheVersionGiven", k.restores},
		{"Delete", k.removes},
		{"ListPagesInByteOrder", k.pages},
		{"ListAfterAMissingID", k.listBetween},
		{"EveryCharacterOfAnID", k.everyID},
		{"LargeRecord", k.largeRecord},
		{"RecordsOutliveReopening", k.reopen},
	}
}

func (k records[R]) whole(t *testing.T, o Opened) {
	for _, r := range []R{k.plain(o.Now(), "plain"), k.full(o.Now(), "full")} {
		ok(t, k.create(o.Store, within(t), r))
		same(t, k.id(r), k.read(t, o.Store, k.id(r)), r)
	}
}

func (k records[R]) firstVersion(t *testing.T, o Opened) {
	for given, want := range map[uint64]uint64{0: 1, 1: 1, 17: 17, 1 << 40: 1 << 40} {
		id := fmt.Sprint("c", given)
		ok(t, k.create(o.Store, within(t), k.withVersion(given, k.plain(o.Now(), id))))
		read := k.read(t, o.Store, id)
		same(t, "version", k.version(read), want)
		ok(t, k.update(o.Store, within(t), read))
		ok(t, k.remove(o.Store, within(t), id, want+1))
	}
}

func (k records[R]) exists(t *testing.T, o Opened) {
	first := k.full(o.Now(), "a")
	ok(t, k.create(o.Store, within(t), first))
	wants(t, "second create", k.create(o.Store, within(t), k.plain(o.Now(), "a")), store.ErrExists)
	same(t, "the first record", k.read(t, o.Store, "a"), first)
}

func (k records[R]) unknown(t *testing.T, o Opened) {
	k.put(t, o, "ab")
	for _, id := range []string{"a", "abc", "AB", "b"} {
		_, err := k.get(o.Store, within(t), id)
		wants(t, "get "+id, err, store.ErrNotFound)
	}
	wants(t, "update", k.update(o.Store, within(t), k.plain(o.Now(), "a")), store.ErrNotFound)
	wants(t, "delete", k.remove(o.Store, within(t), "a", 1), store.ErrNotFound)
}

func (k records[R]) replaces(t *testing.T, o Opened) {
	ok(t, k.create(o.Store, within(t), k.full(o.Now(), "a")))
	next := k.plain(o.Now(), "a")
	*k.parts(&next).text = "after"
	ok(t, k.update(o.Store, within(t), next))
	next = k.withVersion(2, next)
	same(t, "replaced, not merged", k.read(t, o.Store, "a"), next)
	ok(t, k.update(o.Store, within(t), next))
	same(t, "version", k.version(k.read(t, o.Store, "a")), uint64(3))
}

func (k records[R]) restores(t *testing.T, o Opened) {
	lost := k.withVersion(70, k.full(o.Now(), "a"))
	ok(t, k.restore(o.Store, within(t), lost, 0))
	same(t, "in place of none", k.read(t, o.Store, "a"), lost)
	same(t, "ids", k.listIDs(t, o.Store, 10), []string{"a"})
	wants(t, "in place of none again", k.restore(o.Store, within(t), lost, 0), store.ErrExists)
	for _, replaces := range []uint64{1, 69, 71} {
		wants(t, fmt.Sprint("in place of version ", replaces), k.restore(o.Store, within(t), lost, replaces), store.ErrConflict)
	}
	wants(t, "in place of a record that is gone", k.restore(o.Store, within(t), k.plain(o.Now(), "b"), 3), store.ErrNotFound)
	for _, version := range []uint64{900, 12} {
		next := k.withVersion(version, k.plain(o.Now(), "a"))
		ok(t, k.restore(o.Store, within(t), next, k.version(k.read(t, o.Store, "a"))))
		same(t, "replaced, not merged", k.read(t, o.Store, "a"), next)
	}
	ok(t, k.update(o.Store, within(t), k.withVersion(12, k.plain(o.Now(), "a"))))
	ok(t, k.remove(o.Store, within(t), "a", 13))
}

func (k records[R]) conflict(t *testing.T, o Opened) {
	r := k.plain(o.Now(), "a")
	ok(t, k.create(o.Store, within(t), r))
	ok(t, k.update(o.Store, within(t), r))
	for _, version := range []uint64{0, 1, 3} {
		stale := k.withVersion(version, k.full(o.Now(), "a"))
		wants(t, fmt.Sprint("update of version ", version), k.update(o.Store, within(t), stale), store.ErrConflict)
		wants(t, fmt.Sprint("delete of version ", version), k.remove(o.Store, within(t), "a", version), store.ErrConflict)
	}
	same(t, "untouched record", k.read(t, o.Store, "a"), k.withVersion(2, r))
}

func (k records[R]) updatesAtOnce(t *testing.T, o Opened) {
	const writers = 50
	ctx := within(t)
	first := k.plain(o.Now(), "a")
	*k.parts(&first).text = "0"
	ok(t, k.create(o.Store, ctx, first))
	increment := func() error {
		r, err := k.get(o.Store, ctx, "a")
		if err != nil {
			return err
		}
		text := k.parts(&r).text
		n, err := strconv.Atoi(*text)
		if err != nil {
			return err
		}
		*text = strconv.Itoa(n + 1)
		return k.update(o.Store, ctx, r)
	}
	concurrently(writers, func(int) {
		err := increment()
		for errors.Is(err, store.ErrConflict) {
			err = increment()
		}
		if err != nil {
			t.Errorf("increment: %v", err)
		}
	})
	last := k.read(t, o.Store, "a")
	same(t, "increments", *k.parts(&last).text, strconv.Itoa(writers))
	same(t, "version", k.version(last), uint64(writers+1))
}

func (k records[R]) createsAtOnce(t *testing.T, o Opened) {
	const writers = 20
	ctx := within(t)
	results := make([]error, writers)
	concurrently(writers, func(i int) { results[i] = k.create(o.Store, ctx, k.plain(o.Now(), "a")) })
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

func (k records[R]) removes(t *testing.T, o Opened) {
	k.put(t, o, "a", "b")
	ok(t, k.remove(o.Store, within(t), "a", 1))
	_, err := k.get(o.Store, within(t), "a")
	wants(t, "get", err, store.ErrNotFound)
	wants(t, "delete again", k.remove(o.Store, within(t), "a", 1), store.ErrNotFound)
	same(t, "list", k.listIDs(t, o.Store, 10), []string{"b"})
	k.put(t, o, "a")
	same(t, "created again", k.listIDs(t, o.Store, 10), []string{"a", "b"})
}

func (k records[R]) pages(t *testing.T, o Opened) {
	same(t, "empty store", len(must[[]R](t)(k.list(o.Store, within(t), "", 5))), 0)
	var want []string
	for i := range 21 {
		for _, form := range []string{"c%d", "C-%d", "c.%d~"} {
			want = append(want, fmt.Sprintf(form, i))
		}
	}
	ctx := within(t)
	concurrently(len(want), func(i int) {
		if err := k.create(o.Store, ctx, k.plain(o.Now(), want[i])); err != nil {
			t.Error(err)
		}
	})
	slices.Sort(want)
	for _, page := range []int{1, 7, len(want), len(want) + 1} {
		same(t, fmt.Sprint("ids in pages of ", page), k.listIDs(t, o.Store, page), want)
	}
	got := must[[]R](t)(k.list(o.Store, within(t), "", 1))
	same(t, "a listed record", got, []R{k.plain(o.Now(), want[0])})
}

func (k records[R]) listBetween(t *testing.T, o Opened) {
	k.put(t, o, "a", "c", "e")
	got := must[[]R](t)(k.list(o.Store, within(t), "b", 1))
	same(t, "after b", got, []R{k.plain(o.Now(), "c")})
	same(t, "after z", len(must[[]R](t)(k.list(o.Store, within(t), "z", 1))), 0)
}

func (k records[R]) everyID(t *testing.T, o Opened) {
	ids := []string{idAlphabet, strings.Repeat("~", 128)}
	for _, c := range idAlphabet {
		ids = append(ids, string(c), "x"+string(c))
	}
	ctx := within(t)
	concurrently(len(ids), func(i int) {
		if err := k.create(o.Store, ctx, k.plain(o.Now(), ids[i])); err != nil {
			t.Errorf("create %q: %v", ids[i], err)
		}
	})
	for _, id := range ids {
		same(t, id, k.id(k.read(t, o.Store, id)), id)
	}
	slices.Sort(ids)
	same(t, "list", k.listIDs(t, o.Store, 50), slices.Compact(ids))
}

func (k records[R]) largeRecord(t *testing.T, o Opened) {
	r := k.full(o.Now(), "large")
	k.enlarge(&r)
	ok(t, k.create(o.Store, within(t), r))
	ok(t, k.update(o.Store, within(t), r))
	same(t, "large record", k.read(t, o.Store, "large"), k.withVersion(2, r))
}

func (k records[R]) reopen(t *testing.T, o Opened) {
	r := k.full(o.Now(), "a")
	ok(t, k.create(o.Store, within(t), r))
	same(t, "after reopening", k.read(t, o.Reopen(), "a"), r)
}

// recordChecks returns the checks of several kinds at once.
func recordChecks() []check {
	return []check{{"KindsAreSeparate", kindsSeparate}, {"ListOfOneOwner", listOfOwner}}
}

// listOfOwner: a list of one owner's records is complete, and holds no records
// of an owner with a similar id.
func listOfOwner(t *testing.T, o Opened) {
	owners := []string{"a", "a-b", "a.b", "a0", "aa", "A", "b"}
	var all []string
	for _, owner := range owners {
		for i := range 5 {
			g := plainGrant(o.Now(), fmt.Sprint("org", i))
			g.PartnerID = owner
			all = append(all, g.ID())
			ok(t, o.Store.Grants().Create(within(t), g))
		}
	}
	listed := func(owner string, page int) (ids []string) {
		for p := (store.Page{Owner: owner, Limit: page}); ; {
			list := must[[]store.Grant](t)(o.Store.Grants().List(within(t), p))
			for _, g := range list {
				p.After = g.ID()
				ids = append(ids, p.After)
			}
			if len(list) < page {
				return ids
			}
		}
	}
	for _, owner := range owners {
		var want []string
		for i := range 5 {
			want = append(want, fmt.Sprint(owner, "/org", i))
		}
		for _, page := range []int{1, 5, 100} {
			same(t, fmt.Sprint(owner, " in pages of ", page), listed(owner, page), want)
		}
	}
	same(t, "of an owner without records", len(listed("a~", 10)), 0)
	slices.Sort(all)
	same(t, "of all", listed("", 4), all)
}

// kindsSeparate: the same id names a separate record of each kind.
func kindsSeparate(t *testing.T, o Opened) {
	clientRecords.put(t, o, "a", "client")
	orgRecords.put(t, o, "a", "org")
	customerRecords.put(t, o, "a", "customer")
	partnerRecords.put(t, o, "a", "partner")
	partnerTokenRecords.put(t, o, "a", "token")
	grantRecords.put(t, o, "a", "grant")
	ok(t, o.Store.Orgs().Delete(within(t), "a", 1))
	same(t, "clients", clientRecords.listIDs(t, o.Store, 10), []string{"a", "client"})
	same(t, "orgs", orgRecords.listIDs(t, o.Store, 10), []string{"org"})
	same(t, "customers", customerRecords.listIDs(t, o.Store, 10), []string{"a", "customer"})
	same(t, "partners", partnerRecords.listIDs(t, o.Store, 10), []string{"a", "partner"})
	same(t, "partner tokens", partnerTokenRecords.listIDs(t, o.Store, 10), []string{"a", "token"})
	same(t, "grants", grantRecords.listIDs(t, o.Store, 10), []string{"a", "grant"})
	same(t, "client", clientRecords.read(t, o.Store, "a"), plainClient(o.Now(), "a"))
	same(t, "customer", customerRecords.read(t, o.Store, "a"), plainCustomer(o.Now(), "a"))
}
