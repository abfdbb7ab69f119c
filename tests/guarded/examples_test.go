package guarded_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/grantd/grantd/tests/harness"
	"github.com/grantd/grantd/tests/poll"
	"github.com/grantd/grantd/tests/program"
)

const guide = "../../server/oauth/INTEGRATING.md"

// examples are the programs of the guide, in its order.
var examples = []string{"goapi/main.go", "api.mjs", "api.py"}

var fenced = regexp.MustCompile("(?ms)^```(\\w+)\n(.*?)^```$")

// TestGuideShowsTheExamples: the programs on the page are those that are tested.
func TestGuideShowsTheExamples(t *testing.T) {
	page, err := os.ReadFile(guide)
	if err != nil {
		t.Fatal(err)
	}
	shown := fenced.FindAllStringSubmatch(string(page), -1)
	for _, name := range examples {
		text, err := os.ReadFile(filepath.Join("examples", name))
		if err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(shown, func(m []string) bool { return m[2] == string(text) }) {
			t.Errorf("%s is not shown as it is in %s", name, guide)
		}
	}
}

// TestExamples runs each program of the guide, beside an edge, and calls it.
func TestExamples(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds a program")
	}
	t.Parallel()
	s := harness.Start(t)
	c, other := s.NewClient(t, "app", "users:read"), s.NewClient(t, "other", "users:write")
	rs := s.NewClient(t, "api", "introspect")
	dir := newFolder(t)
	secret := filepath.Join(dir, "api.secret")
	if err := os.WriteFile(secret, []byte(rs.ClientSecret), 0o600); err != nil {
		t.Fatal(err)
	}
	_, ready := startProcess(t, "edge", "ready edge=", program.Path(t), "edge",
		"--upstream", s.URL, "--client-id", "api", "--client-secret-file", secret, "--listen", "127.0.0.1:0")
	edge, _, _ := strings.Cut(ready, " ")
	built := filepath.Join(dir, "goapi")
	if out, err := exec.Command("go", "build", "-o", built, "./examples/goapi").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for name, command := range map[string][]string{"go": {built}, "node": {"node", "api.mjs"}, "python": {"python3", "api.py"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			port := freeAddr(t)[len("127.0.0.1:"):]
			folder, err := filepath.Abs("examples")
			if err != nil {
				t.Fatal(err)
			}
			if name == "go" {
				folder = dir // with the file of the secret
			}
			env := []string{"-C", folder, "ISSUER=" + s.URL, "EDGE=" + edge, "CLIENT_ID=api", "CLIENT_SECRET=" + rs.ClientSecret, "PORT=" + port}
			_, api := startProcess(t, name, "ready api=", "env", append(env, command...)...)
			tryExample(t, api, s.Token(t, c, ""), s.Token(t, other, ""), func(token string) {
				if r := s.Form(t, "/oauth/revoke", c.ClientID, c.ClientSecret, url.Values{"token": {token}}); r.Status != http.StatusOK {
					t.Fatal(r)
				}
			})
		})
	}
}

// tryExample calls an API with good and bad tokens.
func tryExample(t *testing.T, api, good, unscoped string, revoke func(token string)) {
	t.Helper()
	call := func(authorization string) (status int, challenge, body string) {
		req := httptest.NewRequest(http.MethodGet, api+"/users", nil)
		req.RequestURI = ""
		if authorization != "" {
			req.Header.Set("Authorization", authorization)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			return 0, "", err.Error()
		}
		defer res.Body.Close()
		b, _ := io.ReadAll(res.Body)
		return res.StatusCode, res.Header.Get("WWW-Authenticate"), string(b)
	}
	poll.AwaitTrue(t, patience, "the API listens", func() bool { status, _, _ := call(""); return status == http.StatusUnauthorized })
	for _, row := range []struct {
		what, authorization string
		status              int
		challenge           string
	}{
		{"no token", "", 401, ""},
		{"another scheme", "Basic YTpi", 401, ""},
		{"a good token", "Bearer " + good, 200, ""},
		{"the scheme in lower case", "bearer " + good, 200, ""},
		{"a made-up token", "Bearer rubbish", 401, `error="invalid_token"`},
		{"a token without the scope", "Bearer " + unscoped, 403, `error="insufficient_scope"`},
	} {
		status, challenge, body := call(row.authorization)
		if status != row.status || !strings.Contains(challenge, row.challenge) || row.challenge == "" && strings.Contains(challenge, "error=") {
			t.Errorf("%s: %d, challenge %q: %s", row.what, status, challenge, body)
		}
		if status == http.StatusOK && body != "hello, client:app\n" {
			t.Errorf("%s: %q", row.what, body)
		}
	}
	revoke(good)
	poll.Await(t, bound, "a revoked token", func() string {
		if status, challenge, body := call("Bearer " + good); status != 401 || !strings.Contains(challenge, `error="invalid_token"`) {
			return body
		}
		return ""
	})
}
