package upgrade

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/hint"
	"github.com/beamyard/beamyard/orchestrator/internal/english"
	"github.com/beamyard/beamyard/orchestrator/internal/manifest"
)

// Report says what an upgrade or a rollback did to each node.
type Report struct {
	Cluster string        `json:"cluster"`
	Back    bool          `json:"back,omitempty"`   // it was a rollback
	Source  string        `json:"source,omitempty"` // the folder or the image that was given; "": that of the cluster
	Nodes   []NodeReport  `json:"nodes"`            // in the order of the spec
	Took    time.Duration `json:"took"`             // in nanoseconds
}

// NodeReport is the part of a [Report] about one node.
type NodeReport struct {
	Name  string        `json:"name"`
	From  string        `json:"from,omitempty"` // the image that it ran
	To    string        `json:"to,omitempty"`   // the image that it was to run; "": it has an image of its own
	State NodeState     `json:"state"`
	Took  time.Duration `json:"took,omitempty"` // from its stop until it was Ready and healthy, in nanoseconds
}

// NodeState says how far a node came.
type NodeState string

// The states of a [NodeReport].
const (
	Replaced  NodeState = "replaced"  // it runs the new image, and is well
	Unchanged NodeState = "unchanged" // it ran the image already, or has one of its own
	Unwell    NodeState = "unwell"    // it has the new image, and is not well
	Waiting   NodeState = "waiting"   // it still has the image that it had
)

func newReport(s orchestrator.Spec, o Options, now, to map[string]manifest.Build, groups [][]string) *Report {
	r := &Report{Cluster: s.Name, Back: o.Back, Source: o.Source}
	for _, n := range s.Nodes {
		one := NodeReport{Name: n.Name, State: Unchanged}
		if from, known := now[n.Name]; known {
			one.From = from.Image()
		}
		if target, concerned := to[n.Name]; concerned {
			one.To = target.Image()
		}
		for _, group := range groups {
			for _, name := range group {
				if name == n.Name {
					one.State = Waiting
				}
			}
		}
		r.Nodes = append(r.Nodes, one)
	}
	return r
}

func (r *Report) set(nodes []string, state NodeState, took time.Duration) {
	for i := range r.Nodes {
		for _, name := range nodes {
			if r.Nodes[i].Name == name {
				r.Nodes[i].State, r.Nodes[i].Took = state, took
			}
		}
	}
}

// count returns how many nodes are in a state.
func (r Report) count(states ...NodeState) (n int) {
	for _, node := range r.Nodes {
		for _, s := range states {
			if node.State == s {
				n++
			}
		}
	}
	return n
}

func (r Report) verb() string {
	if r.Back {
		return "rollback"
	}
	return "upgrade"
}

// Line returns the report in one line.
func (r Report) Line() string {
	replaced := r.count(Replaced)
	switch {
	case replaced == 0 && r.count(Waiting, Unwell) == 0 && r.Back:
		return r.Cluster + ": every node runs the image before already: nothing changed"
	case replaced == 0 && r.count(Waiting, Unwell) == 0:
		return r.Cluster + ": every node runs that image already: nothing changed"
	}
	line := fmt.Sprintf("%s of %s: %s of %s replaced", r.verb(), r.Cluster, english.Plural(replaced, "node", "nodes"), english.Plural(replaced+r.count(Waiting, Unwell), "node", "nodes"))
	if replaced > 0 && r.count(Waiting, Unwell) == 0 {
		line = fmt.Sprintf("%s of %s: %s replaced", r.verb(), r.Cluster, english.Plural(replaced, "node", "nodes"))
	}
	return fmt.Sprintf("%s, in %s", line, r.Took.Round(10*time.Millisecond))
}

// Stopped says at which node an upgrade or a rollback stopped. All other nodes keep running.
type Stopped struct {
	Report Report // what was done until then
	Node   string // the node that is not well
	Err    error  // why: an [orchestrator.ClusterError] if a node is not Ready
}

func (e *Stopped) Error() string {
	var others []string
	done, has := "no node is replaced", "has the new image"
	if e.Report.Back {
		has = "has the image before"
	}
	for _, n := range e.Report.Nodes {
		switch {
		case n.State == Replaced:
			others = append(others, n.Name+" replaced")
		case n.State == Unwell && n.Name == e.Node:
			done = "no other node is replaced"
		case n.State == Unwell: // of the same group
			others = append(others, n.Name+" "+has)
		}
	}
	if len(others) > 0 {
		done = strings.Join(others, ", ")
	}
	return fmt.Sprintf("%s of %s stopped at %s, %s: %v", e.Report.verb(), e.Report.Cluster, e.Node, done, e.Err)
}

func (e *Stopped) Unwrap() error { return e.Err }

// Hint says how to go back, and how to go on.
func (e *Stopped) Hint() hint.Hint {
	next := hint.Newf("go back to the image before: %s\nor make it right, and go on: %s", hint.Rollback.On(e.Report.Cluster), Again(e.Report.Cluster, e.Report.Source))
	if e.Report.Back {
		next = hint.Newf("go on: %s", hint.Rollback.On(e.Report.Cluster))
	}
	return hint.Lines(orchestrator.HintOf(e.Err), next)
}

// Again returns the step that goes on with an upgrade to a source; "": to that of the cluster.
func Again(cluster, source string) hint.Step {
	step := hint.Upgrade.On(cluster)
	if source != "" {
		step = step.With("--to " + hint.Quote(source))
	}
	return step
}

// ErrNoUpgrade reports that a cluster has no upgrade to go back from.
var ErrNoUpgrade = errors.New("there is no upgrade to go back from")
