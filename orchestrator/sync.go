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

// syncer holds what a supervisor keeps between syncs.
type syncer struct {
	turn    chan struct{} // holds a token while no sync is running
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

// close closes the connection to the compiler.
func (s *syncer) close() {
	if s.conn.Conn != nil {
		_ = s.conn.Close()
	}
	s.session, s.conn = nil, compilerConn{}
}

// syncEnds is how long a cancelled sync may take to end: it asks the compiler, which may
// be frozen, to accept other syncs.
const syncEnds = 10 * time.Second

// end ends a sync in progress, and prevents new ones. It may be called twice.
func (s *syncer) end() {
	s.once.Do(func() { close(s.over) })
	select {
	case <-s.turn:
		s.close()
		s.turn <- struct{}{}
	case <-time.After(syncEnds):
	}
}

// Sync implements [Controller]. Syncs run one at a time: a second one waits for the
// first.
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
	// A node that booted in the meantime may have started with the old code.
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
	case err != nil && closed(c.syncer.over): // whatever error the end caused
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

// linkedOf reports whether a node is now reachable whose code was only written to its
// container, or has the container that it lacked.
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
	c.synced.Store(true) // set before checking which nodes have containers
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
	if s.conn.Conn == nil || s.conn.Err() != nil { // the next sync connects again
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

// found returns the cluster in the form that its labels would give.
func (c *Cluster) found() Found {
	f := Found{Spec: c.site.spec, Owner: c.spec.Owner}
	f.NetworkID, f.Created, f.Subnet = c.site.networkID, c.site.created, c.site.subnet.Prefix
	return f
}

// syncable returns the nodes that a sync applies to, of the named ones or of all, and
// reports the nodes that it skips. Before anything is changed, it returns an error if a
// node would keep running the old code.
//
// A release may have modules that another one lacks, and an application that is missing
// from a release must not be loaded there. So nodes with another build of the sources
// than the compiler's do not get its code: a sync of all nodes returns an error that says
// which nodes to name.
func syncable(s Spec, nodes []NodeStatus, named []string) (ours []NodeStatus, others []codesync.NodeReport, err error) {
	var paused, names, apart []string
	for _, n := range nodes {
		switch {
		case len(named) > 0 && !slices.Contains(named, n.Name):
			continue
		case len(named) > 0 && s.usesCustomImage(n.Name):
			return nil, nil, WithHint(fmt.Errorf("%s runs an image of its own, which is not made of the cluster's sources: no node was changed", n.Name),
				"name the others alone, or give none: beamyard sync -c %s", s.Name)
		case s.otherBuild(n.Name):
			apart = append(apart, n.Name)
			continue
		case s.usesCustomImage(n.Name):
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

// apart returns the error for nodes that run another build of the sources than the
// compiler's.
func (s Spec) apart(nodes []string) error {
	var builds, ours []string
	for _, name := range nodes {
		if text := name + " (" + s.buildOf(name) + ")"; !slices.Contains(builds, text) {
			builds = append(builds, text)
		}
	}
	for _, n := range s.Nodes {
		if !s.usesCustomImage(n.Name) && !s.otherBuild(n.Name) {
			ours = append(ours, n.Name)
		}
	}
	verb := "runs"
	if len(nodes) > 1 {
		verb = "run"
	}
	return WithHint(fmt.Errorf("%s %s another build of the project than sync compiles, which is that of %s (%s): no node was changed",
		strings.Join(builds, ", "), verb, strings.Join(ours, ", "), s.buildOf(ours[0])),
		"sync the nodes of one build: beamyard sync -c %[1]s %[2]s\nor build all of them again: beamyard down %[1]s; beamyard up", s.Name, strings.Join(ours, " "))
}

// whole reports whether these are all the nodes that a sync can apply to.
func (s Spec) whole(nodes []NodeStatus) bool {
	return !slices.ContainsFunc(s.Nodes, func(n NodeSpec) bool {
		return !s.usesCustomImage(n.Name) && !s.otherBuild(n.Name) && !slices.ContainsFunc(nodes, func(o NodeStatus) bool { return o.Name == n.Name })
	})
}

// targets converts nodes to codesync's form.
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

// waitReady waits until one node is Ready.
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

// settle returns nil if a node is healthy with the new code, or an error that says why it
// is not.
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

// unwell returns the failed checks of a node in a report. Code that differs from that of
// the nodes synced later does not count.
func unwell(r health.Report, node string) error {
	var errs []error
	for _, k := range r.Checks {
		if k.Node == node && k.State == health.Failed && k.Group != health.Code && k.Group != health.Performance {
			errs = append(errs, fmt.Errorf("%s: %s", k.Name, k.Means))
		}
	}
	return errors.Join(errs...)
}

// advise adds a hint about dependencies if they have changed: a compiler container does
// not fetch them.
func advise(err error, cluster string) error {
	if err != nil && strings.Contains(err.Error(), "Unchecked dependencies") { // Mix's text
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

// renewCompiler restarts the compiler's VM.
func renewCompiler(ctx context.Context, eng Engine, f Found, info EngineInfo, old compilerConn) (compilerConn, error) {
	_ = old.Close()
	if err := eng.StopContainer(ctx, old.id, 0); err != nil {
		return compilerConn{}, fmt.Errorf("restart the compiler: %w", err)
	}
	return dialCompiler(ctx, eng, f, info)
}

// Sync syncs a cluster by its labels alone, as [Health] examines one. It needs no
// supervisor, and dials the running nodes. Restarting nodes requires a supervisor.
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
		if n.State == Starting { // the only state known of a running node
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
