package redisstore

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

// passing are the codes of Redis errors that say that it cannot serve now,
// rather than that we asked for something wrong.
var passing = []string{
	"LOADING", "READONLY", "MASTERDOWN", "OOM", "CLUSTERDOWN", "MISCONF", "NOREPLICAS", "TRYAGAIN", "BUSY",
	"UNBLOCKED", "MOVED", "ASK", "ERR max number of clients reached", "ERR max number of clients + cluster connections reached",
}

// refused are the codes of Redis errors about who we are.
var refused = []string{"NOAUTH", "WRONGPASS", "NOPERM", "ERR AUTH", "ERR invalid password", "ERR The user executing the script"}

// failed answers what the error of a Redis command means to a caller of the
// store; nil stays nil. The context's own error stays visible beside
// ErrUnavailable.
func failed(ctx context.Context, op string, err error) error {
	if err == nil {
		return nil
	}
	if hasCode(err, refused...) {
		return fmt.Errorf("redis: %s: %w: redis refuses who we are; check store.redis.username, store.redis.password_file and the user's ACL: %w",
			op, store.ErrUnavailable, err)
	}
	if cause := contextError(ctx); cause != nil && !isReply(err) && !errors.Is(err, cause) {
		err = fmt.Errorf("%w: %w", cause, err)
	}
	switch {
	case !isReply(err) || hasCode(err, passing...):
		return fmt.Errorf("redis: %s: %w: %w", op, store.ErrUnavailable, err)
	case hasCode(err, "WRONGTYPE"):
		return fmt.Errorf("redis: %s: %w: %w", op, store.ErrUnknownRecord, err)
	}
	return fmt.Errorf("redis: %s: %w", op, err)
}

// isReply says whether err is what Redis answered to the command itself. A
// reply that is wrapped was an answer to another one, sent on the way: a
// sentinel's, or that to a log-in.
func isReply(err error) bool {
	_, ok := err.(redis.Error) //nolint:errorlint // see above
	return ok
}

// isNil says whether Redis answered that there is nothing. errors.Is would
// also take a sentinel that knows no master for that, and an active token for
// one that is gone.
func isNil(err error) bool {
	return err == redis.Nil //nolint:errorlint // see above
}

// hasCode says whether err is a Redis error that begins with one of the
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

// contextError is ctx.Err, but also once the deadline has passed and the
// context's timer has yet to fire: the socket's may be the first.
func contextError(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if end, ok := ctx.Deadline(); ok && !time.Now().Before(end) {
		return context.DeadlineExceeded
	}
	return nil
}

// retry calls f, and again if the connection broke under it. It is only for
// commands that do no harm when they run twice. A time-out is not repeated:
// it has cost its time, and a slow Redis does not want more of the same.
func retry(ctx context.Context, f func() error) error {
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
