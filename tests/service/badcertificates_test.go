package service_test

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/grantd/grantd/config"
	"github.com/grantd/grantd/tests/poll"
)

func expired(c *x509.Certificate) {
	c.NotBefore, c.NotAfter = time.Now().Add(-2*time.Hour), time.Now().Add(-time.Hour)
}

// withMetrics turns the metrics on.
func withMetrics(c *config.Config) { c.Metrics.Listen = "127.0.0.1:0" }

// TestBadCertificateDoesNotReplaceAGoodOne puts certificates on the disk that callers
// would refuse. The one in use stays, on both listeners; the log and the metric of
// reloads say so, and a good one is then taken.
func TestBadCertificateDoesNotReplaceAGoodOne(t *testing.T) {
	t.Parallel()
	for name, edit := range map[string]func(*x509.Certificate){
		"expired": expired,
		"not yet valid": func(c *x509.Certificate) {
			c.NotBefore = time.Now().Add(time.Hour)
			c.NotAfter = time.Now().Add(2 * time.Hour)
		},
		"foreign": func(c *x509.Certificate) { c.IPAddresses, c.DNSNames = nil, []string{"other.example.org"} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ca := newAuthority(t)
			p := ca.issue(t, 7)
			s := start(t, p, withMetrics)
			p.replace(t, ca.issue(t, 8, edit))
			const failed = `grantd_reloads_total{result="failed",what="tls"}`
			poll.Await(t, poll.Patience, "the reload fails", func() string {
				if got := scrape(t, s)[failed]; got < 2 { // two listeners
					return fmt.Sprint(failed, " is ", got)
				}
				return ""
			})
			for name, url := range listeners(s) {
				if got := serial(t, ca, url); got != "7" {
					t.Errorf("%s serves %s", name, got)
				}
			}
			if log := s.Logs.String(); !strings.Contains(log, "does not replace the one in use") || !strings.Contains(log, p.cert) {
				t.Error("the log does not say that it was refused")
			}
			p.replace(t, ca.issue(t, 9))
			for name, url := range listeners(s) {
				poll.Await(t, poll.Patience, name+" serves the good one", func() string {
					if got := serial(t, ca, url); got != "9" {
						return "serial number " + got
					}
					return ""
				})
			}
		})
	}
}

// TestExpiredCertificateAtTheStart checks that grantd starts with an expired
// certificate and warns, and that any other one replaces it.
func TestExpiredCertificateAtTheStart(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	p := ca.issue(t, 7, expired)
	s := start(t, p, withMetrics, func(c *config.Config) { c.Issuer = "https://auth.example.com" })
	log := s.Logs.String()
	if strings.Count(log, "the certificate expired at ") != 2 || !strings.Contains(log, `"level":"WARN"`) {
		t.Errorf("no warning for each listener:\n%s", log)
	}
	if !strings.Contains(log, "is not for the host of the issuer") {
		t.Error("no warning that the certificate is not for the issuer")
	}
	p.replace(t, ca.issue(t, 8))
	poll.Await(t, poll.Patience, "the valid one is served", func() string {
		if _, err := ca.get(ca.client(), s.URL+"/healthz"); err != nil {
			return err.Error()
		}
		return ""
	})
}

// TestCertificateMetrics checks when the certificate ends, and the failed handshakes
// by reason.
func TestCertificateMetrics(t *testing.T) {
	t.Parallel()
	ca, clients := newAuthority(t), newAuthority(t)
	p := ca.issue(t, 7)
	s := start(t, p, withMetrics, func(c *config.Config) { c.Admin.TLS.ClientCAFile = clients.file })
	for _, listener := range []string{"public", "admin"} {
		ends := scrape(t, s)[`grantd_tls_certificate_not_after_seconds{listener="`+listener+`"}`]
		if left := time.Until(time.Unix(int64(ends), 0)); left < 50*time.Minute || left > time.Hour {
			t.Errorf("%s: the certificate ends in %v", listener, left)
		}
	}
	public, admin := address(s.URL), address(s.Server.URL("admin"))
	dial := func(at string, c *tls.Config) {
		if conn, err := tls.Dial("tcp", at, c); err == nil {
			_, _ = conn.Read(make([]byte, 1)) // TLS 1.3 tells a client late that it is refused
			conn.Close()
		}
	}
	plain := func(send string) {
		conn, err := net.Dial("tcp", public)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = conn.Write([]byte(send))
		if send != "" {
			_, _ = conn.Read(make([]byte, 100))
		}
		conn.Close()
	}
	for _, c := range []struct {
		listener, reason string
		fail             func()
	}{
		{"public", "certificate", func() { dial(public, &tls.Config{RootCAs: x509.NewCertPool(), ServerName: "127.0.0.1"}) }},
		{"public", "protocol", func() {
			dial(public, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11})
		}},
		{"public", "protocol", func() { plain("GET / HTTP/1.1\r\nHost: x\r\n\r\n") }},
		{"public", "closed", func() { plain("") }},
		{"admin", "client_certificate", func() { dial(admin, &tls.Config{InsecureSkipVerify: true}) }},
	} {
		name := `grantd_tls_handshake_failures_total{listener="` + c.listener + `",reason="` + c.reason + `"}`
		before := scrape(t, s)[name]
		c.fail()
		poll.Await(t, poll.Patience, name, func() string {
			if got := scrape(t, s)[name]; got != before+1 {
				return fmt.Sprint(got, ", before ", before)
			}
			return ""
		})
	}
	if !strings.Contains(s.Logs.String(), "a caller refuses the certificate of this listener") {
		t.Error("the log does not say that a caller refuses the certificate")
	}
}
