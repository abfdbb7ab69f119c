// Package endpoints restricts where a token may be used: patterns of methods and
// paths, and whether a request matches one. Resource servers use it too, so it imports
// nothing but the standard library. It does not know tokens.
package endpoints

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// Limits of a list of endpoint patterns. A restricted token contains its list.
const (
	Max        = 64
	maxPattern = 256
	maxLength  = 4096 // of all patterns together
)

// Errors of Parse. Callers send their texts to clients.
var (
	ErrPattern  = errors.New(`an endpoint is GET or HEAD, one space and a path pattern as of Go's net/http, such as "GET /cards" or "GET /customers/{id}/cards"`)
	ErrConflict = errors.New("two endpoints match some of the same paths and neither is the narrower one: no router takes both")
	ErrTooMany  = errors.New("too many endpoints: at most 64, of 256 characters each and 4096 together")
)

// Set restricts where a token may be used, by patterns of net/http's
// ServeMux with the method GET or HEAD. The zero value restricts nothing. Sets of equal
// lists share their memory.
type Set struct{ list *list }

// allowed is the handler of all patterns. If the mux returns another handler,
// such as a redirect, no pattern matches.
type allowed struct{}

func (allowed) ServeHTTP(http.ResponseWriter, *http.Request) {}

// Parse reads a list of patterns. An empty list restricts nothing.
// Errors: ErrPattern, ErrConflict, ErrTooMany.
func Parse(patterns []string) (Set, error) {
	if len(patterns) == 0 {
		return Set{}, nil
	}
	if tooMany(patterns) {
		return Set{}, ErrTooMany
	}
	key := keyOf(patterns)
	if known := shared.find(key, patterns); known != nil {
		return Set{known}, nil
	}
	patterns = slices.Clone(patterns)
	for i, p := range patterns {
		patterns[i] = strings.Clone(p) // it may be part of a long text
	}
	l := &list{patterns, http.NewServeMux()}
	for _, p := range patterns {
		method, path, _ := strings.Cut(p, " ")
		if method != http.MethodGet && method != http.MethodHead || !plainPath(path) {
			return Set{}, ErrPattern
		}
		if !register(http.NewServeMux(), p) { // alone, so the fault is in this pattern
			return Set{}, ErrPattern
		}
		if !register(l.mux, p) {
			return Set{}, ErrConflict
		}
	}
	return Set{shared.add(key, l)}, nil
}

func tooMany(patterns []string) bool {
	length := 0
	for _, p := range patterns {
		if length += len(p); len(p) > maxPattern || length > maxLength {
			return true
		}
	}
	return len(patterns) > Max
}

// Patterns returns the list that was read. It is shared: do not change it.
func (e Set) Patterns() []string {
	if e.list == nil {
		return nil
	}
	return e.list.patterns
}

// register adds the pattern, and reports whether ServeMux accepts it; ServeMux
// panics if not.
func register(mux *http.ServeMux, pattern string) (ok bool) {
	defer func() { ok = recover() == nil }()
	mux.Handle(pattern, allowed{})
	return true
}

// Allow reports whether the token may be used for this request: its method is
// GET or HEAD, and its path matches one of the patterns. It refuses paths that
// two servers might read differently: dot segments, double and encoded slashes,
// backslashes, semicolons, and double encoding. It ignores the query.
func (e Set) Allow(method string, u *url.URL) bool {
	if e.list == nil {
		return true
	}
	if method != http.MethodGet && method != http.MethodHead {
		return false
	}
	if raw := strings.ToLower(u.EscapedPath()); !plainPath(u.Path) || strings.Contains(raw, "%2f") || strings.Contains(raw, "%5c") {
		return false
	}
	h, _ := e.list.mux.Handler(&http.Request{Method: method, URL: &url.URL{Path: u.Path, RawPath: u.RawPath}})
	_, ok := h.(allowed)
	return ok
}

// plainPath reports whether every server reads the path, decoded once, in the
// same way.
func plainPath(path string) bool {
	if !strings.HasPrefix(path, "/") || strings.Contains(path, "//") {
		return false
	}
	for _, c := range []byte(path) {
		if c <= ' ' || c >= 0x7f || c == ';' || c == '\\' || c == '?' || c == '#' || c == '%' {
			return false
		}
	}
	for segment := range strings.SplitSeq(path, "/") {
		if segment == "." || segment == ".." {
			return false
		}
	}
	return true
}
