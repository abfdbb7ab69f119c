package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"
)

// response is one HTTP response.
type response struct {
	status int
	header http.Header
	body   string
}

// shape returns what must be equal in responses that are compared: the status,
// the names and lengths of headers, and the length of the body.
func (a response) shape() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d, %d bytes", a.status, len(a.body))
	for _, name := range slices.Sorted(maps.Keys(a.header)) {
		fmt.Fprintf(&b, ", %s", name)
		for _, v := range a.header[name] {
			fmt.Fprintf(&b, " %d", len(v))
		}
	}
	return b.String()
}

// example sends one request of the workload.
func (t *target) example(ctx context.Context, w workload) (response, error) {
	j := t.job(w)
	var token string
	var err error
	switch j.source {
	case fromList:
		token, err = j.list.one()
	case fromRandom:
		token = strings.Repeat("A", randomWidth)
	}
	if err != nil {
		return response{}, err
	}
	a, err := ask(ctx, j.url, j.head+token+j.tail)
	if err != nil {
		return a, fmt.Errorf("%s on %s: %w", w.name, t.name, err)
	}
	return a, nil
}

// ask sends a request that is given as text.
func ask(ctx context.Context, url, request string) (response, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		return response{}, err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return response{}, err
	}
	if _, err := io.WriteString(conn, request); err != nil {
		return response{}, err
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return response{}, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return response{res.StatusCode, res.Header, string(body)}, err
}
