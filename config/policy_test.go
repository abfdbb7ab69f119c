package config

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParsePolicy(t *testing.T) {
	for _, tc := range []struct {
		text string
		want Policy
		says string
	}{
		{"users-read scope=users:read token_use=client", Policy{"users-read", "users:read", "client"}, ""},
		{"  a   token_use=client customer  scope=users:read users:write ", Policy{"a", "users:read users:write", "client customer"}, ""},
		{"a", Policy{"a", "", ""}, ""},
		{"a scope=x=y z=1", Policy{"a", "x=y z=1", ""}, ""},
		{"", Policy{}, "must be NAME scope"},
		{"scope=x", Policy{}, "must be NAME scope"},
		{"a users:read", Policy{}, "must be NAME scope"},
		{"a scopes=users:read", Policy{}, "must be NAME scope"},
		{"a scope=", Policy{}, "is empty"},
		{"a scope= users:read", Policy{}, "is empty"},
		{"a scope=x scope=y", Policy{}, "repeated"},
	} {
		got, err := ParsePolicy(tc.text)
		if diff := cmp.Diff(tc.want, got); diff != "" || (err == nil) != (tc.says == "") || err != nil && !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%q: %v %s", tc.text, err, diff)
		}
	}
}

// FuzzParsePolicy: what is read has no other words than the text, and in their order.
func FuzzParsePolicy(f *testing.F) {
	for _, text := range []string{"a", "a scope=x y token_use=key", "a token_use=client scope=x", "scope=x", "a scope=x scope=y", "a\tscope=x"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := ParsePolicy(text)
		if err != nil {
			if p != (Policy{}) {
				t.Errorf("%q: %v and %v", text, p, err)
			}
			return
		}
		again := p.Name
		for _, m := range p.members()[1:] {
			again += " " + m[0] + "=" + m[1]
		}
		if q, err := ParsePolicy(again); err != nil || q != p {
			t.Errorf("%q is %v, and %q is %v: %v", text, p, again, q, err)
		}
		if len(strings.Fields(again)) != len(strings.Fields(text)) {
			t.Errorf("%q loses words: %v", text, p)
		}
	})
}
