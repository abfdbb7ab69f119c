// Package redistest runs Debian's redis-server for tests: one process for each
// Start, on a free port of the loopback interface, in a separate folder, without
// persistence unless the test asks for it. It knows nothing about grantd's keys
// and records.
package redistest

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

const (
	program = "redis-server"
	// readyWithin bounds the start of a server, stopWithin its shutdown.
	readyWithin = 20 * time.Second
	stopWithin  = 10 * time.Second
	// pause is the time between two tries to reach a server that is starting.
	pause = 5 * time.Millisecond
	// portTries is how many ports Start tries, in case another process takes a
	// free port first.
	portTries = 3
	// addrTries is how many addresses are tried to find one with a free port for
	// the Cluster bus.
	addrTries = 50
	busOffset = 10000
)

// Server is one redis-server that belongs to one test.
type Server struct {
	Addr string // 127.0.0.1:port, the same across restarts

	t    testing.TB
	dir  string
	args []string
	cmd  *exec.Cmd
	done chan struct{} // closed once the process is gone
	// paused: the kernel accepts connections, but the server does not reply.
	paused bool
}

// Start starts a redis-server and returns it once it replies to PING. The server
// keeps nothing on disk. args are further command-line settings, such as
// "--appendonly", "yes", and override the defaults. If the first argument is not
// an option, it is the path of a configuration file, which sentinels need. The
// server stops with the test. A missing redis-server fails the test.
func Start(t testing.TB, args ...string) *Server {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		t.Fatalf("redistest: %s is missing; `make test` installs it: %v", program, err)
	}
	s := &Server{t: t, dir: t.TempDir(), args: args}
	t.Cleanup(s.Kill)
	var err error
	for range portTries {
		if s.Addr, err = freeAddr(); err != nil {
			continue
		}
		if err = s.start(); err == nil {
			return s
		}
	}
	t.Fatalf("redistest: %v", err)
	return nil
}

// Stop shuts the server down (SIGTERM) and waits for its end. A server with
// persistence keeps its data.
func (s *Server) Stop() { s.end(syscall.SIGTERM) }

// Kill ends the server at once (SIGKILL), like a crash.
func (s *Server) Kill() { s.end(syscall.SIGKILL) }

// Pause freezes the server (SIGSTOP) until Resume: connections stay open, but
// there are no replies.
func (s *Server) Pause() {
	s.paused = true
	_ = s.cmd.Process.Signal(syscall.SIGSTOP) // an error means that it is gone
}

// Resume ends a Pause.
func (s *Server) Resume() {
	s.paused = false
	_ = s.cmd.Process.Signal(syscall.SIGCONT)
}

// Serves reports whether the process runs and is not paused.
func (s *Server) Serves() bool {
	select {
	case <-s.done:
		return false
	default:
		return !s.paused
	}
}

// Restart starts the server again on the same port and in the same folder,
// after stopping it if it runs.
func (s *Server) Restart() {
	s.t.Helper()
	s.Stop()
	if err := s.start(); err != nil {
		s.t.Fatalf("redistest: restart: %v", err)
	}
}

// start starts the process and waits until it is ready.
func (s *Server) start() error {
	host, port, err := net.SplitHostPort(s.Addr)
	if err != nil {
		return err
	}
	log, err := os.OpenFile(filepath.Join(s.dir, "redis.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }() // the process has its own handle
	own := []string{"--bind", host, "--port", port, "--dir", s.dir, "--save", "", "--appendonly", "no", "--daemonize", "no"}
	file, rest := 0, s.args
	if len(rest) > 0 && !strings.HasPrefix(rest[0], "-") {
		file = 1 // redis-server needs the path first
	}
	s.cmd = exec.Command(program, slices.Concat(rest[:file], own, rest[file:])...)
	s.cmd.Stdout, s.cmd.Stderr = log, log
	if err := s.cmd.Start(); err != nil {
		return err
	}
	s.done = make(chan struct{})
	go func(cmd *exec.Cmd, done chan struct{}) {
		_ = cmd.Wait()
		close(done)
	}(s.cmd, s.done)
	if err := s.awaitReady(); err != nil {
		s.Kill()
		text, _ := os.ReadFile(log.Name())
		return fmt.Errorf("%s at %s: %w\n%s", program, s.Addr, err, text)
	}
	return nil
}

func (s *Server) awaitReady() error {
	give := time.After(readyWithin)
	for {
		err := ping(s.Addr)
		if err == nil {
			var ours bool
			if ours, err = listens(s.cmd.Process.Pid, s.Addr); ours {
				return nil
			}
			if err == nil {
				err = errors.New("another process has the port")
			}
		}
		select {
		case <-s.done:
			return errors.New("ended while starting")
		case <-give:
			return fmt.Errorf("not ready within %v: %w", readyWithin, err)
		case <-time.After(pause):
		}
	}
}

func (s *Server) end(signal syscall.Signal) {
	if s.cmd == nil || s.cmd.Process == nil {
		return
	}
	_ = s.cmd.Process.Signal(signal) // an error means that it is already gone
	s.Resume()                       // a paused process does not handle SIGTERM
	select {
	case <-s.done:
	case <-time.After(stopWithin):
		_ = s.cmd.Process.Kill()
		<-s.done
	}
}

// ping returns nil if the server accepts commands. A server that needs a
// password first is ready too.
func ping(addr string) error {
	conn, err := net.DialTimeout("tcp", addr, time.Second)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(time.Second)); err != nil {
		return err
	}
	if _, err := conn.Write([]byte("PING\r\n")); err != nil {
		return err
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		return err
	}
	if strings.HasPrefix(line, "+PONG") || strings.HasPrefix(line, "-NOAUTH") {
		return nil
	}
	return fmt.Errorf("the reply to PING is %q", strings.TrimSpace(line))
}

// freeAddr returns a free address. The port for the Cluster bus, which is 10,000
// higher, is free too.
func freeAddr() (string, error) {
	for range addrTries {
		addr, err := listenable("127.0.0.1:0")
		if err != nil {
			return "", err
		}
		host, text, _ := net.SplitHostPort(addr)
		port, _ := strconv.Atoi(text)
		if bus := port + busOffset; bus < 1<<16 {
			if _, err := listenable(net.JoinHostPort(host, strconv.Itoa(bus))); err == nil {
				return addr, nil
			}
		}
	}
	return "", errors.New("no free port with a free one for the Cluster bus")
}

func listenable(addr string) (string, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return "", err
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String(), nil
}
