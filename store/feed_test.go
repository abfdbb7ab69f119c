package store

import (
	"math"
	"testing"
)

func TestPositionRoundTrip(t *testing.T) {
	for want, p := range map[string]Position{
		"0-0":             {},
		"0-7":             {Seq: 7},
		"1753488000123-4": {Time: 1753488000123, Seq: 4},
		"18446744073709551615-18446744073709551615": {Time: math.MaxUint64, Seq: math.MaxUint64},
	} {
		if got := p.String(); got != want {
			t.Errorf("%+v is %q, want %q", p, got, want)
		}
		if got, err := ParsePosition(want); err != nil || got != p {
			t.Errorf("%q is %+v, error %v, want %+v", want, got, err, p)
		}
	}
}

func TestParsePositionRefuses(t *testing.T) {
	for _, s := range []string{
		"", "-", "1", "1-", "-1", "1-2-3", "a-1", "1-b", " 1-2", "1-2 ", "+1-2", "1-+2", "-1-2", "0x1-2", "1_0-2",
		"18446744073709551616-0", "0-18446744073709551616",
	} {
		if p, err := ParsePosition(s); err == nil {
			t.Errorf("%q is accepted as %v", s, p)
		}
	}
}

func FuzzParsePosition(f *testing.F) {
	f.Add("1753488000123-4")
	f.Add("0-0")
	f.Fuzz(func(t *testing.T, s string) {
		p, err := ParsePosition(s)
		if err != nil {
			return
		}
		if again, err := ParsePosition(p.String()); err != nil || again != p {
			t.Errorf("%q is %v, which is read as %v, error %v", s, p, again, err)
		}
	})
}

func TestPositionOrder(t *testing.T) {
	inOrder := []Position{{}, {Seq: 1}, {Seq: 2}, {Time: 1}, {Time: 1, Seq: 9}, {Time: 2, Seq: 3}, {Time: math.MaxUint64}}
	for i, p := range inOrder {
		for j, q := range inOrder {
			if c := p.Compare(q); (c < 0) != (i < j) || (c > 0) != (i > j) {
				t.Errorf("%v compared with %v: %d", p, q, c)
			}
			if p.After(q) != (i > j) {
				t.Errorf("%v after %v: %v", p, q, p.After(q))
			}
		}
		if p.IsZero() != (i == 0) {
			t.Errorf("%v is zero: %v", p, p.IsZero())
		}
	}
}
