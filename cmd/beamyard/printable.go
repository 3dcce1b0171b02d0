package main

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Text of others stands in what we say: a key of somebody's beamyard.yml, a name that
// was typed, a line of a build. It is not to move the cursor, to colour what follows,
// or to hide something: see printable. What nodes and programs print is their own,
// and passes through logs, exec, run and test as it is.

// printable is a text whose control characters are shown escaped, all but those that
// end a line or indent it. What only turns the direction of writing around counts as
// one. Invalid UTF-8 is shown byte by byte.
func printable(text string) string {
	if !strings.ContainsFunc(text, unprintable) && utf8.ValidString(text) {
		return text
	}
	var b strings.Builder
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRuneInString(text[i:])
		switch {
		case r == utf8.RuneError && size == 1, r < utf8.RuneSelf && unprintable(r):
			fmt.Fprintf(&b, `\x%02x`, text[i])
		case unprintable(r):
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteString(text[i : i+size])
		}
		i += size
	}
	return b.String()
}

func unprintable(r rune) bool {
	return unicode.IsControl(r) && r != '\n' && r != '\t' ||
		r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 || r == 0x200e || r == 0x200f || r == 0x2028 || r == 0x2029
}

// sequences are the colours of ECMA-48, and what else programs send to a
// terminal: CSI, and OSC with its text.
var sequences = regexp.MustCompile("\x1b\\[[0-9;?]*[ -/]*[@-~]|\x1b\\][^\x07\x1b]*(?:\x07|\x1b\\\\)")

// uncoloured is a line of a program's without the sequences that mean something to a
// terminal alone, and without what it overwrote itself: a progress bar's "\r".
func uncoloured(line string) string {
	line = strings.TrimRight(sequences.ReplaceAllString(line, ""), "\r")
	if i := strings.LastIndexByte(line, '\r'); i >= 0 {
		line = line[i+1:]
	}
	return printable(line)
}

// printables are arguments of a format whose texts are printable.
func printables(args []any) []any {
	safe := make([]any, len(args))
	for i, arg := range args {
		switch v := arg.(type) {
		case string:
			safe[i] = printable(v)
		case error:
			safe[i] = printable(v.Error())
		case fmt.Stringer:
			safe[i] = printable(v.String())
		default:
			safe[i] = arg
		}
	}
	return safe
}
