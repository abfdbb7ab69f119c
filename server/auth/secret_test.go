package auth

import (
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/grantd/grantd/store"
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
			if !strings.HasPrefix(hash, sha256Label) || strings.Contains(hash, m[2]) || hash != HashGenerated(plain) {
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
	if !form.MatchString(a) || !ValidClientID(a) || a == b {
		t.Errorf("%q, %q", a, b)
	}
}

func TestGeneratedID(t *testing.T) {
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
		if got, ok := GeneratedID(presented, "sandbox"); ok {
			t.Errorf("%s: taken as %q", name, got)
		}
	}
	if got, ok := GeneratedID(plain, "sandbox"); !ok || got != id {
		t.Errorf("%q, %v; want %q", got, ok, id)
	}
}

func TestOtherEnvironment(t *testing.T) {
	for _, row := range []struct {
		presented, environment string
		want                   bool
	}{
		{"gs_live_x", "sandbox", true}, {"gt_live_x", "sandbox", true}, {"gp_live_x", "sandbox", true},
		{"gs_sandbox_x", "live", true}, {"gt_sandbox_x", "live", true},
		{"gs_sandbox_x", "sandbox", false}, {"gt_live_x", "live", false},
		{"gs_livex", "sandbox", false}, {"live_x", "sandbox", false}, {"", "sandbox", false},
	} {
		if got := OtherEnvironment(row.presented, row.environment); got != row.want {
			t.Errorf("%q in %s: %v", row.presented, row.environment, got)
		}
	}
}

func TestContains(t *testing.T) {
	list := []string{"10.0.0.0/8", "192.0.2.7", "2001:db8::/32", "::ffff:198.51.100.0/120", "no range"}
	for addr, want := range map[string]bool{
		"10.0.0.0": true, "10.255.255.255": true, "11.0.0.0": false, "9.255.255.255": false,
		"192.0.2.7": true, "192.0.2.8": false, "::ffff:10.1.2.3": true, "2001:db8::1": true, "2001:db9::": false,
		"198.51.100.255": true, "198.51.101.0": false,
	} {
		if got := Contains(list, netip.MustParseAddr(addr)); got != want {
			t.Errorf("%s: %v", addr, got)
		}
	}
	if Contains([]string{"0.0.0.0/0", "::/0"}, netip.Addr{}) {
		t.Error("no address is in a range")
	}
}

// Two secrets made in one second are told apart by their place in the list.
func TestIsOld(t *testing.T) {
	now := time.Now()
	c := &store.Client{Secrets: []store.Secret{{ID: "a", CreatedAt: now}, {ID: "b", CreatedAt: now}}}
	if !isOld(c, &c.Secrets[0]) || isOld(c, &c.Secrets[1]) {
		t.Error("the first is the old one")
	}
}

func TestValidIDs(t *testing.T) {
	long := strings.Repeat("a", 128)
	for id, want := range map[string][2]bool{ // client; org, customer, partner
		"a": {true, true}, long: {true, true}, long + "a": {}, "": {}, "A-Z._~09": {true, true},
		"h5D8B5gyHtk=": {false, true}, "a+b": {false, true}, "a b": {}, "a/b": {}, "a:b": {}, "é": {}, "a\n": {}, "a%41": {},
	} {
		if got := [2]bool{ValidClientID(id), ValidID(id)}; got != want {
			t.Errorf("%q: %v, want %v", id, got, want)
		}
	}
}
