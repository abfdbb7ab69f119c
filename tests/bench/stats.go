package main

import (
	"maps"
	"slices"
)

// median returns the middle value, the mean of the two middle values, or 0 if
// there are none.
func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	half := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[half]
	}
	return (sorted[half-1] + sorted[half]) / 2
}

// cell identifies what is measured in each round.
type cell struct {
	Case        string `json:"case"`
	Target      string `json:"target"`
	Connections int    `json:"connections"`
}

// summary has the medians of a cell's rounds. A ratio is the median of the ratios
// to the floor in the same round, or 0 without a floor.
type summary struct {
	cell
	PerSecond float64            `json:"requests_per_second"`
	P50       float64            `json:"p50_us"`
	P99       float64            `json:"p99_us"`
	P999      float64            `json:"p999_us"`
	CPU       float64            `json:"cpu_us_per_request"`
	Resident  float64            `json:"resident_bytes"`
	Commands  map[string]float64 `json:"redis_commands_per_request,omitempty"`

	RateRatio float64 `json:"requests_per_second_to_floor,omitempty"`
	CPURatio  float64 `json:"cpu_to_floor,omitempty"`
	P99Ratio  float64 `json:"p99_to_floor,omitempty"`
}

// summarize returns a summary for each cell, in the order of the measurements.
func summarize(all []measurement) []summary {
	var order []cell
	rounds := map[cell][]measurement{}
	for _, m := range all {
		c := cell{m.Case, m.Target, m.Connections}
		if rounds[c] == nil {
			order = append(order, c)
		}
		rounds[c] = append(rounds[c], m)
	}
	var sums []summary
	for _, c := range order {
		sums = append(sums, summarizeCell(c, rounds[c], rounds[cell{c.Case, floorName, c.Connections}]))
	}
	return sums
}

func summarizeCell(c cell, ms, floors []measurement) summary {
	of := func(pick func(measurement) float64) float64 {
		var values []float64
		for _, m := range ms {
			values = append(values, pick(m))
		}
		return median(values)
	}
	ratio := func(pick func(measurement) float64) float64 { return medianRatio(ms, floors, pick) }
	s := summary{
		cell:      c,
		PerSecond: of(func(m measurement) float64 { return m.PerSecond }),
		P50:       of(func(m measurement) float64 { return m.P50 }),
		P99:       of(func(m measurement) float64 { return m.P99 }),
		P999:      of(func(m measurement) float64 { return m.P999 }),
		CPU:       of(func(m measurement) float64 { return m.CPU }),
		Resident:  of(func(m measurement) float64 { return float64(m.Resident) }),
		RateRatio: ratio(func(m measurement) float64 { return m.PerSecond }),
		CPURatio:  ratio(func(m measurement) float64 { return m.CPU }),
		P99Ratio:  ratio(func(m measurement) float64 { return m.P99 }),
		Commands:  map[string]float64{},
	}
	names := map[string]bool{}
	for _, m := range ms {
		for name := range m.Commands {
			names[name] = true
		}
	}
	for name := range maps.Keys(names) {
		s.Commands[name] = of(func(m measurement) float64 { return m.Commands[name] })
	}
	return s
}

// medianRatio returns the median over the rounds of the ratio between a figure
// and that of the floor in the same round.
func medianRatio(ms, floors []measurement, pick func(measurement) float64) float64 {
	inRound := map[int]float64{}
	for _, f := range floors {
		inRound[f.Round] = pick(f)
	}
	var ratios []float64
	for _, m := range ms {
		if f := inRound[m.Round]; f > 0 {
			ratios = append(ratios, pick(m)/f)
		}
	}
	return median(ratios)
}

// commands returns the number of commands per request.
func (s summary) commands() (sum float64) {
	for _, rate := range s.Commands {
		sum += rate
	}
	return sum
}
