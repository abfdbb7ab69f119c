package wire

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// unixPrefix begins the address of a unix socket.
const unixPrefix = "unix:"

// Login is the account for a server. The zero value logs in to none.
type Login struct {
	Username string // "": the default user
	// Password is called for each new connection, so that a new password needs no
	// restart. "" means that there is none; nil: there never is.
	Password func() (string, error)
}

func (l Login) password() (string, error) {
	if l.Password == nil {
		return "", nil
	}
	return l.Password()
}

// credentials is for go-redis, which calls it for each new connection.
func (l Login) credentials(context.Context) (username, password string, err error) {
	password, err = l.password()
	return l.Username, password, err
}

// replyError is an error that a server replied to the first command.
type replyError string

func (e replyError) Error() string { return string(e) }

// RedisError makes it a redis.Error.
func (replyError) RedisError() {}

// sentinelError is replyError of a sentinel.
type sentinelError struct{ replyError }

// networkOfMaster is how masterHook marks connections that are not to a sentinel.
const networkOfMaster = "master"

// masterHook marks the connections of a client that asks sentinels for its master.
// go-redis has one dialer for both, and calls it for a sentinel with "tcp".
type masterHook struct{}

func (masterHook) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, _, address string) (net.Conn, error) {
		return next(ctx, networkOfMaster, address)
	}
}

func (masterHook) ProcessHook(next redis.ProcessHook) redis.ProcessHook { return next }

func (masterHook) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

// dial connects to a server. It logs in to a sentinel, because go-redis cannot take a
// new password for one. With TLS it waits for a reply: with TLS 1.3, a server says
// only then whether it takes the certificate of the client.
func (o Options) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := o.open(ctx, network, address)
	if err != nil {
		return nil, err
	}
	switch {
	case o.Mode == ModeSentinel && network != networkOfMaster:
		err = o.loginToSentinel(conn)
	case o.TLS != nil:
		err = o.greet(conn)
	}
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	return conn, nil
}

// open opens the connection. The time-out includes the handshake of TLS.
func (o Options) open(ctx context.Context, network, address string) (net.Conn, error) {
	plain := &net.Dialer{Timeout: o.DialTimeout}
	if network == networkOfMaster {
		network = "tcp"
	}
	if o.TLS == nil {
		return plain.DialContext(ctx, network, address)
	}
	ctx, cancel := context.WithTimeout(ctx, o.DialTimeout)
	defer cancel()
	return (&tls.Dialer{NetDialer: plain, Config: o.TLS}).DialContext(ctx, network, address)
}

// loginToSentinel logs in, or finds out that a login is needed.
func (o Options) loginToSentinel(conn net.Conn) error {
	password, err := o.Sentinel.password()
	if err != nil {
		return fmt.Errorf("store.redis.sentinel.password_file: %w", err)
	}
	command := []string{"PING"}
	switch {
	case password != "" && o.Sentinel.Username != "":
		command = []string{"AUTH", o.Sentinel.Username, password}
	case password != "":
		command = []string{"AUTH", password}
	}
	reply, err := o.ask(conn, command)
	if err == nil && strings.HasPrefix(reply, "-") {
		err = fmt.Errorf("sentinel: %w", sentinelError{refusalOf(reply[1:])})
	}
	return err
}

// plainReplies begin the replies to a login whose text is always the same.
var plainReplies = []string{
	"WRONGPASS ", "NOAUTH ", "NOPERM ", "DENIED ", "LOADING ", "MASTERDOWN ", "MISCONF ", "BUSY ",
	"ERR AUTH <password> called without any password ", "ERR Client sent AUTH, but no password is set", "ERR invalid password",
	"ERR max number of clients ", "ERR wrong number of arguments for 'auth' command",
}

// refusalOf returns what a server replied to a login, without what it may repeat of
// that: one that does not know the command repeats the arguments, so the password.
func refusalOf(reply string) replyError {
	for _, begin := range plainReplies {
		if strings.HasPrefix(reply, begin) {
			return replyError(reply)
		}
	}
	const withheld = "(the rest of the reply is withheld, because it may repeat the password)"
	for _, code := range []string{"ERR unknown command", "ERR"} {
		if strings.HasPrefix(reply, code+" ") {
			return replyError(code + " " + withheld)
		}
	}
	return replyError("an unknown error " + withheld)
}

// greet fails if the server closes the connection or wants no more of them. What a
// server that is loading or wants a password replies does not matter yet.
func (o Options) greet(conn net.Conn) error {
	reply, err := o.ask(conn, []string{"PING"})
	if err == nil && (strings.HasPrefix(reply, "-ERR") || strings.HasPrefix(reply, "-DENIED")) {
		err = fmt.Errorf("first reply: %w", replyError(reply[1:]))
	}
	return err
}

// longestReply bounds the line that a server replies to the first command.
const longestReply = 512

// ask sends a command and returns the first line of the reply. It reads no more than
// that line.
func (o Options) ask(conn net.Conn, command []string) (string, error) {
	if err := conn.SetDeadline(time.Now().Add(o.DialTimeout)); err != nil {
		return "", err
	}
	var b strings.Builder
	b.WriteString("*" + strconv.Itoa(len(command)) + "\r\n")
	for _, word := range command {
		b.WriteString("$" + strconv.Itoa(len(word)) + "\r\n" + word + "\r\n")
	}
	// If the server closed the connection, its last message says why.
	_, failed := io.WriteString(conn, b.String())
	line, one := []byte(nil), make([]byte, 1)
	for len(line) < longestReply {
		if _, err := io.ReadFull(conn, one); err != nil {
			if failed != nil && errors.Is(err, io.EOF) {
				err = failed
			}
			return "", fmt.Errorf("first reply: %w", err)
		}
		if one[0] == '\n' {
			return strings.TrimSuffix(string(line), "\r"), conn.SetDeadline(time.Time{})
		}
		line = append(line, one[0])
	}
	return "", fmt.Errorf("the first reply has more than %d bytes: check store.redis.addresses", longestReply)
}
