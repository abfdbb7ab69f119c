package scopes

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Limits of a scope string, in bytes and in names.
const (
	MaxLength = 2048
	MaxNames  = 64
	maxName   = 128
)

// Errors of Parse and Resolve. Callers send their texts to clients.
var (
	ErrTooLong = errors.New("scope is too long: at most 2048 characters and 64 names")
	ErrSyntax  = errors.New("scope must be names separated by single spaces, of printable ASCII without quote and backslash (RFC 6749, section 3.3)")
	ErrUnknown = errors.New("scope holds a name that this server does not have")
	// ErrComma is ErrUnknown for a name with a comma: several names that a comma separates.
	ErrComma   = fmt.Errorf("%w: names are separated by a space, not by a comma", ErrUnknown)
	ErrRefused = errors.New("scope holds a name that this client may not have")
	ErrNone    = errors.New("this client has no default scopes: name at least one in scope")
)

// Parse splits a scope string strictly by the grammar of RFC 6749 §3.3: one
// space between names, and none around them. It removes repeated names and keeps
// the order. The empty string is an empty set.
// Errors: ErrTooLong, ErrSyntax.
func Parse(s string) ([]string, error) {
	if s == "" {
		return nil, nil
	}
	if len(s) > MaxLength || strings.Count(s, " ") >= MaxNames {
		return nil, ErrTooLong
	}
	var set []string
	for name := range strings.SplitSeq(s, " ") {
		if !ValidName(name) {
			return nil, ErrSyntax
		}
		if !slices.Contains(set, name) {
			set = append(set, name)
		}
	}
	return set, nil
}

// Join returns the scope string of a set.
func Join(set []string) string { return strings.Join(set, " ") }

// ValidName reports whether name is a scope-token of RFC 6749 §3.3 of at most
// 128 characters.
func ValidName(name string) bool {
	if name == "" || len(name) > maxName {
		return false
	}
	for _, c := range []byte(name) {
		if c <= ' ' || c >= 0x7f || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

// Holds reports whether the space-separated string granted holds the name.
func Holds(granted, name string) bool {
	for g := range strings.SplitSeq(granted, " ") {
		if g == name {
			return true
		}
	}
	return false
}

// Subset reports whether every name of a is in b.
func Subset(a, b []string) bool {
	for _, name := range a {
		if !slices.Contains(b, name) {
			return false
		}
	}
	return true
}
