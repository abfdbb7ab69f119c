package protocol_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"
)

// redis speaks just enough of the Redis protocol to read everything that the
// server holds.
type redis struct {
	t    *testing.T
	conn net.Conn
	r    *bufio.Reader
}

func dialRedis(t *testing.T, addr string) *redis {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	return &redis{t, conn, bufio.NewReader(conn)}
}

// do sends a command and returns its reply: string, int64, nil or []any.
func (r *redis) do(args ...string) any {
	r.t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "*%d\r\n", len(args))
	for _, a := range args {
		fmt.Fprintf(&b, "$%d\r\n%s\r\n", len(a), a)
	}
	if _, err := io.WriteString(r.conn, b.String()); err != nil {
		r.t.Fatal(err)
	}
	return r.reply()
}

func (r *redis) reply() any {
	r.t.Helper()
	line, err := r.r.ReadString('\n')
	if err != nil || len(line) < 3 {
		r.t.Fatalf("redis: %q %v", line, err)
	}
	kind, text := line[0], strings.TrimRight(line[1:], "\r\n")
	switch kind {
	case '+':
		return text
	case '-':
		r.t.Fatalf("redis: %s", text)
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		r.t.Fatal(err)
	}
	switch {
	case kind == ':':
		return n
	case n < 0:
		return nil
	case kind == '*':
		list := make([]any, n)
		for i := range list {
			list[i] = r.reply()
		}
		return list
	}
	b := make([]byte, n+2)
	if _, err := io.ReadFull(r.r, b); err != nil {
		r.t.Fatal(err)
	}
	return string(b[:n])
}

// keys returns every key.
func (r *redis) keys() []string {
	r.t.Helper()
	var all []string
	for cursor := "0"; ; {
		reply := r.do("SCAN", cursor, "COUNT", "1000").([]any)
		for _, k := range reply[1].([]any) {
			all = append(all, k.(string))
		}
		if cursor = reply[0].(string); cursor == "0" {
			return all
		}
	}
}

// dump returns every key and its value, as Redis would write them to disk.
func (r *redis) dump() string {
	r.t.Helper()
	r.do("CONFIG", "SET", "rdbcompression", "no")
	var b strings.Builder
	for _, k := range r.keys() {
		fmt.Fprintf(&b, "%s\n%s\n", k, r.do("DUMP", k))
	}
	return b.String()
}
