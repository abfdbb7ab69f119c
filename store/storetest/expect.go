package storetest

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// ok ends the test if a call failed.
func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("unexpected error: %v", err)
	}
}

// must returns the value of a call that must not fail.
func must[T any](t *testing.T) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		ok(t, err)
		return v
	}
}

// wants ends the test unless err wraps want. rule names the broken rule.
func wants(t *testing.T, rule string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("%s: error %v, want an error that wraps %q", rule, err, want)
	}
}

// same ends the test unless got equals want.
func same(t *testing.T, what string, got, want any) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Fatalf("%s (-want +got):\n%s", what, d)
	}
}
