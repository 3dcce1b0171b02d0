package top

import (
	"strings"

	"github.com/charmbracelet/x/ansi"
)

// pen colours text, or leaves it as it is.
type pen struct{ colors bool }

// in returns the text in a colour: an SGR code of ECMA-48, "" for none.
func (p pen) in(code, text string) string {
	if !p.colors || code == "" || text == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// fit cuts a line to a width in columns. Colours do not count.
func fit(line string, width int) string {
	return ansi.Truncate(line, max(0, width), "…")
}

// pad fills or cuts a line to a width.
func pad(line string, width int) string {
	line = fit(line, width)
	return line + strings.Repeat(" ", max(0, width-ansi.StringWidth(line)))
}

// right is pad for what ends at the right.
func right(line string, width int) string {
	line = fit(line, width)
	return strings.Repeat(" ", max(0, width-ansi.StringWidth(line))) + line
}

// ends puts one text at the left and one at the right of a line.
func ends(left, right string, width int) string {
	room := width - ansi.StringWidth(right)
	if room < 8 {
		return fit(left, width)
	}
	return pad(fit(left, room-1), room) + right
}

// beside puts blocks next to each other, the first one filled to its width.
func beside(left []string, width int, rest []string) []string {
	lines := make([]string, max(len(left), len(rest)))
	for i := range lines {
		l, r := "", ""
		if i < len(left) {
			l = left[i]
		}
		if i < len(rest) {
			r = rest[i]
		}
		lines[i] = pad(l, width) + r
	}
	return lines
}

// window returns the part of n lines, of which size fit, that shows the selected one.
func window(n, size, selected int) (from, to int) {
	size = max(0, size)
	from = min(max(0, selected-size/2), max(0, n-size))
	return from, min(n, from+size)
}

// tail returns the last n of some.
func tail[T any](some []T, n int) []T { return some[max(0, len(some)-max(0, n)):] }
