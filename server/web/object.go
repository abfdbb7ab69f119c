package web

import (
	"cmp"
	"slices"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/grantd/grantd/server/apierr"
)

var errObject = apierr.New(apierr.InvalidRequest, "the body must be one JSON object whose values are strings, each name once")

// parseObject reads an object of strings and appends its members to all. It
// refuses repeated names, values of other types, and anything after the object. It
// does not keep body.
func parseObject(body []byte, all []param) ([]param, error) {
	var members []param
	ok := false
	if len(body) <= shortBody {
		members, ok = parsePlainObject(string(body), all)
	}
	if !ok {
		var err error
		if members, err = parseAnyObject(body, all); err != nil {
			return nil, err
		}
	}
	for i, m := range members {
		if slices.ContainsFunc(members[:i], func(o param) bool { return o.name == m.name }) {
			return nil, errObject
		}
	}
	return members, nil
}

// parsePlainObject reads what nearly all callers send: an object of a few strings
// of printable ASCII without escapes. It accepts nothing that parseAnyObject
// refuses. ok is false for anything else.
func parsePlainObject(s string, all []param) (members []param, ok bool) {
	s, ok = cutAfter(s, '{')
	for ok && len(all) < usualParams {
		var p param
		if p.name, s, ok = cutString(s); !ok {
			return nil, false
		}
		if s, ok = cutAfter(s, ':'); !ok {
			return nil, false
		}
		if p.value, s, ok = cutString(s); !ok {
			return nil, false
		}
		all = append(all, p)
		rest, more := cutAfter(s, ',')
		if !more {
			s, ok = cutAfter(s, '}')
			return all, ok && trimSpace(s) == ""
		}
		s = rest
	}
	return nil, false
}

// cutAfter returns what follows the character, before which there may be white
// space.
func cutAfter(s string, c byte) (rest string, ok bool) {
	if s = trimSpace(s); s == "" || s[0] != c {
		return s, false
	}
	return s[1:], true
}

// trimSpace returns s without the white space of RFC 8259 §2 at its beginning.
func trimSpace(s string) string {
	for s != "" && (s[0] == ' ' || s[0] == '\n' || s[0] == '\t' || s[0] == '\r') {
		s = s[1:]
	}
	return s
}

// cutString returns the plain string at the beginning of s, and what follows it.
func cutString(s string) (value, rest string, ok bool) {
	s, ok = cutAfter(s, '"')
	for i := 0; ok && i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			return s[:i], s[i+1:], true
		case c < ' ' || c == '\\' || c >= utf8.RuneSelf:
			return "", "", false
		}
	}
	return "", "", false
}

// parseAnyObject reads every object of strings.
func parseAnyObject(body []byte, all []param) ([]param, error) {
	if !utf8.Valid(body) {
		return nil, errText
	}
	m := stringMembers{list: all}
	// Half a surrogate pair in an escape becomes U+FFFD, as everywhere in Go.
	if wrong := decodeWith(body, &m, jsontext.AllowInvalidUTF8(true)); wrong != nil {
		if m.tooMany {
			return nil, errMany
		}
		return nil, errObject
	}
	return m.list, nil
}

// stringMembers reads an object of strings into a list, in its order.
type stringMembers struct {
	list    []param
	tooMany bool
}

// UnmarshalJSONFrom implements json.UnmarshalerFrom.
func (m *stringMembers) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	if d.PeekKind() != '{' {
		return errObject
	}
	if _, err := d.ReadToken(); err != nil {
		return err
	}
	for d.PeekKind() != '}' {
		if m.tooMany = len(m.list) >= MaxParams; m.tooMany {
			return errMany
		}
		name, err1 := readString(d)
		value, err2 := readString(d)
		if err := cmp.Or(err1, err2); err != nil {
			return err
		}
		m.list = append(m.list, param{name, value})
	}
	_, err := d.ReadToken()
	return err
}

func readString(d *jsontext.Decoder) (string, error) {
	t, err := d.ReadToken()
	if err != nil {
		return "", err
	}
	if t.Kind() != '"' {
		return "", errObject
	}
	return t.String(), nil
}
