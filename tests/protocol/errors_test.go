package protocol_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/grantd/grantd/server/clients"
	"github.com/grantd/grantd/server/web"
	"github.com/grantd/grantd/store"
	"github.com/grantd/grantd/store/embedded"
	"github.com/grantd/grantd/tests/harness"
)

// checkError checks every row of every test for these rules; these rows name
// them.
func TestErrorResponse(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	auth := basic(w.app)
	noURI := func(t *testing.T, r harness.Response) {
		if _, ok := r.JSON(t)["error_uri"]; ok {
			t.Error("there is an error_uri")
		}
	}
	stored := map[string]string{"Cache-Control": "no-store", "Pragma": "no-cache"}
	w.run(t, []row{
		{name: "error_shape", call: ask("grant_type=x", auth), status: 400, code: badGrant,
			body: `{"error":"unsupported_grant_type","error_description":"this server grants client_credentials and, to partners, token exchange"}`},
		{name: "error_characters", call: ask(grant+"&scope=%22%5C", auth), status: 400, code: badScope,
			also: func(t *testing.T, r harness.Response) {
				if says, _ := r.JSON(t)["error_description"].(string); !errorText.MatchString(says) {
					t.Errorf("error_description %q", says)
				}
			}},
		{name: "no_error_uri", call: ask("", auth), status: 400, code: badRequest, also: noURI},
		{name: "error_no_store/400", call: ask("", auth), status: 400, code: badRequest, header: stored},
		{name: "error_no_store/401", call: ask(grant), status: 401, code: badClient, header: stored},
		{name: "error_no_store/404", call: form("/x", ""), status: 404, code: "not_found", header: stored},
		{name: "challenge_on_401", call: ask(grant), status: 401, code: badClient, header: map[string]string{"WWW-Authenticate": challengeBasic}},
		{name: "challenge_on_401/post", call: ask(grant + "&client_id=x&client_secret=y"), status: 401, code: badClient, header: map[string]string{"WWW-Authenticate": challengeBasic}},
		{name: "challenge_reflects_no_input", call: ask(grant, basicOf("evil\" x", wrong), "X-Realm: evil"), status: 401, code: badClient,
			header: map[string]string{"WWW-Authenticate": challengeBasic}},
		{name: "unknown_path/under_oauth", call: form("/oauth/nothing", grant, auth), status: 404, code: "not_found"},
		{name: "unknown_path/get", call: call{method: "GET", target: "/oauth/nothing"}, status: 404, code: "not_found"},
		{name: "unknown_path/head", call: call{method: "HEAD", target: "/oauth/nothing"}, status: 404},
	})
	for name, value := range map[string]string{
		"quotes": `"evil"`, "backslash": `evil\`, "emoji": "evil😀", "markup": "<script>evil</script>", "template": "%s evil {{.}}",
	} {
		for _, parameter := range []string{"grant_type", "scope", "resource", "client_id", "response_type"} {
			t.Run("error_reflects_no_input/"+name+"_"+parameter, func(t *testing.T) {
				body := parameter + "=" + percent(value)
				if parameter != "grant_type" && parameter != "response_type" {
					body += "&" + grant
				}
				r := w.send(t, ask(body, auth))
				if r.Status != 400 || strings.Contains(r.Body, "evil") {
					t.Errorf("%d %s", r.Status, r.Body)
				}
			})
		}
	}
	t.Run("error_reflects_no_input/in_the_log", func(t *testing.T) {
		if strings.Contains(w.Logs.String(), "evil") {
			t.Error("the log repeats a value of the request")
		}
	})
}

// If a request has two faults, the response names the first one in the order of
// checks: method, credentials in the URL, media type, size, syntax and
// duplicates, grant type present and known, client authentication, scope and
// resource.
func TestPrecedence(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.client(t, "limited", "users:read", func(s *clients.NewSpec) { s.SecretHash = bcryptOf(t, "right-0123456789") })
	w.keep("right-0123456789")
	// fields are the parts of a request that can be wrong independently.
	type fields struct{ method, query, contentType, padding, syntax, grant, secret, scope, resource string }
	faults := []struct {
		name string
		in   func(*fields)
		want row
	}{
		{"method", func(f *fields) { f.method = "PUT" }, row{status: 405, code: badRequest}},
		{"url", func(f *fields) { f.query = "?client_secret=" + wrong }, refused("", call{}, "in the URL")},
		{"media_type", func(f *fields) { f.contentType = "text/plain" }, refused("", call{}, "Content-Type")},
		{"size", func(f *fields) { f.padding = strings.Repeat("x", web.MaxBody) }, row{status: 413, code: badRequest}},
		{"syntax", func(f *fields) { f.syntax = "&x=%zz" }, refused("", call{}, "well-formed")},
		{"duplicate", func(f *fields) { f.syntax += "&scope=a&scope=b" }, refused("", call{}, "")}, // syntax or duplicate
		{"grant_missing", func(f *fields) { f.grant = "" }, refused("", call{}, "grant_type is missing")},
		{"grant_unknown", func(f *fields) { f.grant = "grant_type=x" }, row{status: 400, code: badGrant}},
		{"authentication", func(f *fields) { f.secret = wrong }, failed("", call{})},
		{"scope", func(f *fields) { f.scope = "&scope=users:write" }, row{status: 400, code: badScope}},
		{"resource", func(f *fields) { f.resource = "&resource=https://unknown.example" }, row{status: 400, code: "invalid_target"}},
	}
	build := func(apply ...func(*fields)) call {
		f := fields{method: "POST", contentType: "application/x-www-form-urlencoded", grant: grant, secret: "right-0123456789"}
		for _, a := range apply {
			a(&f)
		}
		return call{method: f.method, target: "/oauth/token" + f.query,
			headers: []string{"Content-Type: " + f.contentType, basicOf("limited", f.secret)},
			body:    f.grant + f.syntax + f.scope + f.resource + "&pad=" + f.padding}
	}
	t.Run("order_of_checks/without_faults", func(t *testing.T) { granted("", call{}).check(t, w.send(t, build())) })
	for i, earlier := range faults {
		for _, later := range faults[i+1:] {
			if earlier.name == "grant_missing" && later.name == "grant_unknown" {
				continue // they exclude each other
			}
			t.Run("order_of_checks/"+earlier.name+"_before_"+later.name, func(t *testing.T) {
				earlier.want.check(t, w.send(t, build(later.in, earlier.in)))
			})
		}
	}
}

// A panic is a plain 500; only the log holds the cause.
func TestPanic(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	inner, err := embedded.Open(embedded.Options{Path: dir})
	if err != nil {
		t.Fatal(err)
	}
	w := startWorld(t, func(o ...harness.Options) *harness.Server { return harness.Start(t, o...) }, harness.Options{Use: panicking{inner}})
	id := w.client(t, "app", appScope)
	t.Run("internal_error/panic", func(t *testing.T) {
		row{status: 500, code: "server_error"}.check(t, w.send(t, ask(grant, basic(id))))
		for _, part := range []string{"protocol_test.panicking", "assignment to entry in nil map"} {
			if !strings.Contains(w.Logs.String(), part) {
				t.Errorf("the log does not say %q", part)
			}
		}
	})
	t.Run("internal_error/afterwards", func(t *testing.T) { failed("", call{}).check(t, w.send(t, ask(grant))) })
}

type panicking struct{ store.Store }

func (p panicking) Clients() store.Clients { return panickingClients{p.Store.Clients()} }

type panickingClients struct{ store.Clients }

func (panickingClients) Get(context.Context, string) (store.Client, error) {
	var none map[string]int
	none["a defect"]++ //nolint:staticcheck // the defect that this test is about
	return store.Client{}, nil
}

// The text of an unknown store error reaches only the operator.
func TestUnknownFailure(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.store.Fail("PutToken", errors.New("disk on fire"))
	t.Run("internal_error/unknown_failure", func(t *testing.T) {
		r := w.send(t, ask(grant, basic(w.app)))
		row{status: 500, code: "server_error"}.check(t, r)
		if strings.Contains(r.Body, "fire") || !strings.Contains(w.Logs.String(), "disk on fire") {
			t.Errorf("%s", r.Body)
		}
	})
}
