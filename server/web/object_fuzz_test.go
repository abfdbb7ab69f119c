package web

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

// FuzzParseObject shows that parseObject reads what encoding/json reads, and that it
// accepts every object of strings without repeated names, and nothing else.
func FuzzParseObject(f *testing.F) {
	for _, s := range []string{
		`{}`, ` { "a" : "b" } `, `{"a":"b","c":"d"}`, `{"a":"b","a":"c"}`, `{"a":"b","\u0061":"c"}`, `{"a":1}`, `{"a":null}`, `{"a":{}}`, `{"a":["b"]}`,
		`[]`, `"a"`, `null`, ``, `{`, `{"a"`, `{"a":`, `{"a":"b"`, `{"a":"b",}`, `{"a":"b"]`, `{"a":"b"}}`, `{"a":"b"} 1`, `{"a":"b"}x`, `{a:"b"}`, `{"a" "b"}`,
		`{"a":"\u0000\ud800\udc00"}`, `{"a":"\ud800"}`, "{\"a\":\"\xff\"}", "{\"a\":\"\n\"}", "\xef\xbb\xbf{}", `{"":""}`, `{,}`, `{"a":"b",,"c":"d"}`, `{"a"::"b"}`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, body string) {
		got, err := parseObject([]byte(body), nil)
		if err != nil {
			if isObjectOfStrings(body) {
				t.Fatalf("refused an object of strings: %v", err)
			}
			return
		}
		var want map[string]string
		if err := json.Unmarshal([]byte(body), &want); err != nil || !utf8.ValidString(body) {
			t.Fatalf("accepted what is not an object of strings: %v", err)
		}
		all := map[string]string{}
		for _, p := range got {
			all[p.name] = p.value
		}
		if diff := cmp.Diff(want, all); diff != "" || len(all) != len(got) || len(got) > MaxParams {
			t.Errorf("%d members, differs from encoding/json (-want +got):\n%s", len(got), diff)
		}
	})
}

// isObjectOfStrings reports whether the body is, for encoding/json, an object of at
// most MaxParams strings. It counts tokens to find a repeated name, of which the
// map has only one.
func isObjectOfStrings(body string) bool {
	var all map[string]any
	if !utf8.ValidString(body) || json.Unmarshal([]byte(body), &all) != nil || all == nil || len(all) > MaxParams {
		return false
	}
	for _, v := range all {
		if _, ok := v.(string); !ok {
			return false
		}
	}
	d := json.NewDecoder(strings.NewReader(body))
	tokens := 0
	for {
		if _, err := d.Token(); err != nil {
			break
		}
		tokens++
	}
	return tokens == 2*len(all)+2
}
