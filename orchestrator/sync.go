package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/beamyard/beamyard/images"
	"github.com/beamyard/beamyard/orchestrator/codesync"
	"github.com/beamyard/beamyard/orchestrator/health"
)

// syncer is what a supervisor keeps from one sync to the next.
type syncer struct {
	turn    chan struct{} // holds a token while nobody syncs
	over    chan struct{} // closed when the cluster ends
	once    sync.Once     // closes over
	conn    compilerConn
	session *codesync.Session
}

func newSyncer() *syncer {
	s := &syncer{turn: make(chan struct{}, 1), over: make(chan struct{})}
	s.turn <- struct{}{}
	return s
}

// close ends the connection to the compiler.
func (s *syncer) close() {
	if s.conn.Conn != nil {
		_ = s.conn.Close()
	}
	s.session, s.conn = nil, compilerConn{}
}

// syncEnds is within which a sync that is cancelled has ended: it asks a compiler,
// which may be frozen, to be free for others.
const syncEnds = 10 * time.Second

// end ends the sync that is under way, and lets none begin. It may be called twice.
func (s *syncer) end() {
	s.once.Do(func() { close(s.over) })
	select {
	case <-s.turn:
		s.close()
		s.turn <- struct{}{}
	case <-time.After(syncEnds):
	}
}

// Sync implements [Controller]. A second one waits for the first.
func (c *Cluster) Sync(ctx context.Context, opts SyncOptions) (codesync.Report, error) {
	var err error
	if opts.Nodes, err = c.spec.NodesOf(opts.Nodes...); err != nil {
		return codesync.Report{}, err
	}
	st := c.view.Load()
	if st.NetworkID == "" {
		return codesync.Report{}, WithHint(ErrClosed, "see what it does: beamyard ps %s", c.spec.Name)
	}
	select {
	case <-c.syncer.turn:
		defer func() { c.syncer.turn <- struct{}{} }()
	case <-c.syncer.over:
	case <-ctx.Done():
		return codesync.Report{}, ctx.Err()
	}
	if closed(c.syncer.over) {
		return codesync.Report{}, ErrClosed
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		select {
		case <-c.syncer.over:
			cancel(ErrClosed)
		case <-ctx.Done():
		}
	}()
	began := time.Now()
	report, err := c.sync(ctx, opts)
	// A node that booted meanwhile may have begun with the code before.
	for range 3 {
		if err != nil || !c.linkedOf(report) {
			break
		}
		var again codesync.Report
		again, err = c.sync(ctx, SyncOptions{Nodes: opts.Nodes})
		report.Nodes = again.Nodes
	}
	report.Took = time.Since(began)
	report.Warnings = c.clean(report.Warnings)
	switch {
	case err != nil && closed(c.syncer.over): // whatever that broke
		err = ErrClosed
	case err != nil:
		err = c.redact(advise(err, c.spec.Name))
		first, _, _ := strings.Cut(err.Error(), "\n")
		c.note("", "sync: %s", strings.TrimSuffix(first, ":"))
	case report.Files > 0:
		c.note("", "%s", report.Line())
	}
	return report, err
}

// linkedOf tells whether a node answers by now for which code was only written, or
// has the container that it lacked.
func (c *Cluster) linkedOf(r codesync.Report) bool {
	st := c.view.Load()
	return slices.ContainsFunc(r.Nodes, func(n codesync.NodeReport) bool {
		_, open := c.links.get(n.Name)
		now, _ := st.Node(n.Name)
		return n.State == codesync.Written && open || n.State == codesync.Skipped && now.ContainerID != ""
	})
}

func (c *Cluster) sync(ctx context.Context, opts SyncOptions) (codesync.Report, error) {
	s := c.syncer
	ours, others, err := syncable(c.site.spec, c.view.Load().Nodes, opts.Nodes)
	if err != nil {
		return codesync.Report{}, err
	}
	c.synced.Store(true) // before it is seen which nodes have containers
	if s.session != nil && s.conn.Err() != nil {
		s.close()
	}
	if s.session == nil {
		conn, err := dialCompiler(ctx, c.eng, c.found(), c.site.info)
		if err != nil {
			return codesync.Report{}, err
		}
		if s.session, err = openSession(ctx, conn, c.spec); err != nil {
			_ = conn.Close()
			return codesync.Report{}, err
		}
		s.conn = conn
	}
	o := codesync.Options{
		Cluster: c.spec.Name, Nodes: c.targets(ours), All: c.site.spec.whole(ours), Named: opts.Nodes,
		Hard: opts.PurgeHard, Rolling: opts.Rolling, Settle: c.settle,
	}
	if opts.Restart {
		o.Renew = func(ctx context.Context) (codesync.Conn, string, error) {
			conn, err := renewCompiler(ctx, c.eng, c.found(), c.site.info, s.conn)
			s.conn = conn
			return conn.Conn, conn.name(), err
		}
		o.Restart = func(ctx context.Context, nodes []codesync.Node) ([]codesync.Node, error) {
			var names []string
			for _, n := range nodes {
				names = append(names, n.Name)
			}
			if err := c.Restart(ctx, names...); err != nil {
				return nil, err
			}
			for _, n := range names {
				if err := c.waitReady(ctx, n); err != nil {
					return nil, err
				}
			}
			again, _, err := syncable(c.site.spec, c.view.Load().Nodes, names)
			return c.targets(again), err
		}
	}
	report, err := s.session.Sync(ctx, o)
	report.Nodes = append(report.Nodes, others...)
	if s.conn.Conn == nil || s.conn.Err() != nil { // the next one begins anew
		s.close()
	}
	return report, err
}

func (c compilerConn) name() string {
	if c.Conn == nil {
		return ""
	}
	return c.Self()
}

// found is the cluster as others find it by its labels.
func (c *Cluster) found() Found {
	f := Found{Spec: c.site.spec, Owner: c.spec.Owner}
	f.NetworkID, f.Created, f.Subnet = c.site.networkID, c.site.created, c.site.subnet.Prefix
	return f
}

// syncable finds the nodes that a sync is about, of those that are named or of
// all, and tells which of these it leaves alone. It refuses, before anything is
// changed, what would leave a node behind that runs on with the code before.
//
// A release has modules where another one has none, and an application that one of
// them lacks is not to be loaded there. So nodes of another build of the sources than
// the compiler's are not given its code: who asks for all nodes is told which to name.
func syncable(s Spec, nodes []NodeStatus, named []string) (ours []NodeStatus, others []codesync.NodeReport, err error) {
	var paused, names, apart []string
	for _, n := range nodes {
		switch {
		case len(named) > 0 && !slices.Contains(named, n.Name):
			continue
		case len(named) > 0 && s.ownImage(n.Name):
			return nil, nil, WithHint(fmt.Errorf("%s runs an image of its own, which is not made of the cluster's sources: no node was changed", n.Name),
				"name the others alone, or give none: beamyard sync -c %s", s.Name)
		case s.otherBuild(n.Name):
			apart = append(apart, n.Name)
			continue
		case s.ownImage(n.Name):
			others = append(others, codesync.NodeReport{Name: n.Name, State: codesync.OwnImage})
			continue
		case n.Reason == reasonPaused:
			paused, names = append(paused, n.Name+" is paused"), append(names, s.Name+"/"+n.Name)
		}
		ours = append(ours, n)
	}
	if len(apart) > 0 {
		return nil, nil, s.apart(apart)
	}
	if len(paused) > 0 {
		return nil, nil, WithHint(fmt.Errorf("%s: no node was changed", strings.Join(paused, ", ")), "beamyard unpause %s", strings.Join(names, " "))
	}
	return ours, others, nil
}

// apart is the error of nodes that run another build of the sources than the compiler.
func (s Spec) apart(nodes []string) error {
	var builds, ours []string
	for _, name := range nodes {
		if text := name + " (" + s.buildOf(name) + ")"; !slices.Contains(builds, text) {
			builds = append(builds, text)
		}
	}
	for _, n := range s.Nodes {
		if !s.ownImage(n.Name) && !s.otherBuild(n.Name) {
			ours = append(ours, n.Name)
		}
	}
	verb := "runs"
	if len(nodes) > 1 {
		verb = "run"
	}
	return WithHint(fmt.Errorf("%s %s another build of the project than sync compiles, which is that of %s (%s): no node was changed",
		strings.Join(builds, ", "), verb, strings.Join(ours, ", "), s.buildOf(ours[0])),
		"sync the nodes of one build: beamyard sync -c %[1]s %[2]s\nor build all of them anew: beamyard down %[1]s; beamyard up", s.Name, strings.Join(ours, " "))
}

// whole tells whether these are all nodes that a sync can be about.
func (s Spec) whole(nodes []NodeStatus) bool {
	return !slices.ContainsFunc(s.Nodes, func(n NodeSpec) bool {
		return !s.ownImage(n.Name) && !s.otherBuild(n.Name) && !slices.ContainsFunc(nodes, func(o NodeStatus) bool { return o.Name == n.Name })
	})
}

// targets are nodes as a sync sees them.
func (c *Cluster) targets(of []NodeStatus) []codesync.Node {
	var nodes []codesync.Node
	for _, n := range of {
		t := codesync.Node{Name: n.Name, Write: writeTo(c.eng, n.ContainerID)}
		if conn, open := c.links.get(n.Name); open && n.State.Running() {
			t.Conn = conn.link
		}
		nodes = append(nodes, t)
	}
	return nodes
}

func writeTo(eng Engine, id string) func(context.Context, io.Reader) error {
	if id == "" {
		return nil
	}
	return func(ctx context.Context, archive io.Reader) error { return eng.WriteFiles(ctx, id, archive) }
}

// waitReady waits for one node.
func (c *Cluster) waitReady(ctx context.Context, node string) error {
	limited, cancel := context.WithTimeout(ctx, c.spec.ReadyTimeout)
	defer cancel()
	for {
		c.mu.Lock()
		changed, ended := c.changed, c.ended
		c.mu.Unlock()
		n, _ := c.view.Load().Node(node)
		switch {
		case ended:
			return ErrClosed
		case n.State == Ready:
			return nil
		case n.State == Failed:
			return WithHint(fmt.Errorf("%s: %w: %s", node, ErrNodeFailed, n.Reason), "beamyard logs %s/%s --tail 50", c.spec.Name, node)
		}
		select {
		case <-changed:
		case <-limited.Done():
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return WithHint(fmt.Errorf("%s: %w: %s", node, ErrNotReady, n.Reason), "beamyard logs %s/%s --tail 50", c.spec.Name, node)
		}
	}
}

// settle finds a node well with new code, or says why it is not.
func (c *Cluster) settle(ctx context.Context, node string) error {
	if err := c.waitReady(ctx, node); err != nil {
		return err
	}
	report, err := c.Health(ctx)
	if err != nil {
		return err
	}
	return unwell(report, node)
}

// unwell is what failed on a node by a report. That it runs other code than those
// that come after it is no failure.
func unwell(r health.Report, node string) error {
	var errs []error
	for _, k := range r.Checks {
		if k.Node == node && k.State == health.Failed && k.Group != health.Code && k.Group != health.Performance {
			errs = append(errs, fmt.Errorf("%s: %s", k.Name, k.Means))
		}
	}
	return errors.Join(errs...)
}

// advise says where dependencies come from, to those who changed them: nothing
// fetches them in a compiler.
func advise(err error, cluster string) error {
	if err != nil && strings.Contains(err.Error(), "Unchecked dependencies") { // says Mix
		return WithHint(err, "dependencies come with the image: beamyard down %s; beamyard up", cluster)
	}
	return err
}

func openSession(ctx context.Context, conn compilerConn, s Spec) (*codesync.Session, error) {
	src, err := s.sources()
	if err != nil {
		return nil, err
	}
	session, err := codesync.Open(ctx, conn, conn.name(), src.Dir)
	if errors.Is(err, codesync.ErrNoProject) {
		return nil, noProject(s)
	}
	if err == nil && src.Kind == images.Dockerfile {
		session.OfDockerfile()
	}
	return session, err
}

// renewCompiler starts the compiler's VM again.
func renewCompiler(ctx context.Context, eng Engine, f Found, info EngineInfo, old compilerConn) (compilerConn, error) {
	_ = old.Close()
	if err := eng.StopContainer(ctx, old.id, 0); err != nil {
		return compilerConn{}, fmt.Errorf("restart the compiler: %w", err)
	}
	return dialCompiler(ctx, eng, f, info)
}

// Sync syncs a cluster by its labels alone, as [Health] examines one: it needs no
// supervisor, and dials the nodes that run. Restarting them does need one.
func Sync(ctx context.Context, eng Engine, cluster string, opts SyncOptions) (codesync.Report, error) {
	began := time.Now()
	f, err := Find(ctx, eng, cluster)
	if err != nil {
		return codesync.Report{}, err
	}
	if opts.Nodes, err = f.Spec.NodesOf(opts.Nodes...); err != nil {
		return codesync.Report{}, err
	}
	if opts.Restart {
		return codesync.Report{}, WithHint(fmt.Errorf("%s has no supervisor that could restart its nodes", cluster), "beamyard up %s -d, then: beamyard sync -c %[1]s --restart", cluster)
	}
	info, err := eng.Info(ctx)
	if err != nil {
		return codesync.Report{}, err
	}
	clean := redactor(f.Spec).Replace
	report, err := syncFound(ctx, eng, f, info, opts)
	err = advise(err, cluster)
	report.Took, report.Warnings = time.Since(began), clean(report.Warnings)
	if err != nil && clean(err.Error()) != err.Error() {
		err = &redactedError{err: err, text: clean(err.Error())}
	}
	return report, err
}

func syncFound(ctx context.Context, eng Engine, f Found, info EngineInfo, opts SyncOptions) (codesync.Report, error) {
	ours, others, err := syncable(f.Spec, f.Nodes, opts.Nodes)
	if err != nil {
		return codesync.Report{}, err
	}
	conn, err := dialCompiler(ctx, eng, f, info)
	if err != nil {
		return codesync.Report{}, err
	}
	defer func() { _ = conn.Close() }()
	session, err := openSession(ctx, conn, f.Spec)
	if err != nil {
		return codesync.Report{}, err
	}
	at, dial := f.siteFrom(ctx, eng, info), dialDistribution(f.Spec, "")
	var nodes []codesync.Node
	for _, n := range ours {
		t := codesync.Node{Name: n.Name, Write: writeTo(eng, n.ContainerID)}
		if n.State == Starting { // which is all that is known of one that runs
			limited, cancel := context.WithTimeout(ctx, dialTimeout)
			link, err := dial(limited, n.Node, at.distAddr(n.Name))
			cancel()
			if err != nil {
				return codesync.Report{}, WithHint(fmt.Errorf("%s runs and cannot be asked: %w", n.Name, err), "beamyard health %s", f.Spec.Name)
			}
			defer func() { _ = link.Close() }()
			t.Conn = link
		}
		nodes = append(nodes, t)
	}
	report, err := session.Sync(ctx, codesync.Options{
		Cluster: f.Spec.Name, Nodes: nodes, All: f.Spec.whole(ours), Named: opts.Nodes, Hard: opts.PurgeHard, Rolling: opts.Rolling,
		Settle: func(ctx context.Context, node string) error {
			report, err := Health(ctx, eng, f.Spec.Name)
			if err != nil {
				return err
			}
			return unwell(report, node)
		},
	})
	report.Nodes = append(report.Nodes, others...)
	return report, err
}
