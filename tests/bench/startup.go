package main

import (
	"context"
	"fmt"
	"time"
)

// startup is the time of grantd from its start to its ready line.
type startup struct {
	Store   string    `json:"store"`
	Tokens  int       `json:"tokens"`
	Seconds float64   `json:"seconds"` // median
	Each    []float64 `json:"each_seconds"`
}

// starts is how often each is measured.
const starts = 5

// startups measures the start on an empty embedded store, new each time, and on
// Redis.
func (b *bench) startups(ctx context.Context) ([]startup, error) {
	defer b.lab.endAll()
	b.lab.say("start until ready")
	n := 0
	empty, err := timeStarts(ctx, func() *grantd {
		n++
		return &grantd{lab: b.lab, name: fmt.Sprintf("start-%d", n)}
	})
	if err != nil {
		return nil, err
	}
	empty.Store = embeddedName
	redis, err := startRedis(ctx, b.lab, "start-redis-server")
	if err != nil {
		return nil, err
	}
	g := &grantd{lab: b.lab, name: "start-redis", redis: redis}
	if err := g.prepare(ctx, 0, 1); err != nil {
		return nil, err
	}
	onRedis, err := timeStarts(ctx, func() *grantd { return g })
	onRedis.Store = redisName
	return []startup{empty, onRedis}, err
}

// timeStarts starts and ends a grantd several times.
func timeStarts(ctx context.Context, next func() *grantd) (startup, error) {
	var s startup
	for range starts {
		g := next()
		took, err := g.begin(ctx)
		if err != nil {
			return s, err
		}
		g.process.stop()
		s.Each = append(s.Each, took.Round(time.Microsecond).Seconds())
	}
	s.Seconds = median(s.Each)
	return s, nil
}
