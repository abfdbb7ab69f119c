package config

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

const durationForms = "write a number with a unit, such as 90d, 24h, 1h30m, 30s or 100ms"

var errTooLong = errors.New("the duration is too long")

// ParseDuration reads a duration of the configuration or the command line: a
// form of time.ParseDuration, optionally with whole days in front ("90d",
// "1d12h", "1h30m", "100ms"). A day is 24 hours. It returns an error for negative
// durations and for numbers without a unit, except 0.
func ParseDuration(s string) (time.Duration, error) {
	if _, err := strconv.ParseFloat(s, 64); err == nil && s != "0" {
		return 0, fmt.Errorf("%s has no unit; %s", quote(s), durationForms)
	}
	days, rest, hasDays := strings.Cut(s, "d")
	if !hasDays {
		return parseClock(s, s)
	}
	n, err := strconv.ParseUint(days, 10, 32)
	if err != nil {
		return 0, notDuration(s)
	}
	if n > uint64(math.MaxInt64/day) {
		return 0, errTooLong
	}
	if rest == "" {
		return time.Duration(n) * day, nil
	}
	clock, err := parseClock(rest, s)
	if err != nil {
		return 0, err
	}
	if sum := time.Duration(n)*day + clock; sum >= clock {
		return sum, nil
	}
	return 0, errTooLong
}

// parseClock reads the part of whole after the days.
func parseClock(s, whole string) (time.Duration, error) {
	if strings.ContainsAny(s, "+-") {
		return 0, notDuration(whole)
	}
	d, err := time.ParseDuration(s)
	if err != nil {
		return 0, notDuration(whole)
	}
	return d, nil
}

func notDuration(s string) error {
	return fmt.Errorf("%s is not a duration; %s", quote(s), durationForms)
}

// formatDuration returns d in a form that ParseDuration reads: in days from two
// whole days on, otherwise as Go prints it without zero parts.
func formatDuration(d time.Duration) string {
	if d > day && d%day == 0 {
		return strconv.FormatInt(int64(d/day), 10) + "d"
	}
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
