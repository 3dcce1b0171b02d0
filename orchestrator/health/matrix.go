package health

import (
	"fmt"
	"strings"
)

// String formats the matrix as a table of how the row's node sees the column's node: ✓
// visible, h hidden, ✗ not connected, ? unknown.
func (m Matrix) String() string {
	var b strings.Builder
	width := 0
	for _, n := range m.Nodes {
		width = max(width, len(n))
	}
	fmt.Fprintf(&b, "%-*s", width, "")
	for _, n := range m.Nodes {
		b.WriteString("  " + n)
	}
	b.WriteByte('\n')
	for i, n := range m.Nodes {
		fmt.Fprintf(&b, "%-*s", width, n)
		for j, peer := range m.Nodes {
			pad := len(peer)
			if j == len(m.Nodes)-1 {
				pad = 0
			}
			fmt.Fprintf(&b, "  %-*s", pad, m.Rows[i][j].mark())
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func (s Sight) mark() string {
	switch s {
	case SeesVisible:
		return "✓"
	case SeesHidden:
		return "h"
	case SeesNot:
		return "✗"
	case SeesUnknown:
		return "?"
	}
	return "·"
}
