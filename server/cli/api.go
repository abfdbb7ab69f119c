package cli

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/grantd/grantd/server/admin"
)

// Limits of one call.
const (
	callTimeout = 30 * time.Second
	maxResponse = 64 << 20 // bytes; a page of the largest records has about 20 MiB
)

// api calls the admin API of one server; server/admin describes it.
type api struct {
	base   string // URL of the API
	where  string // how messages name the server
	token  string // bearer token; "" on a socket
	remote bool   // over TCP
	// unconfirmed is called with what the server says about a change that no
	// replica of Redis has confirmed; nil: nobody is told.
	unconfirmed func(detail string)
	http        *http.Client
}

// socketAPI returns an api for a server on this machine. It does not connect yet.
func socketAPI(socket string) *api {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return admin.DialSocket(ctx, socket)
	}
	return &api{
		base:  "http://grantd" + admin.Prefix,
		where: socket,
		http:  apiClient(&http.Transport{DialContext: dial, DisableCompression: true}),
	}
}

func apiClient(t *http.Transport) *http.Client {
	return &http.Client{
		Timeout:       callTimeout,
		Transport:     t,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// call describes one request.
type call struct {
	method     string
	path       string
	query      url.Values
	body       any    // nil: none
	version    uint64 // required version of the record; 0: any
	idempotent bool   // repeating it does no harm
}

// path joins and escapes segments, some of which the operator typed.
func path(segments ...string) string {
	var b strings.Builder
	for _, s := range segments {
		b.WriteString("/" + url.PathEscape(s))
	}
	return b.String()
}

// do returns the body of a successful response. Its errors are written for
// the operator.
func (c *api) do(ctx context.Context, what call) ([]byte, error) {
	req, err := c.request(ctx, what)
	if err != nil {
		return nil, err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, c.unreachable(what, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxResponse+1))
	if err != nil {
		return nil, c.unreachable(what, err)
	}
	if len(body) > maxResponse {
		return nil, fmt.Errorf("the response from %s is larger than %d MiB", c.where, maxResponse>>20)
	}
	if resp.StatusCode/100 != 2 {
		return nil, c.failure(resp.StatusCode, body)
	}
	if resp.StatusCode == http.StatusAccepted && c.unconfirmed != nil {
		said, err := decode[admin.Unconfirmed](body)
		if err != nil {
			return nil, err
		}
		c.unconfirmed(said.Detail)
	}
	return body, nil
}

// idleTime is how long a response that is streamed may pause.
const idleTime = time.Minute

// stream writes the body of a successful response to w, however long it is. Its
// errors are those of do.
func (c *api) stream(ctx context.Context, what call, w io.Writer) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	idle := time.AfterFunc(idleTime, func() { cancel(errIdle) })
	defer idle.Stop()
	req, err := c.request(ctx, what)
	if err != nil {
		return err
	}
	unbounded := *c.http
	unbounded.Timeout = 0
	resp, err := unbounded.Do(req)
	if err != nil {
		return c.unreachable(what, cmp.Or(context.Cause(ctx), err))
	}
	defer resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		body, _ := io.ReadAll(io.LimitReader(resp.Body, maxResponse))
		return c.failure(resp.StatusCode, body)
	}
	_, err = io.Copy(w, watched{resp.Body, func() { idle.Reset(idleTime) }})
	if err != nil {
		return c.unreachable(what, cmp.Or(context.Cause(ctx), err))
	}
	return nil
}

var errIdle = fmt.Errorf("nothing came for %s", idleTime)

// watched calls read after each read.
type watched struct {
	r    io.Reader
	read func()
}

func (w watched) Read(b []byte) (int, error) {
	n, err := w.r.Read(b)
	w.read()
	return n, err
}

func (c *api) request(ctx context.Context, what call) (*http.Request, error) {
	var body io.Reader
	if what.body != nil {
		b, err := json.Marshal(what.body)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(b)
	}
	target := c.base + what.path
	if len(what.query) > 0 {
		target += "?" + what.query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, what.method, target, body)
	if err != nil {
		return nil, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if strings.ContainsFunc(c.token, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
		return nil, &failure{
			Code: codeWrongValue, ExitCode: exitUsage,
			Message: "$" + tokenVariable + " contains a line break, a space or another character that no token has",
			Hint:    "set it to the token alone",
		}
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	if what.version != 0 {
		req.Header.Set("If-Match", `"`+strconv.FormatUint(what.version, 10)+`"`)
	}
	return req, nil
}

// decode reads a response, or a part of one.
func decode[T any](response []byte) (v T, err error) {
	if err := json.Unmarshal(response, &v); err != nil {
		return v, fmt.Errorf("cannot read the response of the server (is one of the two an older version?): %w", err)
	}
	return v, nil
}
