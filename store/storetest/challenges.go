package storetest

import (
	"errors"
	"testing"
	"time"

	"github.com/grantd/grantd/store"
)

func challengeChecks() []check {
	return []check{
		{"RightProofConsumes", challengeRight},
		{"UnknownChallenge", challengeUnknown},
		{"WrongProofTakesATry", challengeWrong},
		{"OneTry", challengeOneTry},
		{"RightTriesAtOnceHaveOneWinner", challengeRightAtOnce},
		{"WrongTriesAtOnceAreAllCounted", challengeWrongAtOnce},
		{"TriesAtOnceOfBothKinds", challengeMixed},
		{"EndsAtItsTime", challengeEnds},
		{"EveryLifeEndsSeparately", challengeLives},
		{"PutOfAnEndedLife", challengePast},
		{"PutMayBeRepeated", challengePutAgain},
		{"Drop", challengeDrop},
		{"ChallengesAreSeparate", challengesSeparate},
		{"ChallengesOutliveReopening", challengeReopen},
	}
}

const (
	challengeLife  = 10 * time.Minute
	challengeTries = 5
)

// putChallenge keeps a challenge whose right proof is digest("right").
func putChallenge(t *testing.T, o Opened, name string, life time.Duration) {
	t.Helper()
	c := store.Challenge{Proof: digest("right"), Tries: challengeTries, ExpiresAt: o.Now().Add(life)}
	ok(t, o.Store.PutChallenge(within(t), digest(name), c))
}

func try(t *testing.T, s store.Store, name, proof string) error {
	t.Helper()
	return s.TryChallenge(within(t), digest(name), digest(proof))
}

func challengeRight(t *testing.T, o Opened) {
	putChallenge(t, o, "a", challengeLife)
	ok(t, try(t, o.Store, "a", "right"))
	wants(t, "used", try(t, o.Store, "a", "right"), store.ErrNotFound)
	wants(t, "used, wrong", try(t, o.Store, "a", "wrong"), store.ErrNotFound)
}

func challengeUnknown(t *testing.T, o Opened) {
	putChallenge(t, o, "a", challengeLife)
	for i := range len(store.Digest{}) {
		near := digest("a")
		near[i] ^= 1
		wants(t, "a digest that differs in one bit", o.Store.TryChallenge(within(t), near, digest("right")), store.ErrNotFound)
	}
	ok(t, try(t, o.Store, "a", "right"))
}

func challengeWrong(t *testing.T, o Opened) {
	putChallenge(t, o, "a", challengeLife)
	putChallenge(t, o, "b", challengeLife)
	for i := range challengeTries {
		near := digest("right")
		near[(i*7)%len(near)] ^= 1
		wants(t, "a proof that differs in one bit", o.Store.TryChallenge(within(t), digest("a"), near), store.ErrWrong)
		if i < challengeTries-1 {
			wants(t, "a wrong one", try(t, o.Store, "b", "wrong"), store.ErrWrong)
		}
	}
	wants(t, "out of tries", try(t, o.Store, "a", "right"), store.ErrNotFound)
	ok(t, try(t, o.Store, "b", "right")) // the last of its tries
}

func challengeOneTry(t *testing.T, o Opened) {
	c := store.Challenge{Proof: digest("right"), Tries: 1, ExpiresAt: o.Now().Add(challengeLife)}
	ok(t, o.Store.PutChallenge(within(t), digest("a"), c))
	ok(t, o.Store.PutChallenge(within(t), digest("b"), c))
	wants(t, "the only try", try(t, o.Store, "a", "wrong"), store.ErrWrong)
	wants(t, "after it", try(t, o.Store, "a", "right"), store.ErrNotFound)
	ok(t, try(t, o.Store, "b", "right"))
}

// tries makes n tries at once, with the proofs that proof returns. It returns
// how many were right, wrong and too late.
func tries(t *testing.T, o Opened, n int, proof func(i int) string) (right, wrong, late int) {
	t.Helper()
	ctx := within(t)
	results := make([]error, n)
	concurrently(n, func(i int) { results[i] = o.Store.TryChallenge(ctx, digest("a"), digest(proof(i))) })
	for _, err := range results {
		switch {
		case err == nil:
			right++
		case errors.Is(err, store.ErrWrong):
			wrong++
		default:
			wants(t, "neither right nor wrong", err, store.ErrNotFound)
			late++
		}
	}
	return right, wrong, late
}

func challengeRightAtOnce(t *testing.T, o Opened) {
	putChallenge(t, o, "a", challengeLife)
	right, wrong, late := tries(t, o, 50, func(int) string { return "right" })
	same(t, "right, wrong, late", []int{right, wrong, late}, []int{1, 0, 49})
}

func challengeWrongAtOnce(t *testing.T, o Opened) {
	putChallenge(t, o, "a", challengeLife)
	right, wrong, late := tries(t, o, 50, func(int) string { return "wrong" })
	same(t, "right, wrong, late", []int{right, wrong, late}, []int{0, challengeTries, 45})
}

// challengeMixed: in any order, at most one try is right, and then fewer tries
// are wrong.
func challengeMixed(t *testing.T, o Opened) {
	for range 10 {
		putChallenge(t, o, "a", challengeLife)
		right, wrong, _ := tries(t, o, 20, func(i int) string {
			if i%2 == 0 {
				return "right"
			}
			return "wrong"
		})
		if right > 1 || wrong > challengeTries-right || right == 0 && wrong < challengeTries {
			t.Fatalf("%d right, %d wrong", right, wrong)
		}
		wants(t, "afterwards", try(t, o.Store, "a", "right"), store.ErrNotFound)
	}
}

func challengeEnds(t *testing.T, o Opened) {
	putChallenge(t, o, "a", challengeLife)
	o.Advance(challengeLife - 500*time.Millisecond)
	wants(t, "half a second before the end", try(t, o.Store, "a", "wrong"), store.ErrWrong)
	o.Advance(500 * time.Millisecond)
	wants(t, "at the end", try(t, o.Store, "a", "right"), store.ErrNotFound)
}

func challengeLives(t *testing.T, o Opened) {
	lives := map[string]time.Duration{"a": time.Second, "b": 10 * time.Minute, "c": 24 * time.Hour}
	start := o.Now()
	for name, life := range lives {
		putChallenge(t, o, name, life)
	}
	for _, at := range []time.Duration{2 * time.Second, 11 * time.Minute, 25 * time.Hour} {
		o.Advance(start.Add(at).Sub(o.Now()))
		// A new challenge makes a store drop old ones. It must not drop more.
		putChallenge(t, o, "new", time.Minute)
		for name, life := range lives {
			want := store.ErrWrong
			if life <= at {
				want = store.ErrNotFound
			}
			wants(t, name, try(t, o.Store, name, "wrong"), want)
		}
	}
}

func challengePast(t *testing.T, o Opened) {
	for name, life := range map[string]time.Duration{"an hour ago": -time.Hour, "a moment ago": -time.Millisecond, "now": 0} {
		c := store.Challenge{Proof: digest("right"), Tries: challengeTries, ExpiresAt: o.Now().Add(life)}
		wants(t, name, o.Store.PutChallenge(within(t), digest("a"), c), store.ErrExpired)
	}
	wants(t, "nothing was written", try(t, o.Store, "a", "right"), store.ErrNotFound)
}

func challengePutAgain(t *testing.T, o Opened) {
	putChallenge(t, o, "a", time.Minute)
	putChallenge(t, o, "a", time.Hour)
	o.Advance(10 * time.Minute)
	ok(t, try(t, o.Store, "a", "right"))
	wants(t, "used", try(t, o.Store, "a", "right"), store.ErrNotFound)
}

func challengeDrop(t *testing.T, o Opened) {
	putChallenge(t, o, "a", challengeLife)
	putChallenge(t, o, "b", challengeLife)
	for range 2 {
		ok(t, o.Store.DropChallenge(within(t), digest("a")))
		wants(t, "dropped", try(t, o.Store, "a", "right"), store.ErrNotFound)
	}
	ok(t, try(t, o.Store, "b", "right"))
}

// challengesSeparate: challenges share neither their tries nor their ends, and a
// token with the same digest is separate too.
func challengesSeparate(t *testing.T, o Opened) {
	putChallenge(t, o, "a", challengeLife)
	putChallenge(t, o, "b", challengeLife)
	token := plainToken(o.Now(), time.Hour)
	ok(t, o.Store.PutToken(within(t), digest("a"), token))
	for range challengeTries {
		wants(t, "a", try(t, o.Store, "a", "wrong"), store.ErrWrong)
	}
	ok(t, try(t, o.Store, "b", "right"))
	same(t, "token", must[store.Token](t)(o.Store.GetToken(within(t), digest("a"))), token)
}

func challengeReopen(t *testing.T, o Opened) {
	putChallenge(t, o, "a", challengeLife)
	putChallenge(t, o, "used", challengeLife)
	putChallenge(t, o, "short", time.Minute)
	wants(t, "a", try(t, o.Store, "a", "wrong"), store.ErrWrong)
	ok(t, try(t, o.Store, "used", "right"))
	o.Advance(2 * time.Minute)
	s := o.Reopen()
	wants(t, "used", try(t, s, "used", "right"), store.ErrNotFound)
	wants(t, "a life that ended", try(t, s, "short", "right"), store.ErrNotFound)
	for range challengeTries - 1 {
		wants(t, "a", try(t, s, "a", "wrong"), store.ErrWrong)
	}
	wants(t, "out of tries", try(t, s, "a", "right"), store.ErrNotFound)
}
