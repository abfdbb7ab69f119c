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
	// answerWithin bounds one command.
	answerWithin = 5 * time.Second
	// wholeWithin bounds the wait for a topology to form, fail over or heal.
	wholeWithin = 30 * time.Second
)

// Do sends one command over a connection of its own, and answers what came
// back: the elements of an array flattened, nothing for nil. An error that
// Redis answers is an error.
func (s *Server) Do(args ...string) ([]string, error) { return s.together(args) }

// together sends the commands over one connection.
func (s *Server) together(commands ...[]string) ([]string, error) {
	conn, err := net.DialTimeout("tcp", s.Addr, answerWithin)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(answerWithin)); err != nil {
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

// text is Do for a command that answers one string; "" for an error.
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

// Await polls until why answers "", and fails the test with its last answer
// when that takes too long.
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

// heal has every one of the servers serve again.
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

// AwaitReplicated awaits that n replicas have all that the server wrote so
// far.
func (s *Server) AwaitReplicated(t testing.TB, n int) {
	t.Helper()
	Await(t, "replicas have everything", func() string { return s.replicated(n) })
}

// replicated answers "" if n replicas have everything. INFO calls a replica
// online up to a second before it is sent anything.
func (s *Server) replicated(n int) string {
	// Any command makes the offset its connection's, for WAIT to wait for.
	v, err := s.together([]string{"ping"}, []string{"wait", strconv.Itoa(n), "1000"})
	if err != nil {
		return err.Error()
	}
	if got, _ := strconv.Atoi(v[1]); got < n {
		return v[1] + " replicas have everything from " + s.Addr
	}
	return ""
}

// Cut has a replica lose its master, until Mend: what the master writes from
// now on, the replica will lack. A paused one would find it in its socket.
func (s *Server) Cut(t testing.TB, master *Server) {
	t.Helper()
	s.Must(t, "config", "set", "masterauth", "wrong") // the next link fails by it
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
