package suite

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/beamyard/beamyard/network/erldist"
	"github.com/beamyard/beamyard/network/fault"
	"github.com/beamyard/beamyard/orchestrator"
)

// This file decodes requests. It does nothing else.

// request is what a suite asks for.
type request interface {
	do(ctx context.Context, s *Server) (any, error)
}

type (
	inject struct {
		fault fault.Fault
		lasts time.Duration // 0: until it is healed
		wait  bool
	}
	blip  struct{ fault fault.Fault } // of the pairs that it would cut
	heal  struct{ ids []string }
	list  struct{}
	crash struct{ node, how string }
	stop  struct{ node string }
	pause struct {
		node string
		wait bool
	}
	start     struct{ node string }
	restart   struct{ node string }
	unpause   struct{ node string }
	awaitMesh struct{ limit time.Duration }
	need      struct{ nodes int }
	nodes     struct{}
	output    struct {
		node  string
		lines int
	}
	undoFault struct{ id string }
	undoNode  struct{ node string }
	report    struct{ test string }
)

// decode returns the request that a term is, in a cluster of this spec.
func decode(spec orchestrator.Spec, term any) (request, error) {
	t, isTuple := term.(erldist.Tuple)
	if !isTuple {
		t = erldist.Tuple{term}
	}
	var name erldist.Atom
	if len(t) > 0 {
		name, _ = t[0].(erldist.Atom)
	}
	d := &decoder{spec: spec}
	if len(t) > 0 {
		d.left = t[1:]
	}
	var r request
	switch name {
	case "partition":
		f := fault.Partition(d.groups()...)
		o := d.options()
		f.How, f.Hard = fault.How(o.text("how", string(fault.Drop))), o.boolean("hard", false)
		r = inject{f, o.milliseconds("for", 0), o.boolean("wait", true)}
		o.end()
	case "slow":
		pairs := d.links()
		o := d.options()
		q := fault.Quality{Loss: o.number("loss"), Shaping: fault.Shaping{
			Rate: uint64(o.number("rate")), Latency: o.milliseconds("latency", 0), Jitter: o.milliseconds("jitter", 0),
			Duplicate: o.number("duplicate"), Corrupt: o.number("corrupt"), Reorder: o.number("reorder"),
		}}
		r = inject{fault.Link(q, pairs...), o.milliseconds("for", 0), false}
		o.end()
	case "squeeze":
		f := fault.Fault{Kind: fault.KindSqueeze, Nodes: d.many()}
		o := d.options()
		f.Limits = fault.Limits{Memory: int64(o.number("memory")), CPUs: o.number("cpus"), Full: o.texts("full")}
		r = inject{f, o.milliseconds("for", 0), false}
		o.end()
	case "clock":
		f := fault.Fault{Kind: fault.KindClock, Nodes: d.many()}
		o := d.options()
		f.Clock = fault.Clock{Bump: o.shift("bump"), Drift: o.number("drift"), Strobe: o.shift("strobe")}
		r = inject{f, o.milliseconds("for", 0), false}
		o.end()
	case "dns":
		f := fault.Fault{Kind: fault.KindDNS, Nodes: d.many()}
		o := d.options()
		f.DNS = fault.DNS{Answers: fault.Answers(o.text("answers", string(fault.NoAnswers)))}
		for _, peer := range o.texts("peers") {
			f.DNS.Peers = append(f.DNS.Peers, d.named(erldist.Atom(peer))...)
		}
		r = inject{f, o.milliseconds("for", 0), false}
		o.end()
	case "blip":
		f := fault.Partition(d.groups()...)
		if len(f.Groups) == 0 {
			all, _ := spec.Declared()
			f = fault.Isolate(all...)
		}
		r = blip{f}
	case "heal":
		r = heal{d.texts("ID")}
	case "faults":
		r = list{}
	case "crash":
		r = crash{d.node(), d.text("how")}
	case "stop":
		r = stop{d.node()}
	case "pause":
		node, o := d.node(), d.options()
		r = pause{node, o.boolean("wait", true)}
		o.end()
	case "start":
		r = start{d.node()}
	case "restart":
		r = restart{d.node()}
	case "unpause":
		r = unpause{d.node()}
	case "await_mesh":
		o := d.options()
		r = awaitMesh{o.milliseconds("timeout", meshTime)}
		o.end()
	case "need":
		r = need{d.count("nodes")}
	case "nodes":
		r = nodes{}
	case "output":
		r = output{d.node(), d.count("lines")}
	case "undo":
		r = d.undo()
	case "report":
		r = report{d.text("test")}
	default:
		return nil, fmt.Errorf("unknown request %s", erldist.Format(term))
	}
	if len(d.left) > 0 {
		d.fail("%s takes no argument %s", name, erldist.Format(d.left[0]))
	}
	return r, d.err
}

// decoder reads the arguments of a request, one after the other. It keeps the first error.
type decoder struct {
	spec orchestrator.Spec
	left []any
	err  error
}

func (d *decoder) fail(format string, args ...any) {
	if d.err == nil {
		d.err = fmt.Errorf(format, args...)
	}
}

func (d *decoder) next() any {
	if len(d.left) == 0 {
		d.fail("an argument is missing")
		return nil
	}
	term := d.left[0]
	d.left = d.left[1:]
	return term
}

// text reads a string or an atom.
func (d *decoder) text(what string) string { return d.textOf(d.next(), what) }

func (d *decoder) textOf(term any, what string) string {
	switch t := term.(type) {
	case erldist.Atom:
		return string(t)
	case []byte:
		return string(t)
	}
	d.fail("%s: %s is not a string or an atom", what, erldist.Format(term))
	return ""
}

func (d *decoder) list(what string) []any {
	term := d.next()
	l, ok := term.(erldist.List)
	if !ok && d.err == nil {
		d.fail("%s is not a list of %s", erldist.Format(term), what)
	}
	return l
}

func (d *decoder) texts(what string) []string {
	var all []string
	for _, term := range d.list(what + "s") {
		all = append(all, d.textOf(term, what))
	}
	return all
}

// node reads one node.
func (d *decoder) node() string {
	term := d.next()
	found := d.named(term)
	if len(found) > 1 {
		d.fail("%s stands for %d nodes: name one of them", erldist.Format(term), len(found))
	}
	if len(found) != 1 {
		return ""
	}
	return found[0]
}

// many reads a list of nodes.
func (d *decoder) many() []string {
	var all []string
	for _, term := range d.list("nodes") {
		all = append(all, d.named(term)...)
	}
	return all
}

// named returns the nodes that a term names: by a short or full name, or by a role.
func (d *decoder) named(term any) []string {
	name := d.textOf(term, "node")
	if d.err != nil {
		return nil
	}
	for _, n := range d.spec.Nodes {
		if d.spec.Names().Node(n.Name) == name {
			return []string{n.Name}
		}
	}
	found, err := d.spec.NodesOf(name)
	if err != nil && d.err == nil {
		d.err = err
	}
	return found
}

// groups reads the groups of a partition.
func (d *decoder) groups() [][]string {
	var all [][]string
	for _, term := range d.list("groups") {
		members, ok := term.(erldist.List)
		if !ok {
			d.fail("%s is not a group of nodes: partition([[\"n1\"], [\"n2\", \"n3\"]])", erldist.Format(term))
			return nil
		}
		var group []string
		for _, m := range members {
			group = append(group, d.named(m)...)
		}
		all = append(all, group)
	}
	return all
}

// links reads directions {From, To}; a node alone is all of its links.
func (d *decoder) links() []fault.Pair {
	var all []fault.Pair
	for _, term := range d.list("links") {
		ends, isPair := term.(erldist.Tuple)
		switch {
		case isPair && len(ends) != 2:
			d.fail("%s is not a link: give a node, or {from, to}", erldist.Format(term))
		case isPair:
			for _, from := range d.named(ends[0]) {
				for _, to := range d.named(ends[1]) {
					all = append(all, fault.Pair{From: from, To: to})
				}
			}
		default:
			for _, n := range d.named(term) {
				all = append(all, fault.Pair{From: n, To: fault.Everyone}, fault.Pair{From: fault.Everyone, To: n})
			}
		}
	}
	return all
}

// count reads a number that is at least 1.
func (d *decoder) count(what string) int {
	term := d.next()
	n, ok := term.(int64)
	if !ok || n < 1 || n > 1<<31 {
		d.fail("%s is not a number of %s", erldist.Format(term), what)
	}
	return int(n)
}

func (d *decoder) undo() request {
	what, _ := d.next().(erldist.Tuple)
	if len(what) != 2 {
		what = erldist.Tuple{nil, nil}
	}
	inner := &decoder{spec: d.spec, left: what[1:]}
	defer func() {
		if inner.err != nil {
			d.fail("%w", inner.err)
		}
	}()
	switch what[0] {
	case any(erldist.Atom("fault")):
		return undoFault{inner.text("fault")}
	case any(erldist.Atom("node")):
		return undoNode{inner.node()}
	}
	d.fail("undo takes a fault or a node")
	return nil
}

// options reads a map of options by their names.
func (d *decoder) options() *options {
	o := &options{decoder: d, left: map[string]any{}}
	term := d.next()
	m, ok := term.(erldist.Map)
	if !ok && d.err == nil {
		d.fail("%s are not options", erldist.Format(term))
	}
	for _, p := range m {
		o.left[d.textOf(p.Key, "option")] = p.Value
	}
	return o
}

type options struct {
	decoder *decoder
	left    map[string]any // those that were not asked for
	known   []string
}

func (o *options) get(name string) (any, bool) {
	value, ok := o.left[name]
	delete(o.left, name)
	o.known = append(o.known, name)
	return value, ok
}

// end fails if there are options that were not asked for.
func (o *options) end() {
	for _, name := range slices.Sorted(maps.Keys(o.left)) {
		o.decoder.fail("unknown option %s: the options are %s", name, strings.Join(o.known, ", "))
	}
}

func (o *options) text(name, otherwise string) string {
	value, given := o.get(name)
	if !given {
		return otherwise
	}
	return o.decoder.textOf(value, name)
}

// texts returns a list of strings or atoms.
func (o *options) texts(name string) []string {
	value, given := o.get(name)
	list, ok := value.(erldist.List)
	if given && !ok {
		o.decoder.fail("%s: %s is not a list", name, erldist.Format(value))
	}
	var all []string
	for _, term := range list {
		all = append(all, o.decoder.textOf(term, name))
	}
	return all
}

// shift returns a time forward or back, of milliseconds.
func (o *options) shift(name string) time.Duration {
	value, given := o.get(name)
	n, ok := value.(int64)
	if given && !ok || n > fault.MaxBump.Milliseconds() || n < -fault.MaxBump.Milliseconds() {
		o.decoder.fail("%s: %s is not a number of milliseconds", name, erldist.Format(value))
		return 0
	}
	return time.Duration(n) * time.Millisecond
}

func (o *options) boolean(name string, otherwise bool) bool {
	value, given := o.get(name)
	switch {
	case !given:
		return otherwise
	case value == any(erldist.Atom("true")):
		return true
	case value != any(erldist.Atom("false")):
		o.decoder.fail("%s: %s is not true or false", name, erldist.Format(value))
	}
	return false
}

func (o *options) number(name string) float64 {
	value, given := o.get(name)
	switch n := value.(type) {
	case int64:
		if n >= 0 {
			return float64(n)
		}
	case float64:
		if n >= 0 {
			return n
		}
	}
	if given {
		o.decoder.fail("%s: %s is not a number", name, erldist.Format(value))
	}
	return 0
}

// milliseconds returns a time of at most a day.
func (o *options) milliseconds(name string, otherwise time.Duration) time.Duration {
	const longest = 24 * time.Hour
	value, given := o.get(name)
	if !given {
		return otherwise
	}
	n, ok := value.(int64)
	if !ok || n < 1 || n > longest.Milliseconds() {
		o.decoder.fail("%s: %s is not a number of milliseconds", name, erldist.Format(value))
		return 0
	}
	return time.Duration(n) * time.Millisecond
}
