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

// healthTimeout is how long a node may take to answer for a report. A running node
// answers within milliseconds.
const healthTimeout = 2 * time.Second

// Health implements [Controller], over the links of the probes.
func (c *Cluster) Health(ctx context.Context) (health.Report, error) {
	st := c.view.Load()
	c.mu.Lock()
	over := c.ended
	c.mu.Unlock()
	if over || st.NetworkID == "" { // it cannot be examined before it has a network
		return health.Report{}, WithHint(ErrClosed, "see what it does: beamyard ps %s", c.spec.Name)
	}
	began, own, nodes := time.Now(), c.ownChecks(), st.Nodes
	seen := make([]health.Seen, len(nodes))
	var group sync.WaitGroup
	for i, n := range nodes {
		group.Go(func() {
			conn, ok := c.links.get(n.Name)
			paused := n.State == Degraded && n.Reason == reasonPaused
			if !ok || !n.State.Running() || paused { // the link of a node that just stopped may still exist
				seen[i] = unanswered(c.spec.Name, n)
				return
			}
			ask := health.Ask{App: c.site.spec.of(n.Name).App, Modules: true, Since: conn.since(time.Now()), Window: health.OneOff}
			seen[i] = examine(ctx, n, conn.link, ask, own)
			if conn.last == nil && seen[i].Sample != nil { // the next report does not have to wait for its load
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

// Health examines a cluster by its labels alone, as [Eval] does: it needs no supervisor,
// and dials the running nodes.
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
			if n.State != Starting { // the only state known of a running node
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

// HealthTime returns how long a supervisor's report on a cluster can take, whatever
// hangs: the timeout of a node that does not answer, plus that of the slowest custom
// check, plus a second for everything else.
func HealthTime(s Spec) time.Duration {
	slowest := httpCheckTimeout
	for i := range s.Nodes {
		for _, k := range s.filled(i).Checks {
			slowest = max(slowest, k.timeout())
		}
	}
	return healthTimeout + slowest + time.Second
}

// judge makes the report, unless ctx has ended. The supervisor's findings come before the
// report's own.
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

// examine asks a node for its sample, and then runs all of its custom checks at once, so
// that their cost does not count as the node's load. A node that returns no sample is not
// examined further.
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

// toTell is how much of the caller's time is reserved for reporting the results.
const toTell = 500 * time.Millisecond

// within bounds one question by d, and early enough to report its result before ctx's own
// deadline.
func within(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	if deadline, ok := ctx.Deadline(); ok {
		left := time.Until(deadline)
		d = min(d, max(left-toTell, left/2))
	}
	return context.WithTimeout(ctx, d)
}

// unanswered returns the result for a node that cannot be examined, with the reason.
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

// ended describes how the last run ended, unless the end was requested.
func ended(e *Exit) string {
	if e == nil || e.Class == ExitStopped {
		return ""
	}
	return " (" + e.String() + ")"
}

// DistAddr returns where a node's distribution can be dialled from this process:
// "host:port", or an [erldist.EPMDAddr].
func (f Found) DistAddr(info EngineInfo, node string) string { return f.site(info).distAddr(node) }

// site returns where a cluster known by its labels can be reached. siteFrom does the same
// for dials from this process: see reachable.
func (f Found) siteFrom(ctx context.Context, eng Engine, info EngineInfo) *site {
	at := f.site(info)
	if direct, err := reachable(ctx, eng, info, f.NetworkID, network.Layout(f.Subnet)); err == nil {
		at.direct = direct // otherwise the dial fails with the reason
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
