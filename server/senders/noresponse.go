package senders

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"syscall"
)

// explainNoResponse returns why there was no response. It does not use the texts of
// net/http: they hold the URL with its query, and may hold what the other side
// sent, which may repeat the code.
func explainNoResponse(err error) *failure {
	var (
		dns       *net.DNSError
		authority x509.UnknownAuthorityError
		host      x509.HostnameError
		cert      *tls.CertificateVerificationError
		noTLS     tls.RecordHeaderError
		timeout   net.Error
		errno     syscall.Errno
	)
	switch {
	case errors.Is(err, errPrivate):
		return &failure{why: errPrivate.Error()}
	case errors.Is(err, context.Canceled):
		return &failure{why: "the caller did not wait for it"}
	case errors.As(err, &dns):
		return &failure{why: "its host name cannot be resolved", again: true}
	case errors.As(err, &authority):
		return &failure{why: "its certificate is from an authority that this system does not know"}
	case errors.As(err, &host):
		return &failure{why: "its certificate is for another host name"}
	case errors.As(err, &cert):
		return &failure{why: "its certificate is not valid"}
	case errors.As(err, &noTLS), errors.Is(err, http.ErrSchemeMismatch):
		return &failure{why: "it does not speak TLS"}
	case errors.As(err, &timeout) && timeout.Timeout():
		return &failure{why: "it did not respond in time", again: true}
	case errors.As(err, &errno):
		return &failure{why: errno.Error(), again: true}
	}
	return &failure{why: "the connection failed", again: true}
}
