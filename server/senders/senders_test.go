package senders

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files")

// message returns a message whose code and number occur nowhere else in the tests.
func message() Message {
	return Message{
		ID: "v_5xN2", Channel: SMS, Phone: "+15555550136", Code: "048213", Name: "Acme", Language: "en", AppHash: "FA+9qCX9VSu",
		OrgID: "h5D8B5gyHtk=", CustomerID: "10001", ExpiresAt: time.Now().Add(10 * time.Minute),
	}
}

// notSentWithout checks that err wraps ErrNotSent and holds the word, and that it
// holds nothing secret.
func notSentWithout(t *testing.T, err error, word string) {
	t.Helper()
	if !errors.Is(err, ErrNotSent) || !strings.Contains(err.Error(), word) {
		t.Errorf("error %v, want one that wraps ErrNotSent and says %q", err, word)
	}
	for ; err != nil; err = errors.Unwrap(err) {
		for _, secret := range []string{"048213", "5555550136", "0136", "userinfo", "querytoken", "sk_key"} {
			if strings.Contains(err.Error(), secret) {
				t.Errorf("the error holds %s: %v", secret, err)
			}
		}
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	name = filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}
