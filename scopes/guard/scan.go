package guard

import (
	"strings"
	"unicode/utf8"
)

// scanner goes over JSON (RFC 8259) once. It is as strict as the grammar, and refuses
// names that are repeated in an object, and too many levels.
type scanner struct {
	text string
	at   int // what is read next
}

// scanDocument calls f with each member of an object that is all of the text. What f
// gets are parts of text: the value has no space around it. f may be called before a
// fault that comes later is found. Errors: of the text, and of f.
func scanDocument(text string, f func(name, value string) error) error {
	if !utf8.ValidString(text) {
		return errSyntax
	}
	s := scanner{text: text}
	s.space()
	if s.peek() != '{' {
		if _, err := s.value(0); err != nil {
			return err
		}
		return errType
	}
	if err := s.object(0, f); err != nil {
		return err
	}
	if s.space(); s.at != len(text) {
		return errSyntax
	}
	return nil
}

// peek returns the next byte; 0, which is no part of JSON, at the end.
func (s *scanner) peek() byte {
	if s.at < len(s.text) {
		return s.text[s.at]
	}
	return 0
}

// take reports whether the next byte is b, and skips it.
func (s *scanner) take(b byte) bool {
	if s.peek() != b {
		return false
	}
	s.at++
	return true
}

func (s *scanner) space() {
	for s.at < len(s.text) {
		switch s.text[s.at] {
		case ' ', '\t', '\r', '\n':
			s.at++
		default:
			return
		}
	}
}

// value skips a value, which begins here, and returns its text. depth is how many
// objects and lists it is in.
func (s *scanner) value(depth int) (text string, err error) {
	if depth > maxDepth {
		return "", errDeep
	}
	start := s.at
	switch c := s.peek(); {
	case c == '{':
		err = s.object(depth, nil)
	case c == '[':
		err = s.list(depth)
	case c == '"':
		_, err = s.quoted()
	case c == '-' || isDigit(c):
		err = s.number()
	default:
		err = s.word()
	}
	return s.text[start:s.at], err
}

// fewNames is up to how many names of an object are compared one by one.
const fewNames = 24

// names are those of an object.
type names struct {
	few  [fewNames]string
	n    int
	many map[string]bool // the others
}

// add notes a name. Errors: errDuplicate.
func (n *names) add(name string) error {
	for _, other := range n.few[:n.n] {
		if other == name {
			return errDuplicate
		}
	}
	if n.n < fewNames {
		n.few[n.n] = name
		n.n++
		return nil
	}
	if n.many[name] {
		return errDuplicate
	}
	if n.many == nil {
		n.many = map[string]bool{}
	}
	n.many[name] = true
	return nil
}

// object skips an object, and calls f with each of its members; nil: with none.
func (s *scanner) object(depth int, f func(name, value string) error) error {
	var seen names
	s.at++
	if s.space(); s.take('}') {
		return nil
	}
	for {
		quoted, err := s.quoted()
		if err != nil {
			return err
		}
		name, err := unquote(quoted)
		if err != nil {
			return err
		}
		if err := seen.add(name); err != nil {
			return err
		}
		if s.space(); !s.take(':') {
			return errSyntax
		}
		s.space()
		value, err := s.value(depth + 1)
		if err == nil && f != nil {
			err = f(name, value)
		}
		if err != nil {
			return err
		}
		if s.space(); s.take('}') {
			return nil
		}
		if !s.take(',') {
			return errSyntax
		}
		s.space()
	}
}

// list skips a list.
func (s *scanner) list(depth int) error {
	s.at++
	if s.space(); s.take(']') {
		return nil
	}
	for {
		if _, err := s.value(depth + 1); err != nil {
			return err
		}
		if s.space(); s.take(']') {
			return nil
		}
		if !s.take(',') {
			return errSyntax
		}
		s.space()
	}
}

// quoted skips a string, and returns it with its quotes.
func (s *scanner) quoted() (string, error) {
	start := s.at
	if !s.take('"') {
		return "", errSyntax
	}
	for s.at < len(s.text) {
		c := s.text[s.at]
		s.at++
		switch {
		case c == '"':
			return s.text[start:s.at], nil
		case c < ' ':
			return "", errSyntax
		case c == '\\' && !s.escape():
			return "", errSyntax
		}
	}
	return "", errSyntax
}

// escape skips what follows a backslash, and reports whether it is right.
func (s *scanner) escape() bool {
	c := s.peek()
	if c == 0 {
		return false
	}
	s.at++
	if c != 'u' {
		return strings.IndexByte(`"\/bfnrt`, c) >= 0
	}
	for range 4 {
		if c := s.peek() | 0x20; !isDigit(s.peek()) && (c < 'a' || c > 'f') {
			return false
		}
		s.at++
	}
	return true
}

// number skips a number.
func (s *scanner) number() error {
	s.take('-')
	if !s.take('0') && !s.digits() {
		return errSyntax
	}
	if s.take('.') && !s.digits() {
		return errSyntax
	}
	if s.take('e') || s.take('E') {
		_ = s.take('+') || s.take('-')
		if !s.digits() {
			return errSyntax
		}
	}
	return nil
}

// digits skips digits, and reports whether there were any.
func (s *scanner) digits() bool {
	start := s.at
	for isDigit(s.peek()) {
		s.at++
	}
	return s.at > start
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// word skips true, false or null.
func (s *scanner) word() error {
	for _, word := range [...]string{"true", "false", "null"} {
		if strings.HasPrefix(s.text[s.at:], word) {
			s.at += len(word)
			return nil
		}
	}
	return errSyntax
}

// eachMember calls f with each member of an object that was scanned before, until f
// returns an error. Errors: errType; of f.
func eachMember(object string, f func(name, value string) error) error {
	if object[0] != '{' {
		return errType
	}
	s := scanner{text: object}
	return s.object(0, f)
}

// eachElement calls f with each element of a list that was scanned before, until f
// returns an error. null is no list. Errors: errType; of f.
func eachElement(list string, f func(element string) error) error {
	if list[0] != '[' {
		return errType
	}
	s := scanner{text: list, at: 1}
	for {
		if s.space(); s.take(']') {
			return nil
		}
		element, err := s.value(0)
		if err == nil {
			err = f(element)
		}
		if err != nil {
			return err
		}
		s.space()
		s.take(',')
	}
}
