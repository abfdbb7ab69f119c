package admin

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/gin-gonic/gin"
	"golang.org/x/sys/unix"

	"github.com/grantd/grantd/server/apierr"
)

// peer is the process at the other end of the socket.
type peer struct{ uid uint32 }

func (p peer) name() string { return "uid:" + strconv.FormatUint(uint64(p.uid), 10) }

func (p peer) allowed() bool { return p.uid == 0 || int(p.uid) == os.Geteuid() }

var errPeer = apierr.New(apierr.AccessDenied, "only root and the user that grantd runs as may use the admin socket")

// BySocket authorizes the peer of the socket, as the kernel identifies it.
func BySocket(c *gin.Context, _ bool) (string, error) {
	p, ok := peerOf(c.Request.RemoteAddr)
	if !ok || !p.allowed() {
		return "", errPeer
	}
	return p.name(), nil
}

// peerOf reads the peer from the address that Accept gave the connection.
func peerOf(remote string) (peer, bool) {
	uid, err := strconv.ParseUint(strings.TrimPrefix(remote, "uid:"), 10, 32)
	return peer{uint32(uid)}, err == nil && strings.HasPrefix(remote, "uid:")
}

// Listen opens the admin socket at path: folder 0700, socket 0600. It replaces a
// socket that a crash left behind, but not one that accepts connections.
func Listen(path string) (net.Listener, error) {
	if err := prepareFolder(filepath.Dir(path)); err != nil {
		return nil, err
	}
	if err := removeStale(path); err != nil {
		return nil, err
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("admin.socket: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		l.Close()
		return nil, fmt.Errorf("admin.socket: %w", err)
	}
	return listener{l}, nil
}

// prepareFolder makes the socket's folder if there is none. It refuses a folder
// that others may write to, because anyone could replace our socket there. A
// sticky folder such as /tmp prevents that.
func prepareFolder(folder string) error {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return fmt.Errorf("admin.socket: %w", err)
	}
	if err := takeBack(folder); err != nil {
		return fmt.Errorf("admin.socket: %w", err)
	}
	info, err := os.Stat(folder)
	if err != nil {
		return fmt.Errorf("admin.socket: %w", err)
	}
	if info.Mode().Perm()&0o022 != 0 && info.Mode()&os.ModeSticky == 0 {
		return fmt.Errorf("admin.socket: others may write to the folder %s: run `chmod go-w %s`, or choose another folder", folder, folder)
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
	if info.Mode()&(opened|0o002) != opened || !owns(uint32(os.Geteuid()), folder) {
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

// ErrStranger means that somebody serves the socket who may not.
var ErrStranger = errors.New("it might not be grantd, so nothing was sent")

// DialSocket connects to the admin socket at path. It refuses a socket of somebody
// who may not serve it, because the request may hold a secret. Errors: ErrStranger.
func DialSocket(ctx context.Context, path string) (net.Conn, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", path)
	if err != nil {
		return nil, err
	}
	uid, err := peerUID(conn)
	if err == nil {
		err = mayServe(uid, os.Geteuid(), path)
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

// mayServe returns an error unless a socket that the user uid serves is for self to
// trust. Root and self may serve every socket. The owner of the folder may serve one
// with an absolute path: that folder was chosen. A relative path leads anywhere, for
// example to a folder that somebody prepared in /tmp.
func mayServe(uid uint32, self int, path string) error {
	switch {
	case uid == 0, int(uid) == self:
		return nil
	case !filepath.IsAbs(path):
		return fmt.Errorf("%s is served by user %d, which is neither root nor this user: %w; if it is, name it by its absolute path", path, uid, ErrStranger)
	case !owns(uid, filepath.Dir(path)):
		return fmt.Errorf("%s is served by user %d, which is neither root, this user, nor the owner of its folder: %w", path, uid, ErrStranger)
	}
	return nil
}

func owns(uid uint32, folder string) bool {
	info, err := os.Stat(folder)
	if err != nil {
		return false
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && st.Uid == uid
}

func removeStale(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("admin.socket: %w", err)
	}
	if info.Mode().Type() != os.ModeSocket {
		return fmt.Errorf("admin.socket: %s exists and is not a socket: move it away or choose another path", path)
	}
	if conn, err := net.DialTimeout("unix", path, time.Second); err == nil {
		conn.Close()
		return fmt.Errorf("admin.socket: another grantd is running on %s: stop it, or give this one another admin.socket", path)
	}
	return os.Remove(path)
}

// listener gives each connection the peer's user id as its address: a unix
// socket has none. The id comes from the kernel.
type listener struct{ net.Listener }

func (l listener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	uid, err := peerUID(conn)
	if err != nil {
		// The handler refuses it with a clear error.
		return identified{conn, "unknown"}, nil
	}
	return identified{conn, peer{uid}.name()}, nil
}

func peerUID(conn net.Conn) (uid uint32, err error) {
	sock, ok := conn.(*net.UnixConn)
	if !ok {
		return 0, errors.New("not a unix socket")
	}
	raw, err := sock.SyscallConn()
	if err != nil {
		return 0, err
	}
	var cred *unix.Ucred
	ctlErr := raw.Control(func(fd uintptr) {
		cred, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	})
	if err := errors.Join(ctlErr, err); err != nil {
		return 0, err
	}
	return cred.Uid, nil
}

type identified struct {
	net.Conn
	who string
}

func (i identified) RemoteAddr() net.Addr { return identity(i.who) }

type identity string

func (identity) Network() string  { return "unix" }
func (i identity) String() string { return string(i) }
