package store

import (
	"strings"
	"time"
)

// scanEntry reads an entry in exactly the form that MarshalEntry writes, if no
// text in it is escaped. A feed may have a million of them, and a decoder of
// JSON takes longer for each than everything else together. ok is false for any
// other form, which may be a valid entry all the same. The texts of the entry are
// parts of form.
func scanEntry(form string, p Position) (e Entry, ok bool) {
	s := scanner{rest: form}
	e.Position = p
	switch kind := s.text(`{"v":1,"kind":"`); {
	case kind == string(EntryVoid):
		e.Kind = EntryVoid
	case kind == string(EntryChange):
		e.Kind = EntryChange
	default:
		return Entry{}, false
	}
	e.Key = s.text(`,"key":"`)
	if s.begins(`,"by":"`) {
		e.By = s.text(`,"by":"`)
	}
	e.At = time.UnixMilli(s.number(`,"at":`)).UTC()
	if s.begins(`,"until":`) {
		e.Until = time.UnixMilli(s.number(`,"until":`)).UTC()
	}
	s.skip("}")
	if s.failed || len(s.rest) > 0 {
		return Entry{}, false
	}
	return e, true
}

// scanner reads from the front of rest. Once something is not as expected, failed
// is true.
type scanner struct {
	rest   string
	failed bool
}

func (s *scanner) begins(prefix string) bool {
	return strings.HasPrefix(s.rest, prefix)
}

func (s *scanner) skip(prefix string) {
	if !s.begins(prefix) {
		s.failed = true
		return
	}
	s.rest = s.rest[len(prefix):]
}

// text skips prefix and returns what is before the next quote, which it skips too.
func (s *scanner) text(prefix string) string {
	s.skip(prefix)
	end := strings.IndexByte(s.rest, '"')
	if end < 0 || s.failed {
		s.failed = true
		return ""
	}
	text := s.rest[:end]
	for i := range len(text) {
		if c := text[i]; c < ' ' || c > '~' || c == '\\' { // escaped, or a decoder might replace it
			s.failed = true
			return ""
		}
	}
	s.rest = s.rest[end+1:]
	return text
}

// number skips prefix and returns the decimal number behind it. It does not accept
// 0, which UnmarshalEntry does not either as an end.
func (s *scanner) number(prefix string) int64 {
	s.skip(prefix)
	const longest = 18 // digits that always fit
	n, digits := int64(0), 0
	for digits < len(s.rest) && '0' <= s.rest[digits] && s.rest[digits] <= '9' && digits <= longest {
		n = n*10 + int64(s.rest[digits]-'0')
		digits++
	}
	if digits == 0 || digits > longest || s.rest[0] == '0' {
		s.failed = true
		return 0
	}
	s.rest = s.rest[digits:]
	return n
}
