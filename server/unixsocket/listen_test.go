package unixsocket

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// place returns the path of a socket in a folder that does not exist yet.
func place(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "sock-") // t.TempDir is too long a path for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return filepath.Join(dir, "run", "test.sock")
}

func listenAt(t *testing.T, path string) net.Listener {
	t.Helper()
	l, err := Listen(path, "--listen")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

// refused checks that Listen refuses the path, naming the setting and what is wrong.
func refused(t *testing.T, path, want string) {
	t.Helper()
	l, err := Listen(path, "--listen")
	if err == nil {
		_ = l.Close()
		t.Fatalf("%s was opened, want %q", path, want)
	}
	if !strings.HasPrefix(err.Error(), "--listen: ") || !strings.Contains(err.Error(), want) {
		t.Errorf("%v, want %q", err, want)
	}
}

// TestModes: only the user of the process may use the socket and its folder.
func TestModes(t *testing.T) {
	t.Parallel()
	path := place(t)
	listenAt(t, path)
	for name, want := range map[string]os.FileMode{path: os.ModeSocket | 0o600, filepath.Dir(path): os.ModeDir | 0o700} {
		info, err := os.Stat(name)
		if err != nil || info.Mode() != want {
			t.Errorf("%s: %v %v, want %v", name, info.Mode(), err, want)
		}
	}
}

// TestStale: a socket that a crash left behind is replaced.
func TestStale(t *testing.T) {
	t.Parallel()
	path := place(t)
	l := listenAt(t, path)
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(path); err != nil {
		t.Fatal(err)
	}
	listenAt(t, path)
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	_ = c.Close()
}

// TestInUse: a socket that accepts connections is left alone.
func TestInUse(t *testing.T) {
	t.Parallel()
	path := place(t)
	l := listenAt(t, path)
	refused(t, path, "another grantd is running on "+path)
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	_ = c.Close()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestNoSocket: what is no socket is neither removed nor followed.
func TestNoSocket(t *testing.T) {
	t.Parallel()
	for name, put := range map[string]func(path string) error{
		"file":   func(path string) error { return os.WriteFile(path, []byte("kept"), 0o600) },
		"folder": func(path string) error { return os.Mkdir(path, 0o700) },
		"link":   func(path string) error { return os.Symlink("elsewhere", path) },
	} {
		path := place(t)
		if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := put(path); err != nil {
			t.Fatal(err)
		}
		refused(t, path, "is not a socket")
		if _, err := os.Lstat(path); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestFolderOfOthers: a folder that others may write to is refused, unless it is sticky.
func TestFolderOfOthers(t *testing.T) {
	t.Parallel()
	path := place(t)
	folder := filepath.Dir(path)
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(folder, 0o777); err != nil {
		t.Fatal(err)
	}
	refused(t, path, "others may write to the folder")
	if err := os.Chmod(folder, os.ModeSticky|0o777); err != nil {
		t.Fatal(err)
	}
	listenAt(t, path)
}

// TestNoOneElseConnectsMeanwhile: the socket is private before its mode is set, whatever
// the umask of the process.
func TestNoOneElseConnectsMeanwhile(t *testing.T) {
	path := place(t)
	if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	old := syscall.Umask(0)
	l, err := bind(path)
	syscall.Umask(old)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if info, err := os.Stat(path); err != nil || info.Mode() != os.ModeSocket|0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

// TestListenInFolder: a folder that does not exist is not created.
func TestListenInFolder(t *testing.T) {
	t.Parallel()
	path := place(t)
	_, err := ListenInFolder(path, "--listen")
	if err == nil || !strings.Contains(err.Error(), "does not exist: create it with `mkdir -m 700 "+filepath.Dir(path)+"`") {
		t.Errorf("%v", err)
	}
	if _, err := os.Stat(filepath.Dir(path)); !os.IsNotExist(err) {
		t.Errorf("the folder is there: %v", err)
	}
	if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	l, err := ListenInFolder(path, "--listen")
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
}

// TestFolderOfAnotherUser: its owner could replace the socket, whatever its mode.
func TestFolderOfAnotherUser(t *testing.T) {
	if os.Geteuid() != 0 { // nobody else can give a folder away
		for uid, want := range map[uint32]bool{0: true, uint32(os.Geteuid()): true, 12345: false} {
			if trusted(uid) != want {
				t.Errorf("a folder of user %d: %v, want %v", uid, !want, want)
			}
		}
		return
	}
	for _, mode := range []os.FileMode{0o700, 0o755, os.ModeSticky | 0o777} {
		path := place(t)
		if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(os.Chmod(filepath.Dir(path), mode), os.Chown(filepath.Dir(path), 12345, 0)); err != nil {
			t.Fatal(err)
		}
		refused(t, path, "belongs to user 12345, who could replace the socket")
	}
}
