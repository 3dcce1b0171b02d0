package codesync

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/beamyard/beamyard/network/erldist"
	"github.com/beamyard/beamyard/orchestrator/hint"
)

// Session is a connection to a cluster's compiler. It caches the state of the compiler's
// tree for the next sync. It runs one sync at a time. If the context of a sync ends, the
// connection is closed and the session cannot be used again.
type Session struct {
	c        compiler
	self     string // our node name there
	local    local
	root     string
	remote   map[string]Sum
	bodies   map[Sum][]byte
	proven   map[Conn]map[string]Module
	archived string // identifies the archive that the compiler keeps
}

// Open opens a session with the compiler that conn is connected to, for the project in
// dir. self is conn's own node name. Errors: [NoProjectError].
func Open(ctx context.Context, conn Conn, self, dir string) (*Session, error) {
	project, err := projectOf(dir)
	if err != nil {
		return nil, err
	}
	s := &Session{c: compiler{conn, project}, self: self, local: local{dir: dir}, bodies: map[Sum][]byte{}, proven: map[Conn]map[string]Module{}}
	if err := s.c.open(ctx); err != nil {
		return nil, fmt.Errorf("prepare the compiler: %w", err)
	}
	loaded, err := conn.Call(ctx, "Elixir.Mix.Project", "get")
	if err != nil {
		return nil, fmt.Errorf("ask the compiler for its project: %w", err)
	}
	if loaded == any(erldist.Atom("nil")) {
		return nil, NoProjectError{}
	}
	return s, nil
}

// OfDockerfile means that the image was built from a Dockerfile, which may omit files
// that a Mix project's own image has.
func (s *Session) OfDockerfile() { s.local.dockerfile = true }

// Options configure a sync.
type Options struct {
	Cluster string // the cluster's name, for commands
	// Nodes are the nodes to sync.
	Nodes []Node
	// All means that Nodes are all nodes of the cluster: what they run then is the
	// cluster's code, also for containers that are created later.
	All bool
	// Named are the nodes that the user named, for commands; none: all.
	Named []string
	// Hard kills processes that run code that the sync replaces or removes.
	Hard bool
	// Rolling syncs node by node; Settle must find each node healthy before the next.
	Rolling bool
	Settle  func(ctx context.Context, node string) error
	// Restart restarts nodes once their disks have the code, and connects to them again
	// when they are ready. Nil: the code is loaded into the running nodes.
	Restart func(ctx context.Context, nodes []Node) ([]Node, error)
	// Renew restarts the compiler's VM, for files that Mix reads only once.
	Renew func(ctx context.Context) (conn Conn, self string, err error)
}

// delta is what nodes should receive.
type delta struct {
	tree
	dead  []string
	terms erldist.List // of modules
}

// Sync brings the local sources to the compiler, and the compiled code to the nodes.
// After a [CompileError], [ColdError], [InUseError] or [LostError] no node was changed.
// Other errors: [NodesError].
func (s *Session) Sync(ctx context.Context, o Options) (Report, error) {
	began := time.Now()
	report := Report{Cluster: o.Cluster, Changed: []string{}, Added: []string{}, Removed: []string{}}
	if err := s.c.lock(ctx, s.self); errors.Is(err, erldist.ErrClosed) && ctx.Err() == nil {
		return report, &LostError{err, hint.Of(hint.Sync.On(o.Cluster))}
	} else if err != nil {
		return report, err
	}
	defer func() { s.c.unlock(ctx) }()
	d, err := s.compile(ctx, o, &report)
	if err != nil {
		return report, err
	}
	groups := [][]Node{o.Nodes}
	if o.Rolling {
		groups = slices.Collect(slices.Chunk(o.Nodes, 1))
	}
	for i, group := range groups {
		err := s.bring(ctx, o, group, &d, &report)
		if err == nil && o.Rolling && i < len(groups)-1 && group[0].Conn != nil {
			if err = o.Settle(ctx, group[0].Name); err != nil {
				err = &NodesError{
					Problems: []string{fmt.Sprintf("%s is not well with it, and the rest was left as it is: %v", group[0].Name, err)},
					Next:     hint.Of(hint.Health.On(o.Cluster)),
				}
			}
		}
		if err != nil {
			return report, err
		}
	}
	if o.All {
		if err := s.keep(ctx, d); err != nil {
			return report, fmt.Errorf("keep the code for containers that are made later: %w", err)
		}
	}
	s.forget(o, d)
	for _, names := range []*[]string{&report.Changed, &report.Added, &report.Removed} {
		slices.Sort(*names)
		*names = slices.Compact(*names)
	}
	report.Took = time.Since(began)
	return report, nil
}

// compile copies the sources to the compiler and has it compile them.
func (s *Session) compile(ctx context.Context, o Options, report *Report) (delta, error) {
	if s.remote == nil {
		var err error
		if s.root, s.remote, err = s.c.sources(ctx); err != nil {
			return delta{}, fmt.Errorf("ask the compiler what it has: %w", err)
		}
	}
	sums, ignored, err := s.local.scan()
	if err != nil {
		return delta{}, err
	}
	changes := compare(sums, s.remote, ignored, s.local.dockerfile && o.Restart == nil, s.c.project)
	changes.Remove = withoutGenerated(changes.Remove, sums)
	if len(changes.Cold) > 0 && o.Restart == nil {
		return delta{}, &ColdError{Files: changes.Cold, Next: syncRestart(o)}
	}
	if !changes.Empty() {
		if err := s.put(ctx, changes); err != nil {
			return delta{}, fmt.Errorf("bring the sources to the compiler: %w", err)
		}
	}
	if o.Restart != nil {
		conn, self, err := o.Renew(ctx)
		if err != nil {
			return delta{}, err
		}
		s.c, s.self, s.remote = compiler{conn, s.c.project}, self, nil
		if err := s.c.open(ctx); err != nil {
			return delta{}, fmt.Errorf("prepare the compiler: %w", err)
		}
		if err := s.c.lock(ctx, s.self); err != nil {
			return delta{}, err
		}
	}
	ok, printed, took, err := s.c.compile(ctx, o.Restart != nil)
	if err != nil {
		return delta{}, fmt.Errorf("compile: %w", err)
	}
	report.Compile, report.Warnings = took, printed
	if !ok {
		return delta{}, &CompileError{Output: printed}
	}
	return s.made(ctx, o, false)
}

// made returns what the compiler has built.
func (s *Session) made(ctx context.Context, o Options, all bool) (delta, error) {
	t, err := s.c.overlay(ctx, o.Restart != nil, all)
	if err != nil {
		return delta{}, fmt.Errorf("ask the compiler what it made: %w", err)
	}
	modules := make([]Module, 0, len(t.modules))
	for _, name := range slices.Sorted(maps.Keys(t.modules)) {
		modules = append(modules, t.modules[name])
	}
	return delta{tree: t, dead: deadModules(t.gone, t.modules), terms: modulesTerm(modules)}, nil
}

// put copies changed sources to the compiler.
func (s *Session) put(ctx context.Context, changes Changes) error {
	sums := map[string]Sum{}
	files, err := s.local.contents(changes.Put, sums)
	if err != nil {
		return err
	}
	if err := s.c.put(ctx, files, changes.Remove); err != nil {
		s.remote = nil // it is unknown how much was written
		return err
	}
	maps.Copy(s.remote, sums)
	for _, p := range changes.Remove {
		delete(s.remote, p)
	}
	return nil
}

// bring gives nodes the code, all at once. First it asks all of them, and changes none if one
// refuses. all is extended if a node has code that the compiler no longer knows about.
func (s *Session) bring(ctx context.Context, o Options, nodes []Node, all *delta, report *Report) error {
	var up, down []Node
	for _, n := range nodes {
		if n.Conn != nil {
			up = append(up, n)
		} else {
			down = append(down, n)
		}
	}
	restart := o.Restart != nil
	ask := func(n Node) (answer, error) { return n.ask(ctx, *all, s.trusted(n, *all, answer{}), o.Hard || restart) }
	answers, err := each(up, ask)
	if err == nil && slices.ContainsFunc(answers, func(a answer) bool { return a.stale }) {
		if *all, err = s.made(ctx, o, true); err != nil {
			return err
		}
		answers, err = each(up, ask)
	}
	if err != nil {
		return err
	}
	d := *all
	if err := refusal(o, s.root, d, answers); err != nil {
		return err
	}
	if err := s.fetch(ctx, d, answers, len(down) > 0); err != nil {
		return err
	}
	if len(down) > 0 {
		if err := s.write(ctx, d, down); err != nil {
			return err
		}
	}
	outcomes, err := s.applyAll(ctx, o, d, up, answers)
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil: // from a node that has just ended; others may have the code
		return &NodesError{Problems: strings.Split(err.Error(), "\n"), Next: hint.Newf("once they run: %s", hint.Sync.On(o.Cluster))}
	}
	if restart {
		for _, n := range down {
			if n.Failed {
				up, answers = append(up, n), append(answers, answer{})
			}
		}
		down = slices.DeleteFunc(down, func(n Node) bool { return n.Failed })
	}
	if restart && len(up) > 0 {
		if up, err = o.Restart(ctx, up); err != nil {
			return err
		}
		if outcomes, err = each(up, func(n Node) (outcome, error) { return n.apply(ctx, d, answer{}, nil, nil, false) }); err != nil {
			return err
		}
	}
	for i, n := range up {
		s.prove(n, d, outcomes[i])
	}
	report.add(o, d, up, down, answers, outcomes)
	return problems(o, up, outcomes)
}

// applyAll changes all nodes at once. If a node's user may not write some files, the engine
// writes them. That is done for all such nodes together: contents are fetched once, and one
// goroutine writes bodies.
func (s *Session) applyAll(ctx context.Context, o Options, d delta, nodes []Node, answers []answer) ([]outcome, error) {
	apply := func(n Node, a answer) (outcome, error) {
		asked := d
		if o.Restart != nil { // only its disk
			a.load, a.dead, asked.dead, asked.terms = nil, nil, nil, nil
		}
		return n.apply(ctx, asked, a, s.bodies, s.trusted(n, d, a), o.Hard)
	}
	outcomes, err := eachOf(nodes, answers, apply)
	var again []Node
	var left []answer
	var places []int
	for i, done := range outcomes {
		if len(done.unwritten) == 0 {
			continue
		}
		a := answers[i]
		a.lacks, a.there = nil, nil
		again, left, places = append(again, nodes[i]), append(left, a), append(places, i)
	}
	if len(again) == 0 {
		return outcomes, err
	}
	if engineErr := s.fetch(ctx, d, nil, true); engineErr != nil {
		return outcomes, errors.Join(err, engineErr)
	}
	if engineErr := s.write(ctx, d, again); engineErr != nil {
		return outcomes, errors.Join(err, engineErr)
	}
	second, engineErr := eachOf(again, left, apply)
	for i, done := range second {
		outcomes[places[i]] = done
	}
	return outcomes, errors.Join(err, engineErr)
}

// fetch gets from the compiler the bodies that nodes lack, or those of all files.
func (s *Session) fetch(ctx context.Context, d delta, answers []answer, all bool) error {
	lacks := map[string]bool{}
	for _, a := range answers {
		for _, p := range a.lacks {
			lacks[p] = true
		}
	}
	var paths []string
	var sums []Sum
	for _, f := range d.files {
		if _, have := s.bodies[f.Sum]; !have && (all || lacks[f.Path]) {
			paths, sums = append(paths, f.Path), append(sums, f.Sum)
		}
	}
	if len(paths) == 0 {
		return nil
	}
	data, err := s.c.read(ctx, paths)
	if err != nil {
		return fmt.Errorf("read what the compiler made: %w", err)
	}
	for i, body := range data {
		s.bodies[sums[i]] = body
	}
	return nil
}

// trusted returns the modules whose files were already proven correct over this connection, and
// that are not written now. They need not be read again: with many modules that no node has
// loaded, reading would take most of a sync.
func (s *Session) trusted(n Node, d delta, a answer) []string {
	written := map[string]bool{}
	for _, p := range slices.Concat(a.lacks, a.there) {
		written[p] = true
	}
	var names []string
	for name, m := range s.proven[n.Conn] {
		if d.modules[name] == m && !written[m.Path] && !written[m.Released] {
			names = append(names, name)
		}
	}
	return names
}

// prove records what a node was proven to have.
func (s *Session) prove(n Node, d delta, done outcome) {
	if len(done.differ)+len(done.unwritten)+len(done.refused) == 0 {
		s.proven[n.Conn] = d.modules
	} else {
		delete(s.proven, n.Conn)
	}
}

// forget drops what no later sync needs: contents of files that no longer exist, and what is
// known of nodes through closed connections.
func (s *Session) forget(o Options, d delta) {
	needed := map[Sum]bool{}
	for _, f := range d.files {
		needed[f.Sum] = true
	}
	maps.DeleteFunc(s.bodies, func(sum Sum, _ []byte) bool { return !needed[sum] })
	if o.All {
		maps.DeleteFunc(s.proven, func(c Conn, _ map[string]Module) bool {
			return !slices.ContainsFunc(o.Nodes, func(n Node) bool { return n.Conn == c })
		})
	}
}

// write writes the delta onto the disks of containers.
func (s *Session) write(ctx context.Context, d delta, nodes []Node) error {
	data, err := archive(s.root, d.files, d.gone, s.bodies)
	if err != nil {
		return err
	}
	_, err = each(nodes, func(n Node) (struct{}, error) {
		if n.Write == nil {
			return struct{}{}, nil
		}
		return struct{}{}, n.Write(ctx, bytes.NewReader(data))
	})
	return err
}

// keep stores with the compiler what a new container gets before it starts.
func (s *Session) keep(ctx context.Context, d delta) error {
	id := fmt.Sprint(d.files, d.gone)
	if id == s.archived {
		return nil
	}
	if err := s.fetch(ctx, d, nil, true); err != nil {
		return err
	}
	data, err := archive(s.root, d.files, d.gone, s.bodies)
	if err != nil {
		return err
	}
	if err := s.c.keepArchive(ctx, data); err != nil {
		return err
	}
	s.archived = id
	return nil
}

// each calls fn for all nodes at once.
func each[T any](nodes []Node, fn func(Node) (T, error)) ([]T, error) {
	return eachOf(nodes, make([]struct{}, len(nodes)), func(n Node, _ struct{}) (T, error) { return fn(n) })
}

func eachOf[A, T any](nodes []Node, args []A, fn func(Node, A) (T, error)) ([]T, error) {
	results, errs := make([]T, len(nodes)), make([]error, len(nodes))
	var group sync.WaitGroup
	for i, n := range nodes {
		group.Go(func() {
			var err error
			if results[i], err = fn(n, args[i]); err != nil {
				errs[i] = fmt.Errorf("%s: %w", n.Name, err)
			}
		})
	}
	group.Wait()
	return results, errors.Join(errs...)
}
