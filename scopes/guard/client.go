package guard

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// client speaks to the authorization server. It follows no redirects and uses no
// proxy: the secret and the tokens reach only the configured host.
type client struct {
	issuer, upstream string
	secret           *secret
	clock            func() instant
	transport        *http.Transport
	http             *http.Client
	urls             atomic.Pointer[serverURLs]
	count            *counters
	name             func(field string) string // see Config.Setting
}

// Bounds of calls.
const (
	dialTimeout    = 2 * time.Second
	attemptTimeout = 2 * time.Second
	longestWait    = time.Hour // that a Retry-After may ask for
	mediaJSON      = "application/json"
)

// upstreamError is a response of the authorization server that is no verdict.
type upstreamError struct {
	at     string
	status int
	after  time.Duration // Retry-After
	advice string
}

func (e *upstreamError) Error() string {
	switch e.status {
	case http.StatusUnauthorized:
		return errRefused.Error() + e.advice
	case http.StatusForbidden:
		return errForbidden.Error()
	}
	return fmt.Sprintf("%s returned HTTP status %d", e.at, e.status)
}

func (c *client) statusError(at string, res *http.Response) error {
	return &upstreamError{at, res.StatusCode, retryAfter(res.Header), c.advice()}
}

// refusedBefore is the error of a call that is not made, because the secret was refused
// a short time ago.
func (c *client) refusedBefore(wait time.Duration) error {
	return &upstreamError{status: http.StatusUnauthorized, after: wait, advice: c.advice()}
}

// advice says what to do if the secret is refused.
func (c *client) advice() string {
	return fmt.Sprintf(": check that %s is active and that the secret is one of its secrets and has not ended", c.name("ClientID"))
}

// retryAfter reads a Retry-After in seconds; 0: there is none.
func retryAfter(h http.Header) time.Duration {
	s := h.Get("Retry-After")
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil {
		return 0
	}
	return min(time.Duration(n)*time.Second, longestWait)
}

// dialer connects to an address.
type dialer func(ctx context.Context, network, address string) (net.Conn, error)

func newClient(c *Config, dial dialer, clock func() instant, count *counters) (*client, error) {
	s, err := newSecret(c.ClientID, c.Secret, c.SecretFile)
	if err != nil {
		return nil, err
	}
	roots, err := loadRoots(c.CAFile, c.nameOf("CAFile"))
	if err != nil {
		return nil, err
	}
	if dial == nil {
		dial = (&net.Dialer{Timeout: dialTimeout, KeepAlive: 15 * time.Second}).DialContext
	}
	t := &http.Transport{
		DialContext:            dial,
		TLSClientConfig:        &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    dialTimeout,
		MaxIdleConnsPerHost:    mostInFlight,
		IdleConnTimeout:        90 * time.Second,
		MaxResponseHeaderBytes: 32 << 10,
		DisableCompression:     true,
		Protocols:              new(http.Protocols),
	}
	t.Protocols.SetHTTP1(true) // each stream has its connection: nothing delays it
	warnOfPlainHTTP(c)
	return &client{
		issuer: c.Issuer, upstream: c.Upstream, secret: s, clock: clock, transport: t, count: count, name: c.nameOf,
		http: &http.Client{Transport: t, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
	}, nil
}

// warnOfPlainHTTP logs if the secret and the tokens cross a network in the clear.
func warnOfPlainHTTP(c *Config) {
	u, err := url.Parse(cmp.Or(c.Upstream, c.Issuer))
	if err != nil || u.Scheme != "http" {
		return
	}
	if a, err := netip.ParseAddr(u.Hostname()); u.Hostname() != "localhost" && (err != nil || !a.IsLoopback()) {
		c.Log.Warn("guard: the secret and all tokens are sent in the clear: the URL of the authorization server is not https", slog.String("url", u.Redacted()))
	}
}

func loadRoots(file, setting string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil // those of the system
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("guard: %s: %w", setting, err)
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool()
	}
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("guard: %s: %s holds no PEM certificate", setting, file)
	}
	return roots, nil
}

// introspect asks about one token. It repeats a call once if the connection broke,
// and once if the secret was refused and the file holds another one.
func (c *client) introspect(ctx context.Context, token string, source netip.Addr) (*verdict, error) {
	brokenBefore, refusedBefore := false, false
	for {
		value, wait := c.secret.get(c.clock())
		if wait > 0 {
			return nil, c.refusedBefore(wait)
		}
		a, err := c.ask(ctx, token, source, value)
		var status *upstreamError
		switch {
		case err == nil:
			c.secret.accept(value)
			return a, nil
		case errors.As(err, &status):
			if status.status == http.StatusUnauthorized || status.status == http.StatusForbidden {
				if c.secret.refuse(value, c.clock()) && !refusedBefore {
					refusedBefore = true
					continue
				}
			}
			return nil, err
		case ctx.Err() != nil || brokenBefore || !broken(err):
			return nil, err
		}
		brokenBefore = true
	}
}

// broken reports whether the connection failed before there was a response.
func broken(err error) bool {
	var failed *url.Error
	return errors.As(err, &failed) && !failed.Timeout() && !errors.Is(err, context.Canceled)
}

// errSlow is the cause of an attempt that took too long.
var errSlow = fmt.Errorf("the authorization server did not respond within %v", attemptTimeout)

// ask sends one introspection (RFC 7662 §2.1), within attemptTimeout.
func (c *client) ask(ctx context.Context, token string, source netip.Addr, value string) (*verdict, error) {
	ctx, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	a, err := c.send(ctx, token, source, value)
	if errors.Is(err, context.DeadlineExceeded) {
		return nil, errSlow
	}
	return a, err
}

func (c *client) send(ctx context.Context, token string, source netip.Addr, value string) (*verdict, error) {
	u, err := c.endpoints(ctx)
	if err != nil {
		return nil, err
	}
	form := url.Values{"token": {token}, "follow": {"true"}}
	if source.IsValid() {
		form.Set("source_ip", source.String())
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, u.introspect, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Accept", mediaJSON)
	c.secret.authenticate(r, value)
	c.count.introspections.Add(1)
	wall, sent := time.Now(), c.clock()
	res, err := c.http.Do(r)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		if res.StatusCode == http.StatusNotFound {
			c.forgetURLs()
		}
		_, _ = io.CopyN(io.Discard, res.Body, maxResponse) // so that the connection can be used again
		return nil, c.statusError(u.introspect, res)
	}
	body, err := readJSON(res)
	if err != nil {
		return nil, err
	}
	a, err := parseVerdict(body)
	if err != nil {
		return nil, err
	}
	a.date(res.Header, wall, sent)
	return a, nil
}

// readJSON reads a bounded body of type application/json.
func readJSON(res *http.Response) ([]byte, error) {
	if t, _, err := mime.ParseMediaType(res.Header.Get("Content-Type")); err != nil || t != mediaJSON {
		return nil, errors.New("the response is not application/json")
	}
	var b bytes.Buffer
	n, err := b.ReadFrom(io.LimitReader(res.Body, maxResponse+1))
	switch {
	case err != nil:
		return nil, err
	case n > maxResponse:
		return nil, errors.New("the response is too long")
	}
	return b.Bytes(), nil
}
