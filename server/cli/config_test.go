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
	grantd(t, "", "config", "check", "--config", good, "--output", "json").is(t, result{out: "{\n  \"file\": \"" + good + "\",\n  \"ok\": true,\n  \"warnings\": []\n}\n"})
	grantdIn(t, []string{"GRANTD_CONFIG=" + good}, "", "config", "check").is(t, result{out: "ok: " + good + "\n"})
	grantdIn(t, []string{"GRANTD_CONFIG=" + bad}, "", "config", "check", "--config", good).is(t, result{out: "ok: " + good + "\n"})

	got := grantd(t, "", "config", "check", "--config", bad)
	lines := strings.Split(strings.TrimSpace(got.err), "\n")
	if got.code != exitFailed || got.out != "" || len(lines) != 2 || !strings.HasPrefix(lines[0], "grantd: config: frob: ") || !strings.HasPrefix(lines[1], "grantd: config: token.ttl: ") {
		t.Errorf("%+v", got)
	}
	got = grantd(t, "", "config", "check", "--config", "/absent.yaml")
	if got.code != exitUsage || !strings.Contains(got.err, "--config: the file /absent.yaml does not exist") {
		t.Errorf("%+v", got)
	}
}

// TestConfigCheckFiles: with --files each file that is named is read, and each fault
// is one line.
func TestConfigCheckFiles(t *testing.T) {
	file := write(t, "scopes: {file: /absent/scopes.yaml}\npublic: {tls: {cert_file: /absent/tls.crt, key_file: /absent/tls.key}}\n")
	grantd(t, "", "config", "check", "--config", file).is(t, result{out: "ok: " + file + "\n"})
	got := grantd(t, "", "config", "check", "--files", "--config", file)
	lines := strings.Split(strings.TrimSpace(got.err), "\n")
	if got.code != exitFailed || got.out != "" || len(lines) != 2 ||
		!strings.HasPrefix(lines[0], "grantd: config: public.tls.cert_file: certificate /absent/tls.crt") ||
		!strings.HasPrefix(lines[1], "grantd: config: scopes.file: open /absent/scopes.yaml") {
		t.Errorf("%+v", got)
	}
	scopes := filepath.Join(t.TempDir(), "scopes.yaml")
	if err := os.WriteFile(scopes, []byte("- name: users:read\n  description: read users\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	file = write(t, "scopes: {file: "+scopes+"}\n")
	grantd(t, "", "config", "check", "--files", "--config", file).is(t, result{out: "ok: " + file + "\n"})
}

// TestConfigWarnings: what is risky is allowed, and shown by check only.
func TestConfigWarnings(t *testing.T) {
	file := write(t, "metrics: {listen: \":9464\"}\nlimits: {auth_failures_per_address: {count: 0}}\n")
	const limit = "limits.auth_failures_per_address.count: is 0, which switches the limit off; the default is 300"
	const metrics = "metrics.listen: is open to other machines, without TLS and without a password; listen on loopback, or let only your Prometheus reach the port"
	grantd(t, "", "config", "check", "--config", file).is(t, result{out: "warning: " + limit + "\nwarning: " + metrics + "\nok: " + file + "\n"})
	got := grantd(t, "", "config", "check", "--config", file, "--output", "json")
	list, err := decode[checked]([]byte(got.out))
	if err != nil || got.code != exitDone || !list.OK || list.File != file || len(list.Warnings) != 2 ||
		list.Warnings[0].Key+": "+list.Warnings[0].Problem != limit || list.Warnings[1].Key+": "+list.Warnings[1].Problem != metrics {
		t.Errorf("%+v, %v", got, err)
	}
	if got := grantd(t, "", "config", "print", "--config", file); got.code != exitDone || got.err != "" {
		t.Errorf("%+v", got)
	}
}

// TestServeWarns: each risk is one warning in the log of a start.
func TestServeWarns(t *testing.T) {
	s := serveWith(t, "limits: {auth_failures_per_address: {count: 0}, issue_per_client: {count: 9, mode: log}}")
	s.stop()
	for _, path := range []string{"limits.auth_failures_per_address.count", "limits.issue_per_client.mode"} {
		if n := strings.Count(s.logs.String(), `"level":"WARN","msg":"config: `+path+`: is `); n != 1 {
			t.Errorf("%s: %d warnings in %s", path, n, s.logs)
		}
	}
	if got := strings.Count(s.logs.String(), `"msg":"config: `); got != 2 {
		t.Errorf("%d warnings: %s", got, s.logs)
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
		"no such file":          {nil, []string{"--config", "/absent.yaml"}, exitUsage},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := grantdIn(t, tt.env, "", append([]string{"client", "delete", "a"}, tt.args...)...); got.code != tt.code {
				t.Errorf("%+v", got)
			}
		})
	}
}
