package deploy

import (
	"bytes"
	"encoding/pem"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/grantd/grantd/tests/program"
)

const liveFile = "live.example.yaml"

// TestLiveExample: with files where it names them, the example for live has no fault
// and no warning; neither have the alternatives in its comments.
func TestLiveExample(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	certificate, _ := certificateFor(t)
	var cert, key bytes.Buffer
	for block, rest := pem.Decode([]byte(read(t, certificate))); block != nil; block, rest = pem.Decode(rest) {
		to := &key
		if block.Type == "CERTIFICATE" {
			to = &cert
		}
		if err := pem.Encode(to, block); err != nil {
			t.Fatal(err)
		}
	}
	standIns := map[string]string{
		"tls.crt": cert.String(), "tls.key": key.String(), "redis-ca.crt": cert.String(), "redis.password": "of-the-test\n",
		"scopes.yaml": read(t, scopesFile), "phone.keys": "2026:" + strings.Repeat("A", 43) + "=\n", "webhook.key": strings.Repeat("k", 64),
	}
	for name, text := range standIns {
		write(t, filepath.Join(dir, name), text)
	}
	text := read(t, liveFile)
	for _, named := range regexp.MustCompile(`/etc/grantd/\S*?([\w.-]+)[\s}]`).FindAllStringSubmatch(text, -1) {
		if standIns[named[1]] == "" && named[1] != "grantd.yaml" {
			t.Errorf("%s names %s, which has no stand-in here", liveFile, named[0])
		}
	}
	text = strings.NewReplacer("/etc/grantd/tls/", dir+"/", "/etc/grantd/", dir+"/").Replace(text)
	for name, edits := range map[string][]string{
		"as it is": {},
		"proxy":    {`(?m)^  tls: # both[^\n]*\n    cert_file[^\n]*\n    key_file[^\n]*\n`, "", `# (behind_tls_proxy|trusted_proxies)`, "$1"},
		"embedded": {`(?ms)^  backend: redis.*?^  # (backend: embedded)\n  # (embedded: )`, "  $1\n  $2"},
		"webhook":  {`  sender: none\n  # (sender: webhook)\n  # (webhook: )`, "  $1\n  $2"},
	} {
		edited := text
		for i := 0; i < len(edits); i += 2 {
			changed := regexp.MustCompile(edits[i]).ReplaceAllString(edited, edits[i+1])
			if changed == edited {
				t.Errorf("%s: %s is not in the file", name, edits[i])
			}
			edited = changed
		}
		path := filepath.Join(dir, strings.ReplaceAll(name, " ", "-")+".yaml")
		write(t, path, edited)
		out, err := exec.CommandContext(t.Context(), program.Path(t), "config", "check", "--files", "--config", path).CombinedOutput()
		if got, want := string(out), "ok: "+path+"\n"; err != nil || got != want {
			t.Errorf("%s: %v\n%s", name, err, got)
		}
	}
}
