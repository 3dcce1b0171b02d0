package images

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// This file reads from a Dockerfile what must be known before a build begins: its stages, their
// base images, and the arguments that it declares.
// Source: https://docs.docker.com/reference/dockerfile/.

// parsedDockerfile is a Dockerfile's outline.
type parsedDockerfile struct {
	stages []stage
	args   []string // the names of all ARGs, of any stage
	global []argument
}

type stage struct {
	name string // in lower case; "" if it has none
	base string // as written, with its variables
}

type argument struct {
	name, value string
	given       bool // it has a default
}

// predefinedArgs work without an ARG in the Dockerfile.
var predefinedArgs = []string{"HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY"}

var hereDocument = regexp.MustCompile(`<<-?["']?([A-Za-z_][A-Za-z0-9_]*)["']?`)

// parseDockerfile never fails: invalid instructions are left for the builder to report.
func parseDockerfile(text string) parsedDockerfile {
	var p parsedDockerfile
	for _, words := range instructions(text) {
		switch strings.ToUpper(words[0]) {
		case "FROM":
			words = slices.DeleteFunc(words[1:], func(w string) bool { return strings.HasPrefix(w, "--") })
			if len(words) == 0 {
				continue
			}
			s := stage{base: words[0]}
			if len(words) >= 3 && strings.EqualFold(words[1], "AS") {
				s.name = strings.ToLower(words[2])
			}
			p.stages = append(p.stages, s)
		case "ARG":
			for _, word := range words[1:] {
				a := argument{}
				a.name, a.value, a.given = strings.Cut(word, "=")
				if !slices.Contains(p.args, a.name) {
					p.args = append(p.args, a.name)
				}
				if len(p.stages) == 0 {
					p.global = append(p.global, a)
				}
			}
		}
	}
	return p
}

// instructions returns the words of each instruction, without comments and with its lines
// joined.
func instructions(text string) [][]string {
	escape, directives := `\`, true
	var all [][]string
	var joined, until string
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if until != "" { // inside a here-document
			if line == until {
				until = ""
			}
			continue
		}
		if comment, ok := strings.CutPrefix(line, "#"); ok {
			key, value, _ := strings.Cut(comment, "=")
			if directives && strings.EqualFold(strings.TrimSpace(key), "escape") {
				escape = strings.TrimSpace(value)
			}
			continue
		}
		directives = false
		if line == "" {
			continue
		}
		if begun, more := strings.CutSuffix(line, escape); more {
			joined += begun + " "
			continue
		}
		words := shellSplit(joined + line)
		if m := hereDocument.FindStringSubmatch(joined + line); m != nil && len(words) > 0 && slices.Contains([]string{"RUN", "COPY", "ADD"}, strings.ToUpper(words[0])) {
			until = m[1]
		}
		joined = ""
		if len(words) > 0 {
			all = append(all, words)
		}
	}
	return all
}

// shellSplit splits a line into words at unquoted spaces, and removes the quotes.
func shellSplit(line string) []string {
	var words []string
	var word strings.Builder
	quote, begun := rune(0), false
	for _, c := range line {
		switch {
		case quote == 0 && (c == '"' || c == '\''):
			quote, begun = c, true
		case c == quote:
			quote = 0
		case quote == 0 && (c == ' ' || c == '\t'):
			if begun {
				words = append(words, word.String())
			}
			word.Reset()
			begun = false
		default:
			word.WriteRune(c)
			begun = true
		}
	}
	if begun {
		words = append(words, word.String())
	}
	return words
}

var variable = regexp.MustCompile(`\$(?:([A-Za-z_][A-Za-z0-9_]*)|\{([A-Za-z_][A-Za-z0-9_]*)(?::([-+])([^}]*))?\})`)

// expanded returns a text with the arguments before the first FROM substituted. A variable
// without a value is empty, as in the builder.
func expanded(text string, values map[string]string) string {
	return variable.ReplaceAllStringFunc(text, func(found string) string {
		m := variable.FindStringSubmatch(found)
		value := values[cmp.Or(m[1], m[2])]
		switch {
		case m[3] == "-" && value == "":
			return m[4]
		case m[3] == "+" && value != "":
			return m[4]
		case m[3] == "+":
			return ""
		}
		return value
	})
}

// upTo returns the stages that a build of a target runs: the classic builder runs all stages up
// to it. ok is false if there is no such stage.
func (p parsedDockerfile) upTo(target string) (stages []stage, ok bool) {
	if target == "" {
		return p.stages, true
	}
	for i, s := range p.stages {
		if s.name == strings.ToLower(target) || strconv.Itoa(i) == target {
			return p.stages[:i+1], true
		}
	}
	return nil, false
}

// bases returns the images that a build depends on. It leaves out the Dockerfile's own stages,
// "scratch", and names that its arguments do not complete.
func (p parsedDockerfile) bases(target string, args map[string]string) []string {
	values := map[string]string{}
	for _, a := range p.global {
		values[a.name] = expanded(a.value, values)
		if given, ok := args[a.name]; ok {
			values[a.name] = given
		}
	}
	var bases, names []string
	stages, _ := p.upTo(target)
	for _, s := range stages {
		ref := expanded(s.base, values)
		if ref != "scratch" && reference.MatchString(ref) && !slices.Contains(names, strings.ToLower(ref)) && !slices.Contains(bases, ref) {
			bases = append(bases, ref)
		}
		if s.name != "" {
			names = append(names, s.name)
		}
	}
	return bases
}

// declares reports whether a build accepts an argument.
func (p parsedDockerfile) declares(name string) bool {
	return slices.Contains(p.args, name) || slices.Contains(predefinedArgs, strings.ToUpper(name))
}

// check rejects a target and arguments that the Dockerfile does not have: the builder would
// ignore the arguments, with a warning in the middle of its output.
func (p parsedDockerfile) check(file, target string, args map[string]string) error {
	if _, ok := p.upTo(target); !ok {
		var names []string
		for _, s := range p.stages {
			if s.name != "" {
				names = append(names, s.name)
			}
		}
		hint := "its stages: " + strings.Join(names, ", ")
		if len(names) == 0 {
			hint = "give the stage a name there: FROM image AS " + target + ", or leave target out"
		}
		return &SourceError{file, fmt.Sprintf("has no stage %q, which target asks for", target), hint}
	}
	for _, name := range slices.Sorted(maps.Keys(args)) {
		if p.declares(name) {
			continue
		}
		hint := "its arguments: " + strings.Join(p.args, ", ")
		if len(p.args) == 0 {
			hint = "declare it there: ARG " + name + ", or leave it out of args"
		}
		return &SourceError{file, fmt.Sprintf("declares no argument %q, which args gives it", name), hint}
	}
	return nil
}
