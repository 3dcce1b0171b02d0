package codesync

import (
	"context"
	_ "embed"
	"fmt"
	"io"

	"github.com/beamyard/beamyard/network/erldist"
)

// Node is a node that a sync brings code to.
type Node struct {
	Name string
	// Conn is a connection to the node; nil if it is not running, or does not answer.
	Conn Conn
	// Failed means that it ended and is not started again by itself. A sync that restarts nodes
	// starts it, once its disk has the code.
	Failed bool
	// Write extracts an archive at the root of its container's file system.
	Write func(ctx context.Context, archive io.Reader) error
}

var (
	//go:embed shared.erl
	sharedText string
	//go:embed ask.erl
	askText string
	//go:embed apply.erl
	applyText string
)

// Process is a process that runs code that a sync replaces or removes.
type Process struct {
	Node   string `json:"node"`
	Module string `json:"module"`
	Pid    string `json:"pid"` // as the node prints it: "<0.123.0>"
	Name   string `json:"name,omitempty"`
	Call   string `json:"initial_call,omitempty"` // "Elixir.Demo.Worker:init/1"
}

func (p Process) String() string {
	who := p.Pid
	if p.Name != "" {
		who = short(p.Name) + " " + who
	}
	return fmt.Sprintf("%s on %s (%s, started by %s)", who, p.Node, short(p.Module), short(p.Call))
}

// answer is a node's answer before anything is changed.
type answer struct {
	lacks, there []string // files
	load         []load
	dead         []string
	inTheWay     []Process
	stale        bool // it has code that the compiler no longer knows about
}

type load struct {
	module, path string
	added        bool // the node had no such module
}

func modulesTerm(modules []Module) erldist.List {
	terms := make(erldist.List, len(modules))
	for i, m := range modules {
		released := any(erldist.Atom("none"))
		if m.Released != "" {
			released = erldist.Tuple{m.Released, m.ReleasedFile[:]}
		}
		terms[i] = erldist.Tuple{erldist.Atom(m.Name), m.MD5[:], erldist.Tuple{m.Path, m.File[:]}, released}
	}
	return terms
}

func atomsTerm(names []string) erldist.List {
	terms := make(erldist.List, len(names))
	for i, n := range names {
		terms[i] = erldist.Atom(n)
	}
	return terms
}

func textsTerm(texts []string) erldist.List {
	terms := make(erldist.List, len(texts))
	for i, t := range texts {
		terms[i] = t
	}
	return terms
}

// ask asks a node which parts of a delta it lacks.
func (n Node) ask(ctx context.Context, d delta, trust []string, hard bool) (answer, error) {
	files := make(erldist.List, len(d.files))
	for i, f := range d.files {
		files[i] = erldist.Tuple{f.Path, f.Sum[:]}
	}
	reply, err := n.Conn.Eval(ctx, sharedText+askText, map[string]any{
		"Files": files, "Gone": textsTerm(d.gone), "Modules": d.terms, "Dead": atomsTerm(d.dead), "Trust": atomsTerm(trust), "Hard": hard,
	})
	if err != nil {
		return answer{}, err
	}
	m, ok := reply.(erldist.Map)
	if !ok {
		return answer{}, unexpected(reply)
	}
	a := answer{lacks: texts(get(m, "lacks")), there: texts(get(m, "there")), dead: texts(get(m, "dead")), inTheWay: n.processes(get(m, "in_the_way")), stale: len(list(get(m, "stale"))) > 0}
	for _, e := range list(get(m, "load")) {
		if t, ok := tuple(e, 3); ok {
			a.load = append(a.load, load{text(t[0]), text(t[1]), isTrue(t[2])})
		}
	}
	return a, nil
}

// outcome is the result of changing a node.
type outcome struct {
	unwritten map[string]string // path: reason
	refused   map[string]string // module: reason
	killed    []Process         // they ran the code before the previous one
	lingering []Process         // they run the previous one, or did when it was purged
	differ    []string          // modules that differ from the compiler's
}

// apply changes a node: it loads everything requested, or nothing.
func (n Node) apply(ctx context.Context, d delta, a answer, bodies map[Sum][]byte, trust []string, hard bool) (outcome, error) {
	lacks := map[string]bool{}
	for _, p := range a.lacks {
		lacks[p] = true
	}
	files, loads := erldist.List{}, erldist.List{}
	for _, f := range d.files {
		if lacks[f.Path] {
			files = append(files, erldist.Tuple{f.Path, f.Mode, bodies[f.Sum]})
		}
	}
	for _, l := range a.load {
		loads = append(loads, erldist.Tuple{erldist.Atom(l.module), l.path})
	}
	dead := a.dead
	if hard { // includes modules that were removed earlier and whose code still runs
		dead = d.dead
	}
	reply, err := n.Conn.Eval(ctx, sharedText+applyText, map[string]any{
		"Files": files, "Gone": textsTerm(a.there), "Load": loads, "Dead": atomsTerm(dead), "Modules": d.terms, "Trust": atomsTerm(trust), "Hard": hard,
	})
	if err != nil {
		return outcome{}, err
	}
	m, ok := reply.(erldist.Map)
	if !ok {
		return outcome{}, unexpected(reply)
	}
	return outcome{
		unwritten: pairs(get(m, "unwritten")), refused: pairs(get(m, "loaded")),
		killed: n.processes(get(m, "before")), lingering: n.processes(get(m, "later")), differ: texts(get(m, "differ")),
	}, nil
}

// processes decodes [{Module, [{Pid, Name, Call}]}].
func (n Node) processes(term any) []Process {
	var found []Process
	for _, e := range list(term) {
		t, ok := tuple(e, 2)
		if !ok {
			continue
		}
		for _, p := range list(t[1]) {
			if who, ok := tuple(p, 3); ok {
				found = append(found, Process{Node: n.Name, Module: text(t[0]), Pid: text(who[0]), Name: text(who[1]), Call: text(who[2])})
			}
		}
	}
	return found
}

func get(m erldist.Map, key string) any {
	v, _ := m.Get(erldist.Atom(key))
	return v
}

func texts(term any) []string {
	var all []string
	for _, e := range list(term) {
		all = append(all, text(e))
	}
	return all
}

func pairs(term any) map[string]string {
	all := map[string]string{}
	for _, e := range list(term) {
		if t, ok := tuple(e, 2); ok {
			all[text(t[0])] = text(t[1])
		}
	}
	return all
}

// isTrue decodes a boolean: the atom true.
func isTrue(term any) bool { return term == any(true) || term == any(erldist.Atom("true")) }
