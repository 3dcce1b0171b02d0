package diagnosis

import (
	"cmp"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/hint"
)

// rule finds one thing. It looks at a node's output and start error by says, at
// what is known of the node by when, or at the whole by whole; where it has says
// and when, both must hold. Texts have {words}: see words.
type rule struct {
	code orchestrator.FindingCode
	// says is sought line by line, the latest line that matches wins; its groups
	// are {1}, {2}, …
	says *regexp.Regexp
	// when is asked of each node.
	when func(e *Evidence, n *Node) (match, bool)
	// whole is asked once.
	whole func(e *Evidence) (match, bool)

	// lasts tells whether time will not cure it, nil never. See [orchestrator.Finding].Lasting.
	lasts func(e *Evidence, n *Node) bool

	// ready also looks at nodes with which nothing else is wrong.
	ready bool

	problem string
	try     []try
	// follows are the codes that this one is a symptom of, where they are found too.
	follows codes
}

// codes are the codes of several findings.
type codes []orchestrator.FindingCode

// try is a solution that is proposed always, or only where the cluster can, or
// cannot, be looked at.
type try struct {
	text, do hint.Hint
	where    where
}

// text formats what a solution says: see [hint.Newf].
func text(format string, args ...any) hint.Hint { return hint.Newf(format, args...) }

// shell is a command of another program.
func shell(command string) hint.Hint { return hint.Text(command) }

// What is often done.
var (
	again   = againWith()
	down    = hint.Of(hint.Down.On("{cluster}"))
	start   = hint.Of(hint.Start.On("{cluster}", "{node}"))
	restart = hint.Of(hint.Restart.On("{cluster}", "{node}"))
	inspect = hint.Of(hint.Inspect.On("{cluster}", "{node}"))
	logs    = hint.Of(hint.Logs.On("{cluster}", "{node}"))
	tail    = hint.Of(hint.Tail.On("{cluster}", "{node}"))
	events  = hint.Of(hint.Events.On("{cluster}"))
	health  = hint.Of(hint.Health.On("{cluster}"))
	doctor  = hint.Of(hint.Doctor.With())
)

// againWith starts a cluster that failed once more, with these settings, and keeps it.
func againWith(settings ...string) hint.Hint {
	return hint.Of(hint.Up.On("{cluster}").With(append([]string{"{what}", "keep_on_failure"}, settings...)...))
}

// grep shows the lines of the node that match an expression.
func grep(expr string) hint.Hint { return hint.Of(hint.Grep.On("{cluster}", "{node}").With(expr)) }

// eval evaluates an expression on the node.
func eval(expression string) hint.Hint {
	return hint.Of(hint.Eval.On("{cluster}", "{node}").With(expression))
}

type where int

const (
	always where = iota
	there        // its containers are there
	runs         // the node's runs
	ended        // the node's is there and has ended
	absent       // they are not there
)

// applies reports whether a solution can be typed. One that would name what is not
// known cannot.
func (t try) applies(e *Evidence, n *Node, m *match) bool {
	for word, known := range map[string]bool{"{image}": e.Spec.Image != "", "{cluster}": e.Spec.Name != "", "{base}": m.words["base"] != ""} {
		if !known && strings.Contains(t.do.String(), word) {
			return false
		}
	}
	switch t.where {
	case always:
		return true
	case there:
		return !e.Absent
	case runs:
		return !e.Absent && n != nil && n.State.Running()
	case ended:
		return !e.Absent && n != nil && !n.State.Running()
	case absent:
		return e.Absent
	}
	return false
}

// match is where a rule holds.
type match struct {
	evidence string
	groups   []string          // {1}, {2}, …
	words    map[string]string // more words for the texts
	peers    []string          // other nodes that it has to do with
	way      hint.Hint         // {way}, another word for the texts
	hint     hint.Hint         // advice that came with an error: the first solution

	rule    *rule
	finding orchestrator.Finding
}

// matches asks a rule about a node.
func (r *rule) matches(e *Evidence, n *Node) (match, bool) {
	if n.well() && !r.ready {
		return match{}, false // an old line is no failure of now
	}
	var m match
	if r.says != nil {
		said, ok := saysIn(r.says, n)
		if !ok {
			return match{}, false
		}
		m = said
	}
	if r.when == nil {
		return m, r.says != nil
	}
	more, ok := r.when(e, n)
	if r.says == nil {
		return more, ok
	}
	m.words, m.peers = more.words, more.peers
	if more.evidence != "" {
		m.evidence = more.evidence
	}
	return m, ok
}

// saysIn looks for a text in what a node said last, or in why it did not start.
func saysIn(re *regexp.Regexp, n *Node) (match, bool) {
	for i := len(n.Lines) - 1; i >= 0; i-- {
		if groups := re.FindStringSubmatch(n.Lines[i].Text); groups != nil {
			return match{evidence: strings.TrimSpace(n.Lines[i].Text), groups: groups[1:]}, true
		}
	}
	if groups := re.FindStringSubmatch(n.StartError); groups != nil {
		return match{evidence: n.StartError, groups: groups[1:], hint: n.Hint}, true
	}
	return match{}, false
}

// errorSays is a rule's whole for a text in the error of a build: what others say
// in theirs may be anything.
func errorSays(re *regexp.Regexp) func(*Evidence) (match, bool) {
	return func(e *Evidence) (match, bool) {
		groups := re.FindStringSubmatch(e.Error)
		if groups == nil || e.Kind != KindBuild {
			return match{}, false
		}
		return match{evidence: lineWith(e.Error, groups[0]), groups: groups[1:], hint: e.Hint}, true
	}
}

// lineWith is the line of a text in which something stands.
func lineWith(text, part string) string {
	first, _, _ := strings.Cut(part, "\n")
	for line := range strings.Lines(text) {
		if strings.Contains(line, first) {
			return strings.TrimSpace(line)
		}
	}
	return text
}

// ofKind is a rule's whole for a kind of error.
func ofKind(kinds ...Kind) func(*Evidence) (match, bool) {
	return func(e *Evidence) (match, bool) {
		for _, k := range kinds {
			if e.Kind == k {
				return match{evidence: e.Error, hint: e.Hint}, true
			}
		}
		return match{}, false
	}
}

// startKind is a rule's when for a kind of start error.
func startKind(kind Kind) func(*Evidence, *Node) (match, bool) {
	return func(_ *Evidence, n *Node) (match, bool) {
		return match{evidence: n.StartError, hint: n.Hint}, n.Kind == kind
	}
}

// of fills the finding of a match.
func (m match) of(r *rule, e *Evidence, n *Node) match {
	words := m.replacer(e, n)
	m.rule = r
	m.finding = orchestrator.Finding{Code: r.code, Problem: clip(words.Replace(r.problem)), Evidence: clip(m.evidence)}
	if n != nil {
		m.finding.Node = n.Name
		m.finding.Lasting = r.lasts != nil && r.lasts(e, n)
	}
	fill := func(h hint.Hint) hint.Hint { return h.Map(words.Replace).Replace("{way}", m.way) }
	hints := m.hint.Split()
	hasStep := false
	for _, t := range r.try {
		if !t.applies(e, n, &m) {
			continue
		}
		s := orchestrator.Solution{Text: fill(t.text), Do: fill(t.do)}
		hasStep = hasStep || len(s.Do) > 0
		if i := slices.IndexFunc(hints, func(h hint.Hint) bool { return len(s.Do) > 0 && strings.Contains(h.String(), s.Do.String()) }); i >= 0 {
			s.Text, hints[i] = hints[i], nil // it says the same, with more of the case
		}
		m.finding.Solutions = append(m.finding.Solutions, s)
	}
	for i, h := range slices.DeleteFunc(hints, func(h hint.Hint) bool { return len(h) == 0 }) {
		m.finding.Solutions = slices.Insert(m.finding.Solutions, i, orchestrator.Solution{Text: h})
	}
	if !hasStep {
		t := lookCloser(e, n)
		m.finding.Solutions = append(m.finding.Solutions, orchestrator.Solution{Text: fill(t.text), Do: fill(t.do)})
	}
	return m
}

// lookCloser is what can be done where a rule proposes no step that works.
func lookCloser(e *Evidence, n *Node) try {
	switch {
	case len(e.Nodes) == 0:
		return try{text("see what this machine lacks"), doctor, always}
	case e.Absent:
		return try{text("keep it for a look when it fails again"), again, absent}
	case n == nil:
		return try{text("see what happened"), events, there}
	}
	return try{text("read on"), tail, there}
}

// what is the setting that says what a cluster is started from.
func what(e *Evidence) string {
	if e.Spec.File != "" {
		return "file: " + e.Spec.File
	}
	return "source: " + cmp.Or(e.Spec.Source, e.Spec.Image, ".")
}

// replacer knows the words of the texts: {node} n1, {cluster} demo, {beam}
// app@n1.demo.test, {host}, {container}, {image}, {app}, {what} what the cluster is
// started from, {name_it} --name or --sname with the word that a spec's command has
// for the name, {names} and {other_names} the kind of the cluster's names and the
// other one, {1} what a pattern's first group found, and those of the match.
func (m match) replacer(e *Evidence, n *Node) *strings.Replacer {
	pairs := []string{
		"{cluster}", e.Spec.Name, "{image}", hint.Quote(e.Spec.Image), "{app}", e.app(),
		"{dist_port}", strconv.Itoa(e.Spec.Distribution.Port), "{http_port}", strconv.Itoa(e.Spec.HTTPPort), "{http_check}", e.Spec.HTTPCheck,
		"{what}", what(e), "{cookie_file}", e.Spec.CookieFile, "{name_it}", nameIt(e), "{names}", nameMode(e.shortNames()), "{other_names}", nameMode(!e.shortNames()),
	}
	if n != nil {
		pairs = append(pairs, "{node}", n.Name, "{beam}", n.BEAM, "{host}", n.Host,
			"{container}", n.Container, "{ip}", n.IP, "{dump_path}", cmp.Or(n.DumpPath, "/tmp/erl_crash.dump"), "{stop_timeout}", e.Spec.StopTimeout.String(), "{memory}", bytesText(e.Spec.Memory))
	}
	for i, g := range m.groups {
		pairs = append(pairs, "{"+strconv.Itoa(i+1)+"}", strings.TrimSpace(g))
	}
	for k, v := range m.words {
		pairs = append(pairs, "{"+k+"}", v)
	}
	return strings.NewReplacer(pairs...)
}

// nameIt are the words of a command that name its node.
func nameIt(e *Evidence) string {
	if e.shortNames() {
		return "--sname {node}"
	}
	return "--name {node}"
}

func nameMode(short bool) string {
	if short {
		return "short"
	}
	return "long"
}

const maxEvidence = 500

func clip(text string) string {
	if len(text) > maxEvidence {
		return strings.ToValidUTF8(text[:maxEvidence], "") + "…"
	}
	return text
}

// bytesText is a number of bytes for people: "512 MiB".
func bytesText(n int64) string {
	const unit = 1024
	switch {
	case n < unit:
		return strconv.FormatInt(n, 10) + " B"
	case n < unit*unit:
		return strconv.FormatInt(n/unit, 10) + " KiB"
	case n < 10*unit*unit*unit:
		return strconv.FormatInt(n/(unit*unit), 10) + " MiB"
	}
	return strconv.FormatInt(n/(unit*unit*unit), 10) + " GiB"
}
