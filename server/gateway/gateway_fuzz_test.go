package gateway

import (
	"net/http"
	"net/netip"
	"net/url"
	"path"
	"slices"
	"strings"
	"testing"
)

// FuzzQuery: what is accepted is nothing but scope and token_use, and asks for at least
// what it says.
func FuzzQuery(f *testing.F) {
	for _, q := range []string{"", "scope=a", "scope=a+b&token_use=customer", "scope=a&scope=b", "x=1", "%73cope=a", "scope=a;token_use=key"} {
		f.Add(q)
	}
	f.Fuzz(func(t *testing.T, query string) {
		need, err := readNeed(query, nil)
		if err != nil {
			return
		}
		values, err := url.ParseQuery(query)
		if err != nil {
			t.Fatalf("%q is accepted, and no query: %v", query, err)
		}
		for name, given := range values {
			if name != paramScope && name != paramUse || len(given) != 1 || given[0] == "" {
				t.Errorf("%q is accepted: %v", query, values)
			}
		}
		for name := range strings.SplitSeq(values.Get(paramScope), " ") {
			if name != "" && !slices.Contains(need.Scopes, name) {
				t.Errorf("%q needs %v", query, need.Scopes)
			}
		}
		if len(need.Uses) == 0 {
			t.Errorf("%q accepts no kind of token", query)
		}
	})
}

// FuzzOriginal: a token for one path passes no path that a server could read as another
// one, and an address comes from the headers of the family.
func FuzzOriginal(f *testing.F) {
	for _, uri := range []string{"/cards", "/cards?x", "/cards/../x", "//cards", "/c%61rds", "/cards;x", "/cards/%2e%2e", "http://x/cards", "/x/%2fcards", ""} {
		f.Add("GET", uri, "203.0.113.7", "10.0.0.1, 203.0.113.7")
	}
	t1 := Token{Active: true, Use: useOnBehalf, Endpoints: []string{"GET /cards"}}
	need := Need{Uses: []string{useOnBehalf}}
	f.Fuzz(func(t *testing.T, method, uri, real, forwarded string) {
		h := http.Header{
			"X-Forwarded-Method": {method}, "X-Forwarded-Uri": {uri}, "X-Forwarded-For": {forwarded},
			"X-Original-Method": {method}, "X-Original-Uri": {uri}, "X-Real-Ip": {real},
		}
		for _, family := range []Family{Forwarded, Originals} {
			o := family.read(h, []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")})
			if o.From.Is4In6() || o.From.Zone() != "" {
				t.Errorf("address %v", o.From)
			}
			if check(&t1, need, o) != nil {
				continue
			}
			raw, _, _ := strings.Cut(uri, "?")
			plain, err := url.PathUnescape(raw)
			if err != nil || path.Clean(plain) != "/cards" || plain != "/cards" || method != "GET" && method != "HEAD" || !o.From.IsValid() {
				t.Errorf("%s %q passes from %v", method, uri, o.From)
			}
		}
	})
}
