package admin_test

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/grantd/grantd/config"
	"github.com/grantd/grantd/store/storetest/redistest"
	"github.com/grantd/grantd/tests/harness"
)

// newKey returns a line for a file with keys of phone numbers.
func newKey(name string) string {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // never fails
	return name + ":" + base64.StdEncoding.EncodeToString(b) + "\n"
}

// keyFile writes a file with keys. path "" is a new one.
func keyFile(t *testing.T, path string, lines ...string) string {
	t.Helper()
	if path == "" {
		path = filepath.Join(t.TempDir(), "phone.keys")
	}
	if err := os.WriteFile(path, []byte(strings.Join(lines, "")), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// onFiles runs the test on both stores, which keep everything in a folder that the
// test can search. The servers that open starts share the store.
func onFiles(t *testing.T, test func(t *testing.T, dir string, open func(keys string) *harness.Server)) {
	t.Parallel()
	for name, place := range map[string]func(t *testing.T, dir string) func(*config.Config){
		"embedded": func(_ *testing.T, dir string) func(*config.Config) {
			return func(c *config.Config) { c.Store.Embedded.Path = dir }
		},
		"redis": func(t *testing.T, dir string) func(*config.Config) {
			s := redistest.Start(t, "--dir", dir, "--appendonly", "yes", "--appendfsync", "always", "--aof-use-rdb-preamble", "no")
			return func(c *config.Config) {
				harness.OnRedis(s.Addr)(c)
				c.Cache.MaxStaleness = harness.QuickStaleness
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			stored := place(t, dir)
			test(t, dir, func(keys string) *harness.Server {
				return harness.Start(t, harness.Options{Edit: func(c *config.Config) {
					withCodes(c)
					stored(c)
					c.Customers.PhoneKeyFile = keys
				}})
			})
		})
	}
}

// clearNumbers reports whether a file in the folder holds a phone number in clear
// text.
func clearNumbers(t *testing.T, dir string) (clear bool) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(path)
		for _, digits := range []string{"5555550142", "5555550137", "600123456"} {
			clear = clear || bytes.Contains(b, []byte(digits))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return clear
}

// company is a customer with three numbers.
func company() object {
	return object{
		"org_id": "acme", "type": "business", "phone": phoneOne,
		"authorized_users": []any{object{"name": "Jane", "phone": phoneTwo}, object{"name": "Juan", "phone": phoneThree}},
	}
}

// backend is a client of the org acme.
type backend struct {
	*harness.Server
	t      *testing.T
	secret string
}

// verify requests a code for the customer; number is digits after +1, or "".
func (b backend) verify(id, number string) harness.Response {
	b.t.Helper()
	bearer, status := tokenFor(b.t, b.Server, "backend", b.secret)
	if status != 200 {
		b.t.Fatalf("token: %d", status)
	}
	attributes := object{"channel": "sms"}
	if number != "" {
		attributes["phone"] = object{"countryCode": "1", "number": number}
	}
	return document(b.t, b.Server, bearer, "/customers/"+id+"/token/verification", "customerTokenVerification", attributes)
}

func makeBackend(t *testing.T, s *harness.Server) backend {
	t.Helper()
	putOrg(t, s, "acme", "Acme")
	return backend{s, t, create(t, s, object{"client_id": "backend", "org_id": "acme", "scope": backendScope})["client_secret"].(string)}
}

// With a key the store holds no phone number, and everything works as without.
func TestStoredPhonesAreEncrypted(t *testing.T) {
	onFiles(t, func(t *testing.T, dir string, open func(string) *harness.Server) {
		s := open(keyFile(t, "", newKey("k1")))
		b := makeBackend(t, s)
		made := do(t, s, "PUT", "/customers/10001", company(), 201)
		if same := do(t, s, "PUT", "/customers/10001", company(), 200); same["version"] != made["version"] || same["phone"] != "+*******0142" {
			t.Errorf("a second PUT: %v", same)
		}
		importAll(t, s, false, line("10002", "acme", object{"phone": phoneTwo}))
		if got := importAll(t, s, true, line("10002", "acme", object{"phone": phoneTwo}))[0].(object); got["result"] != "unchanged" {
			t.Errorf("imported again: %v", got)
		}
		for _, tc := range []struct {
			id, number string
			want       int
		}{{"10001", "", 201}, {"10001", "5555550137", 201}, {"10001", "5555550142", 400}, {"10002", "", 201}} {
			if r := b.verify(tc.id, tc.number); r.Status != tc.want {
				t.Errorf("%s with %q: %s", tc.id, tc.number, r)
			}
		}
		// The feed has the state of a record that is deactivated, or whose numbers
		// change.
		changed := company()
		changed["phone"] = phoneTwo
		do(t, s, "PUT", "/customers/10001", changed, 200)
		do(t, s, "POST", "/customers/10001/deactivate", nil, 200)
		s.Close()
		if clearNumbers(t, dir) {
			t.Error("the store holds a phone number in clear text")
		}
	})
}

// Keys can be turned on, rotated, lost and put back while nothing is lost.
func TestPhoneKeysComeAndGo(t *testing.T) {
	onFiles(t, func(t *testing.T, dir string, open func(string) *harness.Server) {
		s := open("")
		b := makeBackend(t, s)
		do(t, s, "PUT", "/customers/10001", company(), 201)
		if r := s.AdminDo(t, "POST", "/customers/reencrypt", nil); r.Status != 409 || !strings.Contains(r.Body, "phone_key_file is not set") {
			t.Errorf("without a file: %s", r)
		}
		s.Close()
		if !clearNumbers(t, dir) {
			t.Fatal("without keys the store holds no phone number: this test searches the wrong folder")
		}

		k1, k2 := newKey("k1"), newKey("k2")
		keys := keyFile(t, "", k1)
		s = open(keys)
		b.Server = s
		if r := b.verify("10001", "5555550137"); r.Status != 201 {
			t.Errorf("in clear text, with a key: %s", r)
		}
		want := object{"checked": 1.0, "encrypted": 1.0, "unreadable": 0.0}
		if got := do(t, s, "POST", "/customers/reencrypt", object{}, 200); !same(got, want) {
			t.Errorf("encrypted: %v", got)
		}
		keyFile(t, keys, k2, k1)
		if err := s.Reload(t.Context(), config.Defaults()); err != nil {
			t.Fatal(err)
		}
		if got := do(t, s, "POST", "/customers/reencrypt", nil, 200); !same(got, want) {
			t.Errorf("rotated: %v", got)
		}
		if got := actions(t, s, "customers"); len(got) != 3 || got[0] != "customer.reencrypt conflict" || got[2] != "customer.reencrypt" {
			t.Errorf("audit: %v", got)
		}
		s.Close()

		lost(t, b, open(keyFile(t, "", k1)), `"k2"`)
		lost(t, b, open(""), "phone_key_file is not set")

		b.Server = open(keyFile(t, "", k2))
		do(t, b.Server, "POST", "/customers/10001/reactivate", nil, 200)
		shown := do(t, b.Server, "GET", "/customers/10001", nil, 200)
		if _, problem := shown["phones_unreadable"]; problem || shown["phone"] != "+*******0142" || shown["authorized_users"].([]any)[1].(object)["phone"] != "+*******3456" {
			t.Errorf("with the key again: %v", shown)
		}
		if r := b.verify("10001", "5555550137"); r.Status != 201 {
			t.Errorf("with the key again: %s", r)
		}
	})
}

// lost checks a server that lacks the key: no code is sent, the operator sees why,
// and can still deactivate the customer, as which the customer is left.
func lost(t *testing.T, b backend, s *harness.Server, why string) {
	t.Helper()
	b.Server = s
	do(t, s, "POST", "/customers/10001/reactivate", nil, 200)
	for _, number := range []string{"", "5555550137", "5555550199"} {
		if r := b.verify("10001", number); r.Status != 503 || strings.Contains(r.Body, "key") {
			t.Errorf("without the key, to %q: %s", number, r)
		}
	}
	shown := do(t, s, "GET", "/customers/10001", nil, 200)
	if problem, _ := shown["phones_unreadable"].(string); !strings.Contains(problem, why) || shown["phone"] != "unreadable" {
		t.Errorf("without the key: %v", shown)
	}
	if log := s.Logs.String(); !strings.Contains(log, "a phone number cannot be read") || !strings.Contains(log, `"error":"not_sent","cause":"the phone number: it is encrypted with the key`) {
		t.Errorf("the log does not say why: %s", log)
	}
	do(t, s, "POST", "/customers/10001/deactivate", nil, 200)
	s.Close()
}

func same(got, want object) bool {
	if len(got) != len(want) {
		return false
	}
	for name, v := range want {
		if got[name] != v {
			return false
		}
	}
	return true
}
