package web

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/gin-gonic/gin"
	"github.com/google/go-cmp/cmp"

	"github.com/grantd/grantd/server/apierr"
)

// attributes has a field of each type that documents have.
type attributes struct {
	Text  string   `json:"text"`
	Maybe *string  `json:"maybe"`
	Count *int64   `json:"count"`
	Thing *nested  `json:"thing"`
	List  []nested `json:"list"`
}

type nested struct {
	Type string   `json:"type"`
	IDs  []string `json:"ids"`
}

// read posts the body as a document of type thing.
func read(body, contentType, query string) (a attributes, err error) {
	gin.SetMode(gin.ReleaseMode)
	c, _ := gin.CreateTestContext(httptest.NewRecorder())
	c.Request = httptest.NewRequest(http.MethodPost, "/things"+query, strings.NewReader(body))
	c.Request.Header.Set("Content-Type", contentType)
	return a, ReadDocument(c, "thing", &a)
}

func TestReadDocument(t *testing.T) {
	text, n := "", int64(7)
	for body, want := range map[string]attributes{
		`{"data":{"type":"thing","attributes":{}}}`:                                                                                                                             {},
		` {"data" : {"attributes":{"text":"a"},"type":"thing"}} `:                                                                                                               {Text: "a"},
		`{"data":{"type":"thing","attributes":{"text":null,"maybe":null,"count":null}}}`:                                                                                        {},
		`{"data":{"type":"thing","attributes":{"maybe":"","count":7}}}`:                                                                                                         {Maybe: &text, Count: &n},
		`{"data":{"type":"thing","attributes":{"list":[]}}}`:                                                                                                                    {List: []nested{}},
		`{"data":{"type":"thing","attributes":{"list":[{"type":"a","ids":["1","2"]}]}}}`:                                                                                        {List: []nested{{"a", []string{"1", "2"}}}},
		`{"data":{"type":"thing","attributes":{"text":"\u0061"}},"jsonapi":{"version":"1.1"}}`:                                                                                  {Text: "a"},
		`{"meta":{"a-b":[{}]},"data":{"type":"thing","attributes":{"thing":{"type":"a"}}}}`:                                                                                     {Thing: &nested{Type: "a"}},
		`{"links":{"self":"/x"},"included":[{"type":"a","id":"1"}],"data":{"type":"thing","attributes":{"text":"a"}}}`:                                                          {Text: "a"},
		`{"data":{"type":"thing","lid":"1","id":null,"links":{},"meta":{},"relationships":{"a":{"data":null}},"attributes":{"text":"a"}}}`:                                      {Text: "a"},
		`{"@a":1,"data":{"@b":{"text":"b"},"type":"thing","attributes":{"@text":"@x","text":"@a","@c":[1],"thing":{"@type":2,"type":"@a"},"list":[{"@d":null,"ids":["@1"]}]}}}`: {Text: "@a", Thing: &nested{Type: "@a"}, List: []nested{{IDs: []string{"@1"}}}},
		`{"data":{"type":"thing","attributes":{"text":"ü€😀"}}}`:                                                                                                                 {Text: "ü€😀"},
		"{\"data\":{\"type\":\"thing\",\"attributes\":{\"text\":\"a\"}}}\r\n":                                                                                                   {Text: "a"},
		`{"data":{"type":"thing","attributes":{"count":7,"thing":{"type":"x","ids":null}}}}`:                                                                                    {Count: &n, Thing: &nested{Type: "x"}},
		`{"data":{"type":"thing","attributes":{"text":"` + strings.Repeat("x", 60<<10) + `"}}}`:                                                                                 {Text: strings.Repeat("x", 60<<10)},
	} {
		got, err := read(body, mediaJSONAPI, "")
		if err != nil {
			t.Errorf("%.100s: %v", body, err)
		} else if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%.100s (-want +got):\n%.500s", body, diff)
		}
	}
}

func TestDocumentsThatAreRefused(t *testing.T) {
	const about = `{"data":{"type":"thing","attributes":{`
	for name, c := range map[string]struct{ body, pointer string }{
		"empty":                        {"", ""},
		"not JSON":                     {"data", ""},
		"cut short":                    {`{"data":{"type":"thing"`, ""},
		"two documents":                {about + `}}} {}`, ""},
		"a comma too many":             {about + `"text":"a",}}}`, ""},
		"null":                         {"null", ""},
		"a list":                       {"[]", ""},
		"no data":                      {"{}", ""},
		"errors":                       {`{"errors":[],"data":{"type":"thing","attributes":{}}}`, "/errors"},
		"not UTF-8":                    {about + "\"text\":\"\xff\"}}}", ""},
		"a byte order mark":            {"\xef\xbb\xbf" + about + `}}}`, ""},
		"much too deep":                {about + `"text":` + strings.Repeat("[", 101) + strings.Repeat("]", 101) + `}}}`, ""},
		"too deep":                     {about + `"text":` + strings.Repeat("[", 30) + strings.Repeat("]", 30) + `}}}`, "text"},
		"data twice":                   {`{"data":{"type":"thing","attributes":{}},"data":{"type":"thing","attributes":{}}}`, ""},
		"data twice by case":           {`{"data":{"type":"thing","attributes":{}},"Data":{}}`, "/Data"},
		"type twice":                   {`{"data":{"type":"other","type":"thing","attributes":{}}}`, ""},
		"an attribute twice":           {about + `"text":"a","text":"a"}}}`, ""},
		"an attribute twice by case":   {about + `"text":"a","TEXT":"b"}}}`, "/data/attributes/TEXT"},
		"twice by escape":              {about + `"text":"a","\u0074ext":"b"}}}`, ""},
		"twice by Unicode's folding":   {about + `"list":[],"li\u017ft":[]}}}`, pointerAttributes}, // ſ is an s to encoding/json
		"once by Unicode's folding":    {about + `"li\u017ft":[]}}}`, pointerAttributes},
		"twice within an attribute":    {about + `"thing":{"type":"a","Type":"b"}}}}`, "thing"},
		"twice within a list":          {about + `"list":[{"ids":["1"],"IDS":["2"]}]}}}`, "list"},
		"data is null":                 {`{"data":null}`, pointerData},
		"data is a list":               {`{"data":[{"type":"thing","attributes":{}}]}`, pointerData},
		"data is text":                 {`{"data":"thing"}`, pointerData},
		"unknown in data":              {`{"data":{"type":"thing","scope":"x","attributes":{}}}`, "/data/scope"},
		"links twice":                  {`{"links":{},"links":{},"data":{"type":"thing","attributes":{}}}`, ""},
		"twice beside @":               {about + `"@a":1,"text":"a","text":"a"}}}`, ""},
		"an @ member twice":            {about + `"@a":1,"@a":1}}}`, ""},
		"an @ member that is no JSON":  {about + `"@a":nothing}}}`, ""},
		"two documents with @":         {about + `"@a":1}}} {}`, ""},
		"not UTF-8 beside @":           {about + "\"@a\":1,\"text\":\"\xff\"}}}", ""},
		"much too deep beside @":       {about + `"@a":` + strings.Repeat("[", 101) + strings.Repeat("]", 101) + `}}}`, ""},
		"an exponent beside @":         {about + `"@a":1,"count":1e2}}}`, "count"},
		"an @ that is escaped":         {about + `"\u0040a":1}}}`, pointerAttributes},
		"an attribute like a code":     {about + `"123456":"a"}}}`, pointerAttributes},
		"an attribute like a secret":   {about + `"gs_live_abcdefgh_0123456789":"a"}}}`, pointerAttributes},
		"a long unknown attribute":     {about + `"abcdefghijklmnopqrstuvwxyzabcdefg":"a"}}}`, pointerAttributes},
		"data in capitals":             {`{"DATA":{"type":"thing","attributes":{}}}`, "/DATA"},
		"no type":                      {`{"data":{"attributes":{}}}`, pointerType},
		"another type":                 {`{"data":{"type":"other","attributes":{}}}`, pointerType},
		"type in capitals":             {`{"data":{"type":"Thing","attributes":{}}}`, pointerType},
		"type is a number":             {`{"data":{"type":1,"attributes":{}}}`, pointerType},
		"no attributes":                {`{"data":{"type":"thing"}}`, pointerAttributes},
		"attributes are null":          {`{"data":{"type":"thing","attributes":null}}`, pointerAttributes},
		"attributes are a list":        {`{"data":{"type":"thing","attributes":[]}}`, pointerAttributes},
		"an unknown attribute":         {about + `"more":"a"}}}`, "/data/attributes/more"},
		"an attribute in capitals":     {about + `"Text":"a"}}}`, "/data/attributes/Text"},
		"an attribute without a name":  {about + `"":"a"}}}`, pointerAttributes},
		"text that is a number":        {about + `"text":1}}}`, "text"},
		"a number that is text":        {about + `"count":"1"}}}`, "count"},
		"a number that is none":        {about + `"count":1.5}}}`, "count"},
		"a number with an exponent":    {about + `"count":1e2}}}`, "count"},
		"a number that is too long":    {about + `"count":9223372036854775808}}}`, "count"},
		"an object that is text":       {about + `"thing":"a"}}}`, "thing"},
		"an object with something":     {about + `"thing":{"more":1}}}}`, "thing"},
		"a list that is an object":     {about + `"list":{}}}}`, "list"},
		"a list of texts":              {about + `"list":["a"]}}}`, "list"},
		"a number in an object's list": {about + `"list":[{"ids":[1]}]}}}`, "list"},
	} {
		t.Run(name, func(t *testing.T) {
			a, err := read(c.body, mediaJSONAPI, "")
			var f *apierr.Error
			if !errors.As(err, &f) || f.Code != apierr.InvalidRequest || f.Field != c.pointer {
				t.Fatalf("%+v, %v, want %q", a, err, c.pointer)
			}
			if c.body != "" && len(c.body) > 8 && strings.Contains(err.Error(), c.body) {
				t.Errorf("the error holds the body: %v", err)
			}
		})
	}
	for _, id := range []string{`"1"`, `""`, `1`, `{}`} {
		_, err := read(`{"data":{"type":"thing","id":`+id+`,"attributes":{}}}`, mediaJSONAPI, "")
		var f *apierr.Error
		if !errors.As(err, &f) || f.Code != apierr.ClientGeneratedID || f.Field != pointerID {
			t.Errorf("id %s: %v", id, err)
		}
	}
	if _, err := read(strings.Repeat(" ", MaxBody+1), mediaJSONAPI, ""); !errors.Is(err, errTooLarge) {
		t.Errorf("64 KiB and one: %v", err)
	}
	for _, query := range []string{"?a=b", "?x", "?%zz"} {
		if _, err := read(about+`}}}`, mediaJSONAPI, query); !errors.Is(err, errQuery) {
			t.Errorf("%s: %v", query, err)
		}
	}
}

func TestDocumentsMediaType(t *testing.T) {
	for given, want := range map[string]bool{
		"application/vnd.api+json": true, "Application/VND.API+JSON": true, "application/vnd.api+json; charset=utf-8": true,
		`application/vnd.api+json; profile="http://example.com/p"`: true, "application/vnd.api+json;": true,
		"": false, "application/json": false, "text/plain": false, "application/vnd.api+json, application/json": false, "*/*": false,
		`application/vnd.api+json; ext="https://jsonapi.org/ext/atomic"`: false, "application/vnd.api+json; EXT=a": false,
		"application/vnd.api+json; ext*=utf-8''a": false, "application/vnd.api+jsonx": false, "application/x-www-form-urlencoded": false,
	} {
		_, err := read(`{"data":{"type":"thing","attributes":{}}}`, given, "")
		if (err == nil) != want || err != nil && !errors.Is(err, errNotJSONAPI) {
			t.Errorf("%q: %v", given, err)
		}
	}
}

// FuzzReadDocument shows that ReadDocument reads what encoding/json reads, and
// accepts no repeated and no unknown names.
func FuzzReadDocument(f *testing.F) {
	for _, s := range []string{
		`{"data":{"type":"thing","attributes":{}}}`, `{"data":{"type":"thing","attributes":{"text":"a","maybe":null,"count":7,"thing":{"type":"a"},"list":[{"type":"b","ids":["1"]}]}}}`,
		`{"data":{"type":"thing","attributes":{"text":"a","Text":"b"}}}`, `{"data":{"type":"thing","attributes":{"li\u017ft":[]}}}`, `{"data":{"type":"thing","attributes":{"\u0074ext":"a"}},"meta":{}}`,
		`{"@a":1,"data":{"@b":2,"type":"thing","attributes":{"@c":3,"text":"@d"}}}`, `{"data":[]}`, `{"data":null}`, `[]`, `null`, ``, `{`, `{"data":{"type":"thing","attributes":{"text":"\ud800"}}}`, `{"data":{"type":"thing","attributes":{"count":-0}}}`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, body string) {
		got, err := read(body, mediaJSONAPI, "")
		if err != nil {
			var f *apierr.Error
			if !errors.As(err, &f) {
				t.Fatalf("not an apierr.Error: %v", err)
			}
			return
		}
		var doc struct {
			Data struct {
				Type       string
				Attributes json.RawMessage
			}
		}
		var want attributes
		if json.Unmarshal([]byte(body), &doc) != nil || json.Unmarshal(doc.Data.Attributes, &want) != nil || doc.Data.Type != "thing" || !utf8.ValidString(body) {
			t.Fatal("accepted what is no document of the type")
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("differs from encoding/json (-want +got):\n%s", diff)
		}
		encoded, err := json.Marshal(got)
		if err != nil {
			t.Fatal(err)
		}
		again, err := read(`{"data":{"type":"thing","attributes":`+string(encoded)+`}}`, mediaJSONAPI, "")
		if diff := cmp.Diff(got, again); err != nil || diff != "" {
			t.Errorf("encoded and read again it differs: %v (-first +second):\n%s", err, diff)
		}
		var named map[string]json.RawMessage
		_ = json.Unmarshal(doc.Data.Attributes, &named)
		for name := range named {
			if strings.HasPrefix(name, "@") {
				continue
			}
			if !slices.Contains([]string{"text", "maybe", "count", "thing", "list"}, name) {
				t.Errorf("accepted the attribute %q", name)
			}
		}
	})
}
