package codesync

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Report is what a sync did.
type Report struct {
	Cluster string `json:"cluster"`
	// Changed, Added and Removed are modules, as Erlang names them.
	Changed []string     `json:"changed"`
	Added   []string     `json:"added"`
	Removed []string     `json:"removed"`
	Files   int          `json:"files"` // that nodes lacked, code and manifests too
	Nodes   []NodeReport `json:"nodes"`
	// Warnings is what the compiler printed.
	Warnings string `json:"warnings,omitempty"`
	// Lingering are processes that still run the code before; Killed those that
	// were killed because they did.
	Lingering []Process `json:"lingering,omitempty"`
	Killed    []Process `json:"killed,omitempty"`
	// Compared is how many modules are proven to be the same on every node that
	// runs, and on the compiler.
	Compared int `json:"compared"`

	Took    time.Duration `json:"took"`    // nanoseconds, all of it
	Compile time.Duration `json:"compile"` // of them, Mix
}

// NodeReport is what became of one node.
type NodeReport struct {
	Name  string    `json:"name"`
	State NodeState `json:"state"`
}

// NodeState is what a sync did with a node.
type NodeState string

// What a sync does with nodes.
const (
	Synced    NodeState = "synced"    // it runs the code, which is proven
	Written   NodeState = "written"   // it does not run, and has the code on its disk
	Restarted NodeState = "restarted" // it was started again with the code, which is proven
	Skipped   NodeState = "skipped"   // it has no container: it gets the code with one
	OwnImage  NodeState = "own image" // it runs another image than the cluster's, and is left alone
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

// Line is the report in one line: "synced Demo.Counter; removed Demo.Old on n1 n2 n3:
// 184 ms, of them 120 ms compiling".
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
		fmt.Fprintf(&b, "synced %s, no module", plural(r.Files, "file"))
	default:
		fmt.Fprintf(&b, "in sync, %s equal", plural(r.Compared, "module"))
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
	fmt.Fprintf(&b, ": %d ms, of them %d ms compiling", r.Took.Milliseconds(), r.Compile.Milliseconds())
	return b.String()
}

// short is a module's or a call's name as Elixir writes it.
func short(name string) string { return strings.TrimPrefix(name, "Elixir.") }

// named is a few modules by their names, or how many there are.
func named(modules []string) string {
	if len(modules) > 4 {
		return plural(len(modules), "module")
	}
	names := make([]string, len(modules))
	for i, m := range modules {
		names[i] = short(m)
	}
	return strings.Join(names, ", ")
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// add notes what became of nodes.
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
