package store

import (
	"context"
	"errors"
)

// Cause is why a store cannot do what it was asked, in one stable word. It is for
// operators: a caller of the public endpoints learns only that it should try again.
type Cause string

// The causes.
const (
	CauseUnavailable Cause = "store_unavailable" // no more is known
	CauseUnreachable Cause = "store_unreachable"
	CauseTimeout     Cause = "store_timeout"
	CauseFull        Cause = "store_full"
	CauseDiskFull    Cause = "store_disk_full"
	CauseDisk        Cause = "store_disk"
	CauseReadOnly    Cause = "store_read_only"
	CauseNoReplicas  Cause = "store_no_replicas"
	CauseLoading     Cause = "store_loading"
	CauseBusy        Cause = "store_busy"
	CauseClusterDown Cause = "store_cluster_down"
	CauseLogin       Cause = "store_login"
	CauseRights      Cause = "store_rights"
	CauseCertificate Cause = "store_certificate"
	// The store refuses the certificate of grantd.
	CauseClientCertificate Cause = "store_client_certificate"
	CauseSentinelLogin     Cause = "store_sentinel_login"
	CauseClosed            Cause = "store_closed"
	CauseUnsuitable        Cause = "store_unsuitable"
)

// causeTexts say for each cause what is wrong and what to do. They are constants:
// they hold no address, name or password.
var causeTexts = map[Cause]string{
	CauseUnavailable:       "the store cannot be reached or written to: the log says why",
	CauseUnreachable:       "the store cannot be reached: check that Redis runs, the network, store.redis.addresses, and that store.redis.tls.enabled is what Redis expects",
	CauseTimeout:           "the store did not respond in time: check the load of Redis or of the disk, and the network",
	CauseFull:              "the store is full, so nothing new is made: raise maxmemory of Redis, or remove keys of other programs",
	CauseDiskFull:          "the disk of the store is full: make room on it",
	CauseDisk:              "the store cannot write to its disk: check the disk; the log of grantd or of Redis has the error",
	CauseReadOnly:          "the store is read-only: Redis is a replica, or the file system is read-only; check the failover, store.redis.addresses or the disk",
	CauseNoReplicas:        "the store has too few replicas to acknowledge a write: start a replica of Redis, or change store.redis.replica_acks or min-replicas-to-write",
	CauseLoading:           "the store is loading its data: wait until Redis has read its files",
	CauseBusy:              "the store is busy: Redis runs a long script, or has no free connection (maxclients)",
	CauseClusterDown:       "the store is down in part: check the Redis Cluster with CLUSTER INFO",
	CauseLogin:             "the store refuses the login: check store.redis.username and store.redis.password_file",
	CauseRights:            "the store refuses a command to this account: check the user's ACL in Redis against the redis.acl of grantd",
	CauseCertificate:       "the certificate of the store is not trusted: check store.redis.tls.ca_file, store.redis.tls.server_name, and whether the certificate has expired",
	CauseClientCertificate: "the store wants a certificate of grantd, or refuses the one it has: check store.redis.tls.cert_file and store.redis.tls.key_file, the authority that Redis trusts (tls-ca-cert-file), and whether the certificate has expired",
	CauseSentinelLogin:     "the sentinels refuse the login: check store.redis.sentinel.username and store.redis.sentinel.password_file",
	CauseClosed:            "the store is closed: grantd is stopping",
	CauseUnsuitable:        "the settings of the store would lose records: set maxmemory-policy of Redis to noeviction; the log says more",
}

// Causes returns every cause.
func Causes() []Cause {
	all := make([]Cause, 0, len(causeTexts))
	for c := range causeTexts {
		all = append(all, c)
	}
	return all
}

// Reason returns a sentence that says what is wrong and what to do.
func (c Cause) Reason() string { return causeTexts[c] }

// RefusesOnlyWrites reports whether a store in this state can still be read.
func (c Cause) RefusesOnlyWrites() bool {
	switch c {
	case CauseFull, CauseDiskFull, CauseDisk, CauseNoReplicas, CauseReadOnly:
		return true
	}
	return false
}

// causedError is an error with its cause.
type causedError struct {
	error
	cause Cause
}

func (e *causedError) Unwrap() error { return e.error }

// WithCause returns err with its cause, which CauseOf finds. The text stays the same.
func WithCause(err error, cause Cause) error {
	if err == nil || cause == "" {
		return err
	}
	return &causedError{err, cause}
}

// CauseOf returns why the store failed; "" if err does not say that it did, or if
// only the caller has left.
func CauseOf(err error) Cause {
	var caused *causedError
	switch {
	case errors.As(err, &caused):
		return caused.cause
	case errors.Is(err, ErrUnsuitable):
		return CauseUnsuitable
	case !errors.Is(err, ErrUnavailable), errors.Is(err, context.Canceled):
		return ""
	case errors.Is(err, context.DeadlineExceeded):
		return CauseTimeout
	}
	return CauseUnavailable
}
