package field

import (
	"errors"
	"strconv"
	"strings"
	"time"
)

// Bounds of a rate. The highest one is 100 times the default of
// limits.issue_per_client.
const (
	maxRateCount  = 1_000_000
	maxRatePer    = 24 * time.Hour
	maxRateSecond = 10_000
)

// ErrRate says what a rate must be.
var ErrRate = errors.New("must be a number of tokens and a time, such as 600/1m: 1 to 1000000, per 1s to 24h, at most 10000 a second")

// ParseRate reads a rate such as 600/1m. Errors: ErrRate.
func ParseRate(s string) (count int64, per time.Duration, err error) {
	number, window, ok := strings.Cut(s, "/")
	if !ok || !consistsOf(number, "") || len(number) > len("1000000") {
		return 0, 0, ErrRate
	}
	if count, err = strconv.ParseInt(number, 10, 64); err != nil || count < 1 || count > maxRateCount {
		return 0, 0, ErrRate
	}
	if per, err = ParseDuration(window); err != nil || per < time.Second || per > maxRatePer || per%time.Second != 0 {
		return 0, 0, ErrRate
	}
	if count > maxRateSecond*int64(per/time.Second) {
		return 0, 0, ErrRate
	}
	return count, per, nil
}

// FormatRate returns the rate in the form that ParseRate reads.
func FormatRate(count int64, per time.Duration) string {
	text := per.String()
	if rest, ok := strings.CutSuffix(text, "m0s"); ok {
		text = rest + "m"
	}
	if rest, ok := strings.CutSuffix(text, "h0m"); ok {
		text = rest + "h"
	}
	return strconv.FormatInt(count, 10) + "/" + text
}
