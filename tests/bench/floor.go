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

// floorBatch is how many keys go to Redis before their replies are read.
const floorBatch = 1000

// seedFloor gives the floor the tokens of the list, in records as long as
// grantd's.
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

// startFloor starts the floor; it gets the requests that model gets, and
// answers what model answers.
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
			args = append(args, "-active", a.body) // of several the last counts
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

// likeness answers an error if the two do not answer in the same shape: a
// floor that says less would be compared unfairly, and so would one that says
// more.
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
		return fmt.Errorf("%s: the floor does not answer as grantd does:\n%s\n%s", w.name, a, b)
	}
	return nil
}
