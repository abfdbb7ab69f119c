package tlsfiles

import "strings"

// Reasons of failed handshakes, as metrics name them.
const (
	ReasonCertificate       = "certificate"        // the caller refuses our certificate
	ReasonClientCertificate = "client_certificate" // the caller has none, or not one that we trust
	ReasonProtocol          = "protocol"           // no common version, or not TLS at all
	ReasonClosed            = "closed"             // the caller closed the connection
	ReasonTimeout           = "timeout"
	ReasonOther             = "other"
)

// handshakeTexts are parts of the errors of crypto/tls, the most exact first.
var handshakeTexts = []struct{ text, reason string }{
	{"client didn't provide a certificate", ReasonClientCertificate},
	{"failed to verify certificate", ReasonClientCertificate},
	{"remote error: tls: bad certificate", ReasonCertificate},
	{"remote error: tls: unsupported certificate", ReasonCertificate},
	{"remote error: tls: revoked certificate", ReasonCertificate},
	{"remote error: tls: expired certificate", ReasonCertificate},
	{"remote error: tls: unknown certificate", ReasonCertificate}, // also "… authority"
	{"i/o timeout", ReasonTimeout},
	{"EOF", ReasonClosed},
	{"connection reset", ReasonClosed},
	{"broken pipe", ReasonClosed},
	{"use of closed network connection", ReasonClosed},
	{"tls: ", ReasonProtocol},
	{"HTTP request to an HTTPS server", ReasonProtocol},
}

// HandshakeReason returns the reason of a failed handshake by its error.
func HandshakeReason(err string) string {
	for _, known := range handshakeTexts {
		if strings.Contains(err, known.text) {
			return known.reason
		}
	}
	return ReasonOther
}
