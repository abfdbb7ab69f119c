package endpoints

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	numbered := func(n int) (list []string) {
		for i := range n {
			list = append(list, fmt.Sprint("GET /cards/", i))
		}
		return list
	}
	ofLength := func(n int) string { return "GET /" + strings.Repeat("a", n-len("GET /")) }
	long := func(n, length int) (list []string) {
		for i := range n {
			list = append(list, ofLength(length-2)+fmt.Sprintf("%02d", i))
		}
		return list
	}
	for _, row := range []struct {
		rule     string
		patterns []string
		want     error
	}{
		{"none", nil, nil},
		{"an empty list", []string{}, nil},
		{"a path", []string{"GET /cards"}, nil},
		{"the root alone", []string{"GET /{$}"}, nil},
		{"everything", []string{"GET /"}, nil},
		{"a subtree", []string{"GET /cards/"}, nil},
		{"a wildcard", []string{"GET /customers/{id}/cards"}, nil},
		{"a wildcard for the rest", []string{"GET /customers/{path...}"}, nil},
		{"the end of a path", []string{"GET /cards/{$}"}, nil},
		{"HEAD", []string{"HEAD /cards"}, nil},
		{"GET and HEAD", []string{"GET /cards", "HEAD /cards"}, nil},
		{"a narrower one", []string{"GET /cards/{id}", "GET /cards/limits"}, nil},
		{"what ids may hold", []string{"GET /orgs/h5D8B5gyHtk=/a.b_c~d+e:f@g,h!i$j&k'(l)*"}, nil},
		{"as many as there may be", numbered(Max), nil},
		{"one more", numbered(Max + 1), ErrTooMany},
		{"as long as it may be", []string{ofLength(maxPattern)}, nil},
		{"one longer", []string{ofLength(maxPattern + 1)}, ErrTooMany},
		{"as long together as they may be", long(maxLength/maxPattern, maxPattern), nil},
		{"longer together", append(long(maxLength/maxPattern, maxPattern), "GET /b"), ErrTooMany},

		{"nothing", []string{""}, ErrPattern},
		{"nothing besides one", []string{"GET /cards", ""}, ErrPattern},
		{"no method", []string{"/cards"}, ErrPattern},
		{"no path", []string{"GET"}, ErrPattern},
		{"an empty path", []string{"GET "}, ErrPattern},
		{"POST", []string{"POST /cards"}, ErrPattern},
		{"another method besides GET", []string{"GET /cards", "DELETE /cards"}, ErrPattern},
		{"a method in lower case", []string{"get /cards"}, ErrPattern},
		{"any method", []string{"* /cards"}, ErrPattern},
		{"two methods", []string{"GET,HEAD /cards"}, ErrPattern},
		{"two spaces", []string{"GET  /cards"}, ErrPattern},
		{"a tab", []string{"GET\t/cards"}, ErrPattern},
		{"a space before", []string{" GET /cards"}, ErrPattern},
		{"a space behind", []string{"GET /cards "}, ErrPattern},
		{"a space inside", []string{"GET /my cards"}, ErrPattern},
		{"a line break", []string{"GET /cards\n"}, ErrPattern},
		{"a host", []string{"GET api.example.com/cards"}, ErrPattern},
		{"a URL", []string{"GET https://api.example.com/cards"}, ErrPattern},
		{"a relative path", []string{"GET cards"}, ErrPattern},
		{"a query", []string{"GET /cards?limit=1"}, ErrPattern},
		{"a fragment", []string{"GET /cards#x"}, ErrPattern},
		{"two slashes", []string{"GET //cards"}, ErrPattern},
		{"two slashes at the end", []string{"GET /cards//"}, ErrPattern},
		{"dots", []string{"GET /cards/../orgs"}, ErrPattern},
		{"dots at the end", []string{"GET /cards/.."}, ErrPattern},
		{"a dot", []string{"GET /./cards"}, ErrPattern},
		{"an encoded path", []string{"GET /c%61rds"}, ErrPattern},
		{"an encoded slash", []string{"GET /a%2fb"}, ErrPattern},
		{"a semicolon", []string{"GET /cards;v=1"}, ErrPattern},
		{"a backslash", []string{`GET /cards\1`}, ErrPattern},
		{"not ASCII", []string{"GET /cärds"}, ErrPattern},
		{"not UTF-8", []string{"GET /\xff"}, ErrPattern},
		{"a wildcard without a name", []string{"GET /cards/{}"}, ErrPattern},
		{"a wildcard that is no whole segment", []string{"GET /cards/x{id}"}, ErrPattern},
		{"a wildcard that is not closed", []string{"GET /cards/{id"}, ErrPattern},
		{"a wildcard that is no name", []string{"GET /cards/{1}"}, ErrPattern},
		{"a wildcard twice", []string{"GET /a/{id}/b/{id}"}, ErrPattern},
		{"the rest inside", []string{"GET /a/{rest...}/b"}, ErrPattern},
		{"the end inside", []string{"GET /a/{$}/b"}, ErrPattern},
		{"a star", []string{"GET *"}, ErrPattern},

		{"twice", []string{"GET /cards", "GET /cards"}, ErrConflict},
		{"twice by other names", []string{"GET /cards/{id}", "GET /cards/{card}"}, ErrConflict},
		{"twice in other words", []string{"GET /cards/", "GET /cards/{rest...}"}, ErrConflict},
		{"overlapping", []string{"GET /customers/{id}", "GET /{kind}/10001"}, ErrConflict},
		{"overlapping subtrees", []string{"GET /customers/", "GET /{kind}/10001/"}, ErrConflict},
		{"overlapping by method", []string{"GET /customers/10001", "HEAD /customers/{id}"}, ErrConflict},
	} {
		t.Run(row.rule, func(t *testing.T) {
			if _, err := Parse(row.patterns); !errors.Is(err, row.want) {
				t.Errorf("%q: %v, want %v", row.patterns, err, row.want)
			}
		})
	}
}

func TestAllow(t *testing.T) {
	for _, row := range []struct {
		rule     string
		patterns string // separated by commas
		request  string // method and path as on the wire
		want     bool
	}{
		{"nothing is restricted", "", "POST /cards", true},
		{"nothing is restricted, whatever the path", "", "DELETE /a/../b", true},

		{"the path", "GET /cards", "GET /cards", true},
		{"HEAD of what may be read", "GET /cards", "HEAD /cards", true},
		{"GET is more than HEAD", "HEAD /cards", "GET /cards", false},
		{"HEAD alone", "HEAD /cards", "HEAD /cards", true},
		{"POST", "GET /cards", "POST /cards", false},
		{"PUT", "GET /cards", "PUT /cards", false},
		{"DELETE", "GET /", "DELETE /cards", false},
		{"OPTIONS", "GET /", "OPTIONS /cards", false},
		{"CONNECT", "GET /", "CONNECT /cards", false},
		{"a method in lower case", "GET /cards", "get /cards", false},
		{"no method", "GET /cards", " /cards", false},

		{"the query is not looked at", "GET /cards", "GET /cards?limit=1&path=/../x", true},
		{"another path", "GET /cards", "GET /card", false},
		{"below it", "GET /cards", "GET /cards/12", false},
		{"in capitals", "GET /cards", "GET /Cards", false},
		{"the end with a slash that is not in the pattern", "GET /cards", "GET /cards/", false},
		{"the end without the slash of a subtree: only a redirect", "GET /cards/", "GET /cards", false},
		{"the subtree itself", "GET /cards/", "GET /cards/", true},
		{"within the subtree", "GET /cards/", "GET /cards/12/limits", true},
		{"beside the subtree", "GET /cards/", "GET /cards2/12", false},
		{"everything", "GET /", "GET /cards/12", true},
		{"the root", "GET /{$}", "GET /", true},
		{"nothing else than the root", "GET /{$}", "GET /cards", false},
		{"an exact end", "GET /cards/{$}", "GET /cards/", true},
		{"below an exact end", "GET /cards/{$}", "GET /cards/12", false},
		{"without the slash of an exact end: only a redirect", "GET /cards/{$}", "GET /cards", false},
		{"a wildcard", "GET /customers/{id}/cards", "GET /customers/10001/cards", true},
		{"a wildcard is one segment", "GET /customers/{id}/cards", "GET /customers/10001/x/cards", false},
		{"a wildcard is not empty", "GET /customers/{id}", "GET /customers/", false},
		{"the rest", "GET /customers/{path...}", "GET /customers/10001/cards", true},
		{"no rest", "GET /customers/{path...}", "GET /customers/", true},
		{"the rest without its slash: only a redirect", "GET /customers/{path...}", "GET /customers", false},
		{"one of several", "GET /accounts,GET /cards", "GET /cards", true},
		{"none of several", "GET /accounts,GET /cards", "GET /orgs", false},
		{"an id", "GET /orgs/{id}", "GET /orgs/h5D8B5gyHtk=", true},
		{"an encoded letter", "GET /cards", "GET /c%61rds", true},

		{"dots", "GET /", "GET /cards/../orgs", false},
		{"dots in a wildcard", "GET /cards/{id}", "GET /cards/..", false},
		{"a dot", "GET /", "GET /./cards", false},
		{"encoded dots", "GET /", "GET /cards/%2e%2e/orgs", false},
		{"encoded dots in capitals", "GET /", "GET /cards/%2E%2E/orgs", false},
		{"half encoded dots", "GET /", "GET /cards/.%2e/orgs", false},
		{"an encoded dot", "GET /", "GET /%2e/cards", false},
		{"three dots are a name", "GET /", "GET /.../cards", true},
		{"a name with dots", "GET /", "GET /a..b", true},
		{"two slashes", "GET /", "GET /cards//12", false},
		{"two slashes first", "GET /", "GET //cards", false},
		{"two slashes at the end", "GET /", "GET /cards//", false},
		{"an encoded slash", "GET /", "GET /cards%2f12", false},
		{"an encoded slash in capitals", "GET /", "GET /cards%2F12", false},
		{"an encoded slash in a wildcard", "GET /cards/{id}", "GET /cards/12%2flimits", false},
		{"a backslash", "GET /", `GET /cards\12`, false},
		{"an encoded backslash", "GET /", "GET /cards%5c12", false},
		{"an encoded backslash in capitals", "GET /", "GET /cards%5C12", false},
		{"a semicolon", "GET /", "GET /cards;v=1", false},
		{"an encoded semicolon", "GET /", "GET /cards%3bv=1", false},
		{"dots behind a semicolon", "GET /", "GET /cards/..;/orgs", false},
		{"an encoded question mark", "GET /", "GET /cards%3fx", false},
		{"an encoded hash", "GET /", "GET /cards%23x", false},
		{"an encoded blank", "GET /", "GET /my%20cards", false},
		{"an encoded NUL", "GET /", "GET /cards%00", false},
		{"an encoded line break", "GET /", "GET /cards%0d%0a", false},
		{"not ASCII", "GET /", "GET /c%c3%a4rds", false},
		{"not UTF-8", "GET /", "GET /%ff", false},
		{"dots encoded twice", "GET /", "GET /cards/%252e%252e/orgs", false},
		{"a slash encoded twice", "GET /cards/{id}", "GET /cards/12%252flimits", false},
	} {
		t.Run(row.rule, func(t *testing.T) {
			e, err := Parse(strings.FieldsFunc(row.patterns, func(r rune) bool { return r == ',' }))
			if err != nil {
				t.Fatal(err)
			}
			method, target, _ := strings.Cut(row.request, " ")
			u, err := url.ParseRequestURI(target)
			if err != nil {
				t.Fatal(err)
			}
			if got := e.Allow(method, u); got != row.want {
				t.Errorf("%q allows %s: %v, want %v", row.patterns, row.request, got, row.want)
			}
		})
	}
	t.Run("a URL of another form", func(t *testing.T) {
		e, err := Parse([]string{"GET /"})
		if err != nil {
			t.Fatal(err)
		}
		for _, u := range []*url.URL{{}, {Path: "*"}, {Path: "cards"}, {Opaque: "/cards"}, {Opaque: "//x", Path: ""}} {
			if e.Allow("GET", u) {
				t.Errorf("%#v is allowed", u)
			}
		}
	})
}

// FuzzEndpoints: accepted patterns can all be registered in one ServeMux. Allow
// accepts only what this mux serves with them and what all servers read alike.
func FuzzEndpoints(f *testing.F) {
	for _, s := range [][3]string{
		{"GET /cards", "GET", "/cards"}, {"GET /cards/{id}\nGET /cards/limits", "HEAD", "/cards/12"}, {"GET /\nHEAD /x", "GET", "/a/../b"},
		{"GET /{a}/b\nGET /a/{b}", "GET", "/a/b"}, {"GET /cards/", "GET", "/cards"}, {"GET /{x...}", "GET", "/a%2fb"}, {"GET /{$}", "GET", "/"},
		{"GET /{x...}", "GET", "/%2e%2e/b"}, {"GET /{x...}", "GET", "/a;b"}, {"GET /{x...}", "GET", `/a\b`}, {"GET /{x...}", "GET", "/%252e%252e"},
		{"GET /c%61rds", "GET", "/c%61rds"}, {"GET example.com/", "GET", "/"}, {"GET /{a}{b}", "POST", "//"}, {"", "POST", "*"},
	} {
		f.Add(s[0], s[1], s[2])
	}
	f.Fuzz(func(t *testing.T, list, method, target string) {
		patterns := strings.Split(list, "\n")
		e, err := Parse(patterns)
		if err != nil {
			if !errors.Is(err, ErrPattern) && !errors.Is(err, ErrConflict) && !errors.Is(err, ErrTooMany) {
				t.Errorf("error %v", err)
			}
			return
		}
		mux := http.NewServeMux()
		for _, p := range patterns {
			mux.Handle(p, allowed{}) // panics if it does not register
		}
		u, err := url.ParseRequestURI(target)
		if err != nil || !e.Allow(method, u) {
			return
		}
		if method != "GET" && method != "HEAD" {
			t.Errorf("%q is allowed", method)
		}
		raw := strings.ToLower(u.EscapedPath())
		for _, part := range []string{"//", ";", `\`, "%2f", "%5c", "%3b", "%25", "%00"} {
			if strings.Contains(raw, part) {
				t.Errorf("%s is allowed", raw)
			}
		}
		for segment := range strings.SplitSeq(u.Path, "/") {
			if segment == "." || segment == ".." {
				t.Errorf("%s is allowed", u.Path)
			}
		}
		h, pattern := mux.Handler(&http.Request{Method: method, URL: u})
		if _, served := h.(allowed); !served || !slices.Contains(patterns, pattern) {
			t.Errorf("%s %s is allowed, and served by %q", method, u, pattern)
		}
	})
}
