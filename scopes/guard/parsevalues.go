package guard

import (
	"errors"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

var (
	errSyntax    = errors.New("not JSON")
	errDuplicate = errors.New("a name is repeated")
	errDeep      = errors.New("too many levels")
	errType      = errors.New("a value of another type was expected")
	errText      = errors.New("a text with characters that it must not have")
	errEmpty     = errors.New("a restriction is empty: whether it allows nothing or everything is not known")
	errRange     = errors.New("not an address or a CIDR")
)

// maxTime is the last second of the year 9999.
const maxTime = 253402300799

func readBool(value string) (bool, error) {
	switch value {
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	return false, errType
}

// readText reads a text without control characters: texts get into headers and logs.
func readText(value string) (string, error) {
	if value[0] != '"' {
		return "", errType
	}
	s, err := unquote(value)
	if err != nil {
		return "", err
	}
	for i := range len(s) {
		if s[i] < ' ' || s[i] == 0x7f {
			return "", errText
		}
	}
	return s, nil
}

// readRestriction reads a list of texts that restricts a token. An empty one could mean
// that it restricts nothing, or allows nothing.
func readRestriction(value string) ([]string, error) {
	texts, err := readTexts(value)
	if err == nil && len(texts) == 0 {
		err = errEmpty
	}
	return texts, err
}

func readTexts(value string) ([]string, error) {
	texts := make([]string, 0, min(strings.Count(value, ",")+1, usualElements))
	err := eachElement(value, func(element string) error {
		text, err := readText(element)
		texts = append(texts, text)
		return err
	})
	if err != nil {
		return nil, err
	}
	return fitted(texts), nil
}

// usualElements is up to how many elements of a list there is room from the start.
const usualElements = 8

// fitted returns the list without room for more.
func fitted[T any](list []T) []T {
	if len(list) == cap(list) {
		return list
	}
	return append(make([]T, 0, len(list)), list...)
}

// readAge reads whole milliseconds.
func readAge(value string) (time.Duration, error) {
	n, err := strconv.ParseUint(value, 10, 31)
	if err != nil {
		return 0, errType
	}
	return time.Duration(n) * time.Millisecond, nil
}

// readTime reads whole seconds since 1970.
func readTime(value string) (time.Time, error) {
	n, err := strconv.ParseInt(value, 10, 64)
	if err != nil || n <= 0 || n > maxTime {
		return time.Time{}, errType
	}
	return time.Unix(n, 0).UTC(), nil
}

// readScope reads scope names that are separated by single spaces (RFC 6749 §3.3).
func readScope(value string) ([]string, error) {
	s, err := readText(value)
	if err != nil || s == "" {
		return nil, err
	}
	names := strings.Split(s, " ")
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
func readAudience(value string) ([]string, error) {
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

func readActor(value string) (*Actor, error) {
	a := &Actor{}
	err := eachMember(value, func(name, value string) (err error) {
		if name == "sub" {
			a.Subject, err = readText(value)
		}
		return err
	})
	return a, err
}

func readResources(value string) ([]Resource, error) {
	var resources []Resource
	err := eachElement(value, func(element string) error {
		r, err := readResource(element)
		resources = append(resources, r)
		return err
	})
	if err == nil && len(resources) == 0 {
		err = errEmpty
	}
	if err != nil {
		return nil, err
	}
	return fitted(resources), nil
}

func readResource(value string) (r Resource, err error) {
	err = eachMember(value, func(name, value string) (err error) {
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
	return r, err
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
