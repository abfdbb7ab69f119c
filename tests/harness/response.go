package harness

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// Response is an HTTP response, read whole.
type Response struct {
	Status    int
	Header    http.Header
	Body      string
	Sent, Got time.Time // when the request began and the body ended
}

// String returns what a failed test should show of it.
func (r Response) String() string {
	return fmt.Sprintf("%d %s after %v", r.Status, r.Body, r.Took())
}

// Took returns how long it took.
func (r Response) Took() time.Duration { return r.Got.Sub(r.Sent) }

// Active reports whether it says that a token is active.
func (r Response) Active() bool { return r.Status == 200 && strings.Contains(r.Body, `"active":true`) }

// Inactive reports whether it is the only response to an introspection that a
// token that is not active may get (RFC 7662 §2.2).
func (r Response) Inactive() bool { return r.Status == 200 && r.Body == `{"active":false}` }

// Unavailable reports whether it is the refusal that callers get while the
// store is unavailable.
func (r Response) Unavailable() bool { return r.NotUnavailable() == "" }

// NotUnavailable returns what keeps it from being Unavailable; "" if nothing.
func (r Response) NotUnavailable() string {
	var body map[string]string
	switch {
	case r.Status != http.StatusServiceUnavailable:
		return "want 503"
	case r.Header.Get("Retry-After") != "1":
		return "Retry-After is " + r.Header.Get("Retry-After")
	case json.Unmarshal([]byte(r.Body), &body) != nil || body["error"] != "temporarily_unavailable":
		return "want the error temporarily_unavailable"
	}
	return ""
}

// JSON returns the body as an object; a body that is not one ends the test.
func (r Response) JSON(t testing.TB) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal([]byte(r.Body), &m); err != nil {
		t.Fatalf("body is not a JSON object: %q", r.Body)
	}
	return m
}
