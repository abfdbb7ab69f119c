package web

import (
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// FuzzParseForm shows that within its bounds parseForm reads what net/url reads.
// They differ only in semicolons: net/url refuses them, to WHATWG they are plain
// characters.
func FuzzParseForm(f *testing.F) {
	for _, s := range []string{
		"", "&", "a", "a=", "=a", "=", "a=1&b=2", "a=1&a=2", "a=%zz", "%zz=1", "a=%", "a=%2", "a=+%2B+", "a==", "a=1&&b=2",
		"%67rant_type=client_credentials", "a=\x00\xff", "a[b]=1&c[]=2", "é=ü", strings.Repeat("a&", MaxParams),
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, body string) {
		got, err := parseForm(body, nil)
		if err == nil && len(got) > MaxParams {
			t.Fatalf("%d parameters", len(got))
		}
		if strings.Contains(body, ";") || strings.Count(body, "&") >= MaxParams {
			return
		}
		want, wantErr := url.ParseQuery(body)
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("parseForm: %v, url.ParseQuery: %v", err, wantErr)
		}
		if err != nil {
			return
		}
		all := url.Values{}
		for _, p := range got {
			all.Add(p.name, p.value)
		}
		if diff := cmp.Diff(want, all); diff != "" {
			t.Errorf("differs from url.ParseQuery (-want +got):\n%s", diff)
		}
	})
}
