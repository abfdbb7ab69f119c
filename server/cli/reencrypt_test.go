package cli

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const goodKey = "k1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n"

// Faults of the file with the keys are reported by the check and stop the start,
// each with its line and nothing that the file holds.
func TestFaultsOfPhoneKeys(t *testing.T) {
	keys := filepath.Join(t.TempDir(), "phone.keys")
	if err := os.WriteFile(keys, []byte("k1:c2hvcnQ=\nhush\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	file := write(t, "metrics: {listen: \"\"}\ncustomers: {phone_key_file: "+keys+"}\nstore: {embedded: {path: "+shortDir(t)+"}}\n")
	const base64Fault, nameFault = ":1: the key must be the base64 of 32 bytes", ":2: must be NAME:KEY"
	got := grantd(t, "", "config", "check", "--config", file)
	lines := strings.Split(strings.TrimSpace(got.err), "\n")
	if got.code != exitFailed || len(lines) != 2 || !strings.HasPrefix(lines[0], "grantd: config: customers.phone_key_file: "+keys+base64Fault) ||
		!strings.Contains(lines[1], keys+nameFault) {
		t.Errorf("check: %+v", got)
	}
	other := write(t, "customers: {phone_key_file: "+keys+"}\nstore: {backend: redis, redis: {password_file: /absent}}\n")
	got = grantd(t, "", "config", "check", "--files", "--config", other)
	if !strings.Contains(got.err, base64Fault) || !strings.Contains(got.err, nameFault) || !strings.Contains(got.err, "store.redis.password_file: ") {
		t.Errorf("check --files does not report all at once: %+v", got)
	}
	got = grantd(t, "", "serve", "--config", file)
	if got.code != exitFailed || !strings.Contains(got.err, "customers.phone_key_file: "+keys+base64Fault) || !strings.Contains(got.err, nameFault) || strings.Contains(got.err, "hush") {
		t.Errorf("serve: %+v", got)
	}
	if err := os.WriteFile(keys, []byte(goodKey), 0o600); err != nil {
		t.Fatal(err)
	}
	grantd(t, "", "config", "check", "--config", file).is(t, result{out: "ok: " + file + "\n"})
	if err := os.Chmod(keys, 0o644); err != nil {
		t.Fatal(err)
	}
	if got = grantd(t, "", "config", "check", "--config", file); got.code != exitFailed || !strings.Contains(got.err, "has the mode 0644, so others can read or change it: chmod 600 it") {
		t.Errorf("open to others: %+v", got)
	}
}

// The command repeats the call until there is no cursor, and adds up.
func TestReencrypt(t *testing.T) {
	replies := map[string]string{
		`{"cursor":""}`:      `{"checked":500,"encrypted":500,"unreadable":0,"next_cursor":"c0500"}`,
		`{"cursor":"c0500"}`: `{"checked":3,"encrypted":1,"unreadable":0}`,
	}
	socket := onSocket(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if r.URL.Path != "/admin/v1/customers/reencrypt" || replies[string(body)] == "" {
			t.Errorf("%s %s", r.URL, body)
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, replies[string(body)])
	}))
	grantd(t, "", "customer", "reencrypt", "--socket", socket).is(t, result{out: "503 customers checked, 501 encrypted, 0 cannot be read\n"})
	grantd(t, "", "customer", "reencrypt", "--socket", socket, "--output", "json").is(t, result{
		out: "{\n  \"checked\": 503,\n  \"encrypted\": 501,\n  \"unreadable\": 0\n}\n",
	})
	replies[`{"cursor":"c0500"}`] = `{"checked":3,"encrypted":1,"unreadable":2,"unreadable_id":"c0501"}`
	grantd(t, "", "customer", "reencrypt", "--socket", socket).is(t, result{
		code: exitFailed, out: "503 customers checked, 501 encrypted, 2 cannot be read\n",
		err: "grantd: a key is missing for 2 customers: 'grantd customer show c0501' says which\n",
	})
	replies[`{"cursor":"c0500"}`] = replies[`{"cursor":""}`]
	if got := grantd(t, "", "customer", "reencrypt", "--socket", socket); got.code != exitFailed || !strings.Contains(got.err, "makes no progress") {
		t.Errorf("%+v", got)
	}
}
