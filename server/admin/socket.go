package admin

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"
	"golang.org/x/sys/unix"

	"github.com/grantd/grantd/server/apierr"
	"github.com/grantd/grantd/server/unixsocket"
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
	l, err := unixsocket.Listen(path, "admin.socket")
	if err != nil {
		return nil, err
	}
	return listener{l}, nil
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
	case !unixsocket.Owns(uid, filepath.Dir(path)):
		return fmt.Errorf("%s is served by user %d, which is neither root, this user, nor the owner of its folder: %w", path, uid, ErrStranger)
	}
	return nil
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
