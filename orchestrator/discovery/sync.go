package discovery

import (
	"context"
	"fmt"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/codesync"
	"github.com/beamyard/beamyard/orchestrator/compiler"
	"github.com/beamyard/beamyard/orchestrator/hint"
	"github.com/beamyard/beamyard/orchestrator/internal/probe"
	"github.com/beamyard/beamyard/orchestrator/secrets"
)

// Sync syncs a cluster by its labels alone, as [Health] examines one. It needs no
// supervisor, and dials the running nodes. Restarting nodes requires a supervisor.
func Sync(ctx context.Context, eng orchestrator.Engine, cluster string, opts orchestrator.SyncOptions) (codesync.Report, error) {
	began := time.Now()
	f, err := Find(ctx, eng, cluster)
	if err != nil {
		return codesync.Report{}, err
	}
	if opts.Nodes, err = f.Spec.NodesOf(opts.Nodes...); err != nil {
		return codesync.Report{}, err
	}
	if opts.Restart {
		return codesync.Report{}, orchestrator.WithHint(fmt.Errorf("%s has no supervisor that could restart its nodes", cluster), "%s, then: %s", hint.Supervise.On(cluster), hint.SyncRestart.On(cluster))
	}
	info, err := eng.Info(ctx)
	if err != nil {
		return codesync.Report{}, err
	}
	clean := secrets.Redactor(f.Spec).Replace
	report, err := syncFound(ctx, eng, f, info, opts)
	err = compiler.Advise(err, cluster)
	report.Took, report.Warnings = time.Since(began), clean(report.Warnings)
	return report, secrets.RedactError(err, clean)
}

func syncFound(ctx context.Context, eng orchestrator.Engine, f Cluster, info orchestrator.EngineInfo, opts orchestrator.SyncOptions) (codesync.Report, error) {
	ours, others, err := compiler.Syncable(f.Spec, f.Nodes, opts.Nodes)
	if err != nil {
		return codesync.Report{}, err
	}
	conn, err := compiler.Dial(ctx, eng, f.compilerSite(), info)
	if err != nil {
		return codesync.Report{}, err
	}
	defer func() { _ = conn.Close() }()
	session, err := compiler.OpenSession(ctx, conn, f.Spec)
	if err != nil {
		return codesync.Report{}, err
	}
	at, dial := f.addressesFrom(ctx, eng, info), probe.Dial(f.Spec, "")
	var nodes []codesync.Node
	for _, n := range ours {
		t := codesync.Node{Name: n.Name, Write: compiler.WriteTo(eng, n.ContainerID)}
		if n.State == orchestrator.Running {
			limited, cancel := context.WithTimeout(ctx, probe.DialTimeout)
			link, err := dial(limited, n.Node, at.Dist(f.placement(n.Name)))
			cancel()
			if err != nil {
				return codesync.Report{}, orchestrator.WithHint(fmt.Errorf("%s runs and cannot be asked: %w", n.Name, err), "%s", hint.Health.On(f.Spec.Name))
			}
			defer func() { _ = link.Close() }()
			t.Conn = link
		}
		nodes = append(nodes, t)
	}
	report, err := session.Sync(ctx, codesync.Options{
		Cluster: f.Spec.Name, Nodes: nodes, All: compiler.CoversAll(f.Spec, ours), Named: opts.Nodes, Hard: opts.PurgeHard, Rolling: opts.Rolling,
		Settle: func(ctx context.Context, node string) error {
			report, err := Health(ctx, eng, f.Spec.Name)
			if err != nil {
				return err
			}
			return compiler.Unwell(report.Report, node)
		},
	})
	report.Nodes = append(report.Nodes, others...)
	return report, err
}

// compilerSite returns what the compiler needs to know of the cluster.
func (f Cluster) compilerSite() compiler.Site {
	s := f.Spec
	s.Owner = f.Owner
	return compiler.Site{Spec: s, NetworkID: f.NetworkID, Subnet: f.Subnet, Created: f.Created}
}
