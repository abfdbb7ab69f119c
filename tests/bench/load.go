package main

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

//go:embed load.lua
var loadScript string

// job has the requests and expected responses of one measurement. load.lua
// describes the fields.
type job struct {
	head, tail    string
	source        string
	list          tokenList
	offset        int64
	other         string
	every         int
	status        int
	want          []rule
	url           string
	conns         int
	took          time.Duration // duration in whole seconds
	script, write string        // paths of load.lua and of the job file to write
}

// rule describes an expected body: exact, or with a start and a part.
type rule struct{ exact, starts, holds string }

// Sources of tokens.
const (
	fromNone   = "none"
	fromList   = "list"
	fromRandom = "random"
)

// loaded is the result of wrk for a measurement.
type loaded struct {
	Requests     int64  `json:"requests"` // with a response
	Sent         int64  `json:"sent"`     // includes those without a response when the time was over
	DurationUS   int64  `json:"duration_us"`
	P50US        int64  `json:"p50_us"`
	P99US        int64  `json:"p99_us"`
	P999US       int64  `json:"p999_us"`
	SocketErrors int64  `json:"socket_errors"`
	Wrong        int64  `json:"wrong"`
	Unavailable  int64  `json:"unavailable"`
	Other        int64  `json:"other"` // correct responses by another rule than the first
	Used         int64  `json:"used"`  // how much of the list was used
	Example      string `json:"example"`
}

// threads returns 1 for one connection, otherwise 2.
func (j job) threads() int { return min(j.conns, 2) }

// lua returns the job as Lua for load.lua. Go quotes the strings, so they must be
// printable ASCII and line breaks, as requests and responses are.
func (j job) lua() string {
	var b strings.Builder
	fmt.Fprintf(&b, "return {head=%q, tail=%q, source=%q, list=%q, width=%d, first=%d, count=%d, offset=%d, other=%q, every=%d, threads=%d, status=%d, want={",
		j.head, j.tail, j.source, j.list.path, j.list.width, j.list.first, j.list.count, j.offset, j.other, j.every, j.threads(), j.status)
	for _, r := range j.want {
		if r.exact != "" {
			fmt.Fprintf(&b, "{exact=%q}, ", r.exact)
		} else {
			fmt.Fprintf(&b, "{starts=%q, holds=%q}, ", r.starts, r.holds)
		}
	}
	b.WriteString("}}\n")
	return b.String()
}

// run runs wrk. It fails after a wrong response or a broken connection.
func (j job) run(ctx context.Context) (loaded, error) {
	ctx, cancel := context.WithTimeout(ctx, j.took+30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, "wrk", "-t", strconv.Itoa(j.threads()), "-c", strconv.Itoa(j.conns),
		"-d", strconv.Itoa(int(j.took.Seconds()))+"s", "--timeout", "5s", "-s", j.script, j.url, "--", j.write)
	cmd.WaitDelay = time.Second
	out, err := cmd.CombinedOutput()
	if err != nil {
		return loaded{}, fmt.Errorf("wrk: %w: %s", err, oneLine(out))
	}
	l, err := parseLoaded(out)
	if err != nil {
		return loaded{}, err
	}
	return l, l.fault()
}

// parseLoaded reads the line that load.lua printed.
func parseLoaded(out []byte) (loaded, error) {
	var l loaded
	_, rest, ok := bytes.Cut(out, []byte("\nresult "))
	if !ok {
		return l, fmt.Errorf("wrk printed no result: %s", oneLine(out))
	}
	line, _, _ := bytes.Cut(rest, []byte("\n"))
	if err := json.Unmarshal(line, &l); err != nil {
		return l, fmt.Errorf("result of wrk: %w: %s", err, line)
	}
	return l, nil
}

func (l loaded) fault() error {
	switch {
	case l.Wrong > 0:
		return fmt.Errorf("%d of %d responses are wrong, such as: %s", l.Wrong, l.Requests, l.Example)
	case l.Unavailable > 0:
		return unavailable{l.Unavailable, l.Requests}
	case l.SocketErrors > 0:
		return fmt.Errorf("%d connections failed or timed out in %d requests", l.SocketErrors, l.Requests)
	case l.Requests == 0 || l.DurationUS == 0:
		return errors.New("there was no response")
	}
	return nil
}
