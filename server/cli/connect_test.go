package cli

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/grantd/grantd/server/admin"
)

// TestSocketOfTheService: without a configuration, commands find the server of systemd
// first, then the one in this folder, where anybody may have put a socket.
func TestSocketOfTheService(t *testing.T) {
	dir := t.TempDir()
	here, service := filepath.Join(dir, "here"), filepath.Join(dir, "service")
	c := new(app).rootCommand()
	find := func(what, want string) {
		t.Helper()
		if got, err := findSocket(c, service, here); got != want || err != nil {
			t.Errorf("%s: %q, %v, want %q", what, got, err, want)
		}
	}
	put := func(path string) {
		t.Helper()
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	find("neither", here)
	put(here)
	find("only here", here)
	put(service)
	if got, err := findSocket(c, service, here); err == nil || !strings.Contains(err.Error(), "two servers") || !strings.Contains(err.Error(), "--socket") {
		t.Errorf("both are ours: %q, %v", got, err)
	}
	if os.Geteuid() == 0 { // others cannot give files away; see TestSocketOfSomebodyElse
		if err := os.Chown(here, 65534, -1); err != nil {
			t.Fatal(err)
		}
		find("somebody else's here", service)
	}
	if err := os.Remove(here); err != nil {
		t.Fatal(err)
	}
	find("only the service", service)
}

// TestSocketOfSomebodyElse has files of users that may not decide where commands go.
func TestSocketOfSomebodyElse(t *testing.T) {
	path := filepath.Join(t.TempDir(), "here")
	if isOurs(path, os.Geteuid()) {
		t.Error("there is none")
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if !isOurs(path, os.Geteuid()) {
		t.Error("it is this user's")
	}
	owner := os.Geteuid()
	if owner == 0 {
		owner = 65534
		if err := os.Chown(path, owner, -1); err != nil {
			t.Fatal(err)
		}
	}
	if isOurs(path, owner+1) {
		t.Error("it is another user's")
	}
}

// TestNothingIsSentToAStranger: the error does not say that a change may be made.
func TestNothingIsSentToAStranger(t *testing.T) {
	refused := fmt.Errorf("./x.sock is served by user 7: %w", admin.ErrStranger)
	err := socketAPI("./x.sock").unreachable(call{method: http.MethodPost}, &url.Error{Op: "Post", URL: "http://grantd/admin/v1/x", Err: refused})
	if err.Error() != refused.Error() {
		t.Errorf("%v", err)
	}
}
