package main

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// growth compares introspection without the cache between a store with few live
// tokens and one with many.
type growth struct {
	Store       string  `json:"store"`
	Connections int     `json:"connections"`
	Few         int     `json:"tokens_few"`
	Many        int     `json:"tokens_many"`
	P50Few      float64 `json:"p50_few_us"` // medians over the rounds
	P50Many     float64 `json:"p50_many_us"`
	Ratio       float64 `json:"ratio"`          // of the two medians
	Resident    int64   `json:"resident_bytes"` // of grantd, with many
}

const (
	fewLive = 10_000
	// growthCache is so small that even most of fewLive tokens miss it.
	growthCache = 16
	// growthList is how many of the tokens are introspected at most.
	growthList = 400_000
)

var growthConns = []int{1, 32}

// growAll measures both stores, and how long grantd takes to start on an embedded
// store with many tokens.
func (b *bench) growAll(ctx context.Context, r *results) error {
	onRedis, err := b.grow(ctx, redisName, b.o.growthRedis, func(*grantd) error { return nil })
	if err != nil {
		return err
	}
	onDisk, err := b.grow(ctx, embeddedName, b.o.growthEmbedded, func(g *grantd) error {
		full, err := timeStarts(ctx, func() *grantd { return g })
		full.Store, full.Tokens = embeddedName, b.o.growthEmbedded
		r.Startups = append(r.Startups, full)
		return err
	})
	r.Growth = append(onRedis, onDisk...)
	return err
}

// grow measures one store with few and with many tokens side by side. Then it
// calls then with the grantd that has many, which has stopped.
func (b *bench) grow(ctx context.Context, name string, many int, then func(*grantd) error) ([]growth, error) {
	defer b.lab.endAll()
	var targets []*target
	for _, count := range []int{fewLive, many} {
		t, err := b.growthTarget(ctx, name, count)
		if err != nil {
			return nil, err
		}
		targets = append(targets, t)
	}
	p50, err := b.growthRounds(ctx, targets, named("cold"))
	if err != nil {
		return nil, err
	}
	g := targets[1].fleet[smallCold]
	res, err := resident(g.pid())
	if err != nil {
		return nil, err
	}
	var all []growth
	for _, conns := range growthConns {
		one := growth{
			Store: name, Connections: conns, Few: fewLive, Many: many, Resident: res,
			P50Few: median(p50[cell{targets[0].name, "", conns}]), P50Many: median(p50[cell{targets[1].name, "", conns}]),
		}
		one.Ratio = one.P50Many / one.P50Few
		all = append(all, one)
	}
	g.process.stop()
	return all, then(g)
}

func (b *bench) growthTarget(ctx context.Context, name string, count int) (*target, error) {
	t := &target{name: fmt.Sprintf("%s-%d", name, count), fleet: map[variant]*grantd{}, offsets: map[string]int64{}}
	if name == redisName {
		var err error
		if t.redis, err = startRedis(ctx, b.lab, t.name+"-server"); err != nil {
			return nil, err
		}
	}
	g := &grantd{lab: b.lab, name: t.name, redis: t.redis, settings: settings{cacheEntries: growthCache}}
	if err := g.prepare(ctx, count, (count+growthList-1)/growthList); err != nil {
		return nil, err
	}
	_, err := g.begin(ctx)
	t.fleet[smallCold] = g
	return t, err
}

// growthRounds returns the medians of the rounds by target and connections.
func (b *bench) growthRounds(ctx context.Context, targets []*target, w workload) (map[cell][]float64, error) {
	p50 := map[cell][]float64{}
	order := slices.Clone(targets)
	for _, t := range targets {
		if _, err := b.load(ctx, t, w, slices.Max(growthConns), time.Second); err != nil {
			return nil, err
		}
	}
	for round := range b.o.rounds {
		b.lab.say("growth, %s: round %d of %d", targets[0].name, round+1, b.o.rounds)
		for _, conns := range growthConns {
			for _, t := range order {
				m, err := b.measure(ctx, t, w, conns)
				if err != nil {
					return nil, err
				}
				c := cell{t.name, "", conns}
				p50[c] = append(p50[c], m.P50)
			}
		}
		slices.Reverse(order)
	}
	return p50, nil
}
