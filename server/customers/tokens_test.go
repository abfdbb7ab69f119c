package customers

import "testing"

// The configuration refuses a sandbox code in live. NewTokens ignores one too.
func TestNoSandboxCodeInLive(t *testing.T) {
	for live, want := range map[bool]string{true: "", false: "000001"} {
		if got := NewTokens(TokensOptions{Live: live, SandboxCode: "000001"}).o.SandboxCode; got != want {
			t.Errorf("live %v: %q", live, got)
		}
	}
}
