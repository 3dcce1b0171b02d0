package cluster

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/codesync"
	"github.com/beamyard/beamyard/orchestrator/compiler"
	"github.com/beamyard/beamyard/orchestrator/hint"
	"github.com/beamyard/beamyard/orchestrator/internal/wait"
)

// syncer holds what a supervisor keeps between syncs.
type syncer struct {
	turn    chan struct{} // holds a token while no sync is running
	over    chan struct{} // closed when the cluster ends
	once    sync.Once     // closes over
	conn    compiler.Conn
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
	s.session, s.conn = nil, compiler.Conn{}
}

// end ends a sync in progress, and prevents new ones. It may be called twice.
func (s *syncer) end() {
	s.once.Do(func() { close(s.over) })
	select {
	case <-s.turn:
		s.close()
		s.turn <- struct{}{}
	case <-time.After(compiler.EndTime):
	}
}

// Sync implements [orchestrator.Controller]. Syncs run one at a time: a second one waits for the
// first.
func (c *Cluster) Sync(ctx context.Context, opts orchestrator.SyncOptions) (codesync.Report, error) {
	var err error
	if opts.Nodes, err = c.spec.NodesOf(opts.Nodes...); err != nil {
		return codesync.Report{}, err
	}
	ctx, done, err := c.turn(ctx)
	if err != nil {
		return codesync.Report{}, err
	}
	defer done()
	began := time.Now()
	report, err := c.sync(ctx, opts)
	// A node that booted in the meantime may have started with the old code.
	for range 3 {
		if err != nil || !c.linkedOf(report) {
			break
		}
		var again codesync.Report
		again, err = c.sync(ctx, orchestrator.SyncOptions{Nodes: opts.Nodes})
		report.Nodes = again.Nodes
	}
	report.Took = time.Since(began)
	report.Warnings = c.clean(report.Warnings)
	switch {
	case err != nil && wait.Closed(c.syncer.over): // whatever error the end caused
		err = orchestrator.ErrClosed
	case err != nil:
		err = c.redact(compiler.Advise(err, c.spec.Name))
		first, _, _ := strings.Cut(err.Error(), "\n")
		c.note("", "sync: %s", strings.TrimSuffix(first, ":"))
	case report.Files > 0:
		c.events.Add(orchestrator.Event{Kind: orchestrator.EventSync, Text: c.clean(report.Line()), Took: report.Took}, time.Now())
	}
	return report, err
}

// linkedOf reports whether a node is now reachable whose code was only written to its
// container, or has the container that it lacked.
func (c *Cluster) linkedOf(r codesync.Report) bool {
	st := c.view.Load()
	return slices.ContainsFunc(r.Nodes, func(n codesync.NodeReport) bool {
		_, open := c.links.Get(n.Name)
		now, _ := st.Node(n.Name)
		return n.State == codesync.Written && open || n.State == codesync.Skipped && now.ContainerID != ""
	})
}

func (c *Cluster) sync(ctx context.Context, opts orchestrator.SyncOptions) (codesync.Report, error) {
	s := c.syncer
	ours, others, err := compiler.Syncable(c.current(), c.view.Load().Nodes, opts.Nodes)
	if err != nil {
		return codesync.Report{}, err
	}
	c.synced.Store(true) // set before checking which nodes have containers
	if s.session != nil && s.conn.Err() != nil {
		s.close()
	}
	if s.session == nil {
		conn, err := compiler.Dial(ctx, c.eng, c.compilerSite(), c.site.info)
		if err != nil {
			return codesync.Report{}, err
		}
		if s.session, err = compiler.OpenSession(ctx, conn, c.current()); err != nil {
			_ = conn.Close()
			return codesync.Report{}, err
		}
		s.conn = conn
	}
	o := codesync.Options{
		Cluster: c.spec.Name, Nodes: c.targets(ours), All: compiler.CoversAll(c.current(), ours), Named: opts.Nodes,
		Hard: opts.PurgeHard, Rolling: opts.Rolling, Settle: c.settle,
	}
	if opts.Restart {
		o.Renew = func(ctx context.Context) (codesync.Conn, string, error) {
			conn, err := compiler.Renew(ctx, c.eng, c.compilerSite(), c.site.info, s.conn)
			s.conn = conn
			return conn.Conn, conn.Name(), err
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
			again, _, err := compiler.Syncable(c.current(), c.view.Load().Nodes, names)
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

// compilerSite returns what the compiler needs to know of the cluster.
func (c *Cluster) compilerSite() compiler.Site {
	s := c.current()
	s.Owner = c.spec.Owner
	return compiler.Site{Spec: s, NetworkID: c.site.networkID, Subnet: c.site.subnet.Prefix, Created: c.site.created}
}

// targets converts nodes to codesync's form.
func (c *Cluster) targets(of []orchestrator.NodeStatus) []codesync.Node {
	var nodes []codesync.Node
	for _, n := range of {
		t := codesync.Node{Name: n.Name, Failed: n.State == orchestrator.Failed, Write: compiler.WriteTo(c.eng, n.ContainerID)}
		if conn, open := c.links.Get(n.Name); open && n.State.Running() {
			t.Conn = conn.Link
		}
		nodes = append(nodes, t)
	}
	return nodes
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
			return orchestrator.ErrClosed
		case n.State == orchestrator.Ready:
			return nil
		case n.State == orchestrator.Failed:
			return orchestrator.WithHint(fmt.Errorf("%s: %w: %s", node, orchestrator.ErrNodeFailed, n.Reason), "%s", hint.Tail.On(c.spec.Name, node))
		}
		select {
		case <-changed:
		case <-limited.Done():
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return orchestrator.WithHint(fmt.Errorf("%s: %w: %s", node, orchestrator.ErrNotReady, n.Reason), "%s", hint.Tail.On(c.spec.Name, node))
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
	return compiler.Unwell(report.Report, node)
}
