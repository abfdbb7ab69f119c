package admin

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func socketPath(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "grantd-") // t.TempDir is too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return filepath.Join(dir, "data", "admin.sock")
}

func TestListenIsForTheOwnerOnly(t *testing.T) {
	path := socketPath(t)
	l, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for p, want := range map[string]os.FileMode{path: 0o600, filepath.Dir(path): 0o700} {
		if info, err := os.Stat(p); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v; want %o", p, info.Mode(), err, want)
		}
	}
}

func TestListenReplacesWhatACrashLeft(t *testing.T) {
	path := socketPath(t)
	l, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	l.(listener).Listener.(*net.UnixListener).SetUnlinkOnClose(false)
	l.Close()
	again, err := Listen(path)
	if err != nil {
		t.Fatalf("a socket without a listener: %v", err)
	}
	defer again.Close()
	if _, err := Listen(path); err == nil || !strings.Contains(err.Error(), "another grantd is running") {
		t.Errorf("a socket in use: %v", err)
	}
}

func TestListenLeavesOtherFilesAlone(t *testing.T) {
	path := socketPath(t)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(path); err == nil || !strings.Contains(err.Error(), "is not a socket") {
		t.Errorf("Listen: %v", err)
	}
	if b, _ := os.ReadFile(path); string(b) != "mine" {
		t.Error("the file was touched")
	}
}

// The kernel identifies the peer.
func TestPeerIsKnown(t *testing.T) {
	l, err := Listen(socketPath(t))
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p, ok := peerOf(r.RemoteAddr)
		if !ok || int(p.uid) != os.Getuid() || !p.allowed() {
			http.Error(w, "peer "+r.RemoteAddr, 500)
		}
	})}
	go srv.Serve(l) //nolint:errcheck // ends with Close
	defer srv.Close()
	c := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", l.Addr().String())
	}}}
	res, err := c.Get("http://grantd/")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if b, _ := io.ReadAll(res.Body); res.StatusCode != 200 {
		t.Errorf("%d %s", res.StatusCode, b)
	}
}

func TestRefusedPeers(t *testing.T) {
	for remote, want := range map[string]bool{
		"uid:0": true, "uid:4294967295": false, "uid:-1": false, "uid:": false, "unknown": false, "": false, "127.0.0.1:80": false, "0": false,
	} {
		p, ok := peerOf(remote)
		if got := ok && p.allowed(); got != want && os.Geteuid() == 0 {
			t.Errorf("%q: %v, want %v", remote, got, want)
		}
	}
}

// In a folder that others may write to, anyone could replace the socket.
func TestListenRefusesASharedFolder(t *testing.T) {
	path := socketPath(t)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	for mode, refused := range map[os.FileMode]bool{0o777: true, 0o770: true, 0o755: false, 0o777 | os.ModeSticky: false} {
		if err := os.Chmod(filepath.Dir(path), mode); err != nil {
			t.Fatal(err)
		}
		l, err := Listen(path)
		if (err != nil) != refused || refused && !strings.Contains(err.Error(), "chmod go-w") {
			t.Errorf("%v: %v", mode, err)
		}
		if err == nil {
			l.Close()
		}
	}
}

// The CLI sends secrets only to root, to its own user, and to the owner of a folder
// with an absolute path.
func TestDialKnowsWhoServes(t *testing.T) {
	path := socketPath(t)
	l, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	t.Chdir(filepath.Dir(filepath.Dir(path)))
	relative := filepath.Join("data", filepath.Base(path))
	for _, own := range []string{path, relative} {
		conn, err := DialSocket(t.Context(), own)
		if err != nil {
			t.Fatalf("our own socket %s: %v", own, err)
		}
		conn.Close()
	}
	owner := os.Geteuid()
	if owner == 0 {
		owner = 65534
		if err := os.Chown(filepath.Dir(path), owner, -1); err != nil {
			t.Fatal(err)
		}
	}
	self := owner + 1
	for _, tc := range []struct {
		name, path string
		uid        int
		want       string // the error; "": none
	}{
		{"root", path, 0, ""},
		{"root, relative", relative, 0, ""},
		{"this user, relative", relative, self, ""},
		{"the owner of the folder", path, owner, ""},
		{"the owner of the folder, relative", relative, owner, "name it by its absolute path"},
		{"the owner of the folder, relative with a dot", "./" + relative, owner, "name it by its absolute path"},
		{"somebody", path, self + 1, "nor the owner of its folder"},
		{"somebody, relative", relative, self + 1, "neither root nor this user"},
	} {
		err := mayServe(uint32(tc.uid), self, tc.path)
		if errors.Is(err, ErrStranger) != (tc.want != "") || err != nil && !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, want %q", tc.name, err, tc.want)
		}
	}
}

// Kubernetes opens the folders of a volume to a group each time that it mounts it.
func TestListenTakesItsFolderBack(t *testing.T) {
	path := socketPath(t)
	folder := filepath.Dir(path)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time with the socket of the first
		if err := os.Chmod(folder, 0o770|os.ModeSetgid); err != nil {
			t.Fatal(err)
		}
		l, err := Listen(path)
		if err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(folder); err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("%v, %v", info.Mode(), err)
		}
		l.(listener).Listener.(*net.UnixListener).SetUnlinkOnClose(false)
		l.Close()
	}
	for name, spoil := range map[string]func() error{
		"with other files": func() error {
			return errors.Join(os.Chmod(folder, 0o770|os.ModeSetgid), os.WriteFile(filepath.Join(folder, "mine"), nil, 0o600))
		},
		"open to all": func() error {
			return errors.Join(os.Remove(filepath.Join(folder, "mine")), os.Chmod(folder, 0o777|os.ModeSetgid))
		},
	} {
		t.Run(name, func(t *testing.T) {
			_ = os.WriteFile(filepath.Join(folder, "mine"), nil, 0o600)
			if err := spoil(); err != nil {
				t.Fatal(err)
			}
			if _, err := Listen(path); err == nil || !strings.Contains(err.Error(), "others may write to the folder") {
				t.Errorf("Listen: %v", err)
			}
		})
	}
}
