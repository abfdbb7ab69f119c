package cli

import (
	"bytes"
	"os/exec"
	"strings"
	"testing"
	"time"
)

func TestCompletion(t *testing.T) {
	f := newFakeAdmin(t, map[string]reply{
		"GET /clients?limit=500":                {200, `{"clients":[{"client_id":"billing"},{"client_id":"bank"},{"client_id":"shop"},{"client_id":"b\tx"}],"next_cursor":"eA"}`},
		"GET /clients?cursor=eA&limit=500":      {200, `{"clients":[{"client_id":"b2"}]}`},
		"GET /clients/bank/secrets?limit=500":   {200, `{"secrets":[{"id":"Ab3dEf7h"}]}`},
		"GET /orgs?limit=500":                   {200, `{"orgs":[{"org_id":"h5D8B5gyHtk="}]}`},
		"GET /customers?limit=500":              {200, `{"customers":[{"customer_id":"10001"}]}`},
		"GET /partners?limit=500":               {200, `{"partners":[{"partner_id":"hurdlr"}]}`},
		"GET /partners/hurdlr/tokens?limit=500": {200, `{"tokens":[{"token_id":"tok1"}]}`},
		"GET /scopes?limit=500":                 {200, scopesReply},
	})
	for line, want := range map[string]string{
		"client|show|b":                               "billing bank b2",
		"client|revoke-secret|bank|":                  "Ab3dEf7h",
		"client|revoke-secret|bank|Ab3dEf7h|":         "",
		"client|create|--org|":                        "h5D8B5gyHtk=",
		"client|create|--id|":                         "",
		"client|create|--scope|users:":                "users:read users:write",
		"client|create|--scope|users:read users:w":    "users:read users:write",
		"client|create|--auth-method|client_secret_b": "client_secret_basic",
		"client|list|--output|":                       "table json",
		"customer|show|":                              "10001",
		"customer|list|--org|h":                       "h5D8B5gyHtk=",
		"customer|put|1|--type|":                      "individual business",
		"partner|grant|hurdlr|":                       "h5D8B5gyHtk=",
		"partner|token|revoke|hurdlr|":                "tok1",
		"leak|--client|s":                             "shop",
		"store|doctor|--release|cl":                   "client",
		"token|explain|":                              "",
	} {
		args := strings.Split(line, "|")
		full := append([]string{"__complete"}, args[:len(args)-1]...)
		full = append(full, "--socket", f.socket, args[len(args)-1])
		if n := len(args); strings.HasPrefix(args[n-2], "--") { // the value of a flag comes last
			full = append(append([]string{"__complete"}, args[:n-2]...), "--socket", f.socket, args[n-2], args[n-1])
		}
		got := grantd(t, "", full...)
		words := strings.Split(strings.TrimSpace(got.out), "\n")
		if directive := words[len(words)-1]; got.code != exitDone || directive != ":4" { // no names of files
			t.Errorf("%s: %+v", line, got)
		}
		if words := strings.Join(words[:len(words)-1], " "); words != want {
			t.Errorf("%s completes to %q, want %q", line, words, want)
		}
	}
	if got := grantd(t, "", "__complete", "store", "restore", ""); !strings.HasPrefix(got.out, ":0\n") {
		t.Errorf("no names of files for FILE: %+v", got)
	}
}

// TestCompletionWithoutServer: a person who presses Tab sees nothing, at once.
func TestCompletionWithoutServer(t *testing.T) {
	broken := newFakeAdmin(t, map[string]reply{"GET /clients?limit=500": {503, `{"error":"temporarily_unavailable"}`}})
	for _, more := range [][]string{{"--socket", "/nonexistent.sock"}, {"--config", "/absent.yaml"}, {"--server", "https://auth.example.com"}, {"--socket", broken.socket}} {
		start := time.Now()
		got := grantdIn(t, []string{"GRANTD_FROB=1"}, "", append(append([]string{"__complete", "client", "show"}, more...), "")...)
		if got.code != exitDone || got.out != ":4\n" || strings.Contains(got.err, "grantd:") {
			t.Errorf("%v: %+v", more, got)
		}
		if took := time.Since(start); took > 10*completeTime {
			t.Errorf("%v took %s", more, took)
		}
	}
}

// TestCompletionScripts checks that the script of each shell is made, and, for the
// shells that are installed, that they can read it.
func TestCompletionScripts(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		got := grantd(t, "", "completion", shell)
		if got.code != exitDone || got.err != "" || !strings.Contains(got.out, "__complete") {
			t.Errorf("%s: code %d, %q", shell, got.code, got.err)
		}
		if path, err := exec.LookPath(shell); err == nil && shell != "powershell" {
			check := exec.Command(path, "-n")
			check.Stdin = bytes.NewBufferString(got.out)
			if said, err := check.CombinedOutput(); err != nil {
				t.Errorf("%s cannot read its script: %v: %s", shell, err, said)
			}
		}
	}
}
