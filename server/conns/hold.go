package conns

import (
	"net"
	"runtime"
	"syscall"
	"time"
)

const (
	// streamBuffer bounds what the kernel keeps for the peer of a stream that does not
	// read: it would be megabytes, and the stream would seem to work for minutes.
	streamBuffer = 32 << 10
	// silentTime is how long the peer of a stream may acknowledge nothing.
	silentTime = 20 * time.Second
	// tcpUserTimeout is TCP_USER_TIMEOUT of Linux.
	tcpUserTimeout = 0x12
)

// boundStream bounds the buffer and the time of a connection that becomes a stream.
func boundStream(c net.Conn) {
	tcp, ok := c.(*net.TCPConn)
	if !ok || runtime.GOOS != "linux" {
		return
	}
	_ = tcp.SetWriteBuffer(streamBuffer)
	raw, err := tcp.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) {
		_ = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpUserTimeout, int(silentTime.Milliseconds()))
	})
}
