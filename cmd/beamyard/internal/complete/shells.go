package complete

import (
	_ "embed"
	"strings"
)

// Scripts are what a shell reads at its start, by the shell's name.
var Scripts = map[string]string{"bash": bash, "zsh": zsh, "fish": fish}

//go:embed scripts/beamyard.bash
var bash string

//go:embed scripts/_beamyard
var zsh string

//go:embed scripts/beamyard.fish
var fish string

// files is the answer that leaves the word to the shell.
const files = ":files"

// Split splits a command line as a shell does, as far as its words are known without running it:
// spaces, quotes and backslashes. The last word is the one under the cursor; it may be empty. It
// returns whether a quote is open at the end.
func Split(line string) (words []string, quoted bool) {
	var word strings.Builder
	quote := rune(0)
	begun, escaped := false, false
	for _, r := range line {
		switch {
		case escaped:
			word.WriteRune(r)
			escaped = false
		case r == '\\' && quote != '\'':
			begun, escaped = true, true
		case quote != 0 && r == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(r)
		case r == '\'' || r == '"':
			begun, quote = true, r
		case r == ' ' || r == '\t' || r == '\n':
			if begun {
				words = append(words, word.String())
			}
			word.Reset()
			begun = false
		default:
			begun = true
			word.WriteRune(r)
		}
	}
	return append(words, word.String()), quote != 0
}

// Bash returns the lines for bash's COMPREPLY after a command line, program included. Readline
// replaces only what follows the last of its word breaks ($COMP_WORDBREAKS), which are part of words
// here, as in --kind=drop and n1:n2; an @ is a break and begins what is replaced (rl_special_prefixes).
// A space ends a line that is a whole word. Inside quotes there is no break, and readline closes the
// quote.
func Bash(a Answer, line, breaks string) []string {
	words, quoted := Split(line)
	word := words[len(words)-1]
	begin := strings.LastIndexAny(word, breaks) + 1
	if begin > 0 && word[begin-1] == '@' {
		begin--
	}
	return lines(a, func(c Candidate) string {
		switch {
		case quoted:
			return c.Value
		case c.More:
			return c.Value[begin:]
		}
		return c.Value[begin:] + " "
	})
}

// Zsh returns lines for _describe: "=" before a whole word and "+" before one that goes on, the word
// with its colons escaped, and after a colon what it is.
func Zsh(a Answer) []string {
	return lines(a, func(c Candidate) string {
		kind := "="
		if c.More {
			kind = "+"
		}
		line := kind + strings.NewReplacer(`\`, `\\`, ":", `\:`).Replace(c.Value)
		if c.About != "" {
			line += ":" + c.About
		}
		return line
	})
}

// Fish returns lines for `complete --arguments`: the word, a tab, and what it is.
func Fish(a Answer) []string {
	return lines(a, func(c Candidate) string { return c.Value + "\t" + c.About })
}

func lines(a Answer, line func(Candidate) string) []string {
	if a.Files {
		return []string{files}
	}
	var all []string
	for _, c := range a.Candidates {
		all = append(all, line(c))
	}
	return all
}
