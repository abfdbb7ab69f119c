package guard

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
	"unique"
)

var (
	errDuplicate = errors.New("a name is repeated")
	errDeep      = errors.New("too many levels")
	errType      = errors.New("a value of another type was expected")
	errText      = errors.New("a text with characters that it must not have")
	errEmpty     = errors.New("a restriction is empty: whether it allows nothing or everything is not known")
	errRange     = errors.New("not an address or a CIDR")
)

// maxTime is the last second of the year 9999.
const maxTime = 253402300799

// eachMember calls f with each member of an object, which is valid JSON, until f
// returns an error.
func eachMember(object []byte, f func(name string, value json.RawMessage) error) error {
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

// readList returns the elements of a list, which is valid JSON. null is no list.
func readList(value json.RawMessage) ([]json.RawMessage, error) {
	if value[0] != '[' {
		return nil, errType
	}
	var list []json.RawMessage
	err := json.Unmarshal(value, &list)
	return list, err
}

// checkNames refuses a value with a name that is repeated in its object, and a value
// with too many levels.
func checkNames(value json.RawMessage, depth int) error {
	value = bytes.TrimLeft(value, " \t\r\n")
	if depth > maxDepth {
		return errDeep
	}
	switch value[0] {
	case '{':
		seen := map[string]bool{}
		return eachMember(value, func(name string, value json.RawMessage) error {
			if seen[name] {
				return errDuplicate
			}
			seen[name] = true
			return checkNames(value, depth+1)
		})
	case '[':
		list, err := readList(value)
		if err != nil {
			return err
		}
		for _, element := range list {
			if err := checkNames(element, depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}

func readBool(value json.RawMessage) (bool, error) {
	switch string(value) {
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	return false, errType
}

// readText reads a text without control characters: texts get into headers and logs.
func readText(value json.RawMessage) (string, error) {
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

// readRestriction reads a list of texts that restricts a token. An empty one could mean
// that it restricts nothing, or allows nothing.
func readRestriction(value json.RawMessage) ([]string, error) {
	texts, err := readTexts(value)
	if err == nil && len(texts) == 0 {
		err = errEmpty
	}
	return texts, err
}

func readTexts(value json.RawMessage) ([]string, error) {
	list, err := readList(value)
	if err != nil {
		return nil, err
	}
	texts := make([]string, len(list))
	for i, element := range list {
		if texts[i], err = readText(element); err != nil {
			return nil, err
		}
	}
	return texts, nil
}

// readAge reads whole milliseconds.
func readAge(value json.RawMessage) (time.Duration, error) {
	n, err := strconv.ParseUint(string(value), 10, 31)
	if err != nil {
		return 0, errType
	}
	return time.Duration(n) * time.Millisecond, nil
}

// readTime reads whole seconds since 1970.
func readTime(value json.RawMessage) (time.Time, error) {
	n, err := strconv.ParseInt(string(value), 10, 64)
	if err != nil || n <= 0 || n > maxTime {
		return time.Time{}, errType
	}
	return time.Unix(n, 0).UTC(), nil
}

// readScope reads scope names that are separated by single spaces (RFC 6749 §3.3).
func readScope(value json.RawMessage) ([]string, error) {
	s, err := readText(value)
	if err != nil || s == "" {
		return nil, err
	}
	names := strings.Split(unique.Make(s).Value(), " ") // see shareTexts
	for _, name := range names {
		if !validScope(name) {
			return nil, errText
		}
	}
	return names, nil
}

// validScope reports whether name is a scope-token of RFC 6749 §3.3.
func validScope(name string) bool {
	return name != "" && !strings.ContainsFunc(name, func(c rune) bool { return c <= ' ' || c >= 0x7f || c == '"' || c == '\\' })
}

// readAudience reads aud: a text, or a list of texts.
func readAudience(value json.RawMessage) ([]string, error) {
	var list []string
	var err error
	if value[0] == '[' {
		list, err = readRestriction(value)
	} else {
		list = make([]string, 1)
		list[0], err = readText(value)
	}
	if err == nil && slices.Contains(list, "") {
		err = errEmpty // an API without an identifier would be "" too
	}
	return list, err
}

func readActor(value json.RawMessage) (*Actor, error) {
	a := &Actor{}
	err := eachMember(value, func(name string, value json.RawMessage) (err error) {
		if name == "sub" {
			a.Subject, err = readText(value)
		}
		return err
	})
	return a, err
}

func readResources(value json.RawMessage) ([]Resource, error) {
	list, err := readList(value)
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, errEmpty
	}
	resources := make([]Resource, len(list))
	for i, element := range list {
		r := &resources[i]
		err := eachMember(element, func(name string, value json.RawMessage) (err error) {
			switch name {
			case "type":
				r.Type, err = readText(value)
			case "ids":
				r.IDs, err = readTexts(value)
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

// parseRanges reads addresses and CIDRs.
func parseRanges(texts []string) ([]netip.Prefix, error) {
	var ranges []netip.Prefix
	for _, s := range texts {
		p, err := netip.ParsePrefix(s)
		if err != nil {
			a, err := netip.ParseAddr(s)
			if err != nil || a.Zone() != "" {
				return nil, errRange
			}
			a = a.Unmap()
			p = netip.PrefixFrom(a, a.BitLen())
		}
		ranges = append(ranges, p.Masked())
	}
	return ranges, nil
}

// appendQuoted appends s as a JSON string.
func appendQuoted(b []byte, s string) []byte {
	quoted, _ := json.Marshal(s) // a string has no error
	return append(b, quoted...)
}
