package main

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Dimensions of the picture, in pixels.
const (
	plotWidth  = 900
	plotTop    = 92
	barHeight  = 13
	barStep    = 16
	groupGap   = 14
	labelX     = 24
	rateX      = 204
	cpuX       = 560
	barRoom    = 190 // of the longest bar
	leastScale = 1.3 // smallest range of a panel, which includes the 1 of the floor
)

// plotStyle supports the light and dark mode of the reader.
const plotStyle = `
  .ground { fill: #ffffff; stroke: #d1d9e0 }
  text { font: 12px system-ui, -apple-system, "Segoe UI", sans-serif; fill: #1f2328 }
  .title { font-size: 16px; font-weight: 600 }
  .value { paint-order: stroke; stroke: #ffffff; stroke-width: 4px }
  .case { font-weight: 600 }
  .muted { fill: #59636e; font-size: 11px }
  .floor { stroke: #59636e; stroke-dasharray: 4 3 }
  .redis { fill: #2563eb }
  .embedded { fill: #0d9488 }
  @media (prefers-color-scheme: dark) {
    .ground { fill: #0d1117; stroke: #3d444d }
    text { fill: #e6edf3 }
    .value { stroke: #0d1117 }
    .muted { fill: #9198a1 }
    .floor { stroke: #9198a1 }
    .redis { fill: #60a5fa }
    .embedded { fill: #2dd4bf }
  }
`

// picture is an SVG that grows downward. Text is above shapes.
type picture struct {
	shapes, texts strings.Builder
	y             int
}

func (p *picture) text(x, y int, class, s string) {
	fmt.Fprintf(&p.texts, `<text x="%d" y="%d" class="%s">%s</text>`+"\n", x, y, class, escaped(s))
}

func (p *picture) bar(x int, width float64, class, label string) {
	fmt.Fprintf(&p.shapes, `<rect x="%d" y="%d" width="%.1f" height="%d" rx="2" class="%s"/>`+"\n", x, p.y, width, barHeight, class)
	p.text(x+int(width)+6, p.y+barHeight-2, "value", label)
}

func escaped(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s)) // a Builder never fails
	return b.String()
}

// plot draws requests per second and CPU time of grantd relative to the floor,
// for each case at the usual load.
func plot(r *results) []byte {
	conns, groups := r.plotted()
	title := fmt.Sprintf("grantd beside its floor, gin and nothing else (dashed line), %d connections", conns)
	rateScale, cpuScale := leastScale, leastScale
	for _, g := range groups {
		for _, s := range g.bars {
			rateScale, cpuScale = max(rateScale, s.RateRatio), max(cpuScale, s.CPURatio)
		}
	}
	p := &picture{}
	p.legend(title)
	p.y = plotTop
	for _, g := range groups {
		p.group(g, barRoom/rateScale, barRoom/cpuScale)
	}
	for _, one := range []float64{rateX + barRoom/rateScale, cpuX + barRoom/cpuScale} {
		fmt.Fprintf(&p.shapes, `<line x1="%.1f" y1="%d" x2="%.1f" y2="%d" class="floor"/>`+"\n", one, plotTop-8, one, p.y-groupGap/2)
	}
	height := p.y + 44
	p.text(labelX, height-18, "muted", fmt.Sprintf("%s; medians of %d rounds of %g s; %s, %d cores",
		r.Machine.Date, r.Rounds, r.Seconds, r.Machine.CPU, r.Machine.Cores))
	var all bytes.Buffer
	fmt.Fprintf(&all, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img" aria-label="%s">`+"\n",
		plotWidth, height, plotWidth, height, escaped(title))
	fmt.Fprintf(&all, "<style>%s</style>\n", plotStyle)
	fmt.Fprintf(&all, `<rect x="0.5" y="0.5" width="%d" height="%d" rx="8" class="ground"/>`+"\n", plotWidth-1, height-1)
	all.WriteString(p.shapes.String() + p.texts.String() + "</svg>\n")
	return all.Bytes()
}

func (p *picture) legend(title string) {
	p.text(labelX, 32, "title", title)
	x := labelX
	for _, name := range []string{redisName, embeddedName} {
		p.y = 46
		p.bar(x, barHeight, name, "grantd "+storeTitle(name))
		x += 130
	}
	p.text(rateX, plotTop-14, "muted", "requests per second (longer is better)")
	p.text(cpuX, plotTop-14, "muted", "CPU for each request (shorter is better)")
}

func storeTitle(target string) string {
	if target == redisName {
		return "on Redis"
	}
	return target
}

// group is one case: its floor and the bars.
type group struct {
	title string
	floor summary
	bars  []summary
}

// plotted returns the cases at the usual load, or at the first measured load if
// that is missing.
func (r *results) plotted() (conns int, groups []group) {
	conns = usualConns
	if len(r.Summaries) > 0 && !slices.ContainsFunc(r.Summaries, func(s summary) bool { return s.Connections == conns }) {
		conns = r.Summaries[0].Connections
	}
	for _, w := range workloads() {
		floor, ok := r.summary(cell{w.name, floorName, conns})
		if !ok {
			continue
		}
		g := group{title: w.title, floor: floor}
		for _, target := range []string{redisName, embeddedName} {
			if s, ok := r.summary(cell{w.name, target, conns}); ok {
				g.bars = append(g.bars, s)
			}
		}
		groups = append(groups, g)
	}
	return conns, groups
}

func (p *picture) group(g group, rateUnit, cpuUnit float64) {
	p.text(labelX, p.y+barHeight-2, "case", g.title)
	p.text(labelX, p.y+barStep+barHeight-2, "muted", fmt.Sprintf("floor %s/s, %.1f µs", thousands(g.floor.PerSecond), g.floor.CPU))
	for _, s := range g.bars {
		p.bar(rateX, s.RateRatio*rateUnit, s.Target, fmt.Sprintf("%.2f ×, %s/s", s.RateRatio, thousands(s.PerSecond)))
		p.bar(cpuX, s.CPURatio*cpuUnit, s.Target, fmt.Sprintf("%.2f ×, %.1f µs", s.CPURatio, s.CPU))
		p.y += barStep
	}
	p.y += groupGap + barStep*(2-min(2, len(g.bars)))
}

// thousands returns a number such as 42,778.
func thousands(v float64) string {
	digits := strconv.FormatFloat(v, 'f', 0, 64)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}
