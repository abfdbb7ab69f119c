package wire

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/grantd/grantd/store"
)

// transient are the codes of Redis errors that mean that Redis cannot serve
// now. Other codes mean that the command was wrong.
var transient = []string{
	"LOADING", "READONLY", "MASTERDOWN", "OOM", "CLUSTERDOWN", "MISCONF", "NOREPLICAS", "TRYAGAIN", "BUSY",
	"UNBLOCKED", "MOVED", "ASK", "ERR max number of clients reached", "ERR max number of clients + cluster connections reached",
}

// loginRefused are the codes of Redis errors about the account in use.
var loginRefused = []string{"NOAUTH", "WRONGPASS", "NOPERM", "ERR AUTH", "ERR invalid password", "ERR The user executing the script"}

// retries is how often Retry repeats: once for a connection that broke while
// it was idle, and once more for a second such connection.
const retries = 2

// StoreError returns what the error of a Redis command means to a caller of
// the store: it wraps store.ErrUnavailable or store.ErrUnknownRecord where one
// of them applies. nil stays nil. The error of an ended context stays visible
// beside store.ErrUnavailable. store.CauseOf returns why Redis cannot serve.
func StoreError(ctx context.Context, op string, err error) error {
	if err == nil {
		return nil
	}
	err = withoutArguments(err)
	if sentinelRefuses(err) {
		return store.WithCause(fmt.Errorf("redis: %s: %w: a sentinel refuses this account: check store.redis.sentinel.username, store.redis.sentinel.password_file and the user's ACL in the sentinels: %w",
			op, store.ErrUnavailable, err), store.CauseSentinelLogin)
	}
	if hasCode(err, loginRefused...) {
		return store.WithCause(fmt.Errorf("redis: %s: %w: Redis refuses this account: check store.redis.username, store.redis.password_file and the user's ACL: %w",
			op, store.ErrUnavailable, err), causeOf(err))
	}
	if cause := contextError(ctx); cause != nil && !isReply(err) && !errors.Is(err, cause) {
		err = fmt.Errorf("%w: %w", cause, err)
	}
	switch {
	case !isReply(err) || hasCode(err, transient...):
		return store.WithCause(fmt.Errorf("redis: %s: %w: %w", op, store.ErrUnavailable, err), causeOf(err))
	case hasCode(err, "WRONGTYPE"):
		return fmt.Errorf("redis: %s: %w: %w", op, store.ErrUnknownRecord, err)
	}
	return fmt.Errorf("redis: %s: %w", op, err)
}

// withoutArguments cuts off where Redis repeats the arguments of a command that it
// does not know: those of a login are the password, others hold records.
func withoutArguments(err error) error {
	const repeated = ", with args beginning with:"
	text, _, found := strings.Cut(err.Error(), repeated)
	if !found {
		return err
	}
	reply, ok := errors.AsType[redis.Error](err)
	if !ok {
		return errors.New(text)
	}
	cause, _, _ := strings.Cut(reply.Error(), repeated)
	if isReply(err) {
		return replyError(cause)
	}
	return shortened{text, replyError(cause)}
}

// shortened is an error around a reply, with a shorter text.
type shortened struct {
	text  string
	reply replyError
}

func (s shortened) Error() string { return s.text }
func (s shortened) Unwrap() error { return s.reply }

// isReply reports whether err is the reply of Redis to the command itself. A
// wrapped reply belongs to another command that was sent on the way: to a
// sentinel, or to log in.
func isReply(err error) bool {
	_, ok := err.(redis.Error) //nolint:errorlint // see above
	return ok
}

// IsNil reports whether Redis replied that there is nothing. errors.Is would
// also match a sentinel that knows no master, and an active token would look
// as if it were gone.
func IsNil(err error) bool {
	return err == redis.Nil //nolint:errorlint // see above
}

// hasCode reports whether err is a Redis error that begins with one of the
// codes. Redis 6.2 puts a sentence before the error of a command that a
// script ran.
func hasCode(err error, codes ...string) bool {
	var reply redis.Error
	if !errors.As(err, &reply) {
		return false
	}
	text := reply.Error()
	inScript := strings.HasPrefix(text, "ERR Error running script")
	for _, code := range codes {
		if strings.HasPrefix(text, code) || inScript && strings.Contains(text, code+" ") {
			return true
		}
	}
	return false
}

// contextError returns ctx.Err, or DeadlineExceeded once the deadline has
// passed: the socket's timer may fire before that of the context.
func contextError(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if end, ok := ctx.Deadline(); ok && !time.Now().Before(end) {
		return context.DeadlineExceeded
	}
	return nil
}

// Retry calls f, and calls it again if the connection broke under it. It is
// only for commands that do no harm when they run twice. It does not repeat
// after a timeout: the time is spent, and more of the same would slow Redis
// down further.
func Retry(ctx context.Context, f func() error) error {
	err := f()
	for range retries {
		if err == nil || !brokenConn(err) || ctx.Err() != nil {
			break
		}
		err = f()
	}
	return err
}

func brokenConn(err error) bool {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return true
	}
	var network net.Error
	return errors.As(err, &network) && !network.Timeout()
}
