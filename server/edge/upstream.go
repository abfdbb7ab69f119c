package edge

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/grantd/grantd/server/signedpost"
	"github.com/grantd/grantd/server/version"
)

const (
	// callTime bounds a call of the server.
	callTime = 5 * time.Second
	// maxResponse bounds what is read of a response, in bytes.
	maxResponse = 64 << 10
)

// upstream is the server. It is called for tokens and to check secrets; the guard has
// connections for introspection.
type upstream struct {
	base string
	http *http.Client
}

func newUpstream(s *Settings) (*upstream, error) {
	t := &http.Transport{
		ForceAttemptHTTP2: false, MaxConnsPerHost: 8, MaxIdleConnsPerHost: 2, IdleConnTimeout: 30 * time.Second,
		TLSHandshakeTimeout: callTime, DisableCompression: true, ReadBufferSize: 2 << 10, WriteBufferSize: 2 << 10,
	}
	if s.CAFile != "" {
		roots, err := readRoots(s.CAFile)
		if err != nil {
			return nil, Faults{{"ca-file", err.Error()}}
		}
		t.TLSClientConfig = &tls.Config{RootCAs: roots}
	}
	return &upstream{
		base: strings.TrimSuffix(s.Upstream, "/"),
		http: &http.Client{
			Transport: t, Timeout: callTime,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}, nil
}

// readRoots returns the authorities of the system and those in the file.
func readRoots(file string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("the file %s cannot be read: %w", file, errors.Unwrap(err))
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool()
	}
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("the file %s holds no certificate in PEM form", file)
	}
	return roots, nil
}

// reply is a response of the server.
type reply struct {
	status     int
	retryAfter time.Duration // 0: not stated
	body       []byte
}

// post sends a form as the client. Errors: there was no response; they hold neither the
// secret nor what was sent.
func (u *upstream) post(ctx context.Context, path, id, secret string, form url.Values) (reply, error) {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, u.base+path, strings.NewReader(form.Encode()))
	if err != nil {
		return reply{}, errors.New("the URL of the server cannot be used")
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "grantd-edge/"+version.Read().Version)
	req.SetBasicAuth(url.QueryEscape(id), url.QueryEscape(secret)) // RFC 6749 §2.3.1
	res, err := u.http.Do(req)
	if err != nil {
		return reply{}, errors.New("the server cannot be reached: " + signedpost.ExplainNoResponse(err).Why)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxResponse+1))
	switch {
	case err != nil:
		return reply{}, errors.New("the response of the server broke off: " + signedpost.ExplainNoResponse(err).Why)
	case len(body) > maxResponse:
		return reply{}, errors.New("the response of the server is too long")
	}
	return reply{res.StatusCode, parseRetryAfter(res.Header.Get("Retry-After"), res.Header.Get("Date")), body}, nil
}

// mostWait bounds a Retry-After that is obeyed.
const mostWait = time.Hour

// parseRetryAfter reads the header (RFC 9110 §10.2.3): seconds, or a time, which counts
// from the time of the response; 0 if it cannot be read.
func parseRetryAfter(value, date string) time.Duration {
	if value == "" {
		return 0
	}
	seconds, digits := time.Duration(0), true
	for _, c := range []byte(value) {
		if c < '0' || c > '9' {
			digits = false
			break
		}
		seconds = min(seconds*10+time.Duration(c-'0'), mostWait/time.Second)
	}
	if digits {
		return seconds * time.Second
	}
	at, err := http.ParseTime(value)
	now, err2 := http.ParseTime(date)
	if err != nil || err2 != nil {
		return 0
	}
	return min(max(at.Sub(now), 0), mostWait)
}
