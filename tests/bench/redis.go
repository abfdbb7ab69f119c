package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// redisServer is a Redis of this run. It has a separate port and writes nothing
// to disk.
type redisServer struct {
	*process
	address string
}

func startRedis(ctx context.Context, l *lab, name string) (*redisServer, error) {
	path, err := exec.LookPath("redis-server")
	if err != nil {
		return nil, err
	}
	dir, err := l.sub(name)
	if err != nil {
		return nil, err
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	p, err := l.start(ctx, name, path, "--port", port, "--bind", "127.0.0.1", "--dir", dir, "--pidfile", filepath.Join(dir, "pid"),
		"--save", "", "--appendonly", "no", "--maxmemory-policy", "noeviction", "--loglevel", "warning")
	if err != nil {
		return nil, err
	}
	r := &redisServer{p, "127.0.0.1:" + port}
	for limit := time.Now().Add(startTime); ; time.Sleep(10 * time.Millisecond) {
		if _, err = r.ask("PING"); err == nil {
			return r, nil
		}
		if ended := r.alive(); ended != nil {
			return nil, ended
		}
		if time.Now().After(limit) {
			r.stop()
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
}

// redisConn implements the part of the Redis protocol that this program needs.
type redisConn struct {
	net.Conn
	r *bufio.Reader
	w *bufio.Writer
}

func (r *redisServer) dial() (*redisConn, error) {
	c, err := net.DialTimeout("tcp", r.address, time.Second)
	if err != nil {
		return nil, err
	}
	return &redisConn{c, bufio.NewReader(c), bufio.NewWriterSize(c, 64<<10)}, nil
}

// send buffers a command until the next flush.
func (c *redisConn) send(args ...string) {
	fmt.Fprintf(c.w, "*%d\r\n", len(args))
	for _, a := range args {
		fmt.Fprintf(c.w, "$%d\r\n%s\r\n", len(a), a)
	}
}

// reply reads one reply, a line or a string.
func (c *redisConn) reply() (string, error) {
	line, err := c.r.ReadString('\n')
	if err != nil {
		return "", err
	}
	line = strings.TrimRight(line, "\r\n")
	switch {
	case strings.HasPrefix(line, "-"):
		return "", errors.New(line[1:])
	case !strings.HasPrefix(line, "$"):
		return line, nil
	}
	n, err := strconv.Atoi(line[1:])
	if err != nil || n < 0 {
		return "", err
	}
	b := make([]byte, n+2)
	_, err = io.ReadFull(c.r, b)
	return string(b[:n]), err
}

// ask sends one command and returns its reply.
func (r *redisServer) ask(args ...string) (string, error) {
	c, err := r.dial()
	if err != nil {
		return "", err
	}
	defer c.Close()
	c.send(args...)
	if err := c.w.Flush(); err != nil {
		return "", err
	}
	return c.reply()
}

// commands returns how often each command was called so far.
func (r *redisServer) commands() (map[string]int64, error) {
	text, err := r.ask("INFO", "commandstats")
	if err != nil {
		return nil, err
	}
	return parseCommands(text), nil
}

// parseCommands reads lines such as "cmdstat_get:calls=12,usec=…".
func parseCommands(text string) map[string]int64 {
	calls := map[string]int64{}
	for line := range strings.Lines(text) {
		name, rest, ok := strings.Cut(strings.TrimPrefix(line, "cmdstat_"), ":calls=")
		if !ok {
			continue
		}
		digits, _, _ := strings.Cut(rest, ",")
		if n, err := strconv.ParseInt(digits, 10, 64); err == nil {
			calls[name] = n
		}
	}
	return calls
}
