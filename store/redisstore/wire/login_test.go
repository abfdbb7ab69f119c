package wire_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/grantd/grantd/store"
	"github.com/grantd/grantd/store/redisstore/wire"
)

// password is what no error may contain.
const password = "hush-of-the-test"

// unknowing starts a server that replies to each command as Redis does to one that it
// does not know: it repeats the arguments.
func unknowing(t *testing.T, reply func(command string, args []string) string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				for r := bufio.NewReader(conn); ; {
					words, err := readCommand(r)
					if err != nil {
						return
					}
					_, _ = io.WriteString(conn, reply(words[0], words[1:])+"\r\n")
				}
			}()
		}
	}()
	return l.Addr().String()
}

func readCommand(r *bufio.Reader) (words []string, err error) {
	line, err := r.ReadString('\n')
	if err != nil {
		return nil, err
	}
	for range line[1] - '0' { // fewer than ten words
		if _, err := r.ReadString('\n'); err != nil {
			return nil, err
		}
		word, err := r.ReadString('\n')
		if err != nil {
			return nil, err
		}
		words = append(words, strings.TrimSpace(word))
	}
	return words, nil
}

func repeating(command string, args []string) string {
	return "-ERR unknown command '" + command + "', with args beginning with: '" + strings.Join(args, "' '") + "'"
}

// TestNoErrorHoldsThePassword has servers that repeat the login in their reply.
func TestNoErrorHoldsThePassword(t *testing.T) {
	t.Parallel()
	login := wire.Login{Password: func() (string, error) { return password, nil }}
	named := wire.Login{Username: "grantd", Password: login.Password}
	for name, tc := range map[string]struct {
		reply func(string, []string) string
		want  string
	}{
		"an unknown command": {repeating, "ERR unknown command"},
		"an older Redis":     {func(c string, args []string) string { return "-ERR unknown command '" + c + "'" }, "ERR unknown command"},
	} {
		for kind, o := range map[string]wire.Options{
			"server":           {Login: login},
			"server, a user":   {Login: named},
			"sentinel":         {Mode: wire.ModeSentinel, MasterName: "main", Sentinel: login},
			"sentinel, a user": {Mode: wire.ModeSentinel, MasterName: "main", Sentinel: named},
		} {
			t.Run(name+"/"+kind, func(t *testing.T) {
				t.Parallel()
				o.Addresses = []string{unknowing(t, tc.reply)}
				o.DialTimeout, o.ReadTimeout, o.WriteTimeout = patience, patience, patience
				c, err := wire.New(o)
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				err = wire.StoreError(t.Context(), "ping", c.Ping(within(t)).Err())
				if err == nil || strings.Contains(err.Error(), password) || !strings.Contains(err.Error(), tc.want) {
					t.Errorf("%v", err)
				}
			})
		}
	}
}

// TestSentinelRepliesThatRepeatTheLogin has replies with texts that grantd does not
// know, and those that tell an operator what to do.
func TestSentinelRepliesThatRepeatTheLogin(t *testing.T) {
	t.Parallel()
	for reply, want := range map[string]string{
		"-ERR no such user with " + password: "the rest of the reply is withheld",
		"-" + password:                       "an unknown error",
		"-WRONGPASS invalid username-password pair or user is disabled.":   "WRONGPASS invalid username-password pair",
		"-ERR AUTH <password> called without any password configured here": "ERR AUTH <password> called without any password",
	} {
		o := wire.Options{
			Mode: wire.ModeSentinel, MasterName: "main", Addresses: []string{unknowing(t, func(string, []string) string { return reply })},
			Sentinel:    wire.Login{Password: func() (string, error) { return password, nil }},
			DialTimeout: patience, ReadTimeout: patience, WriteTimeout: patience,
		}
		c, err := wire.New(o)
		if err != nil {
			t.Fatal(err)
		}
		err = wire.StoreError(t.Context(), "ping", c.Ping(within(t)).Err())
		if err == nil || strings.Contains(err.Error(), password) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", reply, err)
		}
		_ = c.Close()
	}
}

// TestErrorsHoldNoArguments: the arguments of other commands are records.
func TestErrorsHoldNoArguments(t *testing.T) {
	t.Parallel()
	err := wire.StoreError(t.Context(), "put", replied("ERR unknown command 'FCALL', with args beginning with: '"+password+"'"))
	if strings.Contains(err.Error(), password) || !strings.Contains(err.Error(), "unknown command 'FCALL'") {
		t.Errorf("%v", err)
	}
	if _, is := errors.AsType[redis.Error](err); !is || errors.Is(err, store.ErrUnavailable) {
		t.Errorf("it is no longer a reply to the command: %v", err)
	}
}
