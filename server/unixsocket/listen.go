// Package unixsocket opens unix sockets that only the user of the process may use. It
// does not know what is served on them.
package unixsocket

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"
)

// Listen opens the socket at path: folder 0700, socket 0600. It replaces a socket that
// a crash left behind, but not one that accepts connections. setting is where the path
// was set, for messages.
func Listen(path, setting string) (net.Listener, error) {
	err := os.MkdirAll(filepath.Dir(path), 0o700)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", setting, err)
	}
	return ListenInFolder(path, setting)
}

// ListenInFolder is Listen for a path whose folder must exist.
func ListenInFolder(path, setting string) (net.Listener, error) {
	l, err := listen(path, setting)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", setting, err)
	}
	return l, nil
}

func listen(path, setting string) (net.Listener, error) {
	if err := CheckFolder(path); err != nil {
		return nil, err
	}
	if err := prepareFolder(filepath.Dir(path)); err != nil {
		return nil, err
	}
	if err := removeStale(path, setting); err != nil {
		return nil, err
	}
	l, err := bind(path)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o600); err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}

// bind makes the socket. On Linux, a socket has the mode of its descriptor from the
// start, so nobody else connects before the mode of the path is set.
func bind(path string) (net.Listener, error) {
	private := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var err error
		if failed := c.Control(func(fd uintptr) { err = syscall.Fchmod(int(fd), 0o600) }); failed != nil {
			return failed
		}
		return err
	}}
	return private.Listen(context.Background(), "unix", path)
}

// CheckFolder returns an error if the folder of the path does not exist: a path that was
// mistyped would lead to a socket that nobody finds.
func CheckFolder(path string) error {
	folder := filepath.Dir(path)
	info, err := os.Stat(folder)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return fmt.Errorf("the folder %s does not exist: create it with `mkdir -m 700 %s`, or correct the path", folder, folder)
	case err != nil:
		return fmt.Errorf("the folder %s cannot be used: %w", folder, errors.Unwrap(err))
	case !info.IsDir():
		return fmt.Errorf("%s is not a folder", folder)
	}
	return nil
}

// prepareFolder refuses a folder that others may write to, or that is another user's,
// because they could replace our socket there. A sticky folder such as /tmp lets only
// its owner do so.
func prepareFolder(folder string) error {
	if err := takeBack(folder); err != nil {
		return err
	}
	info, err := os.Stat(folder)
	if err != nil {
		return err
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok && !trusted(st.Uid) {
		return fmt.Errorf("the folder %s belongs to user %d, who could replace the socket: choose a folder of the user that this process runs as, or of root", folder, st.Uid)
	}
	if info.Mode().Perm()&0o022 != 0 && info.Mode()&os.ModeSticky == 0 {
		return fmt.Errorf("others may write to the folder %s: run `chmod go-w %s`, or choose another folder", folder, folder)
	}
	return nil
}

// trusted reports whether a folder of the user is safe: root can do everything anyway.
func trusted(uid uint32) bool { return uid == 0 || int(uid) == os.Geteuid() }

// takeBack closes a folder of ours to its group again. Kubernetes opens every folder
// of a volume to the volume's group (fsGroup) when it mounts it, and marks it so that
// new files get that group. Only a folder that holds nothing but sockets is closed:
// it has no other use.
func takeBack(folder string) error {
	info, err := os.Stat(folder)
	if err != nil {
		return err
	}
	const opened = os.ModeSetgid | 0o020
	if info.Mode()&(opened|0o002) != opened || !Owns(uint32(os.Geteuid()), folder) {
		return nil
	}
	held, err := os.ReadDir(folder)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(held, func(e os.DirEntry) bool { return e.Type() != os.ModeSocket }) {
		return nil
	}
	return os.Chmod(folder, 0o700)
}

// Owns reports whether the folder is the user's.
func Owns(uid uint32, folder string) bool {
	info, err := os.Stat(folder)
	if err != nil {
		return false
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && st.Uid == uid
}

func removeStale(path, setting string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Mode().Type() != os.ModeSocket {
		return fmt.Errorf("%s exists and is not a socket: move it away or choose another path", path)
	}
	if conn, err := net.DialTimeout("unix", path, time.Second); err == nil {
		conn.Close()
		return fmt.Errorf("another grantd is running on %s: stop it, or give this one another %s", path, setting)
	}
	return os.Remove(path)
}
