package protocol_test

import (
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/grantd/grantd/tests/harness"
)

var (
	// RFC 6749 §5.2: %x20-21 / %x23-5B / %x5D-7E.
	errorText = regexp.MustCompile(`^[\x20-\x21\x23-\x5B\x5D-\x7E]+$`)
	challenge = regexp.MustCompile(`^(Basic|Bearer) realm="[^"\\\r\n]+"(, [a-z_]+="[^"\\\r\n]+")*$`)
	requestID = regexp.MustCompile(`^[0-9A-Fa-f-]{8,36}$`)
	seconds   = regexp.MustCompile(`^[1-9][0-9]*$`)
	b64token  = regexp.MustCompile(`^[A-Za-z0-9._~+/-]+=*$`) // RFC 6750 §2.1
)

// checkEvery checks what every response must have.
func (w *world) checkEvery(t *testing.T, c call, r harness.Response) {
	t.Helper()
	for name, want := range map[string]string{
		"Cache-Control": "no-store", "Pragma": "no-cache", "X-Content-Type-Options": "nosniff",
		"Set-Cookie": "", "Location": "", "Access-Control-Allow-Credentials": "",
	} {
		if got := strings.Join(r.Header.Values(name), ", "); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if allowed := r.Header.Values("Access-Control-Allow-Origin"); len(allowed) > 0 && !slices.Contains(c.headers, "Origin: "+strings.Join(allowed, ", ")) {
		t.Errorf("Access-Control-Allow-Origin %q, and the request had %q", allowed, c.headers)
	}
	if !requestID.MatchString(r.Header.Get("X-Request-Id")) {
		t.Errorf("X-Request-Id: %q", r.Header.Get("X-Request-Id"))
	}
	var head strings.Builder
	_ = r.Header.Write(&head)
	w.holdsNoSecret(t, "response", head.String()+r.Body) // before a new token is remembered
	switch {
	case r.Status >= 400:
		checkError(t, c, r)
	case strings.HasSuffix(r.Header.Get("Content-Type"), "+jwt"): // it holds no token
	case r.Status == 200 && isDecision(c):
		if r.Body != "" {
			t.Errorf("body %q", r.Body)
		}
	case r.Status == 200 && c.method != "HEAD":
		if token, ok := r.JSON(t)["access_token"].(string); ok {
			w.keep(token)
			checkToken(t, r)
		}
	case r.Status == 201:
		if _, rest, ok := strings.Cut(r.Body, `"token":"`); ok {
			token, _, _ := strings.Cut(rest, `"`)
			w.keep(token)
		}
	}
}

// errorDocument is an error of JSON:API.
type errorDocument struct {
	Status, Code, Title, Detail string
	Source                      struct{ Pointer, Parameter string }
	Meta                        struct{ Scope string }
}

// errorOf returns the one error of a JSON:API document, read strictly.
func errorOf(t *testing.T, r harness.Response) errorDocument {
	t.Helper()
	var doc struct{ Errors []errorDocument }
	d := json.NewDecoder(strings.NewReader(r.Body))
	d.DisallowUnknownFields()
	if err := d.Decode(&doc); err != nil || len(doc.Errors) != 1 {
		t.Fatalf("not a document with one error: %v: %s", err, r.Body)
	}
	return doc.Errors[0]
}

// checkErrorDocument checks what every error of the JSON:API endpoints must
// have.
func checkErrorDocument(t *testing.T, r harness.Response) {
	t.Helper()
	e := errorOf(t, r)
	if e.Status != strconv.Itoa(r.Status) || e.Code == "" || e.Title != http.StatusText(r.Status) || e.Detail == "" {
		t.Errorf("incomplete error: %s", r.Body)
	}
	if e.Source.Pointer != "" && (!strings.HasPrefix(e.Source.Pointer, "/") || e.Source.Parameter != "") {
		t.Errorf("source %+v", e.Source)
	}
}

// checkError checks what every error must have (RFC 6749 §5.2).
func checkError(t *testing.T, c call, r harness.Response) {
	t.Helper()
	inDocument := r.Header.Get("Content-Type") == "application/vnd.api+json"
	if got := r.Header.Get("Content-Type"); got != "application/json" && !inDocument || inDocument != c.wantsDocument() {
		t.Errorf("Content-Type: %q", got)
	}
	challenges := r.Header.Values("WWW-Authenticate")
	switch {
	case r.Status == 401 && len(challenges) != 1:
		t.Errorf("401 with challenges %q", challenges)
	case len(challenges) == 1 && !wellFormedChallenge(challenges[0]):
		t.Errorf("WWW-Authenticate: %q", challenges[0])
	case r.Status == 405 && (r.Header.Get("Allow") == "" || strings.Contains(r.Header.Get("Allow"), c.method)):
		t.Errorf("%s: 405 with Allow: %q", c.method, r.Header.Get("Allow"))
	case (r.Status == 503 || r.Status == 429) && !seconds.MatchString(r.Header.Get("Retry-After")):
		t.Errorf("%d with Retry-After: %q", r.Status, r.Header.Get("Retry-After"))
	}
	if c.method == "HEAD" {
		if r.Body != "" {
			t.Errorf("HEAD with a body: %q", r.Body)
		}
		return
	}
	if inDocument {
		checkErrorDocument(t, r)
		golden.check(t, r)
		return
	}
	var body map[string]any
	if err := json.Unmarshal([]byte(r.Body), &body); err != nil {
		t.Fatalf("the error is not a JSON object: %q", r.Body)
	}
	for name, value := range body {
		text, ok := value.(string)
		if !ok || !errorText.MatchString(text) {
			t.Errorf("%s: %q holds characters that RFC 6749 section 5.2 forbids", name, value)
		}
		if name != "error" && name != "error_description" {
			t.Errorf("unexpected member %s", name)
		}
	}
	if body["error"] == nil || body["error_description"] == nil {
		t.Errorf("incomplete error: %s", r.Body)
	}
	golden.check(t, r)
}

// wantsDocument reports whether an error must be a JSON:API document: all
// errors below /customers/, /partners/ and /users/ are, and those of /identity.
func (c call) wantsDocument() bool {
	return strings.HasPrefix(c.target, "/customers/") || strings.HasPrefix(c.target, "/partners/") || strings.HasPrefix(c.target, "/users/") || strings.HasPrefix(c.target, identityPath)
}

// wellFormedChallenge reports whether c has the form of a challenge and no
// repeated attribute.
func wellFormedChallenge(c string) bool {
	if !challenge.MatchString(c) {
		return false
	}
	_, attributes, _ := strings.Cut(c, " ")
	seen := map[string]bool{}
	for a := range strings.SplitSeq(attributes, `", `) {
		name, _, _ := strings.Cut(a, "=")
		if seen[name] {
			return false
		}
		seen[name] = true
	}
	return true
}

// checkToken checks what every token response must have (RFC 6749 §5.1).
func checkToken(t *testing.T, r harness.Response) {
	t.Helper()
	body := r.JSON(t)
	if token, _ := body["access_token"].(string); !b64token.MatchString(token) {
		t.Error("access_token is not a b64token of RFC 6750 section 2.1")
	}
	if body["token_type"] != "Bearer" {
		t.Errorf("token_type: %v", body["token_type"])
	}
	if ttl, ok := body["expires_in"].(float64); !ok || ttl < 60 || ttl > 86400 || ttl != float64(int64(ttl)) {
		t.Errorf("expires_in: %v", body["expires_in"])
	}
	if scope, ok := body["scope"].(string); !ok || scope == "" {
		t.Errorf("scope: %v", body["scope"])
	}
	for _, unwanted := range []string{"refresh_token", "id_token", "client_secret"} {
		if body[unwanted] != nil {
			t.Errorf("unwanted member %s", unwanted)
		}
	}
	if got := r.Header.Get("Content-Type"); got != "application/json" {
		t.Errorf("Content-Type: %q", got)
	}
}
