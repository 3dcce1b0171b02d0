package target

import (
	"strings"

	"github.com/beamyard/beamyard/orchestrator"
)

// leader begins the target that an expression names.
const leader = "@leader:"

// Split splits an argument into its targets at a separator, which is "," in a list and ":" in a
// pair. An expression of @leader and a host of @host are never split.
func Split(text string, separator byte) []string {
	var targets []string
	for {
		end := strings.IndexByte(text, separator)
		if at := strings.Index(text, orchestrator.OnHost); separator == ':' && at >= 0 && end == at+len(orchestrator.OnHost)-1 && starts(text[:at]) {
			if end = strings.IndexByte(text[end+1:], separator); end >= 0 { // the one after the host's name
				end += at + len(orchestrator.OnHost)
			}
		}
		if at := strings.Index(text, leader); at >= 0 && (end < 0 || at <= end) && starts(text[:at]) {
			end = at + len(leader) + expression(text[at+len(leader):])
			if end == len(text) || text[end] != separator {
				return append(targets, text)
			}
		}
		if end < 0 {
			return append(targets, text)
		}
		targets, text = append(targets, text[:end]), text[end+1:]
	}
}

// starts reports whether a target can start after this text: spaces, the name of a cluster, or
// the other end of a pair.
func starts(before string) bool {
	before = strings.TrimSpace(before)
	return before == "" || strings.HasSuffix(before, "/") || strings.HasSuffix(before, ":")
}

// expression returns the length of the expression at the start of a text: up to the parenthesis
// that closes its first character, or the whole text.
func expression(text string) int {
	if !strings.HasPrefix(text, "(") {
		return len(text)
	}
	depth, quote := 0, byte(0)
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\', c == '?' && quote == 0: // the next character is one of a string, or ?( of a literal
			i++
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"', c == '\'':
			quote = c
		case c == '(':
			depth++
		case c == ')':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return len(text)
}
