// Command bench measures grantd against a minimal server with the same work, and
// reports which goals are reached. It starts, loads and ends everything itself.
// It does not test OAuth rules; the tests do.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	o, err := parseFlags(os.Args[1:], os.Stderr)
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		stop()
		os.Exit(1)
	}
}

// run creates a lab, measures, and removes the lab.
func run(ctx context.Context, o options) (err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, o.limit(), fmt.Errorf("not done after %v", o.limit()))
	defer cancel()
	defer func() {
		if err != nil && ctx.Err() != nil {
			err = context.Cause(ctx) // the other error is a consequence
		}
	}()
	started := time.Now()
	say := func(format string, args ...any) {
		fmt.Fprintf(os.Stderr, "%6.1fs  %s\n", time.Since(started).Seconds(), fmt.Sprintf(format, args...))
	}
	l, err := newLab(ctx, o.grantd, say)
	if err != nil {
		return err
	}
	defer l.close()
	b, err := newBench(o, l)
	if err != nil {
		return err
	}
	r, err := b.everything(ctx)
	if err != nil {
		return err
	}
	r.evaluate()
	if err := r.print(os.Stdout); err != nil || o.out == "" {
		return err
	}
	return r.write(o.out)
}

// everything measures what the flags select.
func (b *bench) everything(ctx context.Context) (*results, error) {
	r := &results{Rounds: b.o.rounds, Seconds: b.o.took.Seconds()}
	var err error
	if r.Machine, err = describeMachine(ctx, b.lab.grantd); err != nil {
		return nil, err
	}
	watching, stop := context.WithCancel(ctx)
	defer stop()
	go b.watch.keep(watching)
	if r.Measurements, err = b.compare(ctx); err != nil {
		return nil, err
	}
	r.Repeated = b.repeated
	r.Summaries = summarize(r.Measurements)
	if b.o.cases.MatchString(startCase) {
		if r.Startups, err = b.startups(ctx); err != nil {
			return nil, err
		}
	}
	if b.o.cases.MatchString(memoryCase) {
		m, err := b.memory(ctx)
		if err != nil {
			return nil, err
		}
		r.Memory = &m
	}
	if b.o.cases.MatchString(callCase) {
		if r.Calls, err = b.calls(ctx, r.Machine); err != nil {
			return nil, err
		}
	}
	if b.o.cases.MatchString(gatewayCase) {
		if r.Gateways, err = b.gateways(ctx, r.Machine); err != nil {
			return nil, err
		}
	}
	if b.o.growth {
		err = b.growAll(ctx, r)
		r.Repeated = b.repeated
	}
	return r, err
}
