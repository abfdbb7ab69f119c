package protocol_test

import (
	"strings"
	"testing"

	"github.com/grantd/grantd/tests/harness"
)

// row is one case: a request and the response that it must get.
type row struct {
	name   string // the rule (see rules) and what is special about the row
	call   call
	status int
	code   string // member error; "" for a success
	says   string // part of error_description
	// For errors that are JSON:API documents:
	pointer string            // to what is wrong in the document, or ? and the parameter of the query
	needs   string            // the scopes that the error names
	body    string            // the whole body, if given
	header  map[string]string // "" means absent
	also    func(t *testing.T, r harness.Response)
}

// run runs the rows as subtests.
func (w *world) run(t *testing.T, rows []row) {
	t.Helper()
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) { row.check(t, w.send(t, row.call)) })
	}
}

func (row row) check(t *testing.T, r harness.Response) {
	t.Helper()
	if r.Status != row.status {
		t.Fatalf("status %d, want %d: %s", r.Status, row.status, r.Body)
	}
	if row.call.method != "HEAD" && r.Status != 204 && (r.Status != 200 || r.Body != "") {
		code, says := row.errorIn(t, r)
		if code != row.code || !strings.Contains(says, row.says) {
			t.Errorf("error %q %q, want %q %q", code, says, row.code, row.says)
		}
	}
	if row.body != "" && r.Body != row.body {
		t.Errorf("body %s, want %s", r.Body, row.body)
	}
	for name, want := range row.header {
		if got := strings.Join(r.Header.Values(name), ", "); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if row.also != nil {
		row.also(t, r)
	}
}

// errorIn returns the code and description of an error in either form.
func (row row) errorIn(t *testing.T, r harness.Response) (code, says string) {
	t.Helper()
	if strings.HasSuffix(r.Header.Get("Content-Type"), "+jwt") {
		return "", ""
	}
	if r.Status < 400 || r.Header.Get("Content-Type") != "application/vnd.api+json" {
		code, _ = r.JSON(t)["error"].(string)
		says, _ = r.JSON(t)["error_description"].(string)
		return code, says
	}
	e := errorOf(t, r)
	source := e.Source.Pointer
	if e.Source.Parameter != "" {
		source = "?" + e.Source.Parameter
	}
	if source != row.pointer || e.Meta.Scope != row.needs {
		t.Errorf("source %q, scope %q, want %q, %q", source, e.Meta.Scope, row.pointer, row.needs)
	}
	return e.Code, e.Detail
}

// What many rows expect.
const (
	challengeBasic = `Basic realm="grantd", charset="UTF-8"`
	badRequest     = "invalid_request"
	badClient      = "invalid_client"
	badScope       = "invalid_scope"
)

// granted, refused and failed make the common rows.
func granted(name string, c call) row { return row{name: name, call: c, status: 200} }

func refused(name string, c call, says string) row {
	return row{name: name, call: c, status: 400, code: badRequest, says: says}
}

// failed makes the row of a failed client authentication: all of them get one
// response.
func failed(name string, c call) row {
	return row{name: name, call: c, status: 401, code: badClient, says: "client authentication failed",
		header: map[string]string{"WWW-Authenticate": challengeBasic}}
}

// withScope makes the row also check that exactly this scope is granted.
func (row row) withScope(scope string) row {
	row.also = func(t *testing.T, r harness.Response) {
		t.Helper()
		if got := r.JSON(t)["scope"]; got != scope {
			t.Errorf("scope %q, want %q", got, scope)
		}
	}
	return row
}
