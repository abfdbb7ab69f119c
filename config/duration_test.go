package config

import (
	"strings"
	"testing"
	"time"
)

func TestParseDuration(t *testing.T) {
	tests := map[string]time.Duration{
		"90d":    90 * 24 * time.Hour,
		"1d12h":  36 * time.Hour,
		"24h":    24 * time.Hour,
		"1h30m":  90 * time.Minute,
		"1.5h":   90 * time.Minute,
		"30s":    30 * time.Second,
		"100ms":  100 * time.Millisecond,
		"0":      0,
		"0s":     0,
		"0d":     0,
		"0d100s": 100 * time.Second,
	}
	for in, want := range tests {
		if got, err := ParseDuration(in); err != nil || got != want {
			t.Errorf("ParseDuration(%q) = %v, %v, want %v", in, got, err, want)
		}
	}
}

func TestParseDurationRefuses(t *testing.T) {
	tests := map[string]string{
		"3600":                  "has no unit; write a number with a unit",
		"1.5":                   "has no unit",
		"-5":                    "has no unit",
		"":                      "is not a duration",
		" 1h":                   "is not a duration",
		"1 h":                   "is not a duration",
		"-1h":                   "is not a duration",
		"+1h":                   "is not a duration",
		"1d-1h":                 "is not a duration",
		"-1d":                   "is not a duration",
		"d":                     "is not a duration",
		"1.5d":                  "is not a duration",
		"1h2d":                  "is not a duration",
		"1d2d":                  "is not a duration",
		"1w":                    "is not a duration",
		"9999999h":              "is not a duration",
		"106752d":               "too long",
		"106751d24h":            "too long",
		"99999999999999999999d": "is not a duration",
	}
	for in, want := range tests {
		if got, err := ParseDuration(in); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("ParseDuration(%q) = %v, %v, want an error with %q", in, got, err, want)
		}
	}
}

func FuzzParseDuration(f *testing.F) {
	for _, s := range []string{"90d", "1h30m", "1d12h", "100ms", "3600", "-1h", "1.5h", "1ns", "106751d"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, err := ParseDuration(s)
		if err != nil {
			return
		}
		if d < 0 {
			t.Fatalf("ParseDuration(%q) = %v, negative", s, d)
		}
		if again, err := ParseDuration(formatDuration(d)); err != nil || again != d {
			t.Fatalf("%q: %v, formatted as %q, reads as %v, %v", s, d, formatDuration(d), again, err)
		}
	})
}
