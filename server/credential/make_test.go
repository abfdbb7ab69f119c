package credential

import (
	"regexp"
	"strings"
	"testing"
)

func TestNewSecretForm(t *testing.T) {
	seen := map[string]bool{}
	for _, env := range []string{"sandbox", "live"} {
		form := regexp.MustCompile(`^gs_` + env + `_([0-9A-Za-z]{8})_([A-Za-z0-9_-]{43})$`)
		for range 100 {
			plain, id, hash := NewSecret(env)
			m := form.FindStringSubmatch(plain)
			if m == nil || m[1] != id {
				t.Fatalf("%s: a secret of another form, or id %q is not in it", env, id)
			}
			if !strings.HasPrefix(hash, label) || strings.Contains(hash, m[2]) || hash != Hash(plain) {
				t.Fatalf("hash %q", hash)
			}
			if seen[m[1]] || seen[m[2]] {
				t.Fatal("the same id or body twice")
			}
			seen[m[1]], seen[m[2]] = true, true
		}
	}
}

func TestNewClientIDForm(t *testing.T) {
	form := regexp.MustCompile(`^gc_[A-Za-z0-9_-]{22}$`)
	a, b := NewClientID(), NewClientID()
	if !form.MatchString(a) || a == b {
		t.Errorf("%q, %q", a, b)
	}
}

func TestNewVerificationTokenForm(t *testing.T) {
	form := regexp.MustCompile(`^gv_live_[A-Za-z0-9_-]{43}$`)
	a, b := NewVerificationToken("live", 0), NewVerificationToken("live", 0)
	if !form.MatchString(a) || a == b {
		t.Error("a verification token of another form, or the same twice")
	}
	for n := range 256 {
		if got := Recipient(NewVerificationToken("sandbox", byte(n))); got != byte(n) {
			t.Errorf("recipient %d is read as %d", n, got)
		}
	}
	for _, other := range []string{"", "gv_live_", strings.Repeat("ä", 43), a[:len(a)-1]} {
		_ = Recipient(other) // any number, but no panic
	}
}
