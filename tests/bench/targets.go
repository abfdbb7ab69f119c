package main

import (
	"cmp"
	"context"
)

// Names of the targets.
const (
	floorName    = "floor"
	redisName    = "redis"
	embeddedName = "embedded"
)

// target is a server to compare: the floor, or grantd in the variants that the
// cases need.
type target struct {
	name    string
	fleet   map[variant]*grantd // for the floor: the grantds whose requests it gets
	floor   *process            // nil: this is grantd
	url     string              // of the floor
	redis   *redisServer        // its commands are counted; nil: there is none
	offsets map[string]int64    // position of each workload in its list
}

// process returns the process that serves the workload.
func (t *target) process(w workload) *process {
	if t.floor != nil {
		return t.floor
	}
	return t.fleet[w.variant].process
}

// job returns the job of the workload for the target.
func (t *target) job(w workload) job {
	g := t.fleet[w.variant]
	path, otherPath, url, want := w.path, pathToken, g.url, w.want
	if t.floor != nil {
		path, otherPath, url = w.floor, w.floor, t.url
		if w.onFloor != nil {
			want = w.onFloor
		}
	}
	j := job{
		head: w.request(g, path), source: w.source, status: w.status, want: want, url: url,
		list: g.tokens.part(0, cmp.Or(w.tokens, g.tokens.count)),
	}
	if w.walk {
		j.offset = t.offsets[w.name]
	}
	if w.other {
		j.other, j.every = issueForm(g, otherPath), otherEvery
	}
	return j
}

// startFleet starts a grantd for each variant that the workloads need.
func (b *bench) startFleet(ctx context.Context, name string, redis *redisServer, all []workload) (*target, error) {
	t := &target{name: name, redis: redis, fleet: map[variant]*grantd{}, offsets: map[string]int64{}}
	for _, w := range all {
		if t.fleet[w.variant] != nil {
			continue
		}
		g := &grantd{lab: b.lab, name: name + "-" + string(w.variant), redis: redis, settings: w.variant.settings()}
		count := map[variant]int{plain: b.o.warm, smallCold: b.o.cold, customers: hotTokens}[w.variant]
		if err := g.prepare(ctx, count, 1); err != nil {
			return nil, err
		}
		if _, err := g.begin(ctx); err != nil {
			return nil, err
		}
		t.fleet[w.variant] = g
	}
	return t, nil
}
