package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/grantd/grantd/config"
)

func write(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "grantd.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestConfigCheck(t *testing.T) {
	good, bad := write(t, "token: {ttl: 2h}\n"), write(t, "token: {ttl: 2s}\nfrob: 1\n")
	grantd(t, "", "config", "check").is(t, result{out: "ok: defaults and environment, no file given\n"})
	grantd(t, "", "config", "check", "--config", good).is(t, result{out: "ok: " + good + "\n"})
	grantd(t, "", "config", "check", "--config", good, "--output", "json").is(t, result{out: "{\n  \"file\": \"" + good + "\",\n  \"ok\": true\n}\n"})
	grantdIn(t, []string{"GRANTD_CONFIG=" + good}, "", "config", "check").is(t, result{out: "ok: " + good + "\n"})
	grantdIn(t, []string{"GRANTD_CONFIG=" + bad}, "", "config", "check", "--config", good).is(t, result{out: "ok: " + good + "\n"})

	got := grantd(t, "", "config", "check", "--config", bad)
	lines := strings.Split(strings.TrimSpace(got.err), "\n")
	if got.code != exitFailed || got.out != "" || len(lines) != 2 || !strings.HasPrefix(lines[0], "grantd: config: frob: ") || !strings.HasPrefix(lines[1], "grantd: config: token.ttl: ") {
		t.Errorf("%+v", got)
	}
	got = grantd(t, "", "config", "check", "--config", "/absent.yaml")
	if got.code != exitFailed || !strings.Contains(got.err, "/absent.yaml") {
		t.Errorf("%+v", got)
	}
}

func TestConfigPrint(t *testing.T) {
	got := grantdIn(t, []string{"GRANTD_TOKEN_TTL=2h", "GRANTD_FROB=1"}, "", "config", "print")
	if got.code != exitDone || !strings.Contains(got.out, "token:\n  ttl: 2h\n") || got.err != "grantd: warning: GRANTD_FROB is not a setting and is ignored\n" {
		t.Errorf("%+v", got)
	}
	got = grantd(t, "", "config", "print", "--output", "json")
	if got.code != exitDone || !strings.Contains(got.out, `"ttl": "1h"`) {
		t.Errorf("%+v", got)
	}
	grantd(t, "", "config", "example").is(t, result{out: config.Example()})
}

// TestWhichSocket: the flag overrides the configuration.
func TestWhichSocket(t *testing.T) {
	f := newFakeAdmin(t, map[string]reply{"DELETE /clients/a": {204, ""}})
	file := write(t, "admin: {socket: "+f.socket+"}\n")
	elsewhere := "GRANTD_ADMIN_SOCKET=/absent/a.sock"
	tests := map[string]struct {
		env  []string
		args []string
		code int
	}{
		"flag":                  {nil, []string{"--socket", f.socket}, exitDone},
		"flag over all":         {[]string{elsewhere, "GRANTD_CONFIG=/absent.yaml"}, []string{"--socket", f.socket}, exitDone},
		"file":                  {nil, []string{"--config", file}, exitDone},
		"file by environment":   {[]string{"GRANTD_CONFIG=" + file}, nil, exitDone},
		"environment":           {[]string{"GRANTD_ADMIN_SOCKET=" + f.socket}, nil, exitDone},
		"environment over file": {[]string{elsewhere}, []string{"--config", file}, exitFailed},
		"no such file":          {nil, []string{"--config", "/absent.yaml"}, exitFailed},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := grantdIn(t, tt.env, "", append([]string{"client", "delete", "a"}, tt.args...)...); got.code != tt.code {
				t.Errorf("%+v", got)
			}
		})
	}
}
