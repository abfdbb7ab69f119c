package main

import (
	"fmt"
	"math"
	"slices"
)

// way returns what a way costs.
func (c *calls) way(name string) (paid, bool) {
	i := slices.IndexFunc(c.Ways, func(p paid) bool { return p.Way == name })
	if i < 0 {
		return paid{}, false
	}
	return c.Ways[i], true
}

// evaluate fills in the goals.
func (c *calls) evaluate() {
	c.Goals = []goal{
		{Name: "a check by the guard, of a cached token", Limit: 1, Unit: "µs", Measured: number(c.Check.Nanoseconds / 1e3)},
		{Name: "allocations of that check", Limit: 1, Measured: number(c.Check.Allocations)},
		{Name: "a guarded gin handler: requests/s to those of one that does nothing", AtLeast: true, Limit: 0.98, Unit: "×", Measured: fine(c.Gin.Rates)},
		{Name: "introspection at the edge, cached: CPU per request to that of a hot one at the server", Limit: 1, Unit: "×", Measured: number(c.Edge.CPUs)},
		{Name: fmt.Sprintf("resident memory of an edge, %d cached tokens", edgeTokens), Limit: 32, Unit: "MiB", Measured: number(float64(c.EdgeResident) / (1 << 20))},
	}
	for _, d := range c.Delays {
		c.Goals = append(c.Goals, goal{
			Name: fmt.Sprintf("revocation until refusal through the %s, the longest of %d", d.Through, d.Count), Limit: 1000, Unit: "ms", Measured: number(d.Most),
		})
	}
	judgeGoals(c.Goals)
}

// fine is number with one more digit.
func fine(v float64) *float64 {
	v = math.Round(v*1000) / 1000
	return &v
}

func (c *calls) tables() []table {
	return []table{goalTable(c.Goals), c.wayTable(), c.pairTable(), c.delayTable()}
}

func (c *calls) wayTable() table {
	t := table{
		title: "What a resource server pays for each call", text: 1,
		head: []string{"way to check the token", "calls/s", "CPU µs per call", "of it in the resource server", "to JWT, ES256"},
		note: fmt.Sprintf("Medians of %d rounds of %g s, in which the ways take turns. CPU: of the resource server (a Go program) and of the process that it asks. "+
			"A guard and an edge refuse a revoked token within a second, introspection at once, and a JWT is accepted until it expires.", c.Rounds, c.Seconds),
	}
	base, _ := c.way(wayES256)
	for _, p := range c.Ways {
		ratio := "-"
		if base.CPU > 0 {
			ratio = fmt.Sprintf("%.3g ×", p.CPU/base.CPU)
		}
		t.add(p.Title, fmt.Sprintf("%.0f", p.PerSecond), fmt.Sprintf("%.3g", p.CPU), fmt.Sprintf("%.3g", p.Here), ratio)
	}
	return t
}

func (c *calls) pairTable() table {
	t := table{
		title: fmt.Sprintf("In turns, %d times each, %d connections", c.Gin.Rounds, usualConns), text: 1,
		head: []string{"", "requests/s", "CPU µs", "requests/s of the other", "CPU µs of the other", "requests/s, ratio", "CPU, ratio"},
		note: fmt.Sprintf("CPU: of the server's process, for each request. Ratios: medians of those of the rounds. The guard asked the server for %.2g %% of its requests.", c.Gin.Misses*100),
	}
	for _, row := range []struct {
		title string
		p     pair
	}{{"a guarded gin handler, and one that does nothing", c.Gin}, {"introspection of cached tokens at the edge, and at the server", c.Edge}} {
		p := row.p
		t.add(row.title, fmt.Sprintf("%.0f", p.Rate), fmt.Sprintf("%.1f", p.CPU), fmt.Sprintf("%.0f", p.Base), fmt.Sprintf("%.1f", p.Of),
			fmt.Sprintf("%.3f", p.Rates), fmt.Sprintf("%.3f", p.CPUs))
	}
	return t
}

func (c *calls) delayTable() table {
	t := table{
		title: "From the acknowledgement of a revocation to the first refusal", text: 1,
		head: []string{"through", "requests/s", "revocations", "p50 ms", "p99 ms", "longest ms"},
		note: "A question each half millisecond; 0.5 ms and the time of a question are in the figures.",
	}
	for _, d := range c.Delays {
		t.add("the "+d.Through, fmt.Sprintf("%.0f", d.Requests), fmt.Sprint(d.Count), fmt.Sprintf("%.1f", d.P50), fmt.Sprintf("%.1f", d.P99), fmt.Sprintf("%.1f", d.Most))
	}
	return t
}
