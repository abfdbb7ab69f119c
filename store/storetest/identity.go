package storetest

import (
	"bytes"
	"errors"
	"testing"

	"github.com/grantd/grantd/store"
)

func identityChecks() []check {
	return []check{
		{"StampOfANewStore", stampNew},
		{"StampOfAnother", stampForeign},
		{"StampOfANewerVersion", stampNewer},
		{"StampsAtOnceHaveOneWinner", stampAtOnce},
		{"StampOfAnOlderVersionIsRaised", stampOlder},
		{"RestampReplacesWhatItSays", restamp},
		{"TokenKeyStays", tokenKeyStays},
		{"TokenKeysAtOnceAreOne", tokenKeysAtOnce},
	}
}

var ours = store.Stamp{Environment: "sandbox", Issuer: "https://auth.example", Format: store.Format}

func stampNew(t *testing.T, o Opened) {
	ok(t, o.Store.Stamp(within(t), ours))
	ok(t, o.Store.Stamp(within(t), ours))
	ok(t, o.Reopen().Stamp(within(t), ours))
}

func stampForeign(t *testing.T, o Opened) {
	ok(t, o.Store.Stamp(within(t), ours))
	live, other, none := ours, ours, ours
	live.Environment, other.Issuer, none.Issuer = "live", "https://other.example", ""
	for _, s := range []store.Stamp{live, other, none} {
		wants(t, "another environment or issuer", o.Store.Stamp(within(t), s), store.ErrForeign)
	}
	ok(t, o.Store.Stamp(within(t), ours))
}

func stampNewer(t *testing.T, o Opened) {
	newer := ours
	newer.Format++
	ok(t, o.Store.Stamp(within(t), newer))
	wants(t, "an older program", o.Store.Stamp(within(t), ours), store.ErrNewerFormat)
	ok(t, o.Store.Stamp(within(t), newer))
}

func stampOlder(t *testing.T, o Opened) {
	older, newer := ours, ours
	older.Former = []store.FormerIssuer{{Issuer: "https://old.example", Until: store.Position{Time: 7, Seq: 8}, At: seconds(o.Now())}}
	newer.Format++
	ok(t, o.Store.Restamp(within(t), store.Stamp{}, older))
	ok(t, o.Store.Stamp(within(t), newer))
	wants(t, "the older program", o.Store.Stamp(within(t), ours), store.ErrNewerFormat)
	want := older
	want.Format = newer.Format
	same(t, "stamp", must[store.Stamp](t)(o.Reopen().ReadStamp(within(t))), want)
}

func restamp(t *testing.T, o Opened) {
	ctx := within(t)
	_, err := o.Store.ReadStamp(ctx)
	wants(t, "stamp of a new store", err, store.ErrNotFound)
	live := ours
	live.Environment, live.Former = "live", []store.FormerIssuer{{Issuer: "", Until: store.Position{Seq: 3}, At: seconds(o.Now())}}
	wants(t, "another stamp than there is", o.Store.Restamp(ctx, live, ours), store.ErrConflict)
	ok(t, o.Store.Restamp(ctx, store.Stamp{}, live))
	wants(t, "no stamp is expected", o.Store.Restamp(ctx, store.Stamp{}, ours), store.ErrConflict)
	wants(t, "another stamp than there is", o.Store.Restamp(ctx, ours, ours), store.ErrConflict)
	same(t, "stamp", must[store.Stamp](t)(o.Store.ReadStamp(ctx)), live)
	ok(t, o.Store.Restamp(ctx, live, ours))
	ok(t, o.Store.Stamp(ctx, ours))
	same(t, "stamp", must[store.Stamp](t)(o.Reopen().ReadStamp(ctx)), ours)
}

func stampAtOnce(t *testing.T, o Opened) {
	const writers = 10
	ctx := within(t)
	results := make([]error, writers)
	concurrently(writers, func(i int) {
		s := ours
		s.Issuer = string(rune('a' + i))
		results[i] = o.Store.Stamp(ctx, s)
	})
	written := 0
	for _, err := range results {
		if err == nil {
			written++
			continue
		}
		wants(t, "the losers", err, store.ErrForeign)
	}
	same(t, "winners", written, 1)
}

func tokenKey(o Opened, id uint8) store.TokenKey {
	return store.TokenKey{ID: id, Key: bytes.Repeat([]byte{id}, 32), CreatedAt: seconds(o.Now())}
}

func tokenKeyStays(t *testing.T, o Opened) {
	first := []store.TokenKey{tokenKey(o, 1)}
	same(t, "candidate", must[[]store.TokenKey](t)(o.Store.EnsureTokenKey(within(t), first[0])), first)
	same(t, "second candidate", must[[]store.TokenKey](t)(o.Store.EnsureTokenKey(within(t), tokenKey(o, 2))), first)
	same(t, "after reopening", must[[]store.TokenKey](t)(o.Reopen().EnsureTokenKey(within(t), tokenKey(o, 3))), first)
}

func tokenKeysAtOnce(t *testing.T, o Opened) {
	const writers = 20
	ctx := within(t)
	results := make([][]store.TokenKey, writers)
	errs := make([]error, writers)
	concurrently(writers, func(i int) {
		results[i], errs[i] = o.Store.EnsureTokenKey(ctx, tokenKey(o, uint8(i+1)))
	})
	ok(t, errors.Join(errs...))
	for _, keys := range results {
		same(t, "number of keys", len(keys), 1)
		same(t, "keys", keys, results[0])
	}
}
