package guard

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

const form = "application/x-www-form-urlencoded"

func TestReadBearer(t *testing.T) {
	for _, row := range []struct {
		rule, target string
		headers      []string // Authorization
		kind, body   string
		token        string
		status       int // of the refusal
		code         string
	}{
		{rule: "a token", headers: []string{"Bearer gt_live_abc"}, token: "gt_live_abc"},
		{rule: "the scheme in lower case", headers: []string{"bearer abc"}, token: "abc"},
		{rule: "the scheme in upper case", headers: []string{"BEARER abc"}, token: "abc"},
		{rule: "every character", headers: []string{"Bearer aZ09-._~+/=="}, token: "aZ09-._~+/=="},
		{rule: "several spaces", headers: []string{"Bearer   abc"}, token: "abc"},
		{rule: "as long as it may be", headers: []string{"Bearer " + strings.Repeat("a", maxToken)}, token: strings.Repeat("a", maxToken)},
		{rule: "another query", target: "/?a=access_token&xaccess_token=1&access_token2=1", headers: []string{"Bearer abc"}, token: "abc"},
		{rule: "another form", headers: []string{"Bearer abc"}, kind: form, body: "a=access_token&b", token: "abc"},
		{rule: "an empty form", headers: []string{"Bearer abc"}, kind: form, token: "abc"},
		{rule: "JSON", headers: []string{"Bearer abc"}, kind: "application/json", body: "access_token=abc", token: "abc"},

		{rule: "no credentials", status: 401},
		{rule: "an empty header", headers: []string{""}, status: 401},
		{rule: "Basic", headers: []string{"Basic YTpi"}, status: 401},
		{rule: "DPoP", headers: []string{"DPoP abc"}, status: 401},
		{rule: "Bearer at the beginning of another scheme", headers: []string{"Bearers abc"}, status: 401},
		{rule: "no scheme", headers: []string{"abc"}, status: 401},
		{rule: "nothing after the scheme", headers: []string{"Bearer"}, status: 401, code: "invalid_token"},
		{rule: "spaces after the scheme", headers: []string{"Bearer  "}, status: 401, code: "invalid_token"},
		{rule: "only padding", headers: []string{"Bearer =="}, status: 401, code: "invalid_token"},
		{rule: "padding in the middle", headers: []string{"Bearer a=b"}, status: 401, code: "invalid_token"},
		{rule: "two tokens", headers: []string{"Bearer abc def"}, status: 401, code: "invalid_token"},
		{rule: "two credentials in one header", headers: []string{"Bearer abc, Bearer def"}, status: 401, code: "invalid_token"},
		{rule: "a parameter", headers: []string{`Bearer token="abc"`}, status: 401, code: "invalid_token"},
		{rule: "a tab", headers: []string{"Bearer\tabc"}, status: 401},
		{rule: "a NUL", headers: []string{"Bearer a\x00c"}, status: 401, code: "invalid_token"},
		{rule: "not ASCII", headers: []string{"Bearer é"}, status: 401, code: "invalid_token"},
		{rule: "too long", headers: []string{"Bearer " + strings.Repeat("a", maxToken+1)}, status: 401, code: "invalid_token"},
		{rule: "two headers", headers: []string{"Bearer abc", "Bearer def"}, status: 400, code: "invalid_request"},
		{rule: "the same header twice", headers: []string{"Bearer abc", "Bearer abc"}, status: 400, code: "invalid_request"},
		{rule: "Basic and Bearer", headers: []string{"Basic YTpi", "Bearer abc"}, status: 400, code: "invalid_request"},
		{rule: "in the query", target: "/?access_token=abc", status: 400, code: "invalid_request"},
		{rule: "in the query, encoded", target: "/?a=1&access%5Ftoken=abc", status: 400, code: "invalid_request"},
		{rule: "in the query, empty", target: "/?access_token", headers: []string{"Bearer abc"}, status: 400, code: "invalid_request"},
		{rule: "in header and query", target: "/?access_token=abc", headers: []string{"Bearer abc"}, status: 400, code: "invalid_request"},
		{rule: "only in the form, which is not read", kind: form, body: "a=1&access_token=abc", status: 401},
		{rule: "in the form, encoded", kind: form + "; charset=utf-8", headers: []string{"Bearer abc"}, body: "%61ccess_token=abc", status: 400, code: "invalid_request"},
		{rule: "in header and form", kind: "Application/X-WWW-Form-Urlencoded", headers: []string{"Bearer abc"}, body: "access_token=abc", status: 400, code: "invalid_request"},
		{rule: "in a form with broken parameters", kind: form + "; ;", headers: []string{"Bearer abc"}, body: "access_token=abc", status: 400, code: "invalid_request"},
	} {
		t.Run(row.rule, func(t *testing.T) {
			target := row.target
			if target == "" {
				target = "/"
			}
			r := httptest.NewRequest(http.MethodPost, target, strings.NewReader(row.body))
			r.Header["Authorization"] = row.headers
			r.Header.Set("Content-Type", row.kind)
			token, refusal := readBearer(r, []string{"a", "b"})
			if row.status == 0 {
				if refusal != nil || token != row.token {
					t.Fatalf("token %q, %v", token, refusal)
				}
				if rest, err := io.ReadAll(r.Body); err != nil || string(rest) != row.body {
					t.Errorf("the handler reads %q, %v", rest, err)
				}
				return
			}
			if refusal == nil || refusal.Status != row.status || refusal.Code != row.code || token != "" {
				t.Fatalf("token %q and refusal %v, want %d %s", token, refusal, row.status, row.code)
			}
			if wants := row.status == 401 && row.code == ""; wants != (refusal.Scope == "a b") {
				t.Errorf("scope %q", refusal.Scope)
			}
		})
	}
}

// A long form is not read: only its beginning is, and the handler gets all of it.
func TestLongForm(t *testing.T) {
	r := httptest.NewRequest(http.MethodPost, "/", nil)
	rest := &counting{}
	r.Body, r.ContentLength = io.NopCloser(rest), -1
	r.Header.Set("Authorization", "Bearer abc")
	r.Header.Set("Content-Type", form)
	if _, refusal := readBearer(r, nil); refusal != nil {
		t.Fatal(refusal)
	}
	if rest.read > maxPeek {
		t.Errorf("%d bytes of the form were read", rest.read)
	}
	start := make([]byte, maxPeek+10)
	if _, err := io.ReadFull(r.Body, start); err != nil || strings.Trim(string(start), "a") != "" {
		t.Errorf("the handler reads something else: %v", err)
	}
}

// A caller that waits before it sends a form is not told to send it for nothing.
func TestFormThatWaits(t *testing.T) {
	r := httptest.NewRequest(http.MethodPost, "/", nil)
	body := &counting{}
	r.Body, r.ContentLength = io.NopCloser(body), 1<<30
	r.Header.Set("Expect", "100-continue")
	r.Header.Set("Content-Type", form)
	if _, refusal := readBearer(r, nil); refusal == nil || refusal.Status != 401 || body.read > 0 {
		t.Errorf("refusal %v after %d bytes", refusal, body.read)
	}
}

// A caller without a token cannot hold a request by sending a form slowly.
func TestFormWithoutToken(t *testing.T) {
	for _, header := range []string{"", "Basic YTpi", "Bearer not a token"} {
		r := httptest.NewRequest(http.MethodPost, "/", nil)
		body := &counting{}
		r.Body, r.ContentLength = io.NopCloser(body), 10
		r.Header.Set("Content-Type", form)
		if header != "" {
			r.Header.Set("Authorization", header)
		}
		if _, refusal := readBearer(r, nil); refusal == nil || refusal.Status != 401 || body.read > 0 {
			t.Errorf("%q: refusal %v after %d bytes", header, refusal, body.read)
		}
	}
}

// counting is an endless text.
type counting struct{ read int }

func (c *counting) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = 'a'
	}
	c.read += len(b)
	return len(b), nil
}

// A form that cannot be read to its end is for the handler to refuse: it sees the
// error, and what came before it.
func TestFormThatBreaks(t *testing.T) {
	r := httptest.NewRequest(http.MethodPost, "/", nil)
	broken := errors.New("cut off")
	r.Body, r.ContentLength = io.NopCloser(io.MultiReader(strings.NewReader("a=1"), failing{broken})), 100
	r.Header.Set("Authorization", "Bearer abc")
	r.Header.Set("Content-Type", form)
	if _, refusal := readBearer(r, nil); refusal != nil {
		t.Fatal(refusal)
	}
	if read, err := io.ReadAll(r.Body); string(read) != "a=1" || !errors.Is(err, broken) {
		t.Errorf("the handler reads %q, %v", read, err)
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// FuzzReadBearer: a token is read only from a header that is exactly a scheme and a
// token.
func FuzzReadBearer(f *testing.F) {
	for _, s := range [][2]string{{"Bearer abc", ""}, {"bearer  a=", "a=1"}, {"Bearer a b", ""}, {"Bearer", "access_token=1"}, {"DPoP a", "access%5ftoken"}, {"", "%zz&+"}} {
		f.Add(s[0], s[1])
	}
	f.Fuzz(func(t *testing.T, header, query string) {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header["Authorization"], r.URL.RawQuery = []string{header}, query
		token, refusal := readBearer(r, nil)
		if (token == "") == (refusal == nil) {
			t.Fatalf("token %q and refusal %v", token, refusal)
		}
		if r.URL.Query().Has(tokenParam) && token != "" {
			t.Errorf("a query with a token is accepted: %q", query)
		}
		if token != "" && (!strings.EqualFold(header[:7], "Bearer ") || strings.TrimLeft(header[7:], " ") != token && strings.Trim(header[7:], " ") != token) {
			t.Errorf("%q is read as %q", header, token)
		}
	})
}
