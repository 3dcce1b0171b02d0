package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/beamyard/beamyard/network"
	"github.com/beamyard/beamyard/network/erldist"
	"github.com/beamyard/beamyard/orchestrator/diagnosis"
	"github.com/beamyard/beamyard/orchestrator/health"
)

// healthTimeout is how long a node may take to tell of itself. One that runs
// answers within milliseconds.
const healthTimeout = 2 * time.Second

// Health implements [Controller], over the links that the probes hold.
func (c *Cluster) Health(ctx context.Context) (health.Report, error) {
	st := c.view.Load()
	c.mu.Lock()
	over := c.ended
	c.mu.Unlock()
	if over || st.NetworkID == "" { // until it has a network nothing of it can be asked
		return health.Report{}, WithHint(ErrClosed, "see what it does: beamyard ps %s", c.spec.Name)
	}
	began, own, nodes := time.Now(), c.ownChecks(), st.Nodes
	seen := make([]health.Seen, len(nodes))
	var group sync.WaitGroup
	for i, n := range nodes {
		group.Go(func() {
			conn, ok := c.links.get(n.Name)
			paused := n.State == Degraded && n.Reason == reasonPaused
			if !ok || !n.State.Running() || paused { // the link of one that was just stopped may still be there
				seen[i] = unanswered(c.spec.Name, n)
				return
			}
			ask := health.Ask{App: c.site.spec.of(n.Name).App, Modules: true, Since: conn.since(time.Now()), Window: health.OneOff}
			seen[i] = examine(ctx, n, conn.link, ask, own)
			if conn.last == nil && seen[i].Sample != nil { // the next need not wait for its load
				c.links.note(report{n.Name, conn.inc}, *seen[i].Sample)
			}
		})
	}
	group.Wait()
	for i, n := range nodes {
		seen[i].Apart = n.Cut
	}
	var known []diagnosis.Finding
	for _, n := range nodes {
		known = append(known, diagnosis.For(n.Findings, n.Name)...)
	}
	return judge(ctx, began, c.site.spec, seen, known, c.clean)
}

// Health examines a cluster by its labels alone, as [Eval] does: it needs no
// supervisor, and dials the nodes that run.
func Health(ctx context.Context, eng Engine, cluster string) (health.Report, error) {
	began := time.Now()
	f, err := Find(ctx, eng, cluster)
	if err != nil {
		return health.Report{}, err
	}
	info, err := eng.Info(ctx)
	if err != nil {
		return health.Report{}, err
	}
	clean := redactor(f.Spec).Replace
	at := f.siteFrom(ctx, eng, info)
	own, dial := ownChecks{spec: f.Spec, at: at, eng: eng, clean: clean}, dialDistribution(f.Spec, "")
	seen := make([]health.Seen, len(f.Nodes))
	var group sync.WaitGroup
	for i, n := range f.Nodes {
		group.Go(func() {
			if n.State != Starting { // which is all that is known of one that runs
				seen[i] = unanswered(cluster, n)
				return
			}
			limited, cancel := context.WithTimeout(ctx, dialTimeout)
			defer cancel()
			conn, err := dial(limited, n.Node, at.distAddr(n.Name))
			if err != nil {
				seen[i] = unanswered(cluster, n)
				seen[i].Reason, seen[i].Hint = dialReason(f.Spec, err)
				return
			}
			defer func() { _ = conn.Close() }()
			seen[i] = examine(ctx, n, conn, health.Ask{App: f.Spec.of(n.Name).App, Modules: true, Window: health.OneOff}, own)
		})
	}
	group.Wait()
	for _, n := range f.Spec.Nodes {
		if _, ok := f.Node(n.Name); !ok {
			seen = append(seen, health.Seen{
				Name: n.Name, Node: f.Spec.names().Node(n.Name),
				Reason: "it has no container", Hint: fmt.Sprintf("beamyard up %s -d", cluster),
			})
		}
	}
	return judge(ctx, began, f.Spec, seen, nil, clean)
}

// HealthTime is within which a supervisor's report of a cluster is there, whatever
// hangs: the time of a node that does not answer, then that of the slowest of the
// cluster's own checks, and a second for all else.
func HealthTime(s Spec) time.Duration {
	slowest := httpCheckTimeout
	for i := range s.Nodes {
		for _, k := range s.filled(i).Checks {
			slowest = max(slowest, k.timeout())
		}
	}
	return healthTimeout + slowest + time.Second
}

// judge makes the report, unless nobody wants it any more. What the supervisor
// found comes before what the report itself remarks.
func judge(ctx context.Context, began time.Time, s Spec, seen []health.Seen, known []diagnosis.Finding, clean func(string) string) (health.Report, error) {
	if ctx.Err() != nil {
		return health.Report{}, ctx.Err()
	}
	for i := range seen {
		seen[i].Reason, seen[i].Hint = clean(seen[i].Reason), clean(seen[i].Hint)
		seen[i].App, seen[i].Runs = s.of(seen[i].Name).App, s.runs(seen[i].Name)
	}
	report := health.Judge(
		health.Observation{Time: began, Took: time.Since(began), Nodes: seen},
		health.Expectations{Cluster: s.Name, App: s.App, NoMesh: s.Mesh == MeshNone}, s.Health,
	)
	report.Tell(known...)
	report.Tell(remarks(s, seen, clean)...)
	return report, nil
}

// examine asks a node for its sample, and then does the cluster's own checks on it,
// all at once: what they cost is no load of the node's own. Of one that tells
// nothing of itself nothing else is asked.
func examine(ctx context.Context, n NodeStatus, conn link, ask health.Ask, own ownChecks) health.Seen {
	seen := health.Seen{Name: n.Name, Node: n.Node}
	limited, cancel := within(ctx, healthTimeout)
	defer cancel()
	sample, err := health.Take(limited, conn, ask)
	if rpc := (*erldist.RPCError)(nil); errors.As(err, &rpc) {
		sample, err = health.Glance(limited, conn)
	}
	switch {
	case err == nil:
		seen.Sample = &sample
		at := own.lookAt(limited, n.Name, conn)
		checks, _ := unserved(at.node, own.of(n.Name), at.is)
		seen.Own = make([]health.Outcome, len(checks))
		var group sync.WaitGroup
		for i, k := range checks {
			group.Go(func() { seen.Own[i] = at.explained(k, own.run(ctx, k, n.Name, conn)) })
		}
		group.Wait()
		seen.Own = append(seen.Own, at.unreached()...)
	case errors.Is(err, context.DeadlineExceeded):
		seen.Reason = fmt.Sprintf("does not answer within %s", healthTimeout)
	default:
		seen.Reason = err.Error()
	}
	if err != nil && n.Reason != "" {
		seen.Reason += " (" + n.Reason + ")"
	}
	return seen
}

// toTell is kept of the time of who asks, to tell what was found by then.
const toTell = 500 * time.Millisecond

// within bounds one question: by d, and so that its outcome can still be told
// before ctx's own deadline.
func within(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	if deadline, ok := ctx.Deadline(); ok {
		left := time.Until(deadline)
		d = min(d, max(left-toTell, left/2))
	}
	return context.WithTimeout(ctx, d)
}

// unanswered is a node that cannot be asked, and why.
func unanswered(cluster string, n NodeStatus) health.Seen {
	seen := health.Seen{Name: n.Name, Node: n.Node, Reason: n.Reason}
	at := cluster + "/" + n.Name
	switch n.State {
	case Stopped, Completed:
		seen.Reason = "its container is stopped" + ended(n.LastExit)
		seen.Hint = "beamyard start " + at
	case Failed:
		seen.Reason = "it failed, and nothing restarts it" + ended(n.LastExit)
		seen.Hint = "beamyard logs " + at + " --tail 50"
	case BackingOff:
		seen.Reason = "it crashed and waits for its restart" + ended(n.LastExit)
		seen.Hint = "beamyard logs " + at + " --tail 50"
	case Pending, Creating, Starting:
		if seen.Reason == "" {
			seen.Reason = "it still starts"
		}
	case Stopping:
		seen.Reason = "it is being stopped"
	case Ready, Degraded:
		switch seen.Reason {
		case "":
			seen.Reason = "the distribution connection to it is gone"
		case reasonPaused:
			seen.Reason, seen.Hint = "its container is paused", "beamyard unpause "+at
		}
	}
	return seen
}

// ended is how the last run did, where that was not asked for.
func ended(e *Exit) string {
	if e == nil || e.Class == ExitStopped {
		return ""
	}
	return " (" + e.String() + ")"
}

// DistAddr is where a node's distribution can be dialled from here: "host:port", or an
// [erldist.EPMDAddr].
func (f Found) DistAddr(info EngineInfo, node string) string { return f.site(info).distAddr(node) }

// site is where a cluster that is known by its labels can be reached.
// siteFrom is site, for who dials from here: see reachable.
func (f Found) siteFrom(ctx context.Context, eng Engine, info EngineInfo) *site {
	at := f.site(info)
	if direct, err := reachable(ctx, eng, info, f.NetworkID, network.Layout(f.Subnet)); err == nil {
		at.direct = direct // else the dial says that it does not reach it
	}
	return at
}

func (f Found) site(info EngineInfo) *site {
	at := &site{spec: f.Spec, info: info, slots: map[string]*slot{}}
	at.direct = info.Local && network.Reachable(network.Layout(f.Subnet).Gateway)
	for _, n := range f.Nodes {
		at.slots[n.Name] = &slot{placement: placement{ip: n.IP}}
		for _, p := range n.Ports {
			at.slots[n.Name].ports = append(at.slots[n.Name].ports, PortBinding{Container: uint16(p.Container), HostIP: p.HostIP, Host: uint16(p.Host)})
		}
	}
	return at
}
