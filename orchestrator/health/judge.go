package health

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/beamyard/beamyard/orchestrator/hint"
)

// Seen is what is known about a node when it is judged.
type Seen struct {
	Name string // "n1"
	Node string // its BEAM name
	// App that must be started on it; "": that of the [Expectations], "-": none.
	App string
	// Runs identifies what the node runs. Only nodes with the same value must have equal
	// modules.
	Runs string
	// Sample of a node that answered. Nil: Reason is why there is none, and Hint what to
	// do about it.
	Sample *Sample
	Reason string
	Hint   hint.Hint
	// Apart are the short names of the nodes that it is deliberately disconnected from.
	Apart []string
	// Cut has the nodes that faults cut it off from, by short name.
	Cut map[string]Cut
	// Clock is the fault that sets its clock; zero: none does.
	Clock Cut
	// Own are the outcomes of the cluster's own checks on the node.
	Own []Outcome
}

// Cut is a fault that keeps a node from another one, or from the right time.
type Cut struct {
	ID   string // of the fault
	Text string // what it does: "partition n1 | the rest, drop"
	// Innocent means that the fault does not cut the two off: global disconnects them
	// because of what it cuts, so that partitions do not overlap.
	Innocent bool
}

// Outcome is the outcome of one of the cluster's own checks on one node.
type Outcome struct {
	Name    string
	Took    time.Duration
	Failure string // why it failed; "" if it passed
	Hint    hint.Hint
	// Answered is true if what was asked has answered, and the answer is the failure: an HTTP status.
	Answered bool
	// Crashed is true if the check itself could not be run.
	Crashed bool
}

// Observation is the input of a report.
type Observation struct {
	Time  time.Time
	Took  time.Duration
	Nodes []Seen
}

// Expectations are the requirements for a healthy cluster, besides the thresholds.
type Expectations struct {
	Cluster string
	App     string // application that must be started; "" or "-" for none
	NoMesh  bool   // the nodes need not be connected to each other
	// CertificateEnds is when the first certificate of a distribution over TLS ends; zero: it
	// does not speak TLS.
	CertificateEnds time.Time
}

// CertificateWarning is the time before the end of a certificate from which its check fails.
const CertificateWarning = 7 * 24 * time.Hour

// Judge makes a report from an observation. It is pure. A check that panics is a failed
// check.
func Judge(o Observation, e Expectations, t Thresholds) Report {
	j := judge{Observation: o, Expectations: e, Thresholds: t.Defaulted()}
	j.report = Report{Cluster: e.Cluster, Time: o.Time, Took: o.Took}
	for _, n := range o.Nodes {
		j.report.Nodes = append(j.report.Nodes, NodeReport{Name: n.Name, Node: n.Node, Sample: n.Sample})
	}
	j.report.Matrix = matrix(o.Nodes)
	j.mnesia, j.duplicates = MnesiaApart(o.Nodes), DuplicateNames(o.Nodes)
	j.kept, j.restarted = MnesiaKept(o.Nodes)
	for _, g := range Groups {
		switch g {
		case Connectivity:
			j.each(g, "answers", j.connectivity)
		case Formation:
			j.each(g, "mesh", func(n Seen) []Check { return append(j.formation(n), j.agree(n)...) })
		case Code:
			j.guard(Check{Group: g, Name: "modules"}, j.code)
		case Operations:
			j.each(g, "application", j.operations)
			j.guard(Check{Group: g, Name: "certificate"}, j.certificate)
		case Performance:
			j.each(g, "load", j.performance)
		case Resources:
			j.each(g, "limits", j.resources)
		}
	}
	j.report.Passed = j.report.Summary.Failed == 0
	j.suggest()
	return j.report
}

type judge struct {
	Observation
	Expectations
	Thresholds
	report Report

	mnesia, kept, restarted map[string][]string // MnesiaApart, MnesiaKept
	duplicates              []Duplicate
}

// certificate looks at the end of the distribution's certificates.
func (j *judge) certificate() []Check {
	if j.CertificateEnds.IsZero() {
		return nil
	}
	ends := j.CertificateEnds.UTC().Format("2006-01-02 15:04 MST")
	c := Check{Name: "certificate", State: Passed, Means: "the distribution's certificate is valid until " + ends}
	switch left := j.CertificateEnds.Sub(j.Time); {
	case left <= 0:
		c.State, c.Means = Failed, "the distribution's certificate ended "+ends+": a node that connects again is refused"
	case left < CertificateWarning:
		c.State, c.Means = Failed, "the distribution's certificate ends "+ends+": then a node that connects again is refused"
	default:
		return []Check{c}
	}
	c.Suggestion = hint.Newf("replace the files of %s, then: %s; %s", hint.Setting("distribution.tls"), hint.Down.On(j.Cluster), hint.Up.With())
	return []Check{c}
}

// each looks at every node. One that did not answer passes nothing, and it is
// only its connectivity that is known to fail.
func (j *judge) each(g Group, name string, look func(Seen) []Check) {
	for _, n := range j.Nodes {
		j.guard(Check{Group: g, Name: name, Node: n.Name}, func() []Check {
			if n.Sample == nil && g != Connectivity {
				return []Check{{Name: name, State: Unknown, Means: n.Name + " did not answer"}}
			}
			return look(n)
		})
	}
}

// guard adds what a check finds, or that it crashed.
func (j *judge) guard(of Check, look func() []Check) {
	var found []Check
	func() {
		defer func() {
			if why := recover(); why != nil {
				found = []Check{{
					Name: of.Name, State: Failed, Crashed: true, Means: fmt.Sprintf("the check itself crashed: %v", why),
					Suggestion: hint.Newf("report this with the output of: %s", hint.HealthJSON.On(j.Cluster)),
				}}
			}
		}()
		found = look()
	}()
	for _, c := range found {
		c.Group, c.Node = of.Group, of.Node
		j.report.add(c)
	}
}

func (j *judge) connectivity(n Seen) []Check {
	c := Check{Name: "answers", State: Passed}
	if n.Sample == nil {
		c.State, c.Means, c.Suggestion = Failed, n.Name+" does not answer", n.Hint
		if n.Reason != "" {
			c.Means = n.Name + ": " + n.Reason
		}
		if len(c.Suggestion) == 0 {
			c.Suggestion = hint.Of(hint.Inspect.On(j.Cluster, n.Name))
		}
		return []Check{c}
	}
	c.Figures = []Figure{milliseconds("round trip", n.Sample.RoundTrip, 0)}
	return []Check{c}
}

// eval is the step that evaluates an Elixir expression on a node.
func (j *judge) eval(n Seen, expression string) hint.Step {
	return hint.Eval.On(j.Cluster, n.Name).With(expression)
}

// app is the application that a node is to run, "" for none.
func (j *judge) app(n Seen) string {
	app := n.App
	if app == "" {
		app = j.App
	}
	if app == "-" {
		return ""
	}
	return app
}

// matrix is who sees whom.
func matrix(nodes []Seen) Matrix {
	m := Matrix{Nodes: []string{}, Rows: [][]Sight{}}
	for _, n := range nodes {
		m.Nodes = append(m.Nodes, n.Name)
		row := make([]Sight, len(nodes))
		for i, peer := range nodes {
			switch {
			case peer.Name == n.Name:
			case n.Sample == nil || n.Sample.Partial:
				row[i] = SeesUnknown
			case slices.Contains(n.Sample.Visible, peer.Node):
				row[i] = SeesVisible
			case slices.Contains(n.Sample.Hidden, peer.Node):
				row[i] = SeesHidden
			default:
				row[i] = SeesNot
			}
		}
		m.Rows = append(m.Rows, row)
	}
	return m
}

// formation asks of a node that it sees all who answered.
func (j *judge) formation(n Seen) []Check {
	c := Check{Name: "mesh", State: Passed}
	if n.Sample.Partial {
		c.State, c.Means = Unknown, n.Name+" did not report its connections"
		return []Check{c}
	}
	var missing, hidden, apart []string
	cut := map[Cut][]string{}
	expected := 0
	var first Seen
	for i, sight := range j.report.Matrix.Rows[j.index(n)] {
		peer := j.Nodes[i]
		if peer.Sample == nil || peer.Name == n.Name {
			continue
		}
		if slices.Contains(n.Apart, peer.Name) {
			apart = append(apart, peer.Name)
			continue
		}
		if by, ok := n.Cut[peer.Name]; ok && (!by.Innocent || sight == SeesNot) {
			cut[by] = append(cut[by], peer.Name)
			continue
		}
		expected++
		switch sight {
		case SeesNot:
			missing = append(missing, peer.Name)
		case SeesHidden:
			hidden = append(hidden, peer.Name)
		case SeesVisible, SeesUnknown:
			continue
		}
		if first.Name == "" {
			first = peer
		}
	}
	seen := expected - len(missing) - len(hidden)
	c.Figures = []Figure{{Name: "sees", Value: float64(seen)}, {Name: "peers", Value: float64(expected)}}
	var means []string
	if len(missing) > 0 {
		means = append(means, "does not see "+strings.Join(missing, ", "))
	}
	if len(hidden) > 0 {
		means = append(means, "sees "+strings.Join(hidden, ", ")+" only as hidden")
	}
	switch {
	case len(cut) > 0:
		j.cut(&c, n, cut, means)
	case len(means) > 0 && !j.NoMesh:
		c.State, c.Means = Failed, n.Name+" "+strings.Join(means, ", ")+": what it spreads over the cluster does not get there"
		c.Suggestion = hint.Newf("ask it to connect: %s", j.eval(n, fmt.Sprintf("Node.connect(:%q)", first.Node)))
	case len(apart) > 0:
		c.State, c.Means = Failed, n.Name+" is disconnected from "+strings.Join(apart, ", ")+" on purpose"
		c.Suggestion = hint.Newf("only %s reconnects them", hint.Reconnect.On(j.Cluster, n.Name))
	}
	return []Check{c}
}

// cut fills the check of a node that faults cut off from others. What else it lacks is likely to
// be their effect too.
func (j *judge) cut(c *Check, n Seen, cut map[Cut][]string, means []string) {
	var ids []string
	for _, by := range slices.SortedFunc(maps.Keys(cut), func(a, b Cut) int { return strings.Compare(a.ID, b.ID) }) {
		if !slices.Contains(ids, by.ID) {
			ids = append(ids, by.ID)
		}
		peers := strings.Join(cut[by], ", ")
		if by.Innocent {
			means = append(means, fmt.Sprintf("was disconnected from %s by global, because of %s (%s)", peers, by.ID, by.Text))
		} else {
			means = append([]string{fmt.Sprintf("is cut off from %s by %s (%s)", peers, by.ID, by.Text)}, means...)
		}
	}
	c.State, c.Means = Failed, n.Name+" "+strings.Join(means, ", ")
	c.Suggestion = hint.Newf("heal it: %s", hint.Heal.On(j.Cluster).With(ids...))
}

func (j *judge) index(n Seen) int {
	return slices.IndexFunc(j.Nodes, func(o Seen) bool { return o.Name == n.Name })
}

// operations are the application and the cluster's own checks.
func (j *judge) operations(n Seen) []Check {
	var checks []Check
	if app := j.app(n); app != "" {
		c := Check{Name: "application", State: Passed}
		if !slices.Contains(n.Sample.Apps, app) {
			c.State, c.Means = Failed, fmt.Sprintf("application %s is not started", app)
			c.Suggestion = hint.Newf("see why it ended: %s", hint.Tail.On(j.Cluster, n.Name))
		}
		checks = append(checks, c)
	}
	for _, own := range n.Own {
		c := Check{Name: own.Name, State: Passed, Crashed: own.Crashed, Figures: []Figure{milliseconds("took", own.Took, 0)}}
		if own.Failure != "" {
			c.State, c.Means, c.Suggestion = Failed, fmt.Sprintf("%s: %s", own.Name, own.Failure), own.Hint
			if len(c.Suggestion) == 0 {
				c.Suggestion = hint.Of(hint.Tail.On(j.Cluster, n.Name))
			}
		}
		checks = append(checks, c)
	}
	return checks
}

// suggest collects what to do.
func (j *judge) suggest() {
	made := map[string]bool{}
	for _, c := range j.report.Checks {
		if text := c.Suggestion.String(); c.State == Failed && text != "" && !made[text] {
			made[text] = true
			j.report.Suggestions = append(j.report.Suggestions, c.Suggestion)
		}
	}
	if j.report.Passed {
		j.report.Suggestions = []hint.Hint{hint.Text(nothingToDo)}
	}
}

func milliseconds(name string, d, limit time.Duration) Figure {
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	return Figure{Name: name, Value: ms(d), Unit: "ms", Limit: ms(limit)}
}
