package manifest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/beamyard/beamyard/orchestrator"
)

// This file merges the VM flags of a cluster with those that an image, or env: of the
// spec, sets through variables. Source: erl(1) on ERL_AFLAGS, ERL_FLAGS and ERL_ZFLAGS,
// and the script `elixir` on ELIXIR_ERL_OPTIONS. Both apply, and if both set the same
// flag
//
//	-setcookie, -name, -sname, and where   ─► the cluster's: without them the nodes
//	the distribution listens                  do not find each other
//	everything else (+sbwt, +Q, …)         ─► the image's: its author knows it
//
// A VM that is given two cookies uses neither, and of two names it uses the last one, so
// the flag that does not apply is removed.

// FlagVariables are the variables, in the order in which a VM reads them.
var FlagVariables = []string{"ERL_AFLAGS", "ELIXIR_ERL_OPTIONS", "ERL_FLAGS", "ERL_ZFLAGS"}

// vmFlag is a flag with its values, each word as written.
type vmFlag struct {
	name  string // "-kernel", "+Q"
	words []string
}

func (f vmFlag) String() string { return strings.Join(append([]string{f.name}, f.words...), " ") }

// setting returns what a flag sets. For an application's parameter it includes the
// parameter.
func (f vmFlag) setting() string {
	if f.name == "-kernel" && len(f.words) > 0 {
		return f.name + " " + f.words[0]
	}
	return f.name
}

// splitFlags parses the text of a variable as erlexec does: into words separated by white
// space; quotes and a backslash keep words together. Each parameter of the kernel is a
// flag of its own. Text after -extra or -- contains no flags.
func splitFlags(text string) []vmFlag {
	var flags []vmFlag
	plain := false
	for _, word := range flagWords(text) {
		if !plain && len(word) > 1 && (word[0] == '-' || word[0] == '+') && !isNumber(word) || len(flags) == 0 {
			flags = append(flags, vmFlag{name: word})
			plain = word == "-extra" || word == "--"
			continue
		}
		last := &flags[len(flags)-1]
		if last.name == "-kernel" && len(last.words) == 2 {
			flags = append(flags, vmFlag{name: "-kernel"})
			last = &flags[len(flags)-1]
		}
		last.words = append(last.words, word)
	}
	return flags
}

func isNumber(word string) bool {
	_, err := strconv.Atoi(word)
	return err == nil
}

func flagWords(text string) []string {
	var words []string
	var word strings.Builder
	var quote byte
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case c == '\\' && i+1 < len(text):
			word.WriteByte(c)
			i++
			word.WriteByte(text[i])
			continue
		case quote == 0 && (c == '"' || c == '\''):
			quote = c
		case c == quote:
			quote = 0
		case quote == 0 && strings.IndexByte(" \t\n\r", c) >= 0:
			if word.Len() > 0 {
				words = append(words, word.String())
			}
			word.Reset()
			continue
		}
		word.WriteByte(c)
	}
	if word.Len() > 0 {
		words = append(words, word.String())
	}
	return words
}

func joinFlags(flags []vmFlag) string {
	texts := make([]string, len(flags))
	for i, f := range flags {
		texts[i] = f.String()
	}
	return strings.Join(texts, " ")
}

// clash is a flag that contradicts another one.
type clash struct {
	variable string
	flag     vmFlag
	ofImage  bool // set by the image; else by env: of the spec
}

// told describes a clash, without showing a cookie.
func (c clash) told() string {
	whose, way := "env:", "leave it out there"
	if c.ofImage {
		whose, way = "the image's", "to give it to none of its nodes set the variable in env:"
	}
	text := c.flag.String()
	switch c.flag.name {
	case "-setcookie":
		text, way = "-setcookie", "the cluster's own is cookie: in beamyard.yml"
	case "-name", "-sname":
		way = "the nodes' names are made of basename: and domain: in beamyard.yml"
	}
	return fmt.Sprintf("%s %s has %s, which does not count: the cluster's does (%s)", whose, c.variable, text, way)
}

// clusterFlags returns a function that decides whether a flag of others applies on node
// i. A flag that names the node, or says where it is found, differently from the cluster
// does not.
func clusterFlags(s orchestrator.Spec, i int) (counts func(vmFlag) (keep, agrees bool)) {
	node, filled := s.Names().Node(s.Nodes[i].Name), s.NodeAt(i)
	release := s.RunsRelease(filled)
	ofOurs := release || len(filled.Command) == 0 && len(filled.Entrypoint) == 0 // our own command line starts it
	named := ofOurs || slices.ContainsFunc(slices.Concat(filled.Entrypoint, filled.Command), func(word string) bool {
		return strings.Contains(word, "-name ") || strings.Contains(word, "-sname ") || slices.Contains([]string{"-name", "--name", "-sname", "--sname"}, word)
	})
	var ours []vmFlag
	if ofOurs {
		ours = splitFlags(VMFlags(s))
	}
	return func(f vmFlag) (bool, bool) {
		value := ""
		if len(f.words) > 0 {
			value = strings.Trim(f.words[len(f.words)-1], `"'`)
		}
		switch f.name {
		case "-setcookie":
			agrees := value == s.Cookie
			return agrees && s.CookieFile != "" && !release, agrees // otherwise there would be two
		case "-name", "-sname":
			agrees := value == node && (f.name == "-sname") == (s.Distribution.Names == orchestrator.ShortNames)
			return !named, agrees
		}
		if f.name[0] == '+' {
			return true, true
		}
		setting := f.setting()
		if ofOurs && !s.Distribution.EPMD && (setting == "-kernel inet_dist_listen_min" || setting == "-kernel inet_dist_listen_max") {
			return false, value == strconv.Itoa(s.Distribution.Port)
		}
		for _, own := range ours {
			if own.setting() == setting {
				return false, own.String() == f.String()
			}
		}
		return true, true
	}
}

// mergeFlags adds the applicable flags of others to a node's environment, and returns those
// that do not apply. env holds the spec's settings; unset variables take the image's.
func mergeFlags(s orchestrator.Spec, i int, env map[string]string) []clash {
	image := s.ImageEnvAt(i)
	counts := clusterFlags(s, i)
	var clashes []clash
	for _, variable := range FlagVariables {
		text, said := env[variable]
		if !said {
			text = image[variable]
		}
		var kept []vmFlag
		changed := false
		for _, f := range splitFlags(text) {
			keep, agrees := counts(f)
			if !agrees {
				clashes = append(clashes, clash{variable, f, !said})
				changed = true
				if keep { // no other flag names the node
					f = vmFlag{strings.TrimPrefix(NameFlag(s), "-"), []string{s.Names().Node(s.Nodes[i].Name)}}
				}
			}
			if keep {
				kept = append(kept, f)
			}
			changed = changed || !keep
		}
		switch {
		case changed:
			env[variable] = joinFlags(kept)
		case !said && text != "" && variable == "ERL_AFLAGS": // ours are prepended to it
			env[variable] = text
		}
	}
	return clashes
}

// EnvFlags returns a variable for a VM that is not a node, and is named by its
// command.
func EnvFlags(s orchestrator.Spec, variable string) string {
	s.Nodes = []orchestrator.NodeSpec{{Name: SuiteName}}
	env := map[string]string{}
	for _, key := range FlagVariables {
		if value, said := s.Env[key]; said {
			env[key] = Words(s, 0).Replace(value)
		}
	}
	s.Release, s.CookieFile, s.Command, s.Entrypoint = false, "", nil, nil
	mergeFlags(s, 0, env)
	return env[variable]
}

// withoutThose returns our flags without those that the flags of others set too.
func withoutThose(ours string, env map[string]string, image map[string]string) string {
	var theirs []string
	for _, variable := range FlagVariables {
		text, said := env[variable]
		if !said {
			text = image[variable]
		}
		for _, f := range splitFlags(text) {
			if f.name[0] == '+' {
				theirs = append(theirs, f.setting())
			}
		}
	}
	if len(theirs) == 0 {
		return ours
	}
	return joinFlags(slices.DeleteFunc(splitFlags(ours), func(f vmFlag) bool { return slices.Contains(theirs, f.setting()) }))
}

// FlagNotes returns a note for each flag that does not apply, once.
func FlagNotes(s orchestrator.Spec) []string {
	var notes []string
	for i := range s.Nodes {
		env := map[string]string{}
		words := Words(s, i)
		for key, value := range s.NodeAt(i).Env {
			env[key] = words.Replace(value)
		}
		for _, c := range mergeFlags(s, i, env) {
			if text := c.told(); !slices.Contains(notes, text) {
				notes = append(notes, text)
			}
		}
	}
	return notes
}
