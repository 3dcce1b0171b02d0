package codesync

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/beamyard/beamyard/orchestrator/internal/english"
)

// Report is the result of a sync.
type Report struct {
	Cluster string `json:"cluster"`
	// Changed, Added and Removed are modules, as Erlang names them.
	Changed []string     `json:"changed"`
	Added   []string     `json:"added"`
	Removed []string     `json:"removed"`
	Files   int          `json:"files"` // files that nodes lacked, including code and manifests
	Nodes   []NodeReport `json:"nodes"`
	// Warnings is the compiler's output.
	Warnings string `json:"warnings,omitempty"`
	// Lingering are processes that still run the previous code; Killed are those that
	// were killed because they ran it.
	Lingering []Process `json:"lingering,omitempty"`
	Killed    []Process `json:"killed,omitempty"`
	// Compared is the number of modules that are proven to be the same on the compiler
	// and on every running node.
	Compared int `json:"compared"`

	Took    time.Duration `json:"took"`    // total time, in nanoseconds
	Compile time.Duration `json:"compile"` // Mix's part of it
}

// NodeReport is the result of a sync on one node.
type NodeReport struct {
	Name  string    `json:"name"`
	State NodeState `json:"state"`
}

// NodeState is the outcome of a sync on a node.
type NodeState string

// The outcomes of a sync on a node.
const (
	Synced    NodeState = "synced"    // it runs the code; proven
	Written   NodeState = "written"   // it is not running, and has the code on its disk
	Restarted NodeState = "restarted" // it was restarted with the code; proven
	Skipped   NodeState = "skipped"   // it has no container, and gets the code when one is created
	OwnImage  NodeState = "own image" // it runs another image than the cluster's, and is not changed
)

func (r Report) in(states ...NodeState) []string {
	var names []string
	for _, n := range r.Nodes {
		if slices.Contains(states, n.State) {
			names = append(names, n.Name)
		}
	}
	return names
}

// Line formats the report in one line: "synced Demo.Counter; removed Demo.Old on n1 n2
// n3: 184 ms, of them 120 ms compiling".
func (r Report) Line() string {
	var what []string
	for _, part := range []struct {
		done    string
		modules []string
	}{{"synced", r.Changed}, {"added", r.Added}, {"removed", r.Removed}} {
		if len(part.modules) > 0 {
			what = append(what, part.done+" "+named(part.modules))
		}
	}
	var b strings.Builder
	switch {
	case len(what) > 0:
		b.WriteString(strings.Join(what, "; "))
	case r.Files > 0:
		fmt.Fprintf(&b, "synced %s", english.Plural(r.Files, "file", "files"))
	default:
		fmt.Fprintf(&b, "in sync, %s equal", english.Plural(r.Compared, "module", "modules"))
	}
	if on := r.in(Synced, Restarted); len(on) > 0 {
		b.WriteString(" on " + strings.Join(on, " "))
	}
	if down := r.in(Written); len(down) > 0 {
		fmt.Fprintf(&b, " (written for %s, down)", strings.Join(down, " "))
	}
	if missing := r.in(Skipped); len(missing) > 0 {
		fmt.Fprintf(&b, " (skipped: %s, without a container)", strings.Join(missing, " "))
	}
	if own := r.in(OwnImage); len(own) > 0 {
		fmt.Fprintf(&b, " (left alone: %s, of another image)", strings.Join(own, " "))
	}
	if restarted := r.in(Restarted); len(restarted) > 0 {
		b.WriteString(", restarted")
	}
	if len(what) == 0 && r.Files > 0 {
		b.WriteString("; no module changed")
	}
	fmt.Fprintf(&b, ": %d ms, of them %d ms compiling", r.Took.Milliseconds(), r.Compile.Milliseconds())
	return b.String()
}

// short returns the name of a module or a call as Elixir writes it.
func short(name string) string { return strings.TrimPrefix(name, "Elixir.") }

// named lists a few modules by name, or counts many.
func named(modules []string) string {
	if len(modules) > 4 {
		return english.Plural(len(modules), "module", "modules")
	}
	names := make([]string, len(modules))
	for i, m := range modules {
		names[i] = short(m)
	}
	return strings.Join(names, ", ")
}

// add adds the results of nodes.
func (r *Report) add(o Options, d delta, up, down []Node, answers []answer, outcomes []outcome) {
	files := map[string]bool{}
	for _, a := range answers {
		for _, l := range a.load {
			if l.added {
				r.Added = append(r.Added, l.module)
			} else {
				r.Changed = append(r.Changed, l.module)
			}
		}
		r.Removed = append(r.Removed, a.dead...)
		for _, p := range slices.Concat(a.lacks, a.there) {
			files[p] = true
		}
	}
	r.Files = max(r.Files, len(files))
	for _, done := range outcomes {
		if o.Hard {
			r.Killed = append(r.Killed, slices.Concat(done.killed, done.lingering)...)
		} else {
			r.Lingering = append(r.Lingering, done.lingering...)
		}
	}
	state := Synced
	if o.Restart != nil {
		state = Restarted
	}
	for _, n := range up {
		r.Nodes = append(r.Nodes, NodeReport{n.Name, state})
	}
	for _, n := range down {
		state := Written
		if n.Write == nil {
			state = Skipped
		}
		r.Nodes = append(r.Nodes, NodeReport{n.Name, state})
	}
	if len(up) > 0 {
		r.Compared = len(d.modules)
	}
}
