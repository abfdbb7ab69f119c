package store

import (
	"bytes"
	"time"
)

// scanEntry reads an entry in exactly the form that MarshalEntry writes, if no
// text in it is escaped. A feed may have a million of them, and a decoder of
// JSON takes longer for each than everything else together. ok is false for any
// other form, which may be a valid entry all the same.
func scanEntry(b []byte, p Position) (e Entry, ok bool) {
	s := scanner{rest: b}
	e.Position = p
	switch kind := s.text(`{"v":1,"kind":"`); {
	case string(kind) == string(EntryVoid):
		e.Kind = EntryVoid
	case string(kind) == string(EntryChange):
		e.Kind = EntryChange
	default:
		return Entry{}, false
	}
	e.Key = string(s.text(`,"key":"`))
	if s.begins(`,"by":"`) {
		e.By = string(s.text(`,"by":"`))
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
	rest   []byte
	failed bool
}

func (s *scanner) begins(prefix string) bool {
	return len(s.rest) >= len(prefix) && string(s.rest[:len(prefix)]) == prefix
}

func (s *scanner) skip(prefix string) {
	if !s.begins(prefix) {
		s.failed = true
		return
	}
	s.rest = s.rest[len(prefix):]
}

// text skips prefix and returns what is before the next quote, which it skips too.
func (s *scanner) text(prefix string) []byte {
	s.skip(prefix)
	end := bytes.IndexByte(s.rest, '"')
	if end < 0 || s.failed {
		s.failed = true
		return nil
	}
	text := s.rest[:end]
	for _, c := range text {
		if c < ' ' || c > '~' || c == '\\' { // escaped, or a decoder might replace it
			s.failed = true
			return nil
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
