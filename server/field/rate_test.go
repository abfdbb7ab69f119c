package field

import (
	"errors"
	"testing"
	"time"
)

func TestParseRate(t *testing.T) {
	for text, want := range map[string]struct {
		count int64
		per   time.Duration
		back  string
	}{
		"600/1m":      {600, time.Minute, "600/1m"},
		"1/1s":        {1, time.Second, "1/1s"},
		"600/60s":     {600, time.Minute, "600/1m"},
		"1/1d":        {1, 24 * time.Hour, "1/24h"},
		"10000/1s":    {10_000, time.Second, "10000/1s"},
		"1000000/2m":  {1_000_000, 2 * time.Minute, "1000000/2m"},
		"0600/1h30m":  {600, 90 * time.Minute, "600/1h30m"},
		"600/1h0m10s": {600, time.Hour + 10*time.Second, "600/1h0m10s"},
		"600/1m0s":    {600, time.Minute, "600/1m"},
	} {
		count, per, err := ParseRate(text)
		if err != nil || count != want.count || per != want.per || FormatRate(count, per) != want.back {
			t.Errorf("%s: %d, %s, %v, back %s", text, count, per, err, FormatRate(count, per))
		}
	}
	for _, text := range []string{
		"", "600", "600/", "/1m", "0/1m", "-1/1m", "+1/1m", "1e3/1m", "6_0/1m", "600/1m/1m", "600/500ms", "600/25h", "600/2d", "1000001/24h", "10001/1s",
		"99999999999999999999/1m", "600 / 1m", "600/1500ms", "600/-1m", "600/m", "none",
	} {
		if count, per, err := ParseRate(text); !errors.Is(err, ErrRate) {
			t.Errorf("%q is taken as %d, %s", text, count, per)
		}
	}
}

func FuzzParseRate(f *testing.F) {
	f.Add("600/1m")
	f.Add("1/1d")
	f.Fuzz(func(t *testing.T, text string) {
		count, per, err := ParseRate(text)
		if err != nil {
			return
		}
		again, perAgain, err := ParseRate(FormatRate(count, per))
		if err != nil || again != count || perAgain != per || count < 1 || per < time.Second {
			t.Errorf("%q: %d, %s; back: %d, %s, %v", text, count, per, again, perAgain, err)
		}
	})
}
