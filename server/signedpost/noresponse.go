package signedpost

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"syscall"
)

// ExplainNoResponse returns why there was no response. It does not use the texts of
// net/http: they hold the URL with its query, and may hold what the other side
// sent, which may repeat the code.
func ExplainNoResponse(err error) *Failure {
	var (
		private   privateError
		dns       *net.DNSError
		authority x509.UnknownAuthorityError
		host      x509.HostnameError
		cert      *tls.CertificateVerificationError
		noTLS     tls.RecordHeaderError
		timeout   net.Error
		errno     syscall.Errno
	)
	switch {
	case errors.As(err, &private):
		return &Failure{Why: private.Error()}
	case errors.Is(err, context.Canceled):
		return &Failure{Why: "the caller did not wait for it"}
	case errors.As(err, &dns):
		return &Failure{Why: "its host name cannot be resolved", Again: true}
	case errors.As(err, &authority):
		return &Failure{Why: "its certificate is from an authority that this system does not know"}
	case errors.As(err, &host):
		return &Failure{Why: "its certificate is for another host name"}
	case errors.As(err, &cert):
		return &Failure{Why: "its certificate is not valid"}
	case errors.As(err, &noTLS), errors.Is(err, http.ErrSchemeMismatch):
		return &Failure{Why: "it does not speak TLS"}
	case errors.As(err, &timeout) && timeout.Timeout():
		return &Failure{Why: "it did not respond in time", Again: true}
	case errors.As(err, &errno):
		return &Failure{Why: errno.Error(), Again: true}
	}
	return &Failure{Why: "the connection failed", Again: true}
}
