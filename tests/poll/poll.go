// Package poll waits for what happens in the background. It imports nothing of
// ours, so that a test that starts no server in its process can use it too.
package poll

import (
	"testing"
	"time"
)

// Patience bounds waits that are not themselves the promise of a test: a busy
// machine does not fail one.
const Patience = 20 * time.Second

// pause between two polls leaves the processors to what is polled.
const pause = 2 * time.Millisecond

// Await calls reason until it returns "", which means that what is awaited
// has happened, and returns how long that took. It ends the test with the last
// reason if a call that began after bound still returned one.
func Await(t testing.TB, bound time.Duration, what string, reason func() string) time.Duration {
	t.Helper()
	begun := time.Now()
	if last := LastReason(bound, reason); last != "" {
		t.Fatalf("%s: not within %v: %s", what, bound, last)
	}
	return time.Since(begun)
}

// LastReason is Await for callers that must not end the test: it returns ""
// or the last reason.
func LastReason(bound time.Duration, reason func() string) string {
	for begun := time.Now(); ; time.Sleep(pause) {
		late := time.Since(begun) > bound
		if last := reason(); last == "" || late {
			return last
		}
	}
}

// AwaitTrue is Await of a condition.
func AwaitTrue(t testing.TB, bound time.Duration, what string, holds func() bool) {
	t.Helper()
	Await(t, bound, what, func() string {
		if holds() {
			return ""
		}
		return "it does not hold"
	})
}
