package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// options are the values of the flags.
type options struct {
	rounds  int
	took    time.Duration // of one measurement
	conns   []int
	cases   *regexp.Regexp
	targets *regexp.Regexp
	out     string
	grantd  string
	warm    int
	cold    int

	growth         bool
	growthRedis    int
	growthEmbedded int
}

// Names for -cases of the measurements that are not workloads.
const (
	startCase  = "start"
	memoryCase = "memory"
	callCase   = "calls"

	gatewayCase = "gateways"
)

const usage = `Measures grantd on Redis and grantd embedded against a floor: gin and nothing
else, on this machine, in one run. It starts what it needs (redis-server and
wrk must be installed), checks every response, and ends with 1 if one is wrong.

Cases: %s,
and besides: start (until ready), memory, calls (what a resource server pays to
check the token of each call, and how soon it refuses a revoked one), gateways
(what a request through nginx costs if grantd decides about it).

It prints tables and writes results.json, results.md and results.svg; for the
case calls calls.json, calls.md and calls.svg; and for gateways gateways.json
and gateways.md.

Flags:
`

func parseFlags(args []string, help io.Writer) (options, error) {
	var o options
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.SetOutput(help)
	f.Usage = func() {
		fmt.Fprintf(help, usage, strings.Join(caseNames(), ", "))
		f.PrintDefaults()
	}
	f.IntVar(&o.rounds, "rounds", 5, "number of repetitions of each measurement; figures are medians")
	f.DurationVar(&o.took, "time", 2*time.Second, "duration of a measurement, in whole seconds")
	conns := f.String("conns", "1,32,256", "numbers of connections")
	cases := f.String("cases", "", "only cases that match this regular expression (such as 'hot|^issue')")
	targets := f.String("targets", "", "only targets that match: floor, redis, embedded; ratios need the floor")
	f.StringVar(&o.out, "out", "tests/bench", "folder for the results; empty: only print them")
	f.StringVar(&o.grantd, "grantd", "", "program to measure (default: built from this source)")
	f.IntVar(&o.warm, "warm", 100_000, "tokens of the warm case; the cache holds 100000")
	f.IntVar(&o.cold, "cold", 400_000, "tokens of the cold case")
	f.BoolVar(&o.growth, "growth", false, "also measure with many live tokens (takes minutes and gigabytes)")
	f.IntVar(&o.growthRedis, "growth-redis", 5_000_000, "live tokens on Redis with -growth")
	f.IntVar(&o.growthEmbedded, "growth-embedded", 1_000_000, "live tokens in the embedded store with -growth")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	return o, errors.Join(o.set(*conns, *cases, *targets), o.check(f.Args()))
}

func (o *options) set(conns, cases, targets string) (err error) {
	for n := range strings.SplitSeq(conns, ",") {
		c, err := strconv.Atoi(strings.TrimSpace(n))
		if err != nil || c < 1 || c > 5000 {
			return fmt.Errorf("-conns: %q is not a number of connections", n)
		}
		o.conns = append(o.conns, c)
	}
	if o.cases, err = regexp.Compile(cases); err != nil {
		return fmt.Errorf("-cases: %w", err)
	}
	if o.targets, err = regexp.Compile(targets); err != nil {
		return fmt.Errorf("-targets: %w", err)
	}
	return nil
}

func (o *options) check(rest []string) error {
	switch {
	case len(rest) > 0:
		return fmt.Errorf("%q is not a flag", rest[0])
	case o.rounds < 1:
		return errors.New("-rounds: must be at least 1")
	case o.took < time.Second || o.took%time.Second != 0:
		return errors.New("-time: must be whole seconds, because wrk counts in seconds")
	case o.warm < hotTokens || o.cold < hotTokens:
		return fmt.Errorf("-warm, -cold: must be at least %d", hotTokens)
	}
	return nil
}

// limit returns the longest time of a run: twice the time of its measurements,
// and time to build, seed and start.
func (o options) limit() time.Duration {
	n := o.rounds * len(o.chosen()) * len(o.conns) * 3
	limit := 20 * time.Minute
	if o.growth {
		n += o.rounds * len(growthConns) * 4
		limit += time.Hour
	}
	return limit + time.Duration(n)*2*(o.took+time.Second)
}

// chosen returns the workloads that the flags select.
func (o options) chosen() []workload {
	var all []workload
	for _, w := range workloads() {
		if o.cases.MatchString(w.name) {
			all = append(all, w)
		}
	}
	return all
}

func caseNames() []string {
	var names []string
	for _, w := range workloads() {
		names = append(names, w.name)
	}
	return names
}
