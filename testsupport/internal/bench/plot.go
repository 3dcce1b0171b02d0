package bench

import (
	"cmp"
	"fmt"
	"html"
	"math"
	"slices"
	"strings"
)

// line is one line of the plot: a contender's values at each number of nodes.
type line struct {
	by, label string
	points    []point
	at        float64 // where its label stands, in pixels from above
}

type point struct {
	nodes          int
	low, mid, high float64 // seconds
}

// lines returns the lines of key: ours and all that stood beside it at more than one number of
// nodes, the slowest first.
func (r Run) lines(key string) []line {
	var lines []line
	add := func(by, label string, nodes int, values []float64) {
		if len(values) == 0 {
			return
		}
		i := slices.IndexFunc(lines, func(l line) bool { return l.by == by })
		if i < 0 {
			lines = append(lines, line{by: by, label: label})
			i = len(lines) - 1
		}
		if slices.ContainsFunc(lines[i].points, func(p point) bool { return p.nodes == nodes }) {
			return
		}
		lines[i].points = append(lines[i].points, point{nodes, slices.Min(values), Median(values), slices.Max(values)})
	}
	for _, row := range r.Rows {
		if row.Key == key {
			add("", "Beamyard: every pair proven", row.Nodes, row.Ours)
			add(row.By, row.Beside, row.Nodes, row.Theirs)
		}
	}
	lines = slices.DeleteFunc(lines, func(l line) bool { return len(l.points) < 2 })
	for _, l := range lines {
		slices.SortFunc(l.points, func(a, b point) int { return cmp.Compare(a.nodes, b.nodes) })
	}
	slices.SortStableFunc(lines, func(a, b line) int { return cmp.Compare(b.last().mid, a.last().mid) })
	return lines
}

func (l line) last() point { return l.points[len(l.points)-1] }

// The plot's measures, in pixels.
const (
	plotWidth, plotHeight = 930, 440
	plotLeft, plotRight   = 56, 376 // the labels of the lines stand right of them
	plotTop, plotBottom   = 76, 52
	labelGap              = 20 // between the labels
)

// style has the colours of a light and of a dark page. The plot has a background of its own, so
// that it can be read where the page's theme is not the browser's.
const style = `
  .page { fill: #ffffff } .text { fill: #1f2328 } .quiet { fill: #59636e } .grid { stroke: #d1d9e0 }
  .c0 { --c: #0969da } .c1 { --c: #59636e } .c2 { --c: #1a7f37 } .c3 { --c: #9a6700 } .c4 { --c: #cf222e } .c5 { --c: #8250df }
  @media (prefers-color-scheme: dark) {
    .page { fill: #0d1117 } .text { fill: #f0f6fc } .quiet { fill: #9198a1 } .grid { stroke: #3d444d }
    .c0 { --c: #4493f8 } .c1 { --c: #9198a1 } .c2 { --c: #3fb950 } .c3 { --c: #d29922 } .c4 { --c: #f85149 } .c5 { --c: #ab7df8 }
  }
  .line { fill: none; stroke: var(--c); stroke-width: 2 } .ours { stroke-width: 3.5 }
  .range { stroke: var(--c); stroke-width: 1.5; opacity: .6 } .dot, .name { fill: var(--c) }
  .lead { stroke: var(--c); stroke-width: 1; stroke-dasharray: 2 3 }
  text { font: 14px system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif } .title { font-size: 17px; font-weight: 600 } .bold { font-weight: 600 }
`

// Plot returns an SVG of the rows of key: seconds over nodes, a line for Beamyard and for each
// that stood beside it, with the lowest and the highest value of each point.
func (r Run) Plot(key, title string) string {
	lines := r.lines(key)
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img" aria-label="%s">`+"\n<style>%s</style>\n", plotWidth, plotHeight, html.EscapeString(title), style)
	fmt.Fprintf(&b, `<rect class="page" width="%d" height="%d" rx="6"/>`+"\n", plotWidth, plotHeight)
	fmt.Fprintf(&b, `<text class="text title" x="%d" y="28">%s</text>`+"\n", plotLeft-32, html.EscapeString(title))
	fmt.Fprintf(&b, `<text class="quiet" x="%d" y="49">%s</text>`+"\n", plotLeft-32, html.EscapeString(fmt.Sprintf("seconds; medians, lowest to highest · Docker Engine %s, %d processors", r.Engine.Version, r.Machine.CPUs)))
	most, slowest, ticks := 1, 1.0, []int{}
	for _, l := range lines {
		for _, p := range l.points {
			most, slowest = max(most, p.nodes), max(slowest, p.high)
			ticks = append(ticks, p.nodes)
		}
	}
	step := tickStep(slowest)
	top := math.Ceil(slowest/step) * step
	x := func(nodes int) float64 {
		return plotLeft + float64(nodes)/float64(most)*(plotWidth-plotLeft-plotRight)
	}
	y := func(s float64) float64 { return plotHeight - plotBottom - s/top*(plotHeight-plotTop-plotBottom) }
	for s := 0.0; s <= top; s += step {
		fmt.Fprintf(&b, `<line class="grid" x1="%d" x2="%.0f" y1="%.1f" y2="%.1f"/><text class="quiet" text-anchor="end" x="%d" y="%.1f">%g</text>`+"\n",
			plotLeft, x(most), y(s), y(s), plotLeft-8, y(s)+5, s)
	}
	slices.Sort(ticks)
	for _, n := range slices.Compact(ticks) {
		fmt.Fprintf(&b, `<text class="quiet" text-anchor="middle" x="%.1f" y="%d">%d</text>`+"\n", x(n), plotHeight-plotBottom+20, n)
	}
	fmt.Fprintf(&b, `<text class="quiet" text-anchor="middle" x="%.1f" y="%d">nodes</text>`+"\n", x(most)/2+plotLeft/2, plotHeight-plotBottom+40)
	for i := range lines {
		lines[i].at = y(lines[i].last().mid)
	}
	spread(lines, plotTop, plotHeight-plotBottom)
	// Ours is drawn last, above the others.
	slices.SortStableFunc(lines, func(a, b line) int { return cmp.Compare(b.by, a.by) })
	for i, l := range lines {
		class, width, weight := fmt.Sprintf("c%d", i%5+1), "", ""
		if l.by == "" {
			class, width, weight = "c0", " ours", " bold"
		}
		fmt.Fprintf(&b, `<g class="%s">`, class)
		path := make([]string, len(l.points))
		for i, p := range l.points {
			path[i] = fmt.Sprintf("%.1f,%.1f", x(p.nodes), y(p.mid))
			fmt.Fprintf(&b, `<line class="range" x1="%.1f" x2="%.1f" y1="%.1f" y2="%.1f"/><circle class="dot" cx="%.1f" cy="%.1f" r="3.5"/>`,
				x(p.nodes), x(p.nodes), y(p.low), y(p.high), x(p.nodes), y(p.mid))
		}
		end := l.last()
		fmt.Fprintf(&b, `<polyline class="line%s" points="%s"/><line class="lead" x1="%.1f" x2="%.1f" y1="%.1f" y2="%.1f"/><text class="name%s" x="%.1f" y="%.1f">%s  %s</text></g>`+"\n",
			width, strings.Join(path, " "), x(end.nodes)+5, x(most)+18, y(end.mid), l.at, weight, x(most)+22, l.at+5, html.EscapeString(duration(end.mid)), html.EscapeString(l.label))
	}
	b.WriteString("</svg>\n")
	return b.String()
}

// tickStep returns the distance of the grid's lines: 1, 2 or 5 times a power of ten, at most
// eight lines.
func tickStep(most float64) float64 {
	for size := 0.1; ; size *= 10 {
		for _, of := range []float64{1, 2, 5} {
			if most/(size*of) <= 8 {
				return size * of
			}
		}
	}
}

// spread moves the labels, which are sorted from above, apart and into the plot.
func spread(lines []line, top, bottom float64) {
	for i := range lines {
		least := top
		if i > 0 {
			least = lines[i-1].at + labelGap
		}
		lines[i].at = max(lines[i].at, least)
	}
	for i := len(lines) - 1; i >= 0; i-- {
		most := bottom
		if i < len(lines)-1 {
			most = lines[i+1].at - labelGap
		}
		lines[i].at = min(lines[i].at, most)
	}
}
