package web

import (
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/grantd/grantd/server/apierr"
)

var errObject = apierr.New(apierr.InvalidRequest, "the body must be one JSON object whose values are strings, each name once")

// parseObject reads an object of strings and appends its members to all,
// strictly: no repeated names, no other types, nothing after it.
func parseObject(body string, all []param) ([]param, error) {
	members, ok := plainObject(body, all)
	if !ok {
		var err error
		if members, err = anyObject(body, all); err != nil {
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

// plainObject reads what nearly all callers send: an object of a few strings
// of printable ASCII without escapes. It takes nothing that anyObject does
// not take; ok is false for anything else.
func plainObject(s string, all []param) (members []param, ok bool) {
	s, ok = after(s, '{')
	for ok && len(all) < usualParams {
		var p param
		if p.name, s, ok = plainString(s); !ok {
			return nil, false
		}
		if s, ok = after(s, ':'); !ok {
			return nil, false
		}
		if p.value, s, ok = plainString(s); !ok {
			return nil, false
		}
		all = append(all, p)
		rest, more := after(s, ',')
		if !more {
			s, ok = after(s, '}')
			return all, ok && blank(s) == ""
		}
		s = rest
	}
	return nil, false
}

// after answers what stands behind the character, which blanks may precede.
func after(s string, c byte) (rest string, ok bool) {
	if s = blank(s); s == "" || s[0] != c {
		return s, false
	}
	return s[1:], true
}

// blank answers s without the white space of RFC 8259 §2 in front.
func blank(s string) string {
	for s != "" && (s[0] == ' ' || s[0] == '\n' || s[0] == '\t' || s[0] == '\r') {
		s = s[1:]
	}
	return s
}

func plainString(s string) (value, rest string, ok bool) {
	s, ok = after(s, '"')
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

// anyObject reads every object of strings.
func anyObject(body string, all []param) ([]param, error) {
	if !utf8.ValidString(body) { // the decoder would put U+FFFD in its place
		return nil, errText
	}
	d := json.NewDecoder(strings.NewReader(body))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, errObject
	}
	for d.More() {
		if len(all) >= MaxParams {
			return nil, errMany
		}
		name, err1 := stringToken(d)
		value, err2 := stringToken(d)
		if err1 != nil || err2 != nil {
			return nil, errObject
		}
		all = append(all, param{name, value})
	}
	if _, err := d.Token(); err != nil {
		return nil, errObject
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errObject
	}
	return all, nil
}

func stringToken(d *json.Decoder) (string, error) {
	t, err := d.Token()
	if err != nil {
		return "", err
	}
	s, ok := t.(string)
	if !ok {
		return "", errObject
	}
	return s, nil
}
