package service_test

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/grantd/grantd/config"
	"github.com/grantd/grantd/tests/harness"
	"github.com/grantd/grantd/tests/poll"
)

func TestVersions(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	s := start(t, ca.issue(t, 7))
	for name, url := range listeners(s) {
		for version, ok := range map[uint16]bool{tls.VersionTLS13: true, tls.VersionTLS12: true, tls.VersionTLS11: false, tls.VersionTLS10: false} {
			res, err := ca.get(ca.client(func(c *tls.Config) { c.MinVersion, c.MaxVersion = version, version }), url)
			if (err == nil) != ok {
				t.Errorf("%s, %s: %v", name, tls.VersionName(version), err)
			}
			if ok && err == nil && (res.TLS.Version != version || res.ProtoMajor != 2) {
				t.Errorf("%s: %s over %s, want HTTP/2 over %s", name, res.Proto, tls.VersionName(res.TLS.Version), tls.VersionName(version))
			}
		}
		// Suites without forward secrecy or of 64-bit blocks are not offered.
		conn, err := tls.Dial("tcp", address(url), &tls.Config{
			InsecureSkipVerify: true, MaxVersion: tls.VersionTLS12,
			CipherSuites: []uint16{tls.TLS_RSA_WITH_AES_128_CBC_SHA, tls.TLS_RSA_WITH_3DES_EDE_CBC_SHA, tls.TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA},
		})
		if err == nil {
			conn.Close()
			t.Errorf("%s accepts an old cipher suite", name)
		}
		if res, err := http.Get(url); err == nil {
			res.Body.Close()
			t.Errorf("%s: a client that does not know the authority got through", name)
		}
	}
	if s.URL != s.PublicURL() || !strings.HasPrefix(s.URL, "https://") {
		t.Errorf("public URL %s", s.URL)
	}
}

// A client gets a token over HTTP/2, and the issuer in the metadata is https.
func TestTokenOverTLS(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	s := start(t, ca.issue(t, 7))
	c := s.NewClient(t, "billing", "users:read")
	req, err := http.NewRequestWithContext(t.Context(), "POST", s.URL+"/oauth/token", strings.NewReader("grant_type=client_credentials"))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth(c.ClientID, c.ClientSecret)
	if r := harness.Do(t, ca.client(), req); r.Status != 200 || r.JSON(t)["access_token"] == nil {
		t.Errorf("%d %s", r.Status, r.Body)
	}
	req, err = http.NewRequestWithContext(t.Context(), "GET", s.URL+"/.well-known/oauth-authorization-server", nil)
	if err != nil {
		t.Fatal(err)
	}
	if r := harness.Do(t, ca.client(), req); r.JSON(t)["issuer"] != s.URL {
		t.Errorf("issuer %v", r.JSON(t)["issuer"])
	}
}

// Plain HTTP on the TLS port is refused, not redirected: after a redirect the
// client would send its credentials again.
func TestPlainHTTPToTLS(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	s := start(t, ca.issue(t, 7))
	for name, url := range listeners(s) {
		req, err := http.NewRequestWithContext(t.Context(), "POST", strings.Replace(url, "https://", "http://", 1), strings.NewReader("grant_type=client_credentials"))
		if err != nil {
			t.Fatal(err)
		}
		if r := harness.Do(t, nil, req); r.Status != 400 || r.Header.Get("Location") != "" {
			t.Errorf("%s: %d %s", name, r.Status, r.Body)
		}
	}
}

// serial returns the serial number of the certificate that new connections get.
func serial(t *testing.T, ca *authority, url string) string {
	t.Helper()
	res, err := ca.get(ca.client(), url)
	if err != nil {
		t.Fatal(err)
	}
	return res.TLS.PeerCertificates[0].SerialNumber.String()
}

func TestCertificateIsReplacedOnDisk(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	p := ca.issue(t, 7)
	s := start(t, p)
	p.replace(t, ca.issue(t, 8))
	for name, url := range listeners(s) {
		poll.Await(t, poll.Patience, name+" serves the new one", func() string {
			if got := serial(t, ca, url); got != "8" {
				return "serial number " + got
			}
			return ""
		})
	}
}

func TestCertificateIsReloaded(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	p := ca.issue(t, 7)
	s := start(t, p)
	reload := func(want string, ok bool) {
		t.Helper()
		if err := s.Reload(t.Context(), config.Defaults()); (err == nil) != ok {
			t.Errorf("reload: %v", err)
		} else if err != nil && !strings.Contains(err.Error(), p.cert) {
			t.Errorf("the error does not name the file: %v", err)
		}
		for name, url := range listeners(s) {
			if got := serial(t, ca, url); got != want {
				t.Errorf("%s serves %s, want %s", name, got, want)
			}
		}
	}
	open, err := tls.Dial("tcp", address(s.URL), ca.client().Transport.(*http.Transport).TLSClientConfig.Clone())
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()
	p.replace(t, ca.issue(t, 8))
	reload("8", true)
	// An open connection is not affected.
	if _, err := fmt.Fprintf(open, "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"); err != nil {
		t.Error(err)
	}
	if b := make([]byte, 12); true {
		if _, err := open.Read(b); err != nil || string(b) != "HTTP/1.1 200" {
			t.Errorf("%q %v", b, err)
		}
	}

	// After a reload of a bad file the old pair stays.
	good, err := os.ReadFile(p.key)
	if err != nil {
		t.Fatal(err)
	}
	other, err := os.ReadFile(ca.issue(t, 9).key)
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{"empty": nil, "junk": []byte("junk"), "half of it": good[:len(good)/2], "another's": other} {
		if err := os.WriteFile(p.key, content, 0o600); err != nil {
			t.Fatal(err)
		}
		t.Log(name)
		reload("8", false)
	}
	if err := os.Remove(p.key); err != nil {
		t.Fatal(err)
	}
	reload("8", false)
	p.replace(t, ca.issue(t, 10))
	reload("10", true)
}

func TestClientCertificates(t *testing.T) {
	t.Parallel()
	ca, clients, strangers := newAuthority(t), newAuthority(t), newAuthority(t)
	s := start(t, ca.issue(t, 7), func(c *config.Config) {
		c.Public.TLS.ClientCAFile, c.Admin.TLS.ClientCAFile = clients.file, clients.file
	})
	with := func(p *pair) *http.Client {
		if p == nil {
			return ca.client()
		}
		c, err := tls.LoadX509KeyPair(p.cert, p.key)
		if err != nil {
			t.Fatal(err)
		}
		return ca.client(func(cfg *tls.Config) { cfg.Certificates = []tls.Certificate{c} })
	}
	theirs, strange := clients.issue(t, 1), strangers.issue(t, 2)
	for name, url := range listeners(s) {
		if _, err := ca.get(with(nil), url); err == nil {
			t.Errorf("%s: without a certificate", name)
		}
		if _, err := ca.get(with(&strange), url); err == nil {
			t.Errorf("%s: with a certificate of another authority", name)
		}
		if res, err := ca.get(with(&theirs), url); err != nil {
			t.Errorf("%s: with a certificate: %v", name, err)
		} else if name == "admin" && res.StatusCode != 401 {
			t.Errorf("admin: a client certificate instead of a token: %d, want 401", res.StatusCode)
		}
	}
}
