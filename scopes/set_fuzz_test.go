package scopes

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

// grammar is scope of RFC 6749 §3.3: scope-token *( SP scope-token ).
var grammar = regexp.MustCompile(`^[\x21\x23-\x5B\x5D-\x7E]+( [\x21\x23-\x5B\x5D-\x7E]+)*$`)

// FuzzParse: Parse accepts exactly the grammar, within its limits, and the empty
// string.
func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"", " ", "a", "a b", "a  b", " a", "a ", "a a", "a\tb", "a\nb", `"`, `\`, "!", "#", "[", "]", "~", "\x7f", "\x20", "\x1f", "é", "\u00a0",
		"users:read users:write", "users:*", strings.Repeat("a", maxName), strings.Repeat("a", maxName+1),
		strings.Repeat("a ", MaxNames-1) + "b", strings.Repeat("a ", MaxNames) + "b", strings.Repeat("a", MaxLength+1),
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		set, err := Parse(s)
		names := strings.Split(s, " ")
		fits := len(s) <= MaxLength && len(names) <= MaxNames &&
			!slices.ContainsFunc(names, func(n string) bool { return len(n) > maxName })
		if want := s == "" || fits && grammar.MatchString(s); want != (err == nil) {
			t.Fatalf("error %v, want accepted %v", err, want)
		}
		if err != nil {
			return
		}
		for i, name := range set {
			if !slices.Contains(names, name) || slices.Contains(set[:i], name) || !Holds(s, name) {
				t.Errorf("%q was not requested, or is repeated", name)
			}
		}
		if s != "" && (!Subset(names, set) || set[0] != names[0]) {
			t.Errorf("%q is not all of %q, in order", set, s)
		}
		if again, err := Parse(Join(set)); err != nil || !slices.Equal(again, set) {
			t.Errorf("joined and parsed again: %q %v", again, err)
		}
	})
}
