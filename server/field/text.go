package field

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// OneLine reports whether s can be a name for people to read: one line of 1 to
// limit characters, not only spaces.
func OneLine(s string, limit int) bool {
	return utf8.ValidString(s) && utf8.RuneCountInString(s) <= limit && strings.TrimSpace(s) != "" &&
		strings.IndexFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) < 0
}
