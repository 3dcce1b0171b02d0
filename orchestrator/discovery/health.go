package discovery

import (
	"context"
	"sync"
	"time"

	"github.com/beamyard/beamyard/network"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/health"
	"github.com/beamyard/beamyard/orchestrator/hint"
	"github.com/beamyard/beamyard/orchestrator/internal/probe"
	"github.com/beamyard/beamyard/orchestrator/internal/reach"
	"github.com/beamyard/beamyard/orchestrator/secrets"
)

// Health examines a cluster by its labels alone, as [Eval] does: it needs no supervisor,
// and dials the running nodes.
func Health(ctx context.Context, eng orchestrator.Engine, cluster string) (orchestrator.HealthReport, error) {
	began := time.Now()
	f, err := Find(ctx, eng, cluster)
	if err != nil {
		return orchestrator.HealthReport{}, err
	}
	info, err := eng.Info(ctx)
	if err != nil {
		return orchestrator.HealthReport{}, err
	}
	clean := secrets.Redactor(f.Spec).Replace
	at := f.addressesFrom(ctx, eng, info)
	own, dial := probe.Checks{Spec: f.Spec, Addr: func(node string, port int) string { return at.Port(f.placement(node), port) }, Eng: eng, Clean: clean}, probe.Dial(f.Spec, "")
	seen := make([]health.Seen, len(f.Nodes))
	var group sync.WaitGroup
	for i, n := range f.Nodes {
		group.Go(func() {
			if n.State != orchestrator.Running || n.Paused {
				seen[i] = probe.Unanswered(cluster, n)
				return
			}
			limited, cancel := context.WithTimeout(ctx, probe.DialTimeout)
			defer cancel()
			conn, err := dial(limited, n.Node, at.Dist(f.placement(n.Name)))
			if err != nil {
				seen[i] = probe.Unanswered(cluster, n)
				seen[i].Reason, seen[i].Hint = probe.DialReason(f.Spec, err)
				return
			}
			defer func() { _ = conn.Close() }()
			seen[i] = probe.Examine(ctx, n, conn, health.Ask{App: f.Spec.Node(n.Name).App, Modules: true, Window: health.OneOff}, own)
		})
	}
	group.Wait()
	for _, n := range f.Spec.Nodes {
		if _, ok := f.Node(n.Name); !ok {
			seen = append(seen, health.Seen{
				Name: n.Name, Node: f.Spec.Names().Node(n.Name),
				Reason: "it has no container", Hint: hint.Of(hint.Supervise.On(cluster)),
			})
		}
	}
	return probe.Report(ctx, began, f.Spec, seen, nil, f.Faults, clean)
}

// HealthTime returns how long a supervisor's report on a cluster can take, whatever
// hangs: the timeout of a node that does not answer, plus that of the slowest custom
// check, plus a second for everything else.
func HealthTime(s orchestrator.Spec) time.Duration {
	slowest := probe.HTTPCheckTimeout
	for i := range s.Nodes {
		for _, k := range s.NodeAt(i).Checks {
			slowest = max(slowest, k.Limit())
		}
	}
	return probe.HealthTimeout + slowest + time.Second
}

// DistAddr returns where a node's distribution can be dialled from this process:
// "host:port", or an [erldist.EPMDAddr].
func (f Cluster) DistAddr(info orchestrator.EngineInfo, node string) string {
	return f.addresses(info).Dist(f.placement(node))
}

// addressesFrom returns how the nodes can be dialled from this process, which may have to
// join the cluster's network first: see [reach.Direct].
func (f Cluster) addressesFrom(ctx context.Context, eng orchestrator.Engine, info orchestrator.EngineInfo) reach.Addresses {
	at := f.addresses(info)
	if direct, err := reach.Direct(ctx, eng, info, f.NetworkID, network.Layout(f.Subnet)); err == nil {
		at.Direct = direct // otherwise the dial fails with the reason
	}
	return at
}

func (f Cluster) addresses(info orchestrator.EngineInfo) reach.Addresses {
	return reach.Addresses{
		Direct: info.Local && network.Reachable(network.Layout(f.Subnet).Gateway), Host: info.Host, DistPort: f.Spec.Distribution.Port,
	}
}

// placement returns where a node is, as the engine reports it.
func (f Cluster) placement(node string) orchestrator.Placement {
	n, _ := f.Node(node)
	at := orchestrator.Placement{IP: n.IP}
	for _, p := range n.Ports {
		at.Ports = append(at.Ports, orchestrator.PortBinding{Container: uint16(p.Container), HostIP: p.HostIP, Host: uint16(p.Host)})
	}
	return at
}
