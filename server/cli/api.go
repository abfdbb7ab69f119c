package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/grantd/grantd/server/admin"
)

// Bounds of one call.
const (
	callTime  = 30 * time.Second
	maxAnswer = 64 << 20 // a page of the largest records has some 20 MiB
)

// api calls the admin API (contract §4) of one server.
type api struct {
	base  string // URL of the API
	where string // how messages name the server
	token string // bearer token; "" on a socket
	http  *http.Client
}

// socketAPI calls a server on this machine. No connection is made yet.
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
		Timeout:       callTime,
		Transport:     t,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// call is one request.
type call struct {
	method  string
	path    string
	query   url.Values
	body    any    // nil: none
	version uint64 // only if the record has this version; 0: any
	again   bool   // it does no harm to make the call twice
}

// path joins segments, of which some are what the operator typed.
func path(segments ...string) string {
	var b strings.Builder
	for _, s := range segments {
		b.WriteString("/" + url.PathEscape(s))
	}
	return b.String()
}

// do answers the body of a successful response. Errors are for the operator.
func (c *api) do(ctx context.Context, what call) ([]byte, error) {
	req, err := c.request(ctx, what)
	if err != nil {
		return nil, err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, c.unreached(what, err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return nil, c.unreached(what, err)
	}
	if len(answer) > maxAnswer {
		return nil, fmt.Errorf("the answer of %s is larger than %d MiB", c.where, maxAnswer>>20)
	}
	if resp.StatusCode/100 != 2 {
		return nil, c.refused(resp.StatusCode, answer)
	}
	return answer, nil
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
	at := c.base + what.path
	if len(what.query) > 0 {
		at += "?" + what.query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, what.method, at, body)
	if err != nil {
		return nil, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	if what.version != 0 {
		req.Header.Set("If-Match", `"`+strconv.FormatUint(what.version, 10)+`"`)
	}
	return req, nil
}

// unreached says why there is no answer.
func (c *api) unreached(what call, err error) error {
	switch {
	case errors.Is(err, context.Canceled):
		return err
	case errors.Is(err, os.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.ENOTDIR):
		return &noAnswer{fmt.Errorf("no grantd answers on %s: start one with 'grantd serve', or name its socket with --socket", c.where)}
	case errors.Is(err, os.ErrPermission):
		return fmt.Errorf("no permission to use %s: run this as root or as the user that grantd runs as", c.where)
	}
	unsure := ""
	if what.method != http.MethodGet && !what.again {
		unsure = "; the change may have been made, so look before you try again"
	}
	var slow net.Error
	if errors.As(err, &slow) && slow.Timeout() {
		return &noAnswer{fmt.Errorf("no answer from %s within %s%s", c.where, callTime, unsure)}
	}
	if wrapped := errors.Unwrap(err); wrapped != nil {
		err = wrapped // without the URL, which is ours and says nothing
	}
	return &noAnswer{fmt.Errorf("no answer from %s: %w%s", c.where, err, unsure)}
}

// refused is what the server says is wrong.
func (c *api) refused(status int, answer []byte) error {
	var fault struct {
		Code        string `json:"error"`
		Description string `json:"error_description"`
		Field       string `json:"field"`
	}
	if err := json.Unmarshal(answer, &fault); err != nil || fault.Code == "" {
		return &refusal{status, fmt.Sprintf("%s answers %d and not in the way of grantd: is it the admin socket of a grantd?", c.where, status)}
	}
	if fault.Description == "" {
		fault.Description = fault.Code
	}
	if fault.Field != "" {
		fault.Description += " (" + fault.Field + ")"
	}
	return &refusal{status, visible(fault.Description)}
}

// decode reads an answer, or a part of one.
func decode[T any](answer []byte) (v T, err error) {
	if err := json.Unmarshal(answer, &v); err != nil {
		return v, fmt.Errorf("the server's answer is not what this grantd knows (is one of the two older?): %w", err)
	}
	return v, nil
}
