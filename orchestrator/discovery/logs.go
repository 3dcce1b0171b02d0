package discovery

import (
	"context"
	"fmt"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/hint"
	"github.com/beamyard/beamyard/orchestrator/logs"
	"golang.org/x/sync/errgroup"
)

// Logs reads the output of a cluster without a supervisor directly from the engine:
// see [orchestrator.Controller].Logs. Only a supervisor counts a node's runs: the lines have
// the run 0, a mark shows where the last run begins, and a query for one run by its number
// is an error.
func Logs(ctx context.Context, eng orchestrator.Engine, cluster string, q orchestrator.LogQuery, fn func(orchestrator.Line) error) error {
	if q.Run != 0 {
		return orchestrator.WithHint(fmt.Errorf("%s has no supervisor, so its runs are not counted", cluster),
			"ask for the last one: %s", hint.LastRun.On(cluster))
	}
	f, err := Find(ctx, eng, cluster)
	if err != nil {
		return err
	}
	var outputs []*logs.Output
	var followers errgroup.Group
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	names, err := f.Spec.NodesOf(q.Nodes...)
	if err != nil {
		return err
	}
	if len(names) == 0 {
		for _, n := range f.Nodes {
			names = append(names, n.Name)
		}
	}
	for _, name := range names {
		n, ok := f.Node(name)
		if !ok {
			return f.Spec.NoNode(name)
		}
		out := logs.NewNode(name, max(f.Spec.OutputLines, q.Tail))
		began := n.StartedAt.Add(-orchestrator.StartSlack) // of the current run, or else the last one
		if !q.Follow || !n.State.Running() {
			if err := out.ReadKept(ctx, eng, n.ContainerID, logs.Uncounted, began, n.State.Running()); err != nil {
				return fmt.Errorf("read the output of %s: %w", name, err)
			}
			out.Out.Close()
		} else {
			followers.Go(func() error {
				defer out.Out.Close()
				out.Follow(ctx, eng, n.ContainerID, logs.Uncounted, began)
				return nil
			})
		}
		outputs = append(outputs, out.Out)
	}
	err = logs.Read(ctx, outputs, q, fn)
	cancel()
	_ = followers.Wait() // ended by the cancellation
	return err
}
