package web

import "testing"

// TestPlainScopes: the log shows the scopes that a token lacks, but nothing that a caller
// may have sent instead of one.
func TestPlainScopes(t *testing.T) {
	for scope, want := range map[string]string{
		"":                        "",
		"introspect":              "introspect",
		"cards payments-write":    "cards payments-write",
		"cards <b> 15555550136":   "cards",
		"gs_sandbox_x users:read": "users:read",
	} {
		if got := plainScopes(scope); got != want {
			t.Errorf("%q: %q, want %q", scope, got, want)
		}
	}
}
