package storetest

import (
	"strings"
	"testing"
	"time"

	"github.com/grantd/grantd/store"
)

func tokenChecks() []check {
	return []check{
		{"PutThenGetReturnsTheWholeRecord", tokenWhole},
		{"GetOfAnUnknownDigest", tokenUnknown},
		{"ExpiresAtTheExactSecond", tokenExpires},
		{"EveryLifeEndsSeparately", tokenLives},
		{"IsKeptAfterItsEnd", tokenKept},
		{"PutOfAnEndedLife", tokenPast},
		{"PutMayBeRepeated", tokenPutAgain},
		{"ReplaceLeavesATombstone", tokenReplace},
		{"ReplaceKeepsTheEnd", tokenReplaceKeepsEnd},
		{"ReplaceOfNothing", tokenReplaceNothing},
		{"PutsAtOnceAreAllThere", tokenPutsAtOnce},
		{"LargeRecord", tokenLarge},
		{"RecordsOutliveReopening", tokenReopen},
	}
}

func tokenWhole(t *testing.T, o Opened) {
	noSecret := plainToken(o.Now(), time.Minute)
	noSecret.SecretID, noSecret.Scopes, noSecret.Position = "", "", store.Position{}
	for name, token := range map[string]store.Token{
		"plain": plainToken(o.Now(), time.Hour),
		"full":  fullToken(o.Now(), 24*time.Hour),
		"least": noSecret,
	} {
		ok(t, o.Store.PutToken(within(t), digest(name), token))
		same(t, name, must[store.Token](t)(o.Store.GetToken(within(t), digest(name))), token)
	}
}

func tokenUnknown(t *testing.T, o Opened) {
	ok(t, o.Store.PutToken(within(t), digest("a"), plainToken(o.Now(), time.Hour)))
	_, err := o.Store.GetToken(within(t), digest("b"))
	wants(t, "another digest", err, store.ErrNotFound)
	for _, i := range []int{0, 15, 16, 31} {
		near := digest("a")
		near[i] ^= 1
		_, err := o.Store.GetToken(within(t), near)
		wants(t, "a digest that differs in one bit", err, store.ErrNotFound)
	}
}

func tokenExpires(t *testing.T, o Opened) {
	token := plainToken(o.Now(), time.Minute)
	ok(t, o.Store.PutToken(within(t), digest("a"), token))
	ok(t, o.Store.PutToken(within(t), digest("later"), plainToken(o.Now(), time.Hour)))
	o.Advance(token.ExpiresAt.Sub(o.Now()) - 500*time.Millisecond)
	same(t, "half a second before the end", must[store.Token](t)(o.Store.GetToken(within(t), digest("a"))), token)
	o.Advance(token.ExpiresAt.Sub(o.Now()))
	_, err := o.Store.GetToken(within(t), digest("a"))
	wants(t, "at the end", err, store.ErrNotFound)
	must[store.Token](t)(o.Store.GetToken(within(t), digest("later")))
}

// tokenKept checks that the record of a token can be read for TokenKept after its end,
// also where its hour has passed, but is not found.
func tokenKept(t *testing.T, o Opened) {
	_, err := o.Store.GetKeptToken(within(t), digest("none"))
	wants(t, "no record", err, store.ErrNotFound)
	for _, life := range []time.Duration{time.Minute, 59 * time.Minute, 24 * time.Hour} {
		token := fullToken(o.Now(), life)
		ok(t, o.Store.PutToken(within(t), digest(life), token))
		same(t, "alive", must[store.Token](t)(o.Store.GetKeptToken(within(t), digest(life))), token)
		o.Advance(token.ExpiresAt.Sub(o.Now()))
		for range 2 {
			same(t, "kept", must[store.Token](t)(o.Store.GetKeptToken(within(t), digest(life))), token)
			_, err := o.Store.GetToken(within(t), digest(life))
			wants(t, "an expired token", err, store.ErrNotFound)
			wants(t, "replace", o.Store.ReplaceToken(within(t), digest(life), token), store.ErrNotFound)
			o.Advance(store.TokenKept - 5*time.Second)
			// A write makes a store drop what it does not keep anymore.
			ok(t, o.Store.PutToken(within(t), digest("new"), plainToken(o.Now(), time.Minute)))
		}
	}
}

func tokenLives(t *testing.T, o Opened) {
	lives := []time.Duration{time.Minute, 59 * time.Minute, time.Hour, 90 * time.Minute, 12 * time.Hour, 24 * time.Hour}
	start := o.Now()
	for _, life := range lives {
		ok(t, o.Store.PutToken(within(t), digest(life), plainToken(start, life)))
	}
	for i, life := range lives {
		o.Advance(seconds(start).Add(life).Sub(o.Now()))
		for j, other := range lives {
			_, err := o.Store.GetToken(within(t), digest(other))
			if j > i {
				ok(t, err)
			} else {
				wants(t, "an expired token", err, store.ErrNotFound)
			}
		}
		// A write makes a store drop expired records. It must not drop more.
		ok(t, o.Store.PutToken(within(t), digest("new"), plainToken(o.Now(), time.Minute)))
	}
}

func tokenPast(t *testing.T, o Opened) {
	for name, ttl := range map[string]time.Duration{"an hour ago": -time.Hour, "a second ago": -time.Second, "now": 0} {
		token := plainToken(o.Now(), time.Hour)
		token.IssuedAt = token.IssuedAt.Add(-2 * time.Hour)
		token.ExpiresAt = seconds(o.Now()).Add(ttl)
		wants(t, name, o.Store.PutToken(within(t), digest("a"), token), store.ErrExpired)
	}
	_, err := o.Store.GetToken(within(t), digest("a"))
	wants(t, "nothing was written", err, store.ErrNotFound)
}

func tokenPutAgain(t *testing.T, o Opened) {
	token := plainToken(o.Now(), time.Hour)
	ok(t, o.Store.PutToken(within(t), digest("a"), token))
	ok(t, o.Store.PutToken(within(t), digest("a"), token))
	same(t, "the same again", must[store.Token](t)(o.Store.GetToken(within(t), digest("a"))), token)
	token = fullToken(o.Now(), 3*time.Hour)
	ok(t, o.Store.PutToken(within(t), digest("a"), token))
	same(t, "with another life", must[store.Token](t)(o.Store.GetToken(within(t), digest("a"))), token)
	o.Advance(2 * time.Hour)
	ok(t, o.Store.PutToken(within(t), digest("b"), plainToken(o.Now(), time.Hour)))
	same(t, "after its first end", must[store.Token](t)(o.Store.GetToken(within(t), digest("a"))), token)
}

func tokenReplace(t *testing.T, o Opened) {
	for _, name := range []string{"a", "b"} {
		ok(t, o.Store.PutToken(within(t), digest(name), plainToken(o.Now(), time.Hour)))
	}
	tombstone := fullToken(o.Now(), time.Hour)
	ok(t, o.Store.ReplaceToken(within(t), digest("a"), tombstone))
	same(t, "tombstone", must[store.Token](t)(o.Store.GetToken(within(t), digest("a"))), tombstone)
	same(t, "another token", must[store.Token](t)(o.Store.GetToken(within(t), digest("b"))), plainToken(o.Now(), time.Hour))
	ok(t, o.Store.ReplaceToken(within(t), digest("a"), tombstone))
	s := o.Reopen()
	same(t, "tombstone after reopening", must[store.Token](t)(s.GetToken(within(t), digest("a"))), tombstone)
}

func tokenReplaceKeepsEnd(t *testing.T, o Opened) {
	token := plainToken(o.Now(), time.Hour)
	ok(t, o.Store.PutToken(within(t), digest("a"), token))
	ok(t, o.Store.ReplaceToken(within(t), digest("a"), fullToken(o.Now(), 24*time.Hour)))
	o.Advance(token.ExpiresAt.Sub(o.Now()) - 500*time.Millisecond)
	must[store.Token](t)(o.Store.GetToken(within(t), digest("a")))
	o.Advance(token.ExpiresAt.Sub(o.Now()))
	_, err := o.Store.GetToken(within(t), digest("a"))
	wants(t, "at the first record's end", err, store.ErrNotFound)
}

func tokenReplaceNothing(t *testing.T, o Opened) {
	tombstone := fullToken(o.Now(), time.Hour)
	wants(t, "never put", o.Store.ReplaceToken(within(t), digest("a"), tombstone), store.ErrNotFound)
	_, err := o.Store.GetToken(within(t), digest("a"))
	wants(t, "nothing was written", err, store.ErrNotFound)

	token := plainToken(o.Now(), time.Minute)
	ok(t, o.Store.PutToken(within(t), digest("a"), token))
	o.Advance(token.ExpiresAt.Sub(o.Now()))
	wants(t, "expired", o.Store.ReplaceToken(within(t), digest("a"), tombstone), store.ErrNotFound)
}

func tokenPutsAtOnce(t *testing.T, o Opened) {
	const tokens = 300
	ctx := within(t)
	life := func(i int) time.Duration { return time.Duration(1+i%180) * time.Minute }
	concurrently(tokens, func(i int) {
		if err := o.Store.PutToken(ctx, digest(i), plainToken(o.Now(), life(i))); err != nil {
			t.Error(err)
		}
	})
	check := func(s store.Store) {
		concurrently(tokens, func(i int) {
			got, err := s.GetToken(ctx, digest(i))
			if err != nil || !got.ExpiresAt.Equal(seconds(o.Now()).Add(life(i))) {
				t.Errorf("token %d: ends %v, error %v", i, got.ExpiresAt, err)
			}
		})
	}
	check(o.Store)
	check(o.Reopen())
}

func tokenLarge(t *testing.T, o Opened) {
	token := fullToken(o.Now(), time.Hour)
	token.Scopes = strings.TrimSpace(strings.Repeat("scope:of:some:length ", 2000))
	ok(t, o.Store.PutToken(within(t), digest("a"), plainToken(o.Now(), time.Hour)))
	ok(t, o.Store.ReplaceToken(within(t), digest("a"), token))
	same(t, "large record", must[store.Token](t)(o.Store.GetToken(within(t), digest("a"))), token)
}

func tokenReopen(t *testing.T, o Opened) {
	short, long := plainToken(o.Now(), time.Minute), fullToken(o.Now(), 24*time.Hour)
	ok(t, o.Store.PutToken(within(t), digest("short"), short))
	ok(t, o.Store.PutToken(within(t), digest("long"), long))
	o.Advance(2 * time.Hour)
	s := o.Reopen()
	same(t, "long", must[store.Token](t)(s.GetToken(within(t), digest("long"))), long)
	_, err := s.GetToken(within(t), digest("short"))
	wants(t, "a life that ended while it was closed", err, store.ErrNotFound)
	o.Advance(22 * time.Hour)
	_, err = s.GetToken(within(t), digest("long"))
	wants(t, "a life that ended afterwards", err, store.ErrNotFound)
}
