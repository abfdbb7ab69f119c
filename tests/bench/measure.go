package main

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"time"
)

// measurement is the result for one target under one load.
type measurement struct {
	Case        string             `json:"case"`
	Target      string             `json:"target"`
	Connections int                `json:"connections"`
	Round       int                `json:"round"`
	Requests    int64              `json:"requests"`
	Seconds     float64            `json:"seconds"`
	PerSecond   float64            `json:"requests_per_second"`
	P50         float64            `json:"p50_us"`
	P99         float64            `json:"p99_us"`
	P999        float64            `json:"p999_us"`
	CPU         float64            `json:"cpu_us_per_request"`
	Resident    int64              `json:"resident_bytes"`
	Commands    map[string]float64 `json:"redis_commands_per_request,omitempty"`
}

// bench runs loads in a lab.
type bench struct {
	o      options
	lab    *lab
	script string // path of load.lua

	watch    watch
	repeated int // measurements
}

func newBench(o options, l *lab) (*bench, error) {
	script, err := l.write("load.lua", loadScript)
	return &bench{o: o, lab: l, script: script}, err
}

// loadOnce puts a load on the target.
func (b *bench) loadOnce(ctx context.Context, t *target, w workload, conns int, took time.Duration) (loaded, error) {
	j := t.job(w)
	j.script, j.write, j.conns, j.took = b.script, filepath.Join(b.lab.dir, "job.lua"), conns, took
	if _, err := b.lab.write("job.lua", j.lua()); err != nil {
		return loaded{}, err
	}
	l, err := j.run(ctx)
	if err == nil && len(j.want) > 1 && l.Other == 0 {
		err = fmt.Errorf("%d responses, and none for the other request", l.Requests)
	}
	if err != nil {
		return l, fmt.Errorf("%s on %s, %d connections: %w", w.name, t.name, conns, err)
	}
	t.offsets[w.name] += l.Used
	return l, nil
}

// load is loadOnce, repeated after a standstill of the machine.
func (b *bench) load(ctx context.Context, t *target, w workload, conns int, took time.Duration) (l loaded, err error) {
	err = b.steadily(func() error { l, err = b.loadOnce(ctx, t, w, conns, took); return err })
	return l, err
}

// measure is measureOnce, repeated after a standstill of the machine.
func (b *bench) measure(ctx context.Context, t *target, w workload, conns int) (m measurement, err error) {
	err = b.steadily(func() error { m, err = b.measureOnce(ctx, t, w, conns); return err })
	return m, err
}

// measureOnce puts a load on the target, and measures what its process and Redis
// did in the meantime.
func (b *bench) measureOnce(ctx context.Context, t *target, w workload, conns int) (measurement, error) {
	m := measurement{Case: w.name, Target: t.name, Connections: conns}
	p := t.process(w)
	before, err := lookAt(p, t.redis)
	if err != nil {
		return m, err
	}
	l, err := b.loadOnce(ctx, t, w, conns, b.o.took)
	if err != nil {
		return m, err
	}
	after, err := lookAt(p, t.redis)
	if err != nil {
		return m, err
	}
	n := float64(l.Requests)
	m.Requests, m.Seconds = l.Requests, float64(l.DurationUS)/1e6
	m.PerSecond = n / m.Seconds
	m.P50, m.P99, m.P999 = float64(l.P50US), float64(l.P99US), float64(l.P999US)
	m.CPU = float64((after.cpu - before.cpu).Nanoseconds()) / 1e3 / n
	m.Resident = after.resident
	m.Commands = perRequest(before.commands, after.commands, float64(l.Sent))
	return m, nil
}

// state is the resource usage of a process so far.
type state struct {
	cpu      time.Duration
	resident int64
	commands map[string]int64
}

func lookAt(p *process, redis *redisServer) (s state, err error) {
	if err := p.alive(); err != nil {
		return s, err
	}
	if s.cpu, err = cpuTime(p.pid()); err != nil {
		return s, err
	}
	if s.resident, err = resident(p.pid()); err != nil || redis == nil {
		return s, err
	}
	s.commands, err = redis.commands()
	return s, err
}

// perRequest returns the frequent commands per request. It omits rare ones, which
// come from timers of grantd and its neighbors and from this program.
func perRequest(before, after map[string]int64, requests float64) map[string]float64 {
	rates := map[string]float64{}
	for name, calls := range after {
		least := 0.005
		switch name {
		case "xread", "xrange", "info":
			least = 0.1
		}
		if rate := float64(calls-before[name]) / requests; rate >= least {
			rates[name] = rate
		}
	}
	return rates
}

// warmUp runs each workload once on each target, so that pools, stacks and heaps
// grow. It also fills the cache for the warm case.
func (b *bench) warmUp(ctx context.Context, targets []*target, all []workload) error {
	for _, w := range all {
		for _, t := range targets {
			if w.name == warmCase && t.floor == nil {
				g := t.fleet[w.variant]
				if err := fill(ctx, g, g.tokens); err != nil {
					return err
				}
			}
			if _, err := b.load(ctx, t, w, slices.Max(b.o.conns), time.Second); err != nil {
				return err
			}
		}
	}
	return nil
}

// rounds measures everything in several rounds. The order of the targets changes
// with each round, so that none is always first.
func (b *bench) rounds(ctx context.Context, targets []*target, all []workload) ([]measurement, error) {
	var done []measurement
	for round := 1; round <= b.o.rounds; round++ {
		b.lab.say("round %d of %d", round, b.o.rounds)
		order := slices.Clone(targets)
		if round%2 == 0 {
			slices.Reverse(order)
		}
		for _, w := range all {
			for _, conns := range b.o.conns {
				for _, t := range order {
					m, err := b.measure(ctx, t, w, conns)
					if err != nil {
						return done, err
					}
					m.Round = round
					done = append(done, m)
				}
			}
		}
	}
	return done, nil
}
