package server

import (
	"context"
	"log"
	"log/slog"
	"net/url"
	"strings"
	"time"

	"github.com/grantd/grantd/config"
	"github.com/grantd/grantd/server/metrics"
	"github.com/grantd/grantd/server/tlsfiles"
	"github.com/grantd/grantd/server/trouble"
)

// certificateEvery is how often the dates of a certificate in use are looked at.
const certificateEvery = time.Minute

// certificate reports the certificate of a listener: when it ends, and once in the
// log when it begins to end soon or has expired. One goroutine uses it at a time.
type certificate struct {
	s    *Server
	l    *listener
	last tlsfiles.Health
}

// report sets the metric, and logs the health if it has changed.
func (c *certificate) report(ctx context.Context) {
	leaf, now := c.l.pair.Leaf(), c.s.now()
	c.s.metrics.CertificateEnds(c.l.name, leaf.NotAfter)
	is := tlsfiles.HealthOf(leaf, now)
	if is == c.last {
		return
	}
	c.last = is
	if problem := tlsfiles.Describe(leaf, now); problem != "" {
		c.s.log.WarnContext(ctx, "the certificate "+problem+": replace it; grantd reads the new one within a second",
			"listener", c.l.name, "file", c.l.pair.CertFile())
	}
}

// watchTLS reports the certificates, reloads them whenever their files change, and
// looks at their dates, until ctx ends.
func (s *Server) watchTLS(ctx context.Context) {
	for _, l := range s.listeners {
		if l.pair == nil {
			continue
		}
		c := &certificate{s: s, l: l}
		c.report(ctx)
		if l.name == listenerPublic {
			s.checkName(ctx, l.pair)
		}
		reloads := make(chan error)
		go l.pair.Watch(ctx, func(err error) {
			select {
			case reloads <- err:
			case <-ctx.Done():
			}
		})
		go c.watch(ctx, reloads)
	}
}

func (c *certificate) watch(ctx context.Context, reloads <-chan error) {
	tick := time.NewTicker(certificateEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case err := <-reloads:
			_ = c.s.reportReload(ctx, reloadTLS, err)
			c.last = tlsfiles.Valid // what is wrong with a new one is news
		case <-tick.C:
		}
		c.report(ctx)
	}
}

// checkName warns if clients that know this server by its issuer do not accept its
// certificate.
func (s *Server) checkName(ctx context.Context, pair *tlsfiles.Pair) {
	if host := issuerHost(s.cfg); host != "" && pair.Leaf().VerifyHostname(host) != nil {
		s.log.WarnContext(ctx, "the certificate of the public listener is not for the host of the issuer: clients that connect to it directly refuse it",
			"host", host, "file", pair.CertFile())
	}
}

// issuerHost returns the host that the certificate of the public listener is for, or
// "" if that is not known: a proxy may have the certificate of the issuer.
func issuerHost(cfg config.Config) string {
	u, err := url.Parse(cfg.Issuer)
	if err != nil || u.Scheme != "https" || cfg.Public.BehindTLSProxy {
		return ""
	}
	return u.Hostname()
}

// handshakePrefix is how net/http reports a failed TLS handshake to its ErrorLog,
// which is the only place where it does.
const handshakePrefix = "http: TLS handshake error from "

// errorLog counts failed handshakes, and logs everything that net/http reports. It is
// for debugging: any stranger can cause it. Callers that refuse the certificate are a
// warning, at most once a minute for each listener.
type errorLog struct {
	listener string
	log      *slog.Logger
	metrics  *metrics.Metrics
	refused  *trouble.Log
}

func (s *Server) errorLog(name string) *log.Logger {
	return log.New(&errorLog{
		listener: name, log: s.log, metrics: s.metrics,
		refused: trouble.New(s.log, "a caller refuses the certificate of this listener: has it expired, or do callers not trust its authority?", ""),
	}, "", 0)
}

// Write is called with one line.
func (e *errorLog) Write(line []byte) (int, error) {
	text := strings.TrimSpace(string(line))
	e.log.Debug(text, "listener", e.listener)
	if failed, ok := strings.CutPrefix(text, handshakePrefix); ok {
		reason := tlsfiles.HandshakeReason(failed)
		e.metrics.HandshakeFailed(e.listener, reason)
		if reason == tlsfiles.ReasonCertificate {
			_, why, _ := strings.Cut(failed, ": ") // without the address, which differs each time
			e.refused.Failed(context.Background(), handshakeError(why), "listener", e.listener)
		}
	}
	return len(line), nil
}

type handshakeError string

func (e handshakeError) Error() string { return string(e) }
