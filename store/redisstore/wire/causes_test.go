package wire_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/grantd/grantd/store"
	"github.com/grantd/grantd/store/redisstore/wire"
)

// replied is what Redis replied to a command.
type replied string

func (r replied) Error() string { return string(r) }

func (replied) RedisError() {}

// TestCauses has how each trouble looks to the client, and its cause.
func TestCauses(t *testing.T) {
	t.Parallel()
	refused := &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", errors.New("connection refused"))}
	dialTimeout := &net.OpError{Op: "dial", Net: "tcp", Err: os.ErrDeadlineExceeded}
	readTimeout := &net.OpError{Op: "read", Net: "tcp", Err: os.ErrDeadlineExceeded}
	for want, all := range map[store.Cause][]error{
		store.CauseFull: {
			replied("OOM command not allowed when used memory > 'maxmemory'."),
			replied("ERR Error running script (call to f_0): @user_script:1: OOM command not allowed when used memory > 'maxmemory'."),
		},
		store.CauseReadOnly: {
			replied("READONLY You can't write against a read only replica."),
			replied("MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'."),
		},
		store.CauseNoReplicas:  {replied("NOREPLICAS Not enough good replicas to write.")},
		store.CauseDisk:        {replied("MISCONF Errors writing to the AOF file: No space left on device")},
		store.CauseLoading:     {replied("LOADING Redis is loading the dataset in memory"), fmt.Errorf("log in: %w", replied("LOADING Redis is loading the dataset in memory"))},
		store.CauseBusy:        {replied("BUSY Redis is busy running a script."), replied("ERR max number of clients reached")},
		store.CauseClusterDown: {replied("CLUSTERDOWN The cluster is down")},
		store.CauseLogin: {
			replied("NOAUTH Authentication required."), replied("WRONGPASS invalid username-password pair or user is disabled."),
			fmt.Errorf("log in: %w", replied("ERR AUTH <password> called without any password configured for the default user.")),
		},
		store.CauseRights:      {replied("NOPERM this user has no permissions to run the 'set' command")},
		store.CauseCertificate: {&tls.CertificateVerificationError{Err: errors.New("expired")}},
		store.CauseClosed:      {redis.ErrClosed},
		store.CauseTimeout:     {readTimeout, context.DeadlineExceeded},
		store.CauseUnreachable: {refused, dialTimeout, io.EOF, &net.DNSError{Err: "no such host", Name: "redis", IsNotFound: true}, errors.New("redis: all sentinels specified in configuration are unreachable")},
		"":                     {context.Canceled},
	} {
		for _, err := range all {
			got := wire.StoreError(t.Context(), "ping", err)
			if cause := store.CauseOf(got); cause != want || !errors.Is(got, store.ErrUnavailable) {
				t.Errorf("%v: cause %q, want %q", err, cause, want)
			}
		}
	}
	if got := wire.StoreError(t.Context(), "ping", replied("WRONGTYPE Operation against a key")); store.CauseOf(got) != "" {
		t.Errorf("a key of another type: cause %q", store.CauseOf(got))
	}
}
