package main

import (
	"bytes"
	"fmt"
	"math"
)

// Dimensions of the picture of the calls, in pixels. The rest is as in plot.
const (
	callX      = 340
	callRoom   = 400 // of the longest bar
	callStep   = 30
	callTop    = 84
	callHeight = 16
)

// callStyle is added to plotStyle.
const callStyle = `
  .jwt { fill: #9a6700 }
  .asks { fill: #2563eb }
  .cached { fill: #1a7f37 }
  .grid { stroke: #d1d9e0 }
  @media (prefers-color-scheme: dark) {
    .jwt { fill: #d29922 }
    .asks { fill: #60a5fa }
    .cached { fill: #3fb950 }
    .grid { stroke: #3d444d }
  }
`

// plot draws the CPU time of each way on a logarithmic scale.
func (c *calls) plot() []byte {
	const title = "What a resource server pays to check the token of a call"
	p := &picture{}
	p.text(labelX, 32, "title", title)
	p.text(labelX, 52, "muted", "CPU time for each call, in the resource server and in what it asks (shorter is better; logarithmic)")
	least, most := c.decades()
	unit := callRoom / float64(most-least)
	bottom := callTop + len(c.Ways)*callStep
	for d := least; d <= most; d++ {
		x := callX + float64(d-least)*unit
		fmt.Fprintf(&p.shapes, `<line x1="%.1f" y1="%d" x2="%.1f" y2="%d" class="grid"/>`+"\n", x, callTop-6, x, bottom)
		p.text(int(x)-10, callTop-12, "muted", fmt.Sprintf("%g µs", math.Pow10(d)))
	}
	for i, w := range c.Ways {
		y := callTop + i*callStep
		width := max(1, (math.Log10(w.CPU)-float64(least))*unit)
		fmt.Fprintf(&p.shapes, `<rect x="%d" y="%d" width="%.1f" height="%d" rx="2" class="%s"/>`+"\n", callX, y, width, callHeight, classOf(w.Way))
		p.text(labelX, y+callHeight-3, "case", w.Title)
		p.text(callX+int(width)+6, y+callHeight-3, "value", fmt.Sprintf("%.3g µs", w.CPU))
	}
	height := bottom + 40
	p.text(labelX, height-16, "muted", fmt.Sprintf("%s; medians of %d rounds of %g s; %s, %d cores", c.Machine.Date, c.Rounds, c.Seconds, c.Machine.CPU, c.Machine.Cores))
	var all bytes.Buffer
	fmt.Fprintf(&all, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img" aria-label="%s">`+"\n",
		plotWidth, height, plotWidth, height, title)
	fmt.Fprintf(&all, "<style>%s%s</style>\n", plotStyle, callStyle)
	fmt.Fprintf(&all, `<rect x="0.5" y="0.5" width="%d" height="%d" rx="8" class="ground"/>`+"\n", plotWidth-1, height-1)
	all.WriteString(p.shapes.String() + p.texts.String() + "</svg>\n")
	return all.Bytes()
}

// decades returns the powers of ten between which all bars end.
func (c *calls) decades() (least, most int) {
	least, most = 0, 1
	for _, w := range c.Ways {
		if w.CPU > 0 {
			least, most = min(least, int(math.Floor(math.Log10(w.CPU)))), max(most, int(math.Ceil(math.Log10(w.CPU))))
		}
	}
	return least, most
}

func classOf(way string) string {
	switch way {
	case wayES256, wayRS256:
		return "jwt"
	case wayGuard:
		return "cached"
	}
	return "asks"
}
