package guard

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
	"unique"

	"github.com/grantd/grantd/scopes/endpoints"
)

// What follows is a parser that uses encoding/json. It is several times slower than
// parseToken, and FuzzParsersAgree compares the two.

// oldParseToken reads an introspection response (RFC 7662 §2.2). It is strict, because a
// member that is read wrongly could turn a restricted token into an unrestricted one:
// a name that is repeated at any level, a member of the wrong type, or a restriction
// that cannot be read is an error, after which nobody knows whether the token may be
// used. Unknown members are ignored, and stay in Raw. It does not keep body.
func oldParseToken(body []byte) (*Token, follow, error) {
	if len(body) > maxResponse {
		return nil, follow{}, fmt.Errorf("introspection response: longer than %d bytes", maxResponse)
	}
	if !utf8.Valid(body) || !json.Valid(body) {
		return nil, follow{}, errors.New("introspection response: not JSON")
	}
	if err := oldCheckNames(body, 0); err != nil {
		return nil, follow{}, fmt.Errorf("introspection response: %w", err)
	}
	r := oldReading{token: &Token{}, raw: []byte{'{'}}
	if err := oldEachMember(body, r.member); err != nil {
		return nil, follow{}, fmt.Errorf("introspection response: %w", err)
	}
	if err := r.finish(); err != nil {
		return nil, follow{}, fmt.Errorf("introspection response: %w", err)
	}
	return r.token, r.follow, nil
}

// oldReading is a response that is being read.
type oldReading struct {
	token  *Token
	follow follow
	raw    []byte // of Token.Raw
	active bool   // the member active was there
}

// member reads one member of the response.
func (r *oldReading) member(name string, value json.RawMessage) error {
	err := r.read(name, value)
	if err != nil {
		return fmt.Errorf("%s: %w", strconv.QuoteToASCII(name), err)
	}
	return nil
}

func (r *oldReading) read(name string, value json.RawMessage) (err error) {
	switch name {
	case "void_keys":
		r.follow.keys, err = oldReadTexts(value)
		return err
	case "feed_position":
		r.follow.position, err = oldReadText(value)
		return err
	case "feed_age_ms":
		r.follow.age, err = oldReadAge(value)
		r.follow.known = err == nil
		return err
	case "active":
		r.active = true
		r.token.Active, err = oldReadBool(value)
	default:
		err = oldReadMember(r.token, name, value)
	}
	if len(r.raw) > 1 {
		r.raw = append(r.raw, ',')
	}
	r.raw = append(append(oldAppendQuoted(r.raw, name), ':'), value...)
	return err
}

// oldReadMember reads a member that describes an active token.
func oldReadMember(t *Token, name string, value json.RawMessage) (err error) {
	if into := t.textOf(name); into != nil {
		*into, err = oldReadText(value)
		return err
	}
	if into := t.timeOf(name); into != nil {
		*into, err = oldReadTime(value)
		return err
	}
	switch name {
	case "scope":
		t.Scopes, err = oldReadScope(value)
	case "aud":
		t.Audience, err = oldReadAudience(value)
	case "source_ips":
		t.SourceIPs, err = oldReadRestriction(value)
	case "endpoints":
		t.Endpoints, err = oldReadRestriction(value)
	case "amr":
		t.AMR, err = oldReadTexts(value)
	case "act":
		t.Actor, err = oldReadActor(value)
	case "resources":
		t.Resources, err = oldReadResources(value)
	case "cnf": // RFC 7800 §3.1, whatever it binds the token to
		t.Bound = true
	case "token_type": // "DPoP" for a token that is bound to a key (RFC 9449 §6.2)
		kind, fault := oldReadText(value)
		t.Bound, err = t.Bound || !strings.EqualFold(kind, "Bearer"), fault
	}
	return err
}

// finish checks what is needed of the whole response.
func (r *oldReading) finish() error {
	t := r.token
	switch {
	case !r.active:
		return errors.New(`"active" is missing`)
	case !t.Active: // nothing else that it says counts
		r.token, r.follow = &Token{Raw: []byte(inactiveRaw)}, follow{}
		return nil
	case t.Use == "":
		return errors.New(`"token_use" is missing: the server is not grantd, or is too old`)
	case t.Subject == "":
		return errors.New(`"sub" is missing`)
	case t.ExpiresAt.IsZero():
		return errors.New(`"exp" is missing`)
	case !r.follow.valid():
		return errors.New(`"void_keys", "feed_position" and "feed_age_ms" are not those of a feed`)
	}
	t.Raw = bytes.Clone(append(r.raw, '}')) // without the room that it grew into
	var err error
	if t.sources, err = parseRanges(t.SourceIPs); err != nil {
		return fmt.Errorf(`"source_ips": %w`, err)
	}
	if t.endpoints, err = endpoints.Parse(t.Endpoints); err != nil {
		return fmt.Errorf(`"endpoints": %w`, err)
	}
	t.Endpoints = t.endpoints.Patterns() // shared with other tokens
	return nil
}

// oldEachMember calls f with each member of an object, which is valid JSON, until f
// returns an error.
func oldEachMember(object []byte, f func(name string, value json.RawMessage) error) error {
	d := json.NewDecoder(bytes.NewReader(object))
	if start, err := d.Token(); err != nil || start != json.Delim('{') {
		return errType
	}
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return err
		}
		name, _ := token.(string) // JSON has no other names
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return err
		}
		if err := f(name, value); err != nil {
			return err
		}
	}
	return nil
}

// oldReadList returns the elements of a list, which is valid JSON. null is no list.
func oldReadList(value json.RawMessage) ([]json.RawMessage, error) {
	if value[0] != '[' {
		return nil, errType
	}
	var list []json.RawMessage
	err := json.Unmarshal(value, &list)
	return list, err
}

// oldCheckNames refuses a value with a name that is repeated in its object, and a value
// with too many levels.
func oldCheckNames(value json.RawMessage, depth int) error {
	value = bytes.TrimLeft(value, " \t\r\n")
	if depth > maxDepth {
		return errDeep
	}
	switch value[0] {
	case '{':
		seen := map[string]bool{}
		return oldEachMember(value, func(name string, value json.RawMessage) error {
			if seen[name] {
				return errDuplicate
			}
			seen[name] = true
			return oldCheckNames(value, depth+1)
		})
	case '[':
		list, err := oldReadList(value)
		if err != nil {
			return err
		}
		for _, element := range list {
			if err := oldCheckNames(element, depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}

func oldReadBool(value json.RawMessage) (bool, error) {
	switch string(value) {
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	return false, errType
}

// oldReadText reads a text without control characters: texts get into headers and logs.
func oldReadText(value json.RawMessage) (string, error) {
	if value[0] != '"' {
		return "", errType
	}
	var s string
	if err := json.Unmarshal(value, &s); err != nil {
		return "", err
	}
	if strings.ContainsFunc(s, func(c rune) bool { return c < ' ' || c == 0x7f }) {
		return "", errText
	}
	return s, nil
}

// oldReadRestriction reads a list of texts that restricts a token. An empty one could mean
// that it restricts nothing, or allows nothing.
func oldReadRestriction(value json.RawMessage) ([]string, error) {
	texts, err := oldReadTexts(value)
	if err == nil && len(texts) == 0 {
		err = errEmpty
	}
	return texts, err
}

func oldReadTexts(value json.RawMessage) ([]string, error) {
	list, err := oldReadList(value)
	if err != nil {
		return nil, err
	}
	texts := make([]string, len(list))
	for i, element := range list {
		if texts[i], err = oldReadText(element); err != nil {
			return nil, err
		}
	}
	return texts, nil
}

// oldReadAge reads whole milliseconds.
func oldReadAge(value json.RawMessage) (time.Duration, error) {
	n, err := strconv.ParseUint(string(value), 10, 31)
	if err != nil {
		return 0, errType
	}
	return time.Duration(n) * time.Millisecond, nil
}

// oldReadTime reads whole seconds since 1970.
func oldReadTime(value json.RawMessage) (time.Time, error) {
	n, err := strconv.ParseInt(string(value), 10, 64)
	if err != nil || n <= 0 || n > maxTime {
		return time.Time{}, errType
	}
	return time.Unix(n, 0).UTC(), nil
}

// oldReadScope reads scope names that are separated by single spaces (RFC 6749 §3.3).
func oldReadScope(value json.RawMessage) ([]string, error) {
	s, err := oldReadText(value)
	if err != nil || s == "" {
		return nil, err
	}
	names := strings.Split(unique.Make(s).Value(), " ") // see keepTexts
	for _, name := range names {
		if !validScope(name) {
			return nil, errText
		}
	}
	return names, nil
}

// oldReadAudience reads aud: a text, or a list of texts.
func oldReadAudience(value json.RawMessage) ([]string, error) {
	var list []string
	var err error
	if value[0] == '[' {
		list, err = oldReadRestriction(value)
	} else {
		list = make([]string, 1)
		list[0], err = oldReadText(value)
	}
	if err == nil && slices.Contains(list, "") {
		err = errEmpty // an API without an identifier would be "" too
	}
	return list, err
}

func oldReadActor(value json.RawMessage) (*Actor, error) {
	a := &Actor{}
	err := oldEachMember(value, func(name string, value json.RawMessage) (err error) {
		if name == "sub" {
			a.Subject, err = oldReadText(value)
		}
		return err
	})
	return a, err
}

func oldReadResources(value json.RawMessage) ([]Resource, error) {
	list, err := oldReadList(value)
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, errEmpty
	}
	resources := make([]Resource, len(list))
	for i, element := range list {
		r := &resources[i]
		err := oldEachMember(element, func(name string, value json.RawMessage) (err error) {
			switch name {
			case "type":
				r.Type, err = oldReadText(value)
			case "ids":
				r.IDs, err = oldReadTexts(value)
			default: // it may restrict further
				err = errors.New("a resource has only type and ids")
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return resources, nil
}

// oldAppendQuoted appends s as a JSON string.
func oldAppendQuoted(b []byte, s string) []byte {
	quoted, _ := json.Marshal(s) // a string has no error
	return append(b, quoted...)
}
