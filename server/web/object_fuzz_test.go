package web

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

// What parseObject takes is JSON and means what encoding/json says; every
// object of strings without repeated names is taken.
func FuzzParseObject(f *testing.F) {
	for _, s := range []string{
		`{}`, ` { "a" : "b" } `, `{"a":"b","c":"d"}`, `{"a":"b","a":"c"}`, `{"a":"b","\u0061":"c"}`, `{"a":1}`, `{"a":null}`, `{"a":{}}`, `{"a":["b"]}`,
		`[]`, `"a"`, `null`, ``, `{`, `{"a"`, `{"a":`, `{"a":"b"`, `{"a":"b",}`, `{"a":"b"]`, `{"a":"b"}}`, `{"a":"b"} 1`, `{"a":"b"}x`, `{a:"b"}`, `{"a" "b"}`,
		`{"a":"\u0000\ud800\udc00"}`, `{"a":"\ud800"}`, "{\"a\":\"\xff\"}", "{\"a\":\"\n\"}", "\xef\xbb\xbf{}", `{"":""}`, `{,}`, `{"a":"b",,"c":"d"}`, `{"a"::"b"}`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, body string) {
		got, err := parseObject(body, nil)
		if err != nil {
			if wanted(body) {
				t.Fatalf("refused an object of strings: %v", err)
			}
			return
		}
		var want map[string]string
		if err := json.Unmarshal([]byte(body), &want); err != nil || !utf8.ValidString(body) {
			t.Fatalf("took what is not an object of strings: %v", err)
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

// wanted says whether the body is, for encoding/json, an object of at most
// MaxParams strings. A name that stands twice is found by counting colons
// between strings: fewer members than values mean a repeat.
func wanted(body string) bool {
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
