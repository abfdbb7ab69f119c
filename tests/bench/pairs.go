package main

import (
	"context"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"time"
)

// pair compares two things that take turns under the same load.
type pair struct {
	Rate   float64 `json:"requests_per_second"` // of the first; medians
	Base   float64 `json:"requests_per_second_of_the_other"`
	CPU    float64 `json:"cpu_us_per_request"`
	Of     float64 `json:"cpu_us_per_request_of_the_other"`
	Rates  float64 `json:"rate_ratio"` // medians of the ratios of the rounds
	CPUs   float64 `json:"cpu_ratio"`
	Rounds int     `json:"rounds"`
	// Misses is the share of the requests for which a guard had to ask the server: its
	// cache cannot be used while the machine stands still for too long.
	Misses float64 `json:"misses_per_request,omitempty"`
}

// pairRounds returns how often two things take turns: their difference is small, and
// the machine's noise is not.
func (b *bench) pairRounds() int { return 2 * (b.o.rounds + 1) }

// turn is what one of the two did in a round.
type turn struct{ rate, cpu float64 }

// takeTurns lets two things take turns, and each is first in every second round.
func (b *bench) takeTurns(one, other func() (turn, error)) (pair, error) {
	var ones, others, rates, cpus []float64
	var oneCPU, otherCPU []float64
	for round := range b.pairRounds() {
		var turns [2]turn
		order := []int{0, 1}
		if round%2 == 1 {
			slices.Reverse(order)
		}
		for _, i := range order {
			var err error
			if turns[i], err = []func() (turn, error){one, other}[i](); err != nil {
				return pair{}, err
			}
		}
		ones, others = append(ones, turns[0].rate), append(others, turns[1].rate)
		oneCPU, otherCPU = append(oneCPU, turns[0].cpu), append(otherCPU, turns[1].cpu)
		rates, cpus = append(rates, turns[0].rate/turns[1].rate), append(cpus, turns[0].cpu/turns[1].cpu)
	}
	return pair{
		Rate: median(ones), Base: median(others), CPU: median(oneCPU), Of: median(otherCPU),
		Rates: median(rates), CPUs: median(cpus), Rounds: b.pairRounds(),
	}, nil
}

// turnOf puts a load on a process and measures it.
func (l *callLab) turnOf(p *process, load func() (loaded, error)) (turn, error) {
	before, err := lookAt(p, nil)
	if err != nil {
		return turn{}, err
	}
	done, err := load()
	if err != nil {
		return turn{}, err
	}
	after, err := lookAt(p, nil)
	n := float64(done.Requests)
	return turn{n / (float64(done.DurationUS) / 1e6), float64((after.cpu - before.cpu).Nanoseconds()) / 1e3 / n}, err
}

// compareGin compares the guarded handler with the one that does nothing. They are in
// one process, and get the same requests except for the path.
func (l *callLab) compareGin(ctx context.Context) (pair, error) {
	path := func(path string) func() (turn, error) {
		return func() (turn, error) {
			return l.turnOf(l.gin, func() (loaded, error) {
				return l.run(ctx, job{
					head: "GET " + path + " HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer ", tail: "\r\n\r\n", source: fromList,
					list: l.grantd.tokens.part(0, hotTokens), status: 200, want: []rule{{exact: "ok"}}, url: l.ginURL, took: time.Second,
				})
			})
		}
	}
	before, err := l.misses(ctx)
	if err != nil {
		return pair{}, err
	}
	p, err := l.bench.takeTurns(path("/guarded"), path("/plain"))
	if err != nil {
		return p, err
	}
	after, err := l.misses(ctx)
	p.Misses = (after - before) / (p.Rate * float64(p.Rounds))
	return p, err
}

// misses returns how many tokens the guard of the gin program has had to ask for.
func (l *callLab) misses(ctx context.Context) (n float64, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, l.ginURL+"/misses", nil)
	if err != nil {
		return 0, err
	}
	text, err := readOK(l.http.Do(req))
	if err != nil {
		return 0, err
	}
	return strconv.ParseFloat(text, 64)
}

// compareEdge compares the edge with the server.
func (l *callLab) compareEdge(ctx context.Context) (pair, error) {
	at := func(p *process, url string) func() (turn, error) {
		return func() (turn, error) {
			return l.turnOf(p, func() (loaded, error) { return l.hotLoad(ctx, url, time.Second) })
		}
	}
	return l.bench.takeTurns(at(l.edge.process, l.edge.at), at(l.grantd.process, l.grantd.url))
}

// hotLoad introspects cached tokens at a URL.
func (l *callLab) hotLoad(ctx context.Context, url string, took time.Duration) (loaded, error) {
	w := named("hot")
	j := l.target.job(w)
	j.url, j.took = url, took
	return l.run(ctx, j)
}

// run runs a job with the usual number of connections. It is repeated after a
// standstill of the machine.
func (l *callLab) run(ctx context.Context, j job) (done loaded, err error) {
	j.script, j.write, j.conns = l.script, filepath.Join(l.lab.dir, "job.lua"), usualConns
	if _, err := l.lab.write("job.lua", j.lua()); err != nil {
		return loaded{}, err
	}
	err = l.steadily(func() error { done, err = j.run(ctx); return err })
	return done, err
}
