package guard

import (
	"encoding/json"
	"errors"
	"flag"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files")

// golden compares got with a file of testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("%s (-want +got):\n%s", path, d)
	}
}

// attribute matches one attribute of a challenge, with what precedes it.
var attribute = regexp.MustCompile(`^(?:Bearer |, )([a-z_]+)="((?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"`)

// attributes reads a challenge as RFC 6750 §3 and RFC 9110 §11.6.1 define it. It fails
// the test if an attribute is repeated, or has characters that it must not have.
func attributes(t *testing.T, header string) map[string]string {
	t.Helper()
	all := map[string]string{}
	for header != "" {
		m := attribute.FindStringSubmatch(header)
		if m == nil {
			t.Fatalf("the challenge cannot be read from here: %q", header)
		}
		if _, twice := all[m[1]]; twice {
			t.Errorf("%s is repeated", m[1])
		}
		all[m[1]] = m[2]
		header = header[len(m[0]):]
	}
	return all
}

// Every refusal, as its caller sees it.
func TestRefusals(t *testing.T) {
	var all strings.Builder
	c := newChallenge("cards", "https://api.example.com/v1")
	for _, row := range []struct {
		rule string
		err  error
	}{
		{"no credentials", noCredentials("users:read users:write")},
		{"no credentials, and no scope is needed", noCredentials("")},
		{"a malformed request", invalidRequest("more than one Authorization header")},
		{"an inactive token", inactive()},
		{"a scope is missing", forbidden("the token lacks a scope that is needed here", "users:read users:write")},
		{"another address", forbidden("the token must not be used from this address", "")},
		{"a code is needed", (&Token{Active: true}).judgeAge(5 * time.Minute)},
		{"nobody can say", unavailable(errors.New("dial tcp: secret-host"), 0)},
		{"nobody can say for a while", unavailable(nil, 1500*time.Millisecond)},
		{"another error", errors.New("secret-host is gone")},
		{"a refusal in another error", errors.Join(errors.New("x"), inactive())},
	} {
		w := httptest.NewRecorder()
		c.refuse(w, row.err)
		h := w.Result().Header
		all.WriteString("# " + row.rule + "\n" + w.Result().Status + "\n")
		for _, name := range []string{"WWW-Authenticate", "Retry-After", "Cache-Control", "Content-Type", "X-Content-Type-Options"} {
			if v := h.Values(name); len(v) > 0 {
				all.WriteString(name + ": " + strings.Join(v, " | ") + "\n")
			}
		}
		all.WriteString("\n" + w.Body.String() + "\n\n")
		if challenge := h.Get("WWW-Authenticate"); challenge != "" {
			attributes(t, challenge)
		}
		if (h.Get("WWW-Authenticate") == "") != (w.Code == http.StatusServiceUnavailable) {
			t.Errorf("%s: %d with the challenge %q", row.rule, w.Code, h.Get("WWW-Authenticate"))
		}
		if !json.Valid(w.Body.Bytes()) || strings.Contains(w.Body.String(), "secret-host") {
			t.Errorf("%s: body %s", row.rule, w.Body)
		}
	}
	golden(t, "refusals.txt", all.String())
}

// Whatever the configuration has, the challenge stays well-formed.
func TestChallengeQuotes(t *testing.T) {
	for realm, want := range map[string]string{
		"api": "api", `a "b" \c`: `a \"b\" \\c`, "a\r\nSet-Cookie: b": "aSet-Cookie: b", "é\x7f": "", "": "",
	} {
		if got := attributes(t, newChallenge(realm, "").header(inactive()))["realm"]; got != want {
			t.Errorf("realm %q: %q, want %q", realm, got, want)
		}
	}
}

func TestMetadataURL(t *testing.T) {
	for resource, want := range map[string]string{
		"https://api.example.com":         "https://api.example.com/.well-known/oauth-protected-resource",
		"https://api.example.com/":        "https://api.example.com/.well-known/oauth-protected-resource",
		"https://api.example.com:8443/v1": "https://api.example.com:8443/.well-known/oauth-protected-resource/v1",
		"https://api.example.com/v1/":     "https://api.example.com/.well-known/oauth-protected-resource/v1/",
		"https://api.example.com/a%2fb?c": "https://api.example.com/.well-known/oauth-protected-resource/a%2fb?c",
		"urn:example:api":                 "",
		"":                                "",
	} {
		got := ""
		if u := metadataURL(resource); u != nil {
			got = u.String()
		}
		if got != want {
			t.Errorf("%s: %s, want %s", resource, got, want)
		}
	}
}
