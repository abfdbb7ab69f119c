package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		name   string
		values []float64
		want   float64
	}{
		{"of none", nil, 0},
		{"of one", []float64{7}, 7},
		{"odd, not in order", []float64{9, 1, 5}, 5},
		{"even", []float64{4, 1, 3, 2}, 2.5},
	} {
		if got := median(c.values); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
	kept := []float64{3, 1, 2}
	median(kept)
	if d := cmp.Diff([]float64{3, 1, 2}, kept); d != "" {
		t.Errorf("the values were moved (-want +got):\n%s", d)
	}
}

// measured is a measurement of the hot case at the usual load.
func measured(target string, round int, perSecond, cpu, p99 float64) measurement {
	return measurement{
		Case: "hot", Target: target, Connections: usualConns, Round: round,
		PerSecond: perSecond, CPU: cpu, P99: p99, Resident: 1 << 20,
	}
}

// If the machine is slow in one round, it is slow for both. So ratios are taken
// within rounds and not between medians.
func TestRatiosAreOfTheSameRound(t *testing.T) {
	sums := summarize([]measurement{
		measured(floorName, 1, 1000, 10, 100), measured(redisName, 1, 900, 11, 110),
		measured(redisName, 2, 90, 22, 440), measured(floorName, 2, 100, 20, 400),
		measured(floorName, 3, 2000, 5, 50), measured(redisName, 3, 1000, 10, 100),
	})
	if len(sums) != 2 || sums[0].Target != floorName || sums[1].Target != redisName {
		t.Fatalf("summaries: %+v", sums)
	}
	if s := sums[0]; s.RateRatio != 1 || s.CPURatio != 1 || s.P99Ratio != 1 {
		t.Errorf("the floor to itself: %+v", s)
	}
	if s := sums[1]; s.PerSecond != 900 || s.RateRatio != 0.9 || s.CPURatio != 1.1 || s.P99Ratio != 1.1 {
		t.Errorf("grantd: %+v", s)
	}
}

func TestNoRatioWithoutAFloor(t *testing.T) {
	sums := summarize([]measurement{measured(redisName, 1, 900, 11, 110)})
	if s := sums[0]; s.RateRatio != 0 || ratioText(s.RateRatio) != "-" {
		t.Errorf("ratio %v", s.RateRatio)
	}
}

func TestCommandsOfEveryRoundCount(t *testing.T) {
	one, two, three := measured(redisName, 1, 1, 1, 1), measured(redisName, 2, 1, 1, 1), measured(redisName, 3, 1, 1, 1)
	one.Commands = map[string]float64{"get": 1}
	two.Commands = map[string]float64{"get": 2, "set": 1}
	three.Commands = map[string]float64{"get": 3}
	got := summarize([]measurement{one, two, three})[0].Commands
	if d := cmp.Diff(map[string]float64{"get": 2, "set": 0}, got); d != "" {
		t.Errorf("commands (-want +got):\n%s", d)
	}
}

func TestPerRequest(t *testing.T) {
	before := map[string]int64{"get": 100, "xread": 10, "info": 1}
	after := map[string]int64{"get": 1100, "xread": 20, "info": 2, "set": 2}
	if d := cmp.Diff(map[string]float64{"get": 1}, perRequest(before, after, 1000)); d != "" {
		t.Errorf("what the feed asks by the clock is no request's doing (-want +got):\n%s", d)
	}
	after["xread"] = 1010
	if got := perRequest(before, after, 1000)["xread"]; got != 1 {
		t.Errorf("a feed that is read for each request: %v", got)
	}
}
