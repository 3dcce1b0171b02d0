package top

import (
	"fmt"
	"slices"
	"strings"

	"github.com/beamyard/beamyard/orchestrator/effects"
	"github.com/charmbracelet/x/ansi"
)

// glyph is how a relation is drawn: a sign and a colour, and its words in the legend.
type glyph struct{ sign, color, words string }

// glyphs are in the order of the legend: what is wrong comes first.
var glyphs = []struct {
	relation effects.Relation
	glyph
}{
	{effects.Missing, glyph{"✗", "31;1", "not connected"}},
	{effects.OneSidedFrom, glyph{">", "31;1", "sees it, not seen"}},
	{effects.OneSidedTo, glyph{"<", "31;1", "seen by it alone"}},
	{effects.CutOff, glyph{"/", "33", "cut by a fault"}},
	{effects.Unnoticed, glyph{"%", "33", "cut, not noticed"}},
	{effects.Collateral, glyph{"~", "33", "cut by global"}},
	{effects.Hidden, glyph{"h", "36", "hidden"}},
	{effects.Unknown, glyph{"?", "33", "no answer"}},
	{effects.Absent, glyph{"-", "2", "down"}},
	{effects.Connected, glyph{"✓", "32", "connected"}},
}

func glyphOf(r effects.Relation) glyph {
	for _, g := range glyphs {
		if g.relation == r {
			return g.glyph
		}
	}
	return glyph{"·", dim, ""}
}

// tallest is how many letters of a name stand above a narrow column.
const tallest = 4

// matrix draws who sees whom in at most this many columns and lines, with the row of the selected
// node in it. What does not fit is told in words: see exceptions.
func matrix(r effects.Relations, selected, width, height int, whole bool, p pen) []string {
	n := len(r.Nodes)
	switch n {
	case 0:
		return nil
	case 1:
		return []string{p.in(dim, " a single node has no peers")}
	}
	name := nameWidth(r.Nodes)
	legend := legendOf(r, width, p)
	room := height - len(legend)
	cell, top := name+2, 1
	if 2+name+n*cell > width {
		cell, top = 2, min(name, tallest)
		if 2+name+n*cell > width {
			cell = 1
		}
	}
	columns := (width - 3 - name) / cell
	if !whole && (n > columns || n+top > room) {
		return append(exceptions(r, name, width, room, p), legend...)
	}
	fromColumn, toColumn := window(n, columns, selected)
	fromRow, toRow := window(n, room-top, selected)
	lines := heads(r.Nodes[fromColumn:toColumn], name, cell, top, p)
	for i := fromRow; i < toRow; i++ {
		mark, color := " ", ""
		if i == selected {
			mark, color = "▸", bold
		}
		line := p.in(color, mark+pad(oneLine(r.Nodes[i]), name)) + " "
		for j := fromColumn; j < toColumn; j++ {
			g := glyphOf(r.Rows[i][j])
			line += p.in(g.color, g.sign) + strings.Repeat(" ", cell-1)
		}
		lines = append(lines, strings.TrimRight(line, " "))
	}
	return append(lines, legend...)
}

// matrixWidth is how wide a matrix is with level names above its columns.
func matrixWidth(names []string) int {
	name := nameWidth(names)
	return 2 + name + len(names)*(name+2)
}

// nameWidth is the width of the names of rows.
func nameWidth(names []string) int {
	width := 0
	for _, s := range names {
		width = max(width, min(ansi.StringWidth(s), 12))
	}
	return width
}

// heads are the names above the columns: level where the columns are as wide as names, upright
// otherwise.
func heads(names []string, name, cell, top int, p pen) []string {
	lines := make([]string, top)
	for row := range lines {
		line := strings.Repeat(" ", name+2)
		for _, s := range names {
			s = oneLine(s)
			if top > 1 || cell <= name {
				letters := []rune(s)
				letters = letters[max(0, len(letters)-top):] // names differ at their ends
				s = ""
				if at := row - (top - len(letters)); at >= 0 {
					s = string(letters[at])
				}
			}
			line += pad(s, cell)
		}
		lines[row] = p.in(dim, strings.TrimRight(line, " "))
	}
	return lines
}

// legendOf explains the signs that are in use, with their number of pairs.
func legendOf(r effects.Relations, width int, p pen) []string {
	count := r.Count()
	var lines []string
	line, used := " ", 1
	for _, g := range glyphs {
		n := count[g.relation]
		words := fmt.Sprintf("%d %s", n, g.words)
		switch {
		case g.relation == effects.OneSidedTo:
			continue
		case g.relation == effects.OneSidedFrom && n > 0:
			words = fmt.Sprintf("%d seen from one side", n)
			g.sign = "> <"
		case n == 0:
			continue
		}
		item := ansi.StringWidth(g.sign + " " + words)
		if used > 1 && used+2+item > width {
			lines = append(lines, line)
			line, used = " ", 1
		}
		if used > 1 {
			line, used = line+"  ", used+2
		}
		line += p.in(g.color, g.sign) + " " + words
		used += item
	}
	return append(lines, line)
}

// exceptions tells, of a matrix that does not fit, which nodes are not connected to which.
func exceptions(r effects.Relations, name, width, height int, p pen) []string {
	var lines []string
	more := 0
	for i, row := range r.Rows {
		for _, g := range glyphs {
			if g.relation == effects.Connected {
				continue
			}
			var peers []string
			for j, relation := range row {
				if relation == g.relation {
					peers = append(peers, oneLine(r.Nodes[j]))
				}
			}
			if len(peers) == 0 || allTell(r, i, g.relation, len(peers)) {
				continue
			}
			if len(lines) >= height-1 {
				more++
				continue
			}
			lines = append(lines, fit(" "+pad(oneLine(r.Nodes[i]), name)+" "+p.in(g.color, g.sign)+" "+strings.Join(peers, " "), width))
		}
	}
	switch {
	case more > 0:
		lines = append(lines, p.in(dim, fmt.Sprintf(" … and %d more; m shows all", more)))
	case len(lines) == 0:
		lines = append(lines, p.in(dim, " every pair that can be is connected"))
	default:
		lines = append(lines, p.in(dim, " m shows all"))
	}
	return lines
}

// allTell reports whether a node's line says nothing new: each of the peers has a line of its own
// that is longer, as that of a node which is down or cut off.
func allTell(r effects.Relations, i int, relation effects.Relation, own int) bool {
	for j, other := range r.Rows[i] {
		if other != relation {
			continue
		}
		count := 0
		for _, back := range r.Rows[j] {
			if back == mirrored(relation) {
				count++
			}
		}
		if count < own || count == own && j > i {
			return false
		}
	}
	return slices.Contains(r.Rows[i], relation)
}

// mirrored is the relation as the other node has it.
func mirrored(r effects.Relation) effects.Relation {
	switch r {
	case effects.OneSidedFrom:
		return effects.OneSidedTo
	case effects.OneSidedTo:
		return effects.OneSidedFrom
	case effects.Connected, effects.Hidden, effects.Missing, effects.CutOff, effects.Unnoticed, effects.Collateral, effects.Absent, effects.Unknown:
	}
	return r
}
