package complete

import (
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// Request is a command line up to the cursor.
type Request struct {
	Model *kong.Application
	// Words are the words after the program's name. The last one is the one to complete, and may be
	// empty.
	Words []string
	// Env returns the value of an environment variable, or "". A flag can be given by one.
	Env func(string) string
	// Clusters returns the clusters that exist. It is called at most once, and only if the word may
	// be a name in one of them.
	Clusters func() []Cluster
	// Ref returns the name of a cluster as it is from how it is written. Nil: they are the same.
	Ref func(string) string
}

// Cluster has the names in a cluster.
type Cluster struct {
	Name   string
	About  string
	Nodes  []Candidate
	Roles  []Candidate
	Hosts  []Candidate // as targets: @host:a
	Faults []Candidate
}

// Candidate is what the word can become.
type Candidate struct {
	Value string // the whole word
	About string // what it is, in one line; may be empty
	More  bool   // more of the same word may follow: no space after it
}

// Answer is what a shell offers.
type Answer struct {
	Candidates []Candidate
	Files      bool // the shell completes the names of files instead
}

// Complete returns what the last word of a command line can be. Each candidate begins with the word.
// A line that makes no sense has no candidates.
func Complete(r Request) Answer {
	if len(r.Words) == 0 {
		r.Words = []string{""}
	}
	l := &line{Request: r, node: r.Model.Node}
	last := len(r.Words) - 1
	for _, word := range r.Words[:last] {
		if !l.read(word) {
			return Answer{}
		}
	}
	answer := l.complete(r.Words[last])
	answer.Candidates = slices.DeleteFunc(answer.Candidates, func(c Candidate) bool { return !strings.HasPrefix(c.Value, r.Words[last]) })
	return answer
}

// line is what is known of a command line after some of its words.
type line struct {
	Request
	node    *kong.Node        // the command, or the application before it
	args    []string          // the positional arguments
	given   []*kong.Flag      // the flags
	waiting *kong.Flag        // whose value is the next word
	ended   bool              // -- or a passthrough argument ended the flags
	values  map[string]string // of flags with one value, by name
	known   []Cluster
	asked   bool
}

// read takes a word. It returns false if the line makes no sense from here on.
func (l *line) read(word string) bool {
	switch {
	case l.waiting != nil:
		l.give(l.waiting, word)
		l.waiting = nil
	case l.ended:
		l.args = append(l.args, word)
	case word == "--":
		l.ended = true
	case strings.HasPrefix(word, "--"):
		name, value, hasValue := strings.Cut(word[2:], "=")
		flag := l.flag(name)
		if flag == nil {
			return false
		}
		if hasValue || takesNone(flag) {
			l.give(flag, value)
		} else {
			l.waiting = flag
		}
	case len(word) > 1 && word[0] == '-':
		return l.readShort(word[1:])
	case len(l.node.Children) > 0:
		i := slices.IndexFunc(l.node.Children, func(n *kong.Node) bool { return n.Name == word || slices.Contains(n.Aliases, word) })
		if i < 0 {
			return false
		}
		l.node = l.node.Children[i]
	default:
		l.args = append(l.args, word)
		if arg := l.positional(len(l.args) - 1); arg != nil && arg.PassthroughMode != kong.PassThroughModeNone {
			l.ended = true
		}
	}
	return true
}

// readShort takes "f", "fc" and "cNAME".
func (l *line) readShort(letters string) bool {
	for i, letter := range letters {
		flag := l.short(letter)
		if flag == nil {
			return false
		}
		if takesNone(flag) {
			l.give(flag, "")
			continue
		}
		if rest := strings.TrimPrefix(letters[i+len(string(letter)):], "="); rest != "" {
			l.give(flag, rest)
		} else {
			l.waiting = flag
		}
		return true
	}
	return true
}

func (l *line) give(flag *kong.Flag, value string) {
	l.given = append(l.given, flag)
	if l.values == nil {
		l.values = map[string]string{}
	}
	l.values[flag.Name] = value
}

// flags returns the flags that the command takes, with those of the application, as they are listed.
func (l *line) flags() []*kong.Flag {
	groups := l.node.AllFlags(true)
	slices.Reverse(groups) // the command's own first
	return slices.Concat(groups...)
}

func (l *line) flag(name string) *kong.Flag {
	return first(l.flags(), func(f *kong.Flag) bool {
		return f.Name == name || slices.Contains(f.Aliases, name) || f.Tag.Negatable != "" && name == "no-"+f.Name
	})
}

func (l *line) short(letter rune) *kong.Flag {
	return first(l.flags(), func(f *kong.Flag) bool { return f.Short == letter })
}

func first(flags []*kong.Flag, fits func(*kong.Flag) bool) *kong.Flag {
	if i := slices.IndexFunc(flags, fits); i >= 0 {
		return flags[i]
	}
	return nil
}

// takesNone reports whether a flag has no value after it.
func takesNone(f *kong.Flag) bool { return f.IsBool() || f.IsCounter() }

// positional returns the n-th positional argument of the command; the last one may take many words.
func (l *line) positional(n int) *kong.Positional {
	all := l.node.Positional
	switch {
	case n < len(all):
		return all[n]
	case len(all) > 0 && (all[len(all)-1].IsCumulative()):
		return all[len(all)-1]
	}
	return nil
}

func (l *line) complete(word string) Answer {
	if l.waiting != nil {
		return l.value(l.waiting.Value, "", word, nil)
	}
	if !l.ended && strings.HasPrefix(word, "-") {
		if name, value, hasValue := strings.Cut(word, "="); hasValue {
			if flag := l.flag(strings.TrimPrefix(name, "--")); flag != nil && !takesNone(flag) {
				return l.value(flag.Value, name+"=", value, nil)
			}
			return Answer{}
		}
		return Answer{Candidates: l.offered(word)}
	}
	if len(l.node.Children) > 0 {
		var commands []Candidate
		for _, n := range l.node.Children {
			if !n.Hidden {
				commands = append(commands, Candidate{Value: n.Name, About: about(n.Help)})
			}
		}
		return Answer{Candidates: commands}
	}
	arg := l.positional(len(l.args))
	switch {
	case arg != nil && arg.PassthroughMode != kong.PassThroughModeNone, arg == nil && l.ended:
		return Answer{Files: true} // the words of another command
	case arg == nil:
		return Answer{}
	}
	var before []string
	if arg.IsCumulative() {
		before = l.args[min(arg.Position, len(l.args)):]
	}
	return l.value(arg, "", word, before)
}

// offered returns the flags that can still be given.
func (l *line) offered(word string) []Candidate {
	var flags []Candidate
	for _, f := range l.flags() {
		if f.Short != 0 && word == "-"+string(f.Short) {
			return []Candidate{{Value: word, About: about(f.Help)}}
		}
		if !slices.Contains(l.given, f) || f.IsCumulative() {
			flags = append(flags, Candidate{Value: "--" + f.Name, About: about(f.Help)})
		}
	}
	return flags
}

// value returns what a flag or an argument can be. Before are the words that it has already.
func (l *line) value(v *kong.Value, prefix, word string, before []string) Answer {
	kind := v.Tag.Get("complete")
	if kind == "files" {
		return Answer{Files: true}
	}
	list, rest, earlier := split(word, separators(v, kind))
	given := slices.Concat(before, earlier)
	var found []Candidate
	switch {
	case v.Enum != "":
		found = literally(v.EnumSlice())
	case strings.Contains(kind, "|"):
		found = literally(strings.Split(kind, "|"))
	case kind == "cluster":
		for _, c := range l.clusters() {
			found = append(found, Candidate{Value: c.Name, About: c.About})
		}
	case kind == "fault":
		named := l.named(nil)
		for _, c := range l.clusters() {
			if named == "" || named == c.Name {
				found = append(found, c.Faults...)
			}
		}
	case kind == "node", kind == "nodes", kind == "links":
		found = l.nodes(rest, given)
	}
	if kind == "links" { // a node can be in several
		given = nil
		if strings.HasSuffix(list, ":") {
			given = earlier[max(0, len(earlier)-1):]
		}
	}
	var answer Answer
	for _, c := range found {
		if slices.ContainsFunc(given, func(g string) bool { return short(g) == short(c.Value) }) {
			continue
		}
		c.Value = prefix + list + c.Value
		c.More = c.More || separators(v, kind) != ""
		answer.Candidates = append(answer.Candidates, c)
	}
	return answer
}

// separators returns what stands between the parts of a value, or "" if it has one part.
func separators(v *kong.Value, kind string) string {
	switch {
	case kind == "links":
		return ",:"
	case kind == "nodes", v.Flag != nil && v.IsSlice() && v.Tag.Sep == ',':
		return ","
	}
	return ""
}

// split returns the parts of a list that are complete, as they are written and each by itself, and
// the part that is not.
func split(word, separators string) (list, rest string, parts []string) {
	end := strings.LastIndexAny(word, separators) + 1
	if strings.HasSuffix(word[:end], "@host:") { // the name of a host follows, in the same part
		end = strings.LastIndexAny(word[:end-1], separators) + 1
	}
	return word[:end], word[end:], strings.FieldsFunc(word[:end], func(r rune) bool { return strings.ContainsRune(separators, r) })
}

// short returns a node's name without its cluster.
func short(name string) string { return name[strings.LastIndex(name, "/")+1:] }

// literally returns words that are known without asking anything.
func literally(words []string) []Candidate {
	var all []Candidate
	for _, w := range words {
		if w != "" {
			all = append(all, Candidate{Value: w})
		}
	}
	return all
}

// targets are the nodes that are chosen by a command: see package target.
var targets = []Candidate{
	{Value: "@all", About: "all nodes"},
	{Value: "@leader:", About: "the node that an expression returns", More: true},
	{Value: "@majority", About: "the smallest majority, at random"},
	{Value: "@minority", About: "the largest minority, at random"},
	{Value: "@one", About: "one node at random"},
}

// nodes returns what a word can be that means nodes. Given are the nodes before it: they may name
// the cluster. Without one, a node of one of several clusters is written demo/n1.
func (l *line) nodes(word string, given []string) []Candidate {
	var found []Candidate
	written, name, qualified := strings.Cut(word, "/")
	if !qualified {
		written, name = "", word
	}
	named := l.named(given)
	for _, c := range l.clusters() {
		prefix := ""
		switch {
		case qualified && l.ref(written) == c.Name:
			prefix = written + "/"
		case qualified || named != "" && named != c.Name:
			continue
		case named == "" && len(l.clusters()) > 1:
			prefix = c.Name + "/"
		}
		candidates := slices.Concat(c.Nodes, c.Roles)
		if strings.HasPrefix(name, "@") { // otherwise they are in the way of n1
			candidates = slices.Concat(targets, c.Hosts)
		}
		for _, n := range candidates {
			n.Value = prefix + n.Value
			found = append(found, n)
		}
	}
	return found
}

// named returns the cluster that nodes, a flag or the environment name, or "".
func (l *line) named(nodes []string) string {
	for _, n := range nodes {
		if cluster, _, qualified := strings.Cut(n, "/"); qualified && !strings.HasPrefix(n, "@") {
			return l.ref(cluster)
		}
	}
	flag := first(l.flags(), func(f *kong.Flag) bool { return f.Tag.Get("complete") == "cluster" })
	if flag == nil {
		return ""
	}
	if value := l.values[flag.Name]; value != "" {
		return l.ref(value)
	}
	for _, key := range flag.Envs {
		if value := l.Env(key); value != "" {
			return l.ref(value)
		}
	}
	return ""
}

func (l *line) ref(written string) string {
	if l.Ref == nil {
		return written
	}
	return l.Ref(written)
}

func (l *line) clusters() []Cluster {
	if !l.asked {
		l.known, l.asked = l.Clusters(), true
	}
	return l.known
}

// about returns the first sentence of a help text.
func about(help string) string {
	if end := strings.Index(help, ". "); end >= 0 {
		help = help[:end]
	}
	return strings.TrimSuffix(help, ".")
}
