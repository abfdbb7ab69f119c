package web

import (
	"strings"
	"testing"
)

const (
	someTrace = "4bf92f3577b34da6a3ce929d0e0e4736"
	someSpan  = "00f067aa0ba902b7"
)

func TestTraceparent(t *testing.T) {
	good := "00-" + someTrace + "-" + someSpan + "-"
	for name, tc := range map[string]struct {
		lines []string
		want  Parent
	}{
		"sampled":                  {[]string{good + "01"}, Parent{someTrace, someSpan, true}},
		"not sampled":              {[]string{good + "00"}, Parent{someTrace, someSpan, false}},
		"other flags":              {[]string{good + "02"}, Parent{someTrace, someSpan, false}},
		"later version":            {[]string{"cc" + good[2:] + "01-what-comes-later"}, Parent{someTrace, someSpan, true}},
		"later version, no more":   {[]string{"cc" + good[2:] + "01"}, Parent{someTrace, someSpan, true}},
		"none":                     {nil, Parent{}},
		"empty":                    {[]string{""}, Parent{}},
		"repeated":                 {[]string{good + "01", good + "01"}, Parent{}},
		"invalid version":          {[]string{"ff" + good[2:] + "01"}, Parent{}},
		"more in version 00":       {[]string{good + "01-more"}, Parent{}},
		"later version, no hyphen": {[]string{"cc" + good[2:] + "01more"}, Parent{}},
		"upper case":               {[]string{strings.ToUpper(good) + "01"}, Parent{}},
		"zero trace":               {[]string{"00-" + strings.Repeat("0", 32) + "-" + someSpan + "-01"}, Parent{}},
		"zero span":                {[]string{"00-" + someTrace + "-" + strings.Repeat("0", 16) + "-01"}, Parent{}},
		"not hexadecimal":          {[]string{"00-" + strings.Replace(someTrace, "4", "g", 1) + "-" + someSpan + "-01"}, Parent{}},
		"a space before":           {[]string{" " + good + "01"}, Parent{}},
		"a token":                  {[]string{"gt_sandbox_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}, Parent{}},
	} {
		if got := parentOf(map[string][]string{"Traceparent": tc.lines}); got != tc.want {
			t.Errorf("%s: %+v, want %+v", name, got, tc.want)
		}
	}
}

func FuzzTraceparent(f *testing.F) {
	f.Add("00-" + someTrace + "-" + someSpan + "-01")
	f.Add("cc-" + someTrace + "-" + someSpan + "-01-x")
	f.Fuzz(func(t *testing.T, header string) {
		p := parseTraceparent(header)
		if p == (Parent{}) {
			return
		}
		if len(p.TraceID) != traceIDLen || len(p.SpanID) != spanIDLen || !isLowerHex(p.TraceID+p.SpanID) {
			t.Errorf("%q: %+v", header, p)
		}
	})
}
