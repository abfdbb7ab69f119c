package main

import (
	"context"
	"errors"
)

// compare measures the workloads on the targets, in rounds.
func (b *bench) compare(ctx context.Context) ([]measurement, error) {
	all := b.o.chosen()
	if len(all) == 0 {
		return nil, nil
	}
	defer b.lab.endAll()
	targets, err := b.targets(ctx, all)
	if err != nil {
		return nil, err
	}
	b.lab.say("warming up")
	if err := b.warmUp(ctx, targets, all); err != nil {
		return nil, err
	}
	return b.rounds(ctx, targets, all)
}

// targets starts the targets that the flags select. They share one Redis with
// different prefixes, so that it is equally full for all.
func (b *bench) targets(ctx context.Context, all []workload) (chosen []*target, err error) {
	wants := b.o.targets.MatchString
	var redis *redisServer
	if wants(floorName) || wants(redisName) {
		if redis, err = startRedis(ctx, b.lab, "redis-server"); err != nil {
			return nil, err
		}
	}
	if wants(redisName) {
		t, err := b.startFleet(ctx, redisName, redis, all)
		if err != nil {
			return nil, err
		}
		chosen = append(chosen, t)
	}
	if wants(embeddedName) {
		t, err := b.startFleet(ctx, embeddedName, nil, all)
		if err != nil {
			return nil, err
		}
		chosen = append(chosen, t)
	}
	if len(chosen) == 0 {
		return nil, errors.New("-targets: include a grantd, because the floor copies its responses")
	}
	if wants(floorName) {
		t, err := b.startFloor(ctx, redis, chosen[0], all)
		if err != nil {
			return nil, err
		}
		chosen = append([]*target{t}, chosen...)
	}
	return chosen, nil
}
