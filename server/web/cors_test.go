package web

import (
	"net/http"
	"strings"
	"testing"
)

// TestPlainOrigin: the log shows what has the form of an origin, and nothing else that
// a caller may send.
func TestPlainOrigin(t *testing.T) {
	for _, good := range []string{"https://shop.example.com", "http://localhost:3000", "http://[::1]:3000", "http://127.0.0.1:38291", "http://192.168.100.200:38291", "https://xn--bcher-kva.example", "null"} {
		if got := plainOrigin([]string{good}); got != good {
			t.Errorf("%s: %q", good, got)
		}
	}
	for _, bad := range [][]string{
		nil, {""}, {"https://a.example", "https://a.example"}, {"shop.example.com"}, {"capacitor://localhost"}, {"https://Shop.example.com"}, {"https://a.example/x"},
		{"https://user:pass@a.example"}, {"https://a.example?x"}, {"https://a.example\nx"}, {"https://bücher.example"},
		{"gs_sandbox_4fTz81Qk_rXDV5mXkOI9XpEouwyW5ADbyEwHNg5sHLnqnEw9cK3U"}, {"https://gs_sandbox_4ftz81qk"}, {"https://8f14e45fceea167a5a36dedd4bea2543"},
		{"https://" + strings.Repeat("a", 300)},
	} {
		if got := plainOrigin(bad); got != "" {
			t.Errorf("%q: %q", bad, got)
		}
	}
}

// TestAllowedOrigin: an origin is compared whole, and must be there once.
func TestAllowedOrigin(t *testing.T) {
	x := NewCrossOrigin([]string{"https://a.example", "http://localhost:3000"})
	for want, rows := range map[string][][]string{
		"https://a.example": {{"https://a.example"}},
		"":                  {nil, {""}, {"*"}, {"null"}, {"https://a.example:443"}, {"https://a.example "}, {"http://a.example"}, {"https://A.example"}, {"https://a.example", "https://a.example"}, {"https://b.a.example"}},
	} {
		for _, lines := range rows {
			if got := strings.Join(x.allowed(http.Header{"Origin": lines}), ","); got != want {
				t.Errorf("%q: %q, want %q", lines, got, want)
			}
		}
	}
	x.Allow("GET", "/x")
	x.Allow("HEAD", "/x")
	if got := x.routes["/x"].header; len(got) != 1 || got[0] != "GET, HEAD" {
		t.Errorf("methods %q", got)
	}
}

// FuzzReadsHeaders: a list passes only if each of its names is one that grantd reads.
func FuzzReadsHeaders(f *testing.F) {
	for _, s := range []string{"", "authorization", "authorization,content-type", " Authorization ,\tX-Request-Id", "authorization, cookie", ",,", "authorization;content-type", "autho\x00rization", "traceparent,tracestate"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, list string) {
		if !readsHeaders([]string{list}) {
			return
		}
		rest := strings.NewReplacer("authorization", "", "content-type", "", "x-request-id", "", "traceparent", "", "tracestate", "").Replace(strings.ToLower(list))
		if strings.Trim(rest, ", \t") != "" {
			t.Errorf("%q passes", list)
		}
	})
}
