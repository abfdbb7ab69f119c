package registry

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// OneLine says whether s is a name as people read it: one line of 1 to most
// characters, not only spaces.
func OneLine(s string, most int) bool {
	return utf8.ValidString(s) && utf8.RuneCountInString(s) <= most && strings.TrimSpace(s) != "" &&
		strings.IndexFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) < 0
}
