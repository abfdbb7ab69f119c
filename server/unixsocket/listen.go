// Package unixsocket opens unix sockets that only the user of the process may use. It
// does not know what is served on them.
package unixsocket

import (
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
	l, err := listen(path, setting)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", setting, err)
	}
	return l, nil
}

func listen(path, setting string) (net.Listener, error) {
	if err := prepareFolder(filepath.Dir(path)); err != nil {
		return nil, err
	}
	if err := removeStale(path, setting); err != nil {
		return nil, err
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o600); err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}

// prepareFolder makes the socket's folder if there is none. It refuses a folder
// that others may write to, because anyone could replace our socket there. A
// sticky folder such as /tmp prevents that.
func prepareFolder(folder string) error {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	if err := takeBack(folder); err != nil {
		return err
	}
	info, err := os.Stat(folder)
	if err != nil {
		return err
	}
	if info.Mode().Perm()&0o022 != 0 && info.Mode()&os.ModeSticky == 0 {
		return fmt.Errorf("others may write to the folder %s: run `chmod go-w %s`, or choose another folder", folder, folder)
	}
	return nil
}

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
