package credential

import (
	"strings"
	"testing"

	"github.com/grantd/grantd/config"
)

func TestSecretID(t *testing.T) {
	plain, id, _ := NewSecret("sandbox")
	for name, presented := range map[string]string{
		"other environment": strings.Replace(plain, "sandbox", "live", 1),
		"one short":         plain[:len(plain)-1],
		"one more":          plain + "x",
		"no prefix":         plain[3:],
		"upper prefix":      "GS_" + plain[3:],
		"no separator":      strings.Replace(plain, id+"_", id+"-", 1),
		"empty":             "",
	} {
		if got, ok := SecretID(presented, "sandbox"); ok {
			t.Errorf("%s: taken as %q", name, got)
		}
	}
	if got, ok := SecretID(plain, "sandbox"); !ok || got != id {
		t.Errorf("%q, %v; want %q", got, ok, id)
	}
}

func TestOtherEnvironment(t *testing.T) {
	for _, row := range []struct {
		presented, environment string
		want                   bool
	}{
		{"gs_live_x", "sandbox", true}, {"gt_live_x", "sandbox", true}, {"gp_live_x", "sandbox", true},
		{"gv_live_x", "sandbox", true}, {"gs_sandbox_x", "live", true}, {"gt_sandbox_x", "live", true},
		{"gs_sandbox_x", "sandbox", false}, {"gt_live_x", "live", false},
		{"gs_livex", "sandbox", false}, {"live_x", "sandbox", false}, {"", "sandbox", false},
	} {
		if got := OtherEnvironment(row.presented, row.environment); got != row.want {
			t.Errorf("%q in %s: %v", row.presented, row.environment, got)
		}
	}
}

// Everything that is made here is recognized where somebody pastes it into the
// place of an id. A client id, which is no secret, is not.
func TestHasForm(t *testing.T) {
	for _, environment := range environments {
		secret, _, _ := NewSecret(environment)
		prefix, _ := PartnerToken.NewPrefix(environment)
		for name, value := range map[string]string{
			"secret": secret, "partner token": prefix + newBody(),
			"access token": AccessTokenPrefix(environment) + newBody(), "verification token": NewVerificationToken(environment, 1),
		} {
			if !HasForm(value) || !HasForm(value+"x") {
				t.Errorf("%s of %s is not recognized", name, environment)
			}
			if other := environments[0]; other != environment && !OtherEnvironment(value, other) {
				t.Errorf("%s of %s is not known as one of the other environment", name, environment)
			}
		}
		if HasForm(AccessTokenPrefix(environment) + newBody()[1:]) {
			t.Errorf("%s: one character too few is recognized", environment)
		}
	}
	for _, id := range []string{NewClientID(), "gx_live_" + newBody(), "gt_lives_" + newBody(), ""} {
		if HasForm(id) {
			t.Errorf("%q is taken for a credential", id)
		}
	}
}

// config, which imports nothing of ours, writes the prefixes itself.
func TestPrefixesOfConfig(t *testing.T) {
	for _, environment := range environments {
		c := config.Defaults()
		c.Environment = environment
		if got := c.TokenPrefix(); got != AccessTokenPrefix(environment) {
			t.Errorf("token.prefix in %s is %q", environment, got)
		}
	}
}
