package store

import (
	"testing"
	"time"
)

func TestSteadyClock(t *testing.T) {
	begun := time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC)
	wall, elapsed := begun, time.Duration(0)
	c := NewSteadyClock(func() time.Time { return wall }, func() time.Duration { return elapsed })
	for _, step := range []struct {
		rule          string
		wall, elapsed time.Duration // since the start
		want          time.Duration
		back          bool
	}{
		{"both run", time.Hour, time.Hour, time.Hour, false},
		{"the wall clock jumps forward", 26 * time.Hour, time.Hour, time.Hour, false},
		{"and is corrected", 2 * time.Hour, 2 * time.Hour, 2 * time.Hour, false},
		{"it is a little behind", 3*time.Hour - 30*time.Second, 3 * time.Hour, 3*time.Hour - 30*time.Second, false},
		{"it was wrong from the start", -22 * time.Hour, 3 * time.Hour, -22 * time.Hour, true},
		{"reported once", -21 * time.Hour, 4 * time.Hour, -21 * time.Hour, false},
	} {
		wall, elapsed = begun.Add(step.wall), step.elapsed
		if got := c.Now().Sub(begun); got != step.want {
			t.Errorf("%s: %v, want %v", step.rule, got, step.want)
		}
		if got := c.SetBack(); got != step.back {
			t.Errorf("%s: set back %v, want %v", step.rule, got, step.back)
		}
	}
}
