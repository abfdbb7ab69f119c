package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/grantd/grantd/scopes/guard"
)

// way is one way in which a resource server can check the token of a call.
type way struct {
	name, title string
	check       func(i int) error // checks the i-th token, in this process
	asked       *process          // the process that it asks; nil: none
	callers     int               // at the same time
}

// Names of the ways.
const (
	wayES256    = "jwt-es256"
	wayRS256    = "jwt-rs256"
	wayServer   = "introspection"
	wayEdge     = "edge"
	wayEdgeUnix = "edge-unix"
	wayGuard    = "guard"
)

// paid is what a way costs.
type paid struct {
	Way       string  `json:"way"`
	Title     string  `json:"title"`
	PerSecond float64 `json:"calls_per_second"`
	CPU       float64 `json:"cpu_us_per_call"` // of the resource server and of what it asks
	Here      float64 `json:"cpu_us_per_call_in_the_resource_server"`
	Rounds    []paid  `json:"rounds,omitempty"`
}

// httpCallers is how many callers use HTTP at the same time; each keeps a connection.
const httpCallers = 8

func (l *callLab) allWays(ctx context.Context) ([]way, error) {
	es256, rs256, err := newSigned(len(l.list))
	if err != nil {
		return nil, err
	}
	unix := strings.TrimPrefix(l.local.at, "unix:")
	return []way{
		{wayRS256, "JWT, RS256, verified in the process", rs256.check, nil, runtime.GOMAXPROCS(0)},
		{wayES256, "JWT, ES256, verified in the process", es256.check, nil, runtime.GOMAXPROCS(0)},
		{wayServer, "introspection at the server, over HTTP", l.asker(ctx, l.grantd.url, ""), l.grantd.process, httpCallers},
		{wayEdge, "introspection at an edge, over HTTP", l.asker(ctx, l.edge.at, ""), l.edge.process, httpCallers},
		{wayEdgeUnix, "introspection at an edge, over a unix socket", l.asker(ctx, "http://edge", unix), l.local.process, httpCallers},
		{wayGuard, "guard in the process", func(i int) error {
			_, err := l.guard.Check(ctx, l.list[i], guard.Need{Scopes: []string{"users:read"}})
			return err
		}, nil, runtime.GOMAXPROCS(0)},
	}, nil
}

// asker returns a check that introspects at a URL, over kept-alive connections; with a
// socket, these are to it.
func (l *callLab) asker(ctx context.Context, url, socket string) func(int) error {
	transport := &http.Transport{MaxIdleConnsPerHost: 2 * httpCallers}
	if socket != "" {
		transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", socket)
		}
	}
	client, g := &http.Client{Transport: transport}, *l.grantd
	g.url = url
	return func(i int) error { return mustBeActive(ctx, client, &g, l.list[i]) }
}

// ways measures them in rounds, in turns.
func (l *callLab) ways(ctx context.Context) ([]paid, error) {
	all, err := l.allWays(ctx)
	if err != nil {
		return nil, err
	}
	for _, w := range all { // fills caches and opens connections
		if _, err := l.pay(ctx, w, 200*time.Millisecond); err != nil {
			return nil, fmt.Errorf("%s: %w", w.name, err)
		}
	}
	sums := make([]paid, len(all))
	for round := range l.o.rounds {
		l.lab.say("round %d of %d", round+1, l.o.rounds)
		for i, w := range all {
			p, err := l.pay(ctx, w, l.o.took)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", w.name, err)
			}
			sums[i].Rounds = append(sums[i].Rounds, p)
		}
	}
	for i, w := range all {
		s := &sums[i]
		s.Way, s.Title = w.name, w.title
		s.PerSecond = medianOf(s.Rounds, func(p paid) float64 { return p.PerSecond })
		s.CPU = medianOf(s.Rounds, func(p paid) float64 { return p.CPU })
		s.Here = medianOf(s.Rounds, func(p paid) float64 { return p.Here })
	}
	return sums, nil
}

func medianOf[T any](all []T, pick func(T) float64) float64 {
	var values []float64
	for _, x := range all {
		values = append(values, pick(x))
	}
	return median(values)
}

// pay lets the callers check tokens for some time.
func (l *callLab) pay(ctx context.Context, w way, took time.Duration) (p paid, err error) {
	err = l.steadily(func() error { p, err = l.payOnce(ctx, w, took); return err })
	return p, err
}

func (l *callLab) payOnce(ctx context.Context, w way, took time.Duration) (paid, error) {
	hereBefore, thereBefore, err := l.spent(w)
	if err != nil {
		return paid{}, err
	}
	var n atomic.Int64
	var all sync.WaitGroup
	failed := make(chan error, w.callers)
	began := time.Now()
	for caller := range w.callers {
		all.Go(func() {
			const batch = 16 // calls between two looks at the time
			for i := caller; time.Since(began) < took && ctx.Err() == nil; {
				for range batch {
					if err := w.check(i % len(l.list)); err != nil {
						failed <- err
						return
					}
					i++
				}
				n.Add(batch)
			}
		})
	}
	all.Wait()
	elapsed := time.Since(began)
	select {
	case err := <-failed:
		return paid{}, err
	default:
	}
	here, there, err := l.spent(w)
	if n.Load() == 0 {
		err = errors.Join(err, errors.New("there was no call"))
	}
	if err != nil {
		return paid{}, err
	}
	p := paid{Way: w.name, PerSecond: float64(n.Load()) / elapsed.Seconds()}
	p.Here = float64((here - hereBefore).Nanoseconds()) / 1e3 / float64(n.Load())
	p.CPU = p.Here + float64((there-thereBefore).Nanoseconds())/1e3/float64(n.Load())
	return p, nil
}

// spent returns the CPU time so far of this process and of the process that is asked.
func (l *callLab) spent(w way) (here, there time.Duration, err error) {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0, 0, err
	}
	here = time.Duration(u.Utime.Nano() + u.Stime.Nano())
	if w.asked == nil {
		return here, 0, nil
	}
	there, err = cpuTime(w.asked.pid())
	return here, there, err
}

// check is what one check of a cached token costs, alone on one processor.
type check struct {
	Nanoseconds float64 `json:"nanoseconds"`
	Allocations float64 `json:"allocations"`
}

// checkAlone measures it. The least of several runs is what it costs: neighbors on the
// machine only add.
func (l *callLab) checkAlone(ctx context.Context) (c check, err error) {
	const runs, n = 10, 100_000
	need := guard.Need{Scopes: []string{"users:read"}}
	for run := range runs {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		began := time.Now()
		for i := range n {
			if _, err := l.guard.Check(ctx, l.list[i%len(l.list)], need); err != nil {
				return c, err
			}
		}
		ns := float64(time.Since(began).Nanoseconds()) / n
		runtime.ReadMemStats(&after)
		allocations := float64(after.Mallocs-before.Mallocs) / n
		if run == 0 || ns < c.Nanoseconds {
			c.Nanoseconds = ns
		}
		if run == 0 || allocations < c.Allocations {
			c.Allocations = allocations
		}
	}
	return c, nil
}
