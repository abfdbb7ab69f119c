package storetest

import (
	"testing"
	"time"

	"github.com/grantd/grantd/store"
)

func guessChecks() []check {
	return []check{
		{"NoGuesses", guessNone},
		{"TakenGuessesAddUp", guessTake},
		{"AWindowEnds", guessWindow},
		{"GuessOverTheDailyBoundIsNotCounted", guessToday},
		{"TheRowOutlivesTheWindow", guessRow},
		{"RightGuessEndsTheRow", guessRight},
		{"ReturnedGuessIsNotCounted", guessReturned},
		{"ReturnNeverGoesBelowZero", guessBelow},
		{"ReturnAfterTheWindow", guessReturnLate},
		{"ReturnIntoTheNextWindow", guessReturnLater},
		{"TheWindowBeginsWithTheFirstWrongGuess", guessFirst},
		{"GuessesAtOnceKeepTheBounds", guessAtOnce},
		{"ReturnsAtOnceLoseNothing", guessReturnsAtOnce},
		{"Reset", guessReset},
		{"CustomersAreSeparate", guessSeparate},
		{"CountsOutliveTheCustomer", guessDeleted},
		{"CountsOutliveReopening", guessReopen},
	}
}

const guessDay = 24 * time.Hour

// wide are bounds that no test reaches.
var wide = store.GuessBounds{Window: guessDay, Today: 1000, InRow: 1000}

// take takes n guesses of a customer, each of which must be counted.
func take(t *testing.T, s store.Store, customer string, n int) store.Guesses {
	t.Helper()
	var g store.Guesses
	for range n {
		var taken bool
		var err error
		if g, taken, err = s.TakeGuess(within(t), customer, wide); err != nil || !taken {
			t.Fatalf("taken %v, error %v", taken, err)
		}
	}
	return g
}

// refusedGuess fails if the guess is counted. It returns the counts.
func refusedGuess(t *testing.T, o Opened, customer string, b store.GuessBounds) store.Guesses {
	t.Helper()
	g, taken, err := o.Store.TakeGuess(within(t), customer, b)
	if err != nil || taken {
		t.Fatalf("taken %v, error %v", taken, err)
	}
	same(t, "counts afterwards", guessesOf(t, o.Store, customer), g)
	return g
}

func guessesOf(t *testing.T, s store.Store, customer string) store.Guesses {
	t.Helper()
	return must[store.Guesses](t)(s.GetGuesses(within(t), customer, guessDay))
}

// giveBack returns a guess from the current window.
func giveBack(t *testing.T, s store.Store, customer string, right bool) {
	t.Helper()
	ok(t, s.ReturnGuess(within(t), customer, guessesOf(t, s, customer), right))
}

// since returns the time now as counts keep it.
func since(o Opened) time.Time { return o.Now().UTC().Truncate(time.Millisecond) }

func guessNone(t *testing.T, o Opened) {
	same(t, "counts", guessesOf(t, o.Store, "a"), store.Guesses{})
	giveBack(t, o.Store, "a", true)
	giveBack(t, o.Store, "a", false)
	ok(t, o.Store.ResetGuesses(within(t), "a"))
	same(t, "counts", guessesOf(t, o.Store, "a"), store.Guesses{})
}

func guessTake(t *testing.T, o Opened) {
	begun := since(o)
	for i := 1; i <= 3; i++ {
		want := store.Guesses{Today: i, Since: begun, InRow: i}
		same(t, "result", take(t, o.Store, "a", 1), want)
		same(t, "counts", guessesOf(t, o.Store, "a"), want)
		o.Advance(time.Hour)
	}
}

func guessWindow(t *testing.T, o Opened) {
	take(t, o.Store, "a", 2)
	o.Advance(guessDay - time.Second)
	same(t, "inside the window", take(t, o.Store, "a", 1).Today, 3)
	o.Advance(time.Second)
	same(t, "after the window", guessesOf(t, o.Store, "a"), store.Guesses{InRow: 3})
	same(t, "a new window", take(t, o.Store, "a", 1), store.Guesses{Today: 1, Since: since(o), InRow: 4})
	same(t, "counts", guessesOf(t, o.Store, "a"), store.Guesses{Today: 1, Since: since(o), InRow: 4})
}

func guessToday(t *testing.T, o Opened) {
	b := store.GuessBounds{Window: guessDay, Today: 3, InRow: 1000}
	begun := since(o)
	take(t, o.Store, "a", 3)
	for range 5 {
		o.Advance(time.Hour)
		same(t, "counts", refusedGuess(t, o, "a", b), store.Guesses{Today: 3, Since: begun, InRow: 3})
	}
	o.Advance(guessDay) // refused guesses did not lengthen the window
	g, taken, err := o.Store.TakeGuess(within(t), "a", b)
	if err != nil || !taken {
		t.Fatalf("on the next day: taken %v, error %v", taken, err)
	}
	same(t, "counts", g, store.Guesses{Today: 1, Since: since(o), InRow: 4})
}

func guessRow(t *testing.T, o Opened) {
	b := store.GuessBounds{Window: guessDay, Today: 1000, InRow: 3}
	take(t, o.Store, "a", 3)
	for range 3 {
		o.Advance(3 * guessDay)
		same(t, "counts", refusedGuess(t, o, "a", b), store.Guesses{InRow: 3})
	}
	o.Advance(400 * guessDay)
	same(t, "a year later", guessesOf(t, o.Reopen(), "a"), store.Guesses{InRow: 3})
}

func guessRight(t *testing.T, o Opened) {
	begun := since(o)
	take(t, o.Store, "a", 3)
	giveBack(t, o.Store, "a", true)
	same(t, "counts", guessesOf(t, o.Store, "a"), store.Guesses{Today: 2, Since: begun})
	same(t, "the next", take(t, o.Store, "a", 1), store.Guesses{Today: 3, Since: begun, InRow: 1})
	o.Advance(2 * guessDay)
	same(t, "a new row outlives the window", guessesOf(t, o.Store, "a"), store.Guesses{InRow: 1})
}

func guessReturned(t *testing.T, o Opened) {
	begun := since(o)
	take(t, o.Store, "a", 3)
	giveBack(t, o.Store, "a", false)
	same(t, "counts", guessesOf(t, o.Store, "a"), store.Guesses{Today: 2, Since: begun, InRow: 2})
}

func guessBelow(t *testing.T, o Opened) {
	for _, right := range []bool{false, true} {
		take(t, o.Store, "a", 1)
		for range 3 {
			giveBack(t, o.Store, "a", right)
			same(t, "counts", guessesOf(t, o.Store, "a"), store.Guesses{})
		}
	}
	same(t, "the next", take(t, o.Store, "a", 1), store.Guesses{Today: 1, Since: since(o), InRow: 1})
}

func guessReturnLate(t *testing.T, o Opened) {
	take(t, o.Store, "a", 3)
	o.Advance(guessDay)
	giveBack(t, o.Store, "a", false)
	same(t, "a guess that was not made", guessesOf(t, o.Store, "a"), store.Guesses{InRow: 2})
	giveBack(t, o.Store, "a", true)
	same(t, "a right guess", guessesOf(t, o.Store, "a"), store.Guesses{})
}

// guessReturnLater: a guess from one window is not subtracted from another.
func guessReturnLater(t *testing.T, o Opened) {
	late := take(t, o.Store, "a", 3)
	o.Advance(guessDay)
	begun := since(o)
	take(t, o.Store, "a", 2)
	ok(t, o.Store.ReturnGuess(within(t), "a", late, false))
	same(t, "a guess that was not made", guessesOf(t, o.Store, "a"), store.Guesses{Today: 2, Since: begun, InRow: 4})
	ok(t, o.Store.ReturnGuess(within(t), "a", late, true))
	same(t, "a right guess", guessesOf(t, o.Store, "a"), store.Guesses{Today: 2, Since: begun})
}

// guessFirst: a guess that is given back opens no window.
func guessFirst(t *testing.T, o Opened) {
	take(t, o.Store, "a", 1)
	giveBack(t, o.Store, "a", true)
	o.Advance(guessDay - time.Hour)
	first := take(t, o.Store, "a", 1)
	same(t, "the first wrong guess", first, store.Guesses{Today: 1, Since: since(o), InRow: 1})
	o.Advance(2 * time.Hour)
	same(t, "counts", guessesOf(t, o.Store, "a"), first)
}

func guessAtOnce(t *testing.T, o Opened) {
	ctx := within(t)
	for _, b := range []store.GuessBounds{
		{Window: guessDay, Today: 20, InRow: 1000},
		{Window: guessDay, Today: 1000, InRow: 20},
	} {
		ok(t, o.Store.ResetGuesses(ctx, "a"))
		taken := make([]bool, 50)
		concurrently(len(taken), func(i int) {
			var err error
			if _, taken[i], err = o.Store.TakeGuess(ctx, "a", b); err != nil {
				t.Error(err)
			}
		})
		n := 0
		for _, is := range taken {
			if is {
				n++
			}
		}
		same(t, "guesses that were taken", n, 20)
		same(t, "counts", guessesOf(t, o.Store, "a"), store.Guesses{Today: 20, Since: since(o), InRow: 20})
	}
}

func guessReturnsAtOnce(t *testing.T, o Opened) {
	ctx := within(t)
	g := take(t, o.Store, "a", 30)
	concurrently(20, func(int) {
		if err := o.Store.ReturnGuess(ctx, "a", g, false); err != nil {
			t.Error(err)
		}
	})
	same(t, "counts", guessesOf(t, o.Store, "a"), store.Guesses{Today: 10, Since: since(o), InRow: 10})
}

func guessReset(t *testing.T, o Opened) {
	for range 2 {
		take(t, o.Store, "a", 3)
		ok(t, o.Store.ResetGuesses(within(t), "a"))
		same(t, "counts", guessesOf(t, o.Store, "a"), store.Guesses{})
		o.Advance(time.Hour)
	}
	same(t, "the next", take(t, o.Store, "a", 1), store.Guesses{Today: 1, Since: since(o), InRow: 1})
}

func guessSeparate(t *testing.T, o Opened) {
	ids := []string{"a", "ab", "A", idAlphabet}
	for i, id := range ids {
		take(t, o.Store, id, i+1)
	}
	ok(t, o.Store.ResetGuesses(within(t), "a"))
	giveBack(t, o.Store, "A", true)
	for id, want := range map[string]store.Guesses{
		"a":        {},
		"ab":       {Today: 2, Since: since(o), InRow: 2},
		"A":        {Today: 2, Since: since(o)},
		idAlphabet: {Today: 4, Since: since(o), InRow: 4},
	} {
		same(t, id, guessesOf(t, o.Store, id), want)
	}
}

// guessDeleted: a customer who is created again keeps the counts.
func guessDeleted(t *testing.T, o Opened) {
	customerRecords.put(t, o, "a")
	want := take(t, o.Store, "a", 3)
	ok(t, o.Store.Customers().Delete(within(t), "a", 1))
	same(t, "counts", guessesOf(t, o.Store, "a"), want)
	customerRecords.put(t, o, "a")
	same(t, "created again", guessesOf(t, o.Store, "a"), want)
}

func guessReopen(t *testing.T, o Opened) {
	begun := since(o)
	take(t, o.Store, "a", 3)
	take(t, o.Store, "b", 2)
	giveBack(t, o.Store, "b", true)
	o.Advance(time.Hour)
	s := o.Reopen()
	same(t, "a", guessesOf(t, s, "a"), store.Guesses{Today: 3, Since: begun, InRow: 3})
	same(t, "b", guessesOf(t, s, "b"), store.Guesses{Today: 1, Since: begun})
	o.Advance(guessDay)
	same(t, "a, a day later", guessesOf(t, s, "a"), store.Guesses{InRow: 3})
	same(t, "b, a day later", guessesOf(t, s, "b"), store.Guesses{})
}
