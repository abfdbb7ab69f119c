package redistest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"
)

const (
	// replyWithin bounds one command.
	replyWithin = 5 * time.Second
	// wholeWithin bounds the wait for a topology to form, fail over or heal.
	wholeWithin = 30 * time.Second
)

// Do sends one command over a new connection, and returns the reply: the
// elements of an array flattened, nothing for nil. An error reply is an error.
func (s *Server) Do(args ...string) ([]string, error) { return s.doAll(args) }

// doAll sends the commands over one new connection, and returns all replies.
func (s *Server) doAll(commands ...[]string) ([]string, error) {
	conn, err := net.DialTimeout("tcp", s.Addr, replyWithin)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(replyWithin)); err != nil {
		return nil, err
	}
	var b strings.Builder
	for _, args := range commands {
		fmt.Fprintf(&b, "*%d\r\n", len(args))
		for _, a := range args {
			fmt.Fprintf(&b, "$%d\r\n%s\r\n", len(a), a)
		}
	}
	if _, err := io.WriteString(conn, b.String()); err != nil {
		return nil, err
	}
	r := bufio.NewReader(conn)
	var all []string
	for range commands {
		v, err := readReply(r)
		if err != nil {
			return nil, err
		}
		all = append(all, v...)
	}
	return all, nil
}

// text returns the reply to a command that replies one string, or "" for an
// error.
func (s *Server) text(args ...string) string {
	v, err := s.Do(args...)
	if err != nil || len(v) != 1 {
		return ""
	}
	return v[0]
}

func readReply(r *bufio.Reader) ([]string, error) {
	line, err := r.ReadString('\n')
	if err != nil {
		return nil, err
	}
	line = strings.TrimSuffix(line, "\r\n")
	if line == "" {
		return nil, errors.New("empty reply")
	}
	n, _ := strconv.Atoi(line[1:]) // of a string or an array
	switch line[0] {
	case '+', ':':
		return []string{line[1:]}, nil
	case '-':
		return nil, errors.New(line[1:])
	case '$':
		if n < 0 {
			return nil, nil
		}
		b := make([]byte, n+2)
		_, err := io.ReadFull(r, b)
		return []string{string(b[:n])}, err
	case '*':
		var all []string
		for range max(n, 0) {
			v, err := readReply(r)
			if err != nil {
				return nil, err
			}
			all = append(all, v...)
		}
		return all, nil
	}
	return nil, fmt.Errorf("reply %q", line)
}

// Must is Do that fails the test on an error.
func (s *Server) Must(t testing.TB, args ...string) []string {
	t.Helper()
	v, err := s.Do(args...)
	if err != nil {
		t.Fatalf("redistest: %s at %s: %v", strings.Join(args, " "), s.Addr, err)
	}
	return v
}

// Await polls until why returns "". If that takes too long, it fails the test
// with the last reason.
func Await(t testing.TB, what string, why func() string) {
	t.Helper()
	for end := time.Now().Add(wholeWithin); ; time.Sleep(pause) {
		reason := why()
		if reason == "" {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("redistest: %s: not within %v: %s", what, wholeWithin, reason)
		}
	}
}

func (s *Server) port() string {
	_, port, _ := net.SplitHostPort(s.Addr)
	return port
}

// heal resumes or restarts every server that does not serve.
func heal(servers []*Server) {
	for _, s := range servers {
		if s.paused {
			s.Resume()
		}
		if !s.Serves() {
			s.Restart()
		}
	}
}

// AwaitReplicated waits until n replicas have everything that the server has
// written.
func (s *Server) AwaitReplicated(t testing.TB, n int) {
	t.Helper()
	Await(t, "replicas have everything", func() string { return s.replicated(n) })
}

// replicated returns "" if n replicas have everything. It does not use INFO,
// which calls a replica online up to a second before it gets any data.
func (s *Server) replicated(n int) string {
	// WAIT waits for the offset of the last command on its connection, so there
	// must be one.
	v, err := s.doAll([]string{"ping"}, []string{"wait", strconv.Itoa(n), "1000"})
	if err != nil {
		return err.Error()
	}
	if got, _ := strconv.Atoi(v[1]); got < n {
		return v[1] + " replicas have everything from " + s.Addr
	}
	return ""
}

// Cut disconnects a replica from its master until Mend: the replica does not get
// what the master writes from now on. A paused replica would still find that in
// its socket.
func (s *Server) Cut(t testing.TB, master *Server) {
	t.Helper()
	s.Must(t, "config", "set", "masterauth", "wrong") // so the next link fails
	Await(t, "the replica is cut off", func() string {
		if _, err := master.Do("client", "kill", "type", "replica"); err != nil {
			return err.Error()
		}
		if !strings.Contains(s.text("info", "replication"), "master_link_status:down") {
			return "its link is up"
		}
		return ""
	})
}

// Mend ends a Cut.
func (s *Server) Mend(t testing.TB) {
	t.Helper()
	s.Must(t, "config", "set", "masterauth", "")
}
