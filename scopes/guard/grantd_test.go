package guard_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/grantd/grantd/scopes/guard"
	"github.com/grantd/grantd/tests/program"
)

// sandbox is a grantd that runs.
type sandbox struct {
	program, url, socket string
	clientSecret, secret string
}

var (
	secretLine = regexp.MustCompile(`(?m)^# +its secret +(\S+)$`)
	urlLine    = regexp.MustCompile(`(?m)^# +public URL +(\S+)$`)
	socketLine = regexp.MustCompile(`(?m)^# +admin socket +(\S+)$`)
)

// startSandbox runs grantd dev, which has the client demo and the resource server
// demo-rs.
func startSandbox(t *testing.T) *sandbox {
	t.Helper()
	s := &sandbox{program: program.Path(t)}
	cmd := exec.Command(s.program, "dev", "--listen", "127.0.0.1:0")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_, _ = io.Copy(io.Discard, out)
		_ = cmd.Wait()
	})
	var printed strings.Builder
	for lines := bufio.NewScanner(out); lines.Scan() && !strings.HasPrefix(lines.Text(), "ready "); {
		printed.WriteString(lines.Text() + "\n")
	}
	secrets := secretLine.FindAllStringSubmatch(printed.String(), -1)
	at, socket := urlLine.FindStringSubmatch(printed.String()), socketLine.FindStringSubmatch(printed.String())
	if len(secrets) < 2 || at == nil || socket == nil {
		t.Fatalf("grantd dev printed:\n%s", printed.String())
	}
	s.clientSecret, s.secret, s.url, s.socket = secrets[0][1], secrets[1][1], at[1], socket[1]
	return s
}

// run runs a command of the operator, and returns what it prints.
func (s *sandbox) run(t *testing.T, args ...string) []byte {
	t.Helper()
	out, err := exec.Command(s.program, append(args, "--socket", s.socket, "--output", "json")...).CombinedOutput()
	if err != nil {
		t.Fatalf("grantd %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

func (s *sandbox) post(t *testing.T, path string, form url.Values) []byte {
	t.Helper()
	r, err := http.NewRequest(http.MethodPost, s.url+path, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth("demo", s.clientSecret)
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != 200 {
		t.Fatalf("%s: %d %s %v", path, res.StatusCode, body, err)
	}
	return body
}

func (s *sandbox) token(t *testing.T) string {
	t.Helper()
	var issued struct {
		Token string `json:"access_token"`
	}
	if err := json.Unmarshal(s.post(t, "/oauth/token", url.Values{"grant_type": {"client_credentials"}}), &issued); err != nil {
		t.Fatal(err)
	}
	return issued.Token
}

func (s *sandbox) config() guard.Config {
	return guard.Config{Issuer: s.url, ClientID: "demo-rs", Secret: s.secret, TokenUses: []string{"client", "customer"}, StartTimeout: time.Minute, Log: slog.New(slog.DiscardHandler)}
}

// await waits until the guard is in a state.
func await(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited a minute: %s", what)
		}
	}
}

func check(t *testing.T, g *guard.Guard, token string) int {
	t.Helper()
	_, err := g.Check(t.Context(), token, guard.Need{Scopes: []string{"users:read"}})
	var r *guard.Refusal
	if err != nil && errors.As(err, &r) {
		return r.Status
	}
	return 200
}

// cached waits until the token is accepted from the cache.
func cached(t *testing.T, g *guard.Guard, token string) {
	t.Helper()
	await(t, "the token is in the cache", func() bool {
		before := g.State().Hits
		return check(t, g, token) == 200 && g.State().Hits > before
	})
}

// refusedInTime fails the test if the token is accepted by a check that began more than
// a second after the end, which was acknowledged just now.
func refusedInTime(t *testing.T, g *guard.Guard, token, by string) {
	t.Helper()
	acknowledged := time.Now()
	for {
		began := time.Now()
		switch got := check(t, g, token); {
		case got == 401:
			t.Logf("%s: refused %v after it was acknowledged", by, time.Since(acknowledged))
			return
		case got == 200 && began.Sub(acknowledged) > time.Second:
			t.Fatalf("%s: accepted %v after it was acknowledged", by, began.Sub(acknowledged))
		case began.Sub(acknowledged) > time.Minute:
			t.Fatalf("%s: status %d a minute later", by, got)
		}
	}
}

// TestWithGrantd runs the guard against grantd itself.
func TestWithGrantd(t *testing.T) {
	s := startSandbox(t)
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte(s.secret), 0o600); err != nil {
		t.Fatal(err)
	}
	c := s.config()
	c.Secret, c.SecretFile = "", file
	g, err := guard.New(c)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()

	token := s.token(t)
	cached(t, g, token)
	s.post(t, "/oauth/revoke", url.Values{"token": {token}})
	refusedInTime(t, g, token, "revocation")

	token = s.token(t)
	cached(t, g, token)
	s.run(t, "client", "void-tokens", "demo", "--yes")
	refusedInTime(t, g, token, "void of the client")

	// Another secret: the stream ends, and comes back with what the file holds now.
	token = s.token(t)
	cached(t, g, token)
	var rotated struct {
		Secret string `json:"client_secret"`
	}
	if err := json.Unmarshal(s.run(t, "client", "rotate-secret", "demo-rs", "--grace", "0s"), &rotated); err != nil || rotated.Secret == "" {
		t.Fatalf("rotation: %v", err)
	}
	streams := g.State().Streams
	await(t, "the stream of the old secret ends", func() bool { return g.State().Streams > streams })
	if err := os.WriteFile(file, []byte(rotated.Secret), 0o600); err != nil {
		t.Fatal(err)
	}
	await(t, "the stream of the new secret", func() bool { return g.State().Fresh })
	cached(t, g, token)

	// Another registration: nothing is accepted until it is right again.
	s.run(t, "client", "update", "demo-rs", "--token-use", "client")
	await(t, "the registration differs", func() bool { return check(t, g, token) == 503 })
	_, command, found := strings.Cut(g.State().Err.Error(), "run: grantd ")
	if !found {
		t.Fatalf("the error names no command: %v", g.State().Err)
	}
	c.Secret, c.SecretFile = rotated.Secret, ""
	var mismatch *guard.MismatchError
	if _, err := guard.New(c); !errors.As(err, &mismatch) {
		t.Errorf("a guard started with another registration: %v", err)
	}
	s.run(t, strings.Fields(command)...)
	cached(t, g, token)
}
