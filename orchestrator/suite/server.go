package suite

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/beamyard/beamyard/network/erldist"
	"github.com/beamyard/beamyard/network/fault"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/faults"
	"github.com/beamyard/beamyard/orchestrator/secrets"
)

// Module is the source of the Elixir modules.
//
//go:embed beamyard.ex
var Module string

// Install is Elixir that a suite's VM evaluates before its tests: it compiles the file that
// [ModuleVariable] names, and waits for this process.
//
//go:embed install.exs
var Install string

// ModuleVariable is the environment variable that names the file with [Module].
const ModuleVariable = "BEAMYARD_MODULE"

// Name is the registered name of the server on our node.
const Name = "beamyard"

// Controller is what the server needs of [orchestrator.Controller].
type Controller interface {
	Status(ctx context.Context) (orchestrator.Status, error)
	Journal(ctx context.Context) ([]orchestrator.JournalEntry, error)
	Logs(ctx context.Context, q orchestrator.LogQuery, fn func(orchestrator.Line) error) error
	Start(ctx context.Context, nodes ...string) error
	Stop(ctx context.Context, nodes ...string) error
	Restart(ctx context.Context, nodes ...string) error
	Kill(ctx context.Context, signal string, nodes ...string) error
	Pause(ctx context.Context, nodes ...string) error
	Unpause(ctx context.Context, nodes ...string) error
	faults.Evaluator
}

// Injector injects faults; [faults.Injector] does.
type Injector interface {
	List(ctx context.Context) ([]fault.Fault, error)
	Inject(ctx context.Context, f fault.Fault, lasts time.Duration) (fault.Fault, error)
	Heal(ctx context.Context, ids ...string) ([]fault.Fault, error)
	ResetConnections(ctx context.Context, pairs []fault.Pair) (int, error)
	Crash(ctx context.Context, on faults.Evaluator, node string, how faults.How) error
}

// Server answers the requests of one suite. All fields except Evidence must be set.
type Server struct {
	Spec    orchestrator.Spec
	Cluster Controller
	Faults  Injector
	// Evidence saves what is known of the cluster, and returns where. Nil: reports have none.
	Evidence func(ctx context.Context, cause error) (path string, err error)

	mu      sync.Mutex
	faulty  map[string]bool // faults that the suite injected and has not undone
	broken  map[string]bool // nodes, likewise
	crashed map[string]bool // nodes that the suite crashed
	reports int
}

// Serve answers the requests that come over a connection to the suite's VM, until ctx or the
// connection ends. It returns the error of the one that ended.
func (s *Server) Serve(ctx context.Context, conn *erldist.Conn) error {
	serving, cancel := context.WithCancel(ctx)
	var pings sync.WaitGroup
	pings.Go(func() { // net_adm:ping/1 asks {is_auth, Node}
		_ = conn.Serve(serving, "net_kernel", func(context.Context, any) any { return erldist.Atom("yes") })
	})
	err := conn.Serve(ctx, Name, s.Answer)
	cancel()
	pings.Wait()
	return err
}

// Answer answers one request: {ok, Value} or {error, Message}. It is an [erldist.Handler].
func (s *Server) Answer(ctx context.Context, term any) any {
	r, err := decode(s.Spec, term)
	var value any
	if err == nil {
		value, err = r.do(ctx, s)
	}
	if err != nil {
		text := err.Error()
		if advice := orchestrator.HintOf(err).String(); advice != "" {
			text += "\nhint: " + advice
		}
		return erldist.Tuple{erldist.Atom("error"), secrets.Redactor(s.Spec).Replace(text)}
	}
	return erldist.Tuple{erldist.Atom("ok"), value}
}

// Crashed reports whether the suite has crashed a node on purpose.
func (s *Server) Crashed(node string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.crashed[node]
}

// Undo ends what the suite has injected and not undone, as after the end of its VM in a test. It
// returns when the nodes are connected again, as after any heal.
func (s *Server) Undo(ctx context.Context) error {
	s.mu.Lock()
	ids, names := slices.Sorted(maps.Keys(s.faulty)), slices.Sorted(maps.Keys(s.broken))
	s.mu.Unlock()
	var errs []error
	for _, id := range ids {
		errs = append(errs, s.undoFault(ctx, id))
	}
	for _, n := range names {
		errs = append(errs, s.bring(ctx, n))
	}
	if len(errs) > 0 {
		_, err := s.mended(ctx)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// note remembers that something is to be undone, or that it was.
func (s *Server) note(in *map[string]bool, name string, there bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if *in == nil {
		*in = map[string]bool{}
	}
	if there {
		(*in)[name] = true
	} else {
		delete(*in, name)
	}
}

func (r inject) do(ctx context.Context, s *Server) (any, error) {
	v, err := s.look(ctx)
	if err != nil {
		return nil, err
	}
	f, err := s.Faults.Inject(ctx, r.fault, r.lasts)
	if err != nil {
		return nil, err
	}
	s.note(&s.faulty, f.ID, true)
	if r.wait {
		err = s.noticed(ctx, v, bothEnds(f.Cuts(s.names())), r.lasts)
	}
	return f.ID, s.kept(ctx, err, func(ctx context.Context) error { return s.undoFault(ctx, f.ID) })
}

// kept undoes a fault if it is an error, or nobody waits for it any more: a test that has no answer
// does not undo it.
func (s *Server) kept(ctx context.Context, err error, undo func(context.Context) error) error {
	if err == nil {
		err = ctx.Err()
	}
	if err == nil {
		return nil
	}
	undoing, cancel := context.WithTimeout(context.WithoutCancel(ctx), orchestrator.RemovalTime)
	defer cancel()
	return errors.Join(err, undo(undoing))
}

func (r blip) do(ctx context.Context, s *Server) (any, error) {
	v, err := s.look(ctx)
	if err != nil {
		return nil, err
	}
	pairs := r.fault.Cuts(s.names())
	n, err := s.Faults.ResetConnections(ctx, pairs)
	if err != nil {
		return nil, err
	}
	return n, s.noticed(ctx, v, bothEnds(pairs), 0)
}

func (r heal) do(ctx context.Context, s *Server) (any, error) {
	healed, err := s.Faults.Heal(ctx, r.ids...)
	if err != nil {
		return nil, err
	}
	ids := erldist.List{}
	for _, f := range healed {
		s.note(&s.faulty, f.ID, false)
		ids = append(ids, f.ID)
	}
	ready, err := s.mended(ctx)
	return erldist.Tuple{ids, ready}, err
}

func (r undoFault) do(ctx context.Context, s *Server) (any, error) {
	if err := s.undoFault(ctx, r.id); err != nil {
		return nil, err
	}
	return s.mended(ctx)
}

// undoFault heals a fault if it is in force.
func (s *Server) undoFault(ctx context.Context, id string) error {
	_, err := s.Faults.Heal(ctx, id)
	if err == nil || errors.Is(err, orchestrator.ErrNotFound) {
		s.note(&s.faulty, id, false)
		return nil
	}
	return err
}

func (list) do(ctx context.Context, s *Server) (any, error) {
	all, err := s.Faults.List(ctx)
	faults := erldist.List{}
	for _, f := range all {
		var left any
		if !f.End.IsZero() {
			left = max(0, time.Until(f.End).Milliseconds())
		}
		faults = append(faults, record("id", f.ID, "kind", erldist.Atom(f.Kind), "text", f.String(), "ends_in", left))
	}
	return faults, err
}

func (r crash) do(ctx context.Context, s *Server) (any, error) {
	take := func() error { return s.Cluster.Kill(ctx, "KILL", r.node) }
	if r.how != "kill" {
		if !slices.Contains(faults.Hows(), r.how) {
			return nil, fmt.Errorf("crash %s: unknown way %q: use kill, %s", r.node, r.how, strings.Join(faults.Hows(), ", "))
		}
		take = func() error { return s.Faults.Crash(ctx, s.Cluster, r.node, faults.How(r.how)) }
	}
	s.note(&s.crashed, r.node, true)
	return nil, s.lose(ctx, r.node, take)
}

func (r stop) do(ctx context.Context, s *Server) (any, error) {
	return nil, s.lose(ctx, r.node, func() error { return s.Cluster.Stop(ctx, r.node) })
}

// lose takes a node down. It returns when that is known of it, and its peers have noticed.
func (s *Server) lose(ctx context.Context, node string, take func() error) error {
	v, err := s.look(ctx)
	if err != nil {
		return err
	}
	run, _ := v.status.Node(node)
	if err := take(); err != nil {
		return err
	}
	s.note(&s.broken, node, true)
	err = s.noticed(ctx, v, s.peersOf(node), 0)
	if err == nil {
		err = s.await(ctx, meshTime, func(st orchestrator.Status) string {
			if n, _ := st.Node(node); n.State.Running() && n.Incarnation == run.Incarnation {
				return node + " is still " + string(n.State)
			}
			return ""
		})
	}
	return s.kept(ctx, err, func(ctx context.Context) error { return s.bring(ctx, node) })
}

func (r pause) do(ctx context.Context, s *Server) (any, error) {
	v, err := s.look(ctx)
	if err != nil {
		return nil, err
	}
	if err := s.Cluster.Pause(ctx, r.node); err != nil {
		return nil, err
	}
	s.note(&s.broken, r.node, true)
	if r.wait {
		err = s.noticed(ctx, v, s.peersOf(r.node), 0)
	}
	return nil, s.kept(ctx, err, func(ctx context.Context) error { return s.bring(ctx, r.node) })
}

func (r start) do(ctx context.Context, s *Server) (any, error) {
	return s.back(ctx, r.node, s.Cluster.Start)
}
func (r restart) do(ctx context.Context, s *Server) (any, error) {
	return s.back(ctx, r.node, s.Cluster.Restart)
}
func (r unpause) do(ctx context.Context, s *Server) (any, error) {
	return s.back(ctx, r.node, s.Cluster.Unpause)
}
func (r undoNode) do(ctx context.Context, s *Server) (any, error) {
	if err := s.bring(ctx, r.node); err != nil {
		return nil, err
	}
	return s.settled(ctx, r.node)
}

// back makes a node run, and waits until it is Ready.
func (s *Server) back(ctx context.Context, node string, bring func(context.Context, ...string) error) (any, error) {
	if err := bring(ctx, node); err != nil {
		return nil, err
	}
	return s.settled(ctx, node)
}

// bring makes a node run, from whatever it is now.
func (s *Server) bring(ctx context.Context, node string) error {
	st, err := s.Cluster.Status(ctx)
	if err != nil {
		return err
	}
	n, _ := st.Node(node)
	switch {
	case n.Paused:
		err = s.Cluster.Unpause(ctx, node)
	case !n.State.Running(): // or else it would wait for its restart
		err = s.Cluster.Start(ctx, node)
	}
	if err == nil {
		s.note(&s.broken, node, false)
	}
	return err
}

func (r awaitMesh) do(ctx context.Context, s *Server) (any, error) {
	return s.whole(ctx, r.limit, nil, false)
}

func (r need) do(ctx context.Context, s *Server) (any, error) {
	if have := len(s.Spec.Nodes); r.nodes > have {
		return nil, orchestrator.WithHint(fmt.Errorf("%d nodes are needed, and the cluster has %d", r.nodes, have), "start the suite with more: -n %d", r.nodes)
	}
	st, err := s.Cluster.Status(ctx)
	if err != nil {
		return nil, err
	}
	running := func(n orchestrator.NodeStatus) bool { return !n.State.Final() && !n.Paused }
	missing := r.nodes
	for _, n := range st.Nodes {
		if running(n) {
			missing--
		}
	}
	for _, n := range st.Nodes {
		if missing > 0 && !running(n) {
			if err := s.bring(ctx, n.Name); err != nil {
				return nil, err
			}
			missing--
		}
	}
	return s.whole(ctx, meshTime, s.brokenNodes(), false)
}

func (nodes) do(ctx context.Context, s *Server) (any, error) {
	st, err := s.Cluster.Status(ctx)
	all := erldist.List{}
	for _, n := range st.Nodes {
		peers := erldist.List{}
		for _, p := range n.Peers {
			peers = append(peers, p)
		}
		var url any
		if port := s.Spec.Node(n.Name).HTTPPort; port > 0 {
			url = fmt.Sprintf("http://%s:%d", n.Host, port)
		}
		all = append(all, record("name", n.Name, "node", erldist.Atom(n.Node), "state", erldist.Atom(strings.ReplaceAll(string(n.State), "-", "_")),
			"paused", n.Paused, "peers", peers, "url", url))
	}
	return all, err
}

func (r output) do(ctx context.Context, s *Server) (any, error) {
	lines := erldist.List{}
	err := s.Cluster.Logs(ctx, orchestrator.LogQuery{Nodes: []string{r.node}, Tail: r.lines}, func(l orchestrator.Line) error {
		if l.Stream != orchestrator.StreamSystem {
			lines = append(lines, l.Text)
		}
		return nil
	})
	return lines, err
}

// record returns a map with atoms as keys.
func record(fields ...any) erldist.Map {
	var m erldist.Map
	for pair := range slices.Chunk(fields, 2) {
		m = append(m, erldist.Pair{Key: erldist.Atom(pair[0].(string)), Value: pair[1]})
	}
	return m
}
