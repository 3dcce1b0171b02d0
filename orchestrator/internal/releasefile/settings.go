// Package releasefile reads the files of a release in which people set what Beamyard sets: the
// name, the cookie, and where the distribution listens.
package releasefile

import (
	"path"
	"regexp"
	"slices"
	"strings"
)

// Setting is a place in a file of an image that sets something that Beamyard passes to a
// VM. It does not contain the value, which may be a cookie.
type Setting struct {
	File string // in the container: "/app/releases/0.1.0/env.sh"
	Line int    // from 1
	Name string // "RELEASE_NODE", "-setcookie", "-kernel inet_dist_listen_min"
	// Guarded means that it applies only under a condition, or keeps an existing value.
	Guarded bool
	// Needs is a variable that its value depends on: "FLY_APP_NAME"; "" if there is none.
	Needs string
}

// overridable are the variables by which a release is given its name, its cookie
// and its flags. Source: Mix.Tasks.Release, erl(1).
var overridable = []string{
	"RELEASE_NODE", "RELEASE_DISTRIBUTION", "RELEASE_COOKIE", "RELEASE_VM_ARGS", "ERL_AFLAGS", "ERL_DIST_PORT",
}

var (
	assignment = regexp.MustCompile(`(?:^|[\s;{(])(?:export[ \t]+)?([A-Z_]+)=("[^"]*"|'[^']*'|[^\s;]*)`)
	variable   = regexp.MustCompile(`\$\{?([A-Za-z_][A-Za-z0-9_]*)`)
	opens      = regexp.MustCompile(`(?:^|[\s;])(?:if|case|while|until|for)\s`)
	closes     = regexp.MustCompile(`(?:^|[\s;])(?:fi|esac|done)(?:[\s;]|$)`)
	condition  = regexp.MustCompile(`(?:&&|\|\|)`)
)

// ReadEnvScript finds the settings in the env.sh of a release. It understands as much of
// the shell's language as such files use: comments, export, if and case.
func ReadEnvScript(file, text string) []Setting {
	var found []Setting
	depth, n := 0, 0
	for line := range strings.Lines(text) {
		n++
		line = uncommented(strings.TrimRight(line, "\r\n"))
		before := depth
		depth += len(opens.FindAllString(line, -1))
		inside := max(before, depth)
		depth = max(0, depth-len(closes.FindAllString(line, -1)))
		for _, at := range assignment.FindAllStringSubmatchIndex(line, -1) {
			name, value := line[at[2]:at[3]], line[at[4]:at[5]]
			if !slices.Contains(overridable, name) {
				continue
			}
			s := Setting{File: file, Line: n, Name: name, Guarded: inside > 0 || condition.MatchString(line[:at[2]])}
			for _, v := range variable.FindAllStringSubmatch(value, -1) {
				switch {
				case strings.HasPrefix(value, "'"): // the shell replaces nothing there
				case v[1] == name:
					s.Guarded = true
				case s.Needs == "" && !strings.HasPrefix(v[1], "RELEASE_"):
					s.Needs = v[1]
				}
			}
			found = append(found, s)
		}
	}
	return found
}

// uncommented is a line of a shell script without its comment.
func uncommented(line string) string {
	var quote rune
	last := ' '
	for i, r := range line {
		switch {
		case quote != 0:
			if r == quote {
				quote = 0
			}
		case r == '\'' || r == '"':
			quote = r
		case r == '#' && (last == ' ' || last == '\t' || last == ';'):
			return line[:i]
		}
		last = r
	}
	return line
}

// flagsOverridden are the flags of a vm.args that name a node, give it a cookie, or
// say where and how its distribution listens. Source: erl(1), kernel(6).
var flagsOverridden = []string{"-name", "-sname", "-setcookie", "-proto_dist", "-start_epmd", "-erl_epmd_port", "-dist_listen", "-no_epmd"}

// ReadVMArgs finds the settings in a vm.args.
func ReadVMArgs(file, text string) []Setting {
	var found []Setting
	n := 0
	for line := range strings.Lines(text) {
		n++
		words := strings.Fields(uncommented(line))
		for i, w := range words {
			switch {
			case slices.Contains(flagsOverridden, w):
				found = append(found, Setting{File: file, Line: n, Name: w})
			case strings.HasPrefix(w, "inet_dist_"):
				found = append(found, Setting{File: file, Line: n, Name: "-kernel " + w})
			case i == 0 && w == "-args_file":
				found = append(found, Setting{File: file, Line: n, Name: w})
			}
		}
	}
	return found
}

// IsEnvScript reports whether the setting is in an env.sh, not in a vm.args.
func (s Setting) IsEnvScript() bool { return path.Base(s.File) == "env.sh" }

// Template is the file of a project that the file of the release is made of.
func (s Setting) Template() string {
	if s.IsEnvScript() {
		return "rel/env.sh.eex"
	}
	return "rel/vm.args.eex"
}
