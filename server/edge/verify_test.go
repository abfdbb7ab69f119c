package edge

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/grantd/grantd/server/apierr"
)

func newTestVerifier(ask func(context.Context, string, string) (bool, error)) *verifier {
	v := newVerifier(&upstream{}, newHasher(), func(string) {})
	v.ask = ask
	return v
}

func codeOf(err error) apierr.Code {
	if e, ok := errors.AsType[*apierr.Error](err); ok {
		return e.Code
	}
	return ""
}

// TestChecksAreShared: callers with one secret share a request, and its result for a
// second.
func TestChecksAreShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int32
		v := newTestVerifier(func(context.Context, string, string) (bool, error) {
			asked.Add(1)
			time.Sleep(100 * time.Millisecond)
			return true, nil
		})
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() {
				if ok, err := v.check(t.Context(), "rs", "s"); !ok || err != nil {
					t.Errorf("%v %v", ok, err)
				}
			})
		}
		all.Wait()
		if asked.Load() != 1 {
			t.Errorf("%d requests", asked.Load())
		}
		time.Sleep(899 * time.Millisecond)
		_, _ = v.check(t.Context(), "rs", "s")
		if asked.Load() != 1 {
			t.Error("the result did not count for a second")
		}
		time.Sleep(time.Millisecond)
		_, _ = v.check(t.Context(), "rs", "s")
		if asked.Load() != 2 {
			t.Error("the result counts for longer than a second")
		}
	})
}

// TestChecksAreFew: guesses reach the server five times a second.
func TestChecksAreFew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		v := newTestVerifier(func(context.Context, string, string) (bool, error) { asked++; return false, nil })
		limited := 0
		for i := range 1000 {
			ok, err := v.check(t.Context(), "rs", string(rune('a'+i)))
			if codeOf(err) == apierr.TooManyRequests {
				limited++
			}
			if ok {
				t.Error("a guess is right")
			}
			time.Sleep(10 * time.Millisecond)
		}
		if asked < 50 || asked > 55 || limited != 1000-asked || len(v.known) > 4*checksPerSecond {
			t.Errorf("%d requests in 10 s, %d limited, %d known", asked, limited, len(v.known))
		}
	})
}

// TestGuessesKeepOutNobody: while somebody guesses, a secret that the server has accepted
// is checked as before, and no longer once it has ended.
func TestGuessesKeepOutNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ended bool
		v := newTestVerifier(func(_ context.Context, _, secret string) (bool, error) { return secret == "new" && !ended, nil })
		if ok, err := v.check(t.Context(), "rs", "new"); !ok || err != nil {
			t.Fatalf("%v %v", ok, err)
		}
		guess := 0
		flood := func() {
			for range 20 {
				_, _ = v.check(t.Context(), "rs", fmt.Sprint(guess))
				guess++
				time.Sleep(10 * time.Millisecond)
			}
		}
		for range 50 {
			flood()
			if ok, err := v.check(t.Context(), "rs", "new"); !ok || err != nil {
				t.Fatalf("the new secret: %v %v", ok, err)
			}
		}
		ended = true
		time.Sleep(rememberFor)
		if ok, err := v.check(t.Context(), "rs", "new"); ok || err != nil {
			t.Errorf("after its end: %v %v", ok, err)
		}
		time.Sleep(rememberFor)
		flood()
		if _, err := v.check(t.Context(), "rs", "new"); codeOf(err) != apierr.TooManyRequests {
			t.Errorf("it is like any other guess then: %v", err)
		}
		for i := range 2 * mostRight {
			v.remember(v.hash.of("rs", fmt.Sprint(i)), true)
		}
		if len(v.right) != mostRight {
			t.Errorf("%d secrets are remembered", len(v.right))
		}
	})
}

// TestCheckFails: without a word of the server nobody is refused.
func TestCheckFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newTestVerifier(func(context.Context, string, string) (bool, error) { return false, errTest })
		if _, err := v.check(t.Context(), "rs", "s"); codeOf(err) != apierr.Unavailable || !errors.Is(err, errTest) {
			t.Errorf("%v", err)
		}
		hang := make(chan struct{})
		v = newTestVerifier(func(context.Context, string, string) (bool, error) { <-hang; return false, nil })
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := v.check(ctx, "rs", "s"); codeOf(err) != apierr.Unavailable {
			t.Errorf("%v", err)
		}
		close(hang)
	})
}

// TestDigests: they depend on every part, and on the process.
func TestDigests(t *testing.T) {
	h := newHasher()
	one := h.of("a", "bc")
	for name, other := range map[string]digest{"border": h.of("ab", "c"), "secret": h.of("a", "bd"), "process": newHasher().of("a", "bc")} {
		if one.equal(&other) {
			t.Error(name)
		}
	}
	if again := h.of("a", "bc"); !one.equal(&again) {
		t.Error("the same")
	}
}
