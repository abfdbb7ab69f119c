package deps

import (
	"path"
	"regexp"
	"strings"
	"testing"
)

// avoid lists words that make a reader stop, and what to write instead. They
// apply to all comments, string literals and guides.
var avoid = []struct {
	words   *regexp.Regexp
	instead string
	goOnly  bool // in guides the word is used in its ordinary sense
}{
	{regexp.MustCompile(`(?i)\banswers?\b`), `"returns" for a function, "response" for HTTP, "reply" for a peer`, true},
	{regexp.MustCompile(`(?i)\bwho(m)?ever\b`), `"anyone who", or name the caller`, false},
	{regexp.MustCompile(`(?i)\banew\b`), `"again"`, false},
	{regexp.MustCompile(`(?i)\bbut\s+for\b`), `"except"`, false},
	{regexp.MustCompile(`(?i)\bstands?\s+in\b`), `"is in", or "replaces"`, false},
	{regexp.MustCompile(`(?i)\bstands?\s+for\b`), `"means", or "represents"`, false},
	{regexp.MustCompile(`(?i)\bstands?\s+twice\b`), `"is repeated"`, false},
	{regexp.MustCompile(`(?i)\bstands?\s+as\b`), `"is"`, false},
	{regexp.MustCompile(`(?i)\bof\s+(its|their|his|her|our)\s+own\b`), `"separate", or "its"`, false},
	{regexp.MustCompile(`(?i)\bone\s+that\s+is\b`), `name the thing: "a client that is"`, false},
	{regexp.MustCompile(`(^|[.!?:;]\s+|\n\s*\n\s*)Of\s[^.!?]*\bthose\b`), `start with the subject: "Only the … that"`, false},
}

// thisFile is the only one that may contain the words.
const thisFile = "tests/deps/english_test.go"

func TestEnglish(t *testing.T) {
	hits := map[string]int{}
	for _, x := range allTexts(t) {
		if x.file == thisFile {
			continue
		}
		for _, a := range avoid {
			if a.goOnly && x.kind == markdown {
				continue
			}
			for _, at := range a.words.FindAllStringIndex(x.body, -1) {
				if x.kind == markdown && isQuoted(x.body, at) {
					continue // the guide for contributors lists such words
				}
				words := strings.Join(strings.Fields(x.body[at[0]:at[1]]), " ")
				t.Errorf("%s:%d: %s has %q: write %s", x.file, x.lineOf(at[0]), x.kind, words, a.instead)
				hits[path.Dir(x.file)]++
			}
		}
	}
	for dir, n := range hits {
		t.Logf("%s: %d", dir, n)
	}
}

// isQuoted reports whether exactly these words are in quotation marks.
func isQuoted(body string, at []int) bool {
	return at[0] > 0 && at[1] < len(body) && body[at[0]-1] == '"' && body[at[1]] == '"'
}

// TestAvoid shows what the patterns match.
func TestAvoid(t *testing.T) {
	for sentence, bad := range map[string]bool{
		"Find answers the scope of that name.":     true,
		"Find returns the scope with the name.":    false,
		"a request that is answered":               false,
		"names come from whoever\nmade the client": true,
		"written anew":                                   true,
		"all but\n for the privileged ones":              true,
		"not one, but for each":                          true,
		"a key stands twice":                             true,
		"it stands in the log":                           true,
		"what an alias stands for":                       true,
		"as it stands":                                   false,
		"a line of its own":                              true,
		"their own":                                      false,
		"one that is not there":                          true,
		"one thing that is there":                        false,
		"Of orgs that left, those are not shown.":        true,
		"It ends. Of all tokens those end too.":          true,
		"the life of those tokens; Off those":            false,
		"a list of names. Those are of the other server": false,
	} {
		matched := false
		for _, a := range avoid {
			matched = matched || a.words.MatchString(sentence)
		}
		if matched != bad {
			t.Errorf("%q: matched %v, want %v", sentence, matched, bad)
		}
	}
}
