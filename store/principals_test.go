package store

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPrincipalsOfAToken(t *testing.T) {
	key := PrincipalToken(Digest{7, 9})
	parent := strings.TrimPrefix(key, "token:")
	bare := Token{Use: UseClient, ClientID: "c"}
	full := Token{ClientID: "c", SecretID: "s", OrgID: "o", CustomerID: "u", PartnerID: "p", PartnerTID: "t", Parents: []string{parent}}
	for _, c := range []struct {
		token Token
		want  []string
	}{
		{bare, []string{"all", "client:c"}},
		{full, []string{"all", "client:c", "customer:u", "grant:p/o", "org:o", "partner:p", "partner_token:t", "secret:c/s", key}},
		{Token{}, []string{"all"}},
	} {
		var got []string
		for _, p := range c.token.Principals(new(PrincipalBuffer)) {
			got = append(got, string(p.Append(nil)))
		}
		slices.Sort(got)
		if d := cmp.Diff(c.want, got); d != "" {
			t.Errorf("(-want +got):\n%s", d)
		}
	}
}

func TestPrincipalsOfDifferentKindsNeverCollide(t *testing.T) {
	keys := []string{
		PrincipalAll, PrincipalClient("a"), PrincipalSecret("a", "b"), PrincipalOrg("a"), PrincipalCustomer("a"),
		PrincipalPartner("a"), PrincipalPartnerToken("a"), PrincipalGrant(GrantID("a", "b")), PrincipalToken(Digest{}),
	}
	slices.Sort(keys)
	if len(slices.Compact(keys)) != 9 {
		t.Errorf("keys collide: %q", keys)
	}
}

func TestTokenOfPrincipal(t *testing.T) {
	want := Digest{0xff, 7, 31: 0xfe}
	if d, ok := TokenOfPrincipal(PrincipalToken(want)); !ok || d != want {
		t.Errorf("%x %v", d, ok)
	}
	parent := Token{Parents: []string{PrincipalToken(want)[len(kindToken):]}}
	for _, p := range parent.Principals(new(PrincipalBuffer)) {
		if d, ok := p.Digest(); ok != (p.kind == kindToken) || ok && d != want {
			t.Errorf("%s: %x %v", p.Append(nil), d, ok)
		}
	}
	key := PrincipalToken(want)
	for _, other := range []string{"", "token:", key + "A", key[:len(key)-1], key[:len(key)-1] + "=", key[:len(key)-1] + "_", "client:" + key[6:], "token:" + key[7:] + "\n"} {
		if _, ok := TokenOfPrincipal(other); ok {
			t.Errorf("%q counts as the key of a token", other)
		}
	}
}
