package harness

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

	"github.com/grantd/grantd/config"
	"github.com/grantd/grantd/store"
	"github.com/grantd/grantd/store/redisstore"
)

// redisPatience bounds one command and its reply.
const redisPatience = 30 * time.Second

// Redis is one connection to a redis-server, to read what grantd stores there and
// to change the server's behavior.
type Redis struct {
	conn net.Conn
	r    *bufio.Reader
}

// DialRedis connects, and closes the connection when the test ends.
func DialRedis(t testing.TB, addr string) *Redis {
	t.Helper()
	conn, err := net.DialTimeout("tcp", addr, redisPatience)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &Redis{conn, bufio.NewReader(conn)}
}

// Try sends a command and returns its reply: string, int64, nil or []any.
func (r *Redis) Try(args ...string) (any, error) {
	if err := r.conn.SetDeadline(time.Now().Add(redisPatience)); err != nil {
		return nil, err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "*%d\r\n", len(args))
	for _, a := range args {
		fmt.Fprintf(&b, "$%d\r\n%s\r\n", len(a), a)
	}
	if _, err := io.WriteString(r.conn, b.String()); err != nil {
		return nil, err
	}
	return r.reply()
}

// Do is Try for commands that must succeed.
func (r *Redis) Do(t testing.TB, args ...string) any {
	t.Helper()
	reply, err := r.Try(args...)
	if err != nil {
		t.Fatalf("redis %s: %v", strings.Join(args, " "), err)
	}
	return reply
}

// Keys returns every key that matches the pattern.
func (r *Redis) Keys(t testing.TB, pattern string) []string {
	t.Helper()
	var all []string
	for cursor := "0"; ; {
		reply := r.Do(t, "SCAN", cursor, "MATCH", pattern, "COUNT", "1000").([]any)
		for _, k := range reply[1].([]any) {
			all = append(all, k.(string))
		}
		if cursor = reply[0].(string); cursor == "0" {
			return all
		}
	}
}

func (r *Redis) reply() (any, error) {
	line, err := r.r.ReadString('\n')
	if err != nil {
		return nil, err
	}
	if len(line) < 3 {
		return nil, fmt.Errorf("line %q", line)
	}
	kind, text := line[0], strings.TrimRight(line[1:], "\r\n")
	switch kind {
	case '+':
		return text, nil
	case '-':
		return nil, errors.New(text)
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || kind == ':' {
		return n, err
	}
	if n < 0 {
		return nil, nil
	}
	if kind == '*' {
		return r.list(int(n))
	}
	b := make([]byte, n+2)
	_, err = io.ReadFull(r.r, b)
	return string(b[:n]), err
}

func (r *Redis) list(n int) (any, error) {
	list := make([]any, n)
	for i := range list {
		var err error
		if list[i], err = r.reply(); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// patientRedis opens the configured store with time-outs that a machine does not
// reach if it stalls for a second.
func patientRedis(t testing.TB, cfg config.Config, now func() time.Time) store.Store {
	t.Helper()
	r := cfg.Store.Redis
	critical, tokens := r.Acks()
	s, err := redisstore.Open(t.Context(), redisstore.Options{
		Mode: redisstore.Mode(r.Mode), Addresses: r.Addresses, KeyPrefix: r.KeyPrefix, Now: now, AuditRetention: cfg.Audit.Retention, AuditMaxEvents: cfg.Audit.MaxEvents,
		Acks:        redisstore.Acks{Critical: critical, Tokens: tokens, Timeout: r.ReplicaAckTimeout},
		DialTimeout: redisPatience, ReadTimeout: redisPatience, WriteTimeout: redisPatience,
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}
