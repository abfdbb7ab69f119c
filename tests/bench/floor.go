package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/grantd/grantd/server/tokens"
)

// floorBatch is how many keys are sent to Redis before their replies are read.
const floorBatch = 1000

// seedFloor stores the tokens of the list for the floor, in records as long as
// those of grantd.
func seedFloor(redis *redisServer, list tokenList) error {
	file, err := os.Open(list.path)
	if err != nil {
		return err
	}
	defer file.Close()
	c, err := redis.dial()
	if err != nil {
		return err
	}
	defer c.Close()
	record, life := strings.Repeat("\x00", 74), strconv.Itoa(int(seedLife.Seconds()))
	waiting := 0
	settle := func() error {
		err := c.w.Flush()
		for ; err == nil && waiting > 0; waiting-- {
			_, err = c.reply()
		}
		return err
	}
	for lines := bufio.NewScanner(file); lines.Scan(); {
		digest := tokens.DigestOf(lines.Text())
		c.send("SET", floorName+":"+string(digest[:]), record, "EX", life)
		if waiting++; waiting == floorBatch {
			if err := settle(); err != nil {
				return err
			}
		}
	}
	return settle()
}

// startFloor starts the floor. It gets the requests for model, and responds like
// model.
func (b *bench) startFloor(ctx context.Context, redis *redisServer, model *target, all []workload) (*target, error) {
	args := []string{"-redis", redis.address, "-prefix", floorName + ":"}
	for _, w := range all {
		a, err := model.example(ctx, w)
		if err != nil {
			return nil, err
		}
		switch {
		case w.name == customerHot:
			args = append(args, "-customer", a.body)
		case w.want[0] == active:
			args = append(args, "-active", a.body) // the last one of several counts
		case w.want[0] == refused:
			args = append(args, "-refused", a.body)
		}
	}
	p, err := b.lab.start(ctx, floorName, b.lab.floor, args...)
	if err != nil {
		return nil, err
	}
	line, err := p.waitReady(ctx)
	if err != nil {
		return nil, err
	}
	t := &target{name: floorName, fleet: model.fleet, floor: p, url: strings.TrimPrefix(line, "ready "), redis: redis, offsets: map[string]int64{}}
	if g := model.fleet[smallCold]; g != nil {
		if err := seedFloor(redis, g.tokens); err != nil {
			return nil, fmt.Errorf("seed the floor: %w", err)
		}
	}
	for _, w := range all {
		if err := likeness(ctx, model, t, w); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// likeness returns an error if the responses of the two have different shapes,
// because then the comparison would be unfair.
func likeness(ctx context.Context, model, floor *target, w workload) error {
	one, err := model.example(ctx, w)
	if err != nil {
		return err
	}
	other, err := floor.example(ctx, w)
	if err != nil {
		return err
	}
	if a, b := one.shape(), other.shape(); a != b {
		return fmt.Errorf("%s: the response of the floor differs from that of grantd:\n%s\n%s", w.name, a, b)
	}
	return nil
}
