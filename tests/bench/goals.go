package main

import (
	"fmt"
	"math"
	"slices"
)

// results are the outcome of a run.
type results struct {
	Machine      machine       `json:"machine"`
	Rounds       int           `json:"rounds"`
	Seconds      float64       `json:"seconds_per_measurement"`
	Repeated     int           `json:"repeated_after_a_standstill"`
	Goals        []goal        `json:"goals"`
	Summaries    []summary     `json:"medians"`
	Startups     []startup     `json:"start_until_ready,omitempty"`
	Memory       *memory       `json:"memory,omitempty"`
	Growth       []growth      `json:"growth,omitempty"`
	Calls        *calls        `json:"-"` // has separate files
	Gateways     *gateways     `json:"-"` // the same
	Measurements []measurement `json:"measurements"`
}

// goal is a figure that grantd should reach.
type goal struct {
	Name     string   `json:"name"`
	AtLeast  bool     `json:"at_least"` // otherwise at most
	Limit    float64  `json:"limit"`
	Unit     string   `json:"unit"` // "×", "MiB", …
	Measured *float64 `json:"measured"`
	Reached  bool     `json:"reached"`
}

// usualConns is the number of connections for goals that do not state another.
const usualConns = 32

// evaluate fills in the measured values. A goal without a measurement is not
// reached.
func (r *results) evaluate() {
	r.Goals = slices.Concat(r.rateGoals(), r.tailGoals(), r.restGoals(), r.growthGoals())
	judgeGoals(r.Goals)
}

// judgeGoals says which goals are reached.
func judgeGoals(goals []goal) {
	for i := range goals {
		g := &goals[i]
		switch {
		case g.Measured == nil:
		case g.AtLeast:
			g.Reached = *g.Measured >= g.Limit
		default:
			g.Reached = *g.Measured <= g.Limit
		}
	}
}

// rateGoals returns the goals for requests per second, CPU time and store
// commands at the usual load.
func (r *results) rateGoals() []goal {
	rate := func(name, target string, limit float64) goal {
		return r.ratio(goal{Name: goalTitle(name, target) + ": requests/s to the floor's", AtLeast: true, Limit: limit},
			cell{name, target, usualConns}, func(s summary) float64 { return s.RateRatio })
	}
	cpu := func(name string) goal {
		return r.ratio(goal{Name: goalTitle(name, redisName) + ": CPU per request to the floor's", Limit: 1.2},
			cell{name, redisName, usualConns}, func(s summary) float64 { return s.CPURatio })
	}
	garbage := goal{Name: goalTitle("garbage", redisName) + ": store commands per request"}
	if s, ok := r.summary(cell{"garbage", redisName, usualConns}); ok {
		garbage.Measured = number(s.commands())
	}
	return []goal{
		rate("issue-form", redisName, 1.1), rate("issue-json", redisName, 1.1), rate("issue-basic", redisName, 1.1),
		rate("hot", redisName, 0.85), cpu("hot"), rate(warmCase, redisName, 0.85), cpu(warmCase),
		rate("cold", redisName, 1.15), rate("garbage", redisName, 0.85), garbage,
		rate("wrong", redisName, 0.5), r.flatGoal(), rate("issue-form", embeddedName, 0.8), r.customerGoal(),
	}
}

// customerGoal returns the goal that a customer token costs as much as an ordinary
// one. Each is compared with its floor, because their responses differ in length.
func (r *results) customerGoal() goal {
	g := goal{Name: goalTitle(customerHot, redisName) + ": CPU to the floor's, to an ordinary token's", Limit: 1.1, Unit: "×"}
	customer, ok := r.summary(cell{customerHot, redisName, usualConns})
	ordinary, too := r.summary(cell{"hot", redisName, usualConns})
	if ok && too && ordinary.CPURatio > 0 && customer.CPURatio > 0 {
		g.Measured = number(customer.CPURatio / ordinary.CPURatio)
	}
	return g
}

func goalTitle(name, target string) string { return named(name).title + ", " + storeTitle(target) }

func (r *results) tailGoals() []goal {
	const conns = 256
	var goals []goal
	for _, name := range []string{"issue-form", "hot", "cold"} {
		title := fmt.Sprintf("%s, %d connections: p99 to the floor's", goalTitle(name, redisName), conns)
		goals = append(goals, r.ratio(goal{Name: title, Limit: 1.5},
			cell{name, redisName, conns}, func(s summary) float64 { return s.P99Ratio }))
	}
	return goals
}

// flatGoal returns the goal for memory under wrong secrets: resident memory after
// the last round, compared with the first.
func (r *results) flatGoal() goal {
	g := goal{Name: goalTitle("wrong", redisName) + ": resident memory, last round to first", Limit: 1.1, Unit: "×"}
	var seen []float64
	for _, m := range r.Measurements {
		if m.Case == "wrong" && m.Target == redisName && m.Connections == usualConns {
			seen = append(seen, float64(m.Resident))
		}
	}
	if len(seen) > 1 {
		g.Measured = number(seen[len(seen)-1] / seen[0])
	}
	return g
}

func (r *results) restGoals() []goal {
	small := goal{Name: fmt.Sprintf("resident after mixed, %d cached tokens", fewCached), Limit: 64, Unit: "MiB"}
	token := goal{Name: "a cached token", Limit: 600, Unit: "B"}
	if r.Memory != nil {
		small.Measured = number(float64(r.Memory.Resident) / (1 << 20))
		token.Measured = number(r.Memory.PerToken)
	}
	goals := []goal{small, token}
	for _, s := range []struct {
		store string
		many  bool
		limit float64
	}{{embeddedName, false, 300}, {redisName, false, 300}, {embeddedName, true, 3000}} {
		g := goal{Name: "start until ready, " + storeTitle(s.store), Limit: s.limit, Unit: "ms"}
		if s.many {
			g.Name += " with many tokens"
		}
		for _, found := range r.Startups {
			if found.Store == s.store && found.Tokens > 0 == s.many {
				g.Measured = number(found.Seconds * 1000)
			}
		}
		goals = append(goals, g)
	}
	return goals
}

func (r *results) growthGoals() []goal {
	var goals []goal
	for _, store := range []string{redisName, embeddedName} {
		for _, conns := range growthConns {
			g := goal{Name: fmt.Sprintf("cold, %s, connections %d: p50 with many live tokens to few", storeTitle(store), conns), Limit: 1.15, Unit: "×"}
			for _, found := range r.Growth {
				if found.Store == store && found.Connections == conns {
					g.Measured = number(found.Ratio)
				}
			}
			goals = append(goals, g)
		}
	}
	return goals
}

// ratio fills in a goal for a ratio to the floor.
func (r *results) ratio(g goal, of cell, pick func(summary) float64) goal {
	g.Unit = "×"
	if s, ok := r.summary(of); ok && pick(s) > 0 {
		g.Measured = number(pick(s))
	}
	return g
}

func (r *results) summary(of cell) (summary, bool) {
	for _, s := range r.Summaries {
		if s.cell == of {
			return s, true
		}
	}
	return summary{}, false
}

// number rounds to the digits that are shown, so that a goal is judged by the
// visible figure.
func number(v float64) *float64 {
	decimals := 100.0
	if v >= 100 {
		decimals = 1
	}
	v = math.Round(v*decimals) / decimals
	return &v
}
