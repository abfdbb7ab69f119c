package main

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const wrkOutput = `Running 2s test @ http://127.0.0.1:41234
  2 threads and 32 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.10ms    1.02ms  14.00ms   90.00%
Requests/sec:  29000.00

result {"requests":58012,"sent":58044,"duration_us":2000431,"p50_us":871,"p99_us":9837,"p999_us":14680,"socket_errors":0,"wrong":0,"unavailable":0,"other":12,"used":58044,"example":""}
`

func TestParseLoaded(t *testing.T) {
	got, err := parseLoaded([]byte(wrkOutput))
	if err != nil {
		t.Fatal(err)
	}
	want := loaded{Requests: 58012, Sent: 58044, DurationUS: 2000431, P50US: 871, P99US: 9837, P999US: 14680, Other: 12, Used: 58044}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	for _, bad := range []string{"", "unable to connect to 127.0.0.1:1 Connection refused\n", "\nresult {\n"} {
		if _, err := parseLoaded([]byte(bad)); err == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
}

func TestFaultsOfALoad(t *testing.T) {
	fine := loaded{Requests: 100, DurationUS: 1}
	for name, c := range map[string]struct {
		edit func(*loaded)
		want string
	}{
		"fine":               {func(*loaded) {}, ""},
		"one wrong response": {func(l *loaded) { l.Wrong, l.Example = 1, `503 {"error":"x"}` }, `1 of 100 responses are wrong, such as: 503 {"error":"x"}`},
		"not available":      {func(l *loaded) { l.Unavailable = 3 }, "3 of 100 responses are 503"},
		"broken connection":  {func(l *loaded) { l.SocketErrors = 2 }, "2 connections failed"},
		"no response at all": {func(l *loaded) { l.Requests = 0 }, "there was no response"},
	} {
		l := fine
		c.edit(&l)
		err := l.fault()
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestJobInLua(t *testing.T) {
	j := job{
		head: "POST / HTTP/1.1\r\n\r\n{\"a\":\"b\"}", source: fromList, list: tokenList{path: "/tmp/t", width: 54, first: 3, count: 200},
		offset: 7, status: 200, want: []rule{active, inactive}, conns: 1, took: time.Second,
	}
	got := j.lua()
	for _, want := range []string{
		`head="POST / HTTP/1.1\r\n\r\n{\"a\":\"b\"}"`, `list="/tmp/t", width=54, first=3, count=200, offset=7`, `threads=1, status=200`,
		`{starts="{\"active\":true", holds="\"token_type\":\"Bearer\""}, {exact="{\"active\":false}"}`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%s\nis not in\n%s", want, got)
		}
	}
}

func TestParseCommands(t *testing.T) {
	got := parseCommands("# Commandstats\r\ncmdstat_get:calls=12,usec=30,usec_per_call=2.5\r\ncmdstat_config|get:calls=1,usec=2\r\n")
	if d := cmp.Diff(map[string]int64{"get": 12, "config|get": 1}, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestParseMetrics(t *testing.T) {
	got, err := parseMetrics(strings.NewReader("# HELP a b\n# TYPE a gauge\na 1.5e+06\nb{c=\"d e\"} 2\n"))
	if d := cmp.Diff(map[string]float64{"a": 1.5e6}, got); err != nil || d != "" {
		t.Errorf("%v (-want +got):\n%s", err, d)
	}
}
