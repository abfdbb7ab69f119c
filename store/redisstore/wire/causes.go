package wire

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"os"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/grantd/grantd/store"
)

// replyCauses are the codes of Redis errors that say why it cannot serve now.
var replyCauses = []struct {
	cause store.Cause
	codes []string
}{
	{store.CauseLogin, []string{"NOAUTH", "WRONGPASS", "ERR AUTH", "ERR invalid password"}},
	{store.CauseRights, []string{"NOPERM", "ERR The user executing the script"}},
	{store.CauseFull, []string{"OOM"}},
	{store.CauseReadOnly, []string{"READONLY", "MASTERDOWN"}},
	{store.CauseNoReplicas, []string{"NOREPLICAS"}},
	{store.CauseDisk, []string{"MISCONF"}},
	{store.CauseLoading, []string{"LOADING"}},
	{store.CauseBusy, []string{"BUSY", "ERR max number of clients"}},
	{store.CauseClusterDown, []string{"CLUSTERDOWN", "TRYAGAIN", "MOVED", "ASK"}},
}

// sentinelRefuses reports whether a sentinel refuses the login, or what the account
// asks it for. go-redis asks all sentinels, and says so in its error.
func sentinelRefuses(err error) bool {
	if !hasCode(err, loginRefused...) {
		return false
	}
	_, is := errors.AsType[sentinelError](err)
	return is || strings.Contains(err.Error(), "all sentinels specified")
}

// refusesCertificate reports whether the server closed the connection because of the
// certificate of the client, or because there is none. crypto/tls has no type for it.
func refusesCertificate(err error) bool {
	var remote *net.OpError
	if !errors.As(err, &remote) || remote.Op != "remote error" {
		return false
	}
	text := remote.Err.Error()
	return strings.Contains(text, "certificate") || strings.Contains(text, "handshake failure")
}

// causeOf returns why Redis does not serve; "" if the error does not say, or if
// only the caller has left.
func causeOf(err error) store.Cause {
	if _, short := errors.AsType[*Unacked](err); short {
		return store.CauseNoReplicas
	}
	for _, r := range replyCauses {
		if hasCode(err, r.codes...) {
			return r.cause
		}
	}
	var network net.Error
	var certificate *tls.CertificateVerificationError
	switch {
	case errors.As(err, &certificate):
		return store.CauseCertificate
	case refusesCertificate(err):
		return store.CauseClientCertificate
	case errors.Is(err, redis.ErrClosed):
		return store.CauseClosed
	case errors.Is(err, context.Canceled):
		return ""
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &network) && network.Timeout():
		var dial *net.OpError
		if errors.As(err, &dial) && dial.Op == "dial" {
			return store.CauseUnreachable
		}
		return store.CauseTimeout
	}
	return store.CauseUnreachable // no connection, or it broke
}
