package upgrade

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/compiler"
	"github.com/beamyard/beamyard/orchestrator/hint"
	"github.com/beamyard/beamyard/orchestrator/internal/manifest"
	waiting "github.com/beamyard/beamyard/orchestrator/internal/wait"
)

// Options configure an upgrade. The zero value makes the images again of what the cluster was made
// of, and replaces one node at a time.
type Options struct {
	// Source is the folder or the image to make the new images of; see [Prepare]. "": that of the
	// cluster.
	Source string `json:"source,omitempty"`
	// To is the spec that [Prepare] returned, in place of Source.
	To *orchestrator.Spec `json:"to,omitempty"`
	// Back goes back to what the nodes ran before the last upgrade. Source and To are not used.
	Back bool `json:"back,omitempty"`
	// Batch is how many nodes are replaced at once. Default 1.
	Batch int `json:"batch,omitempty"`
	// NoHealth leaves out the check of a node's health: it is enough that it is Ready.
	NoHealth bool `json:"no_health,omitempty"`
}

// Upgrader is a controller that can replace the image of its cluster: [cluster.Cluster] and
// [control.Client].
type Upgrader interface {
	// Upgrade replaces the image of the nodes: see [Run].
	Upgrade(ctx context.Context, o Options) (Report, error)
}

// Cluster is what an upgrade needs of a running cluster and of what supervises it.
type Cluster interface {
	Spec() orchestrator.Spec // as its nodes run
	Status(ctx context.Context) (orchestrator.Status, error)
	Health(ctx context.Context) (orchestrator.HealthReport, error)
	// Await returns nil once fn returns true, or why it never will.
	Await(ctx context.Context, fn func(orchestrator.Status) bool) error
	// Replace stops nodes, removes their containers, and starts new ones of these builds with the
	// same names, addresses, ports and volumes. It returns when the engine has started them.
	Replace(ctx context.Context, builds map[string]manifest.Build, nodes []string) error
	// Tell publishes an event about a node, or about the cluster.
	Tell(node, text string)
}

const (
	// healthTime is how long a node that just became Ready may take to be healthy.
	healthTime  = 10 * time.Second
	healthEvery = 500 * time.Millisecond
	// diagnosisTime is how long the cause of a problem is waited for.
	diagnosisTime = 5 * time.Second
)

// Run replaces the image of the nodes, one group after the other, and returns when all of them are
// well, or a [Stopped] at the first group that is not. The nodes that were not replaced yet, and
// those that were, keep running. If ctx ends, the group that is being replaced is still started.
//
// Errors, before any node is changed: [ErrNoUpgrade], an image that is missing, and nodes that are
// stopped, paused or kept apart.
func Run(ctx context.Context, eng orchestrator.Engine, c Cluster, o Options) (Report, error) {
	r := &run{cluster: c, o: o, spec: c.Spec(), began: time.Now()}
	r.report = &Report{Cluster: r.spec.Name, Back: o.Back, Source: o.Source}
	groups, err := r.begin(ctx, eng)
	if err == nil && len(groups) > 0 {
		err = r.replaceAll(ctx, groups)
	}
	if err == nil && o.Back {
		err = forget(ctx, eng, r.spec.Name)
	}
	r.report.Took = time.Since(r.began)
	var stopped *Stopped
	if errors.As(err, &stopped) {
		stopped.Report = *r.report
		first, _, _ := strings.Cut(stopped.Error(), "\n")
		c.Tell(stopped.Node, first)
	} else if err == nil {
		c.Tell("", r.report.Line())
	}
	return *r.report, err
}

// run is the state of one upgrade.
type run struct {
	cluster Cluster
	o       Options
	spec    orchestrator.Spec
	to      map[string]manifest.Build
	report  *Report
	began   time.Time
	must    []string // the nodes that must be Ready before the next group
}

// begin finds out what is to be done, and records it.
func (r *run) begin(ctx context.Context, eng orchestrator.Engine) (groups [][]string, err error) {
	now, ports, record, found, err := running(ctx, eng, r.spec)
	if err != nil {
		return nil, err
	}
	switch {
	case !r.o.Back:
		r.to, err = builds(ctx, eng, *r.o.To)
	case !found:
		err = orchestrator.WithHint(fmt.Errorf("%s: %w", r.spec.Name, ErrNoUpgrade), "see what its nodes run: %s", hint.Status.On(r.spec.Name))
	default:
		r.to = record.From
	}
	if err == nil {
		r.to, err = available(ctx, eng, r.to)
	}
	if err != nil {
		return nil, err
	}
	st, err := r.cluster.Status(ctx)
	if err != nil {
		return nil, err
	}
	groups, err = plan(st, now, r.to, max(1, r.o.Batch), r.o.Back)
	r.report = newReport(r.spec, r.o, now, r.to, groups)
	r.must = ready(st)
	if err != nil || len(groups) == 0 || r.o.Back {
		return groups, err
	}
	return groups, record.next(now, r.to, ports).keep(ctx, eng, r.spec, r.imageOf(ctx, eng, now))
}

// imageOf returns an image for the container of the record: the one that the nodes ran before, or
// else the next one.
func (r *run) imageOf(ctx context.Context, eng orchestrator.Engine, now map[string]manifest.Build) string {
	next := ""
	for _, n := range r.spec.Nodes {
		if b, ok := now[n.Name]; ok {
			if _, err := eng.Image(ctx, b.ID); err == nil {
				return b.ID
			}
		}
		if b, ok := r.to[n.Name]; ok {
			next = b.ID
		}
	}
	return next
}

func (r *run) replaceAll(ctx context.Context, groups [][]string) error {
	all := 0
	for _, group := range groups {
		all += len(group)
	}
	r.cluster.Tell("", fmt.Sprintf("%s of %s begins: %d of %d nodes", r.report.verb(), r.spec.Name, all, len(r.spec.Nodes)))
	for _, group := range groups {
		if err := ctx.Err(); err != nil {
			return err
		}
		if node, err := r.settled(ctx); err != nil {
			return &Stopped{Node: node, Err: err}
		}
		began := time.Now()
		for _, node := range group {
			r.cluster.Tell(node, fmt.Sprintf("%s of %s: %s gets %s", r.report.verb(), r.spec.Name, node, r.to[node].Image()))
		}
		r.report.set(group, Unwell, 0)
		if err := r.cluster.Replace(ctx, r.to, group); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return &Stopped{Node: group[0], Err: r.explain(ctx, group, err)}
		}
		r.must = slices.Compact(slices.Sorted(slices.Values(slices.Concat(r.must, group))))
		node, err := r.settled(ctx)
		if err == nil && !r.o.NoHealth {
			node, err = r.healthy(ctx, group)
		}
		if err != nil && ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			return &Stopped{Node: node, Err: err}
		}
		r.report.set(group, Replaced, time.Since(began))
	}
	return nil
}

// settled waits until all nodes that must be Ready are so. It returns a node that is not, and why.
func (r *run) settled(ctx context.Context) (node string, err error) {
	limited, cancel := context.WithTimeout(ctx, r.spec.ReadyTimeout)
	defer cancel()
	v := wait
	err = r.cluster.Await(limited, func(st orchestrator.Status) bool {
		v, node = judge(st, r.must)
		return v != wait
	})
	switch {
	case v == goOn:
		return "", nil
	case err != nil && limited.Err() == nil: // the cluster ended
		return node, err
	case ctx.Err() != nil:
		return node, ctx.Err()
	}
	if err = r.explain(ctx, r.must, nil); err == nil { // started by a user, or just in time
		node = ""
	}
	return node, err
}

// explain returns the error about the nodes that are not Ready, with their causes, which are
// waited for. It returns err, which is what else is known of them, if all are Ready by then.
func (r *run) explain(ctx context.Context, nodes []string, err error) error {
	unwell := func(st orchestrator.Status) (all []orchestrator.NodeStatus) {
		for _, n := range st.Nodes {
			if slices.Contains(nodes, n.Name) && n.State != orchestrator.Ready {
				all = append(all, n)
			}
		}
		return all
	}
	limited, cancel := context.WithTimeout(ctx, diagnosisTime)
	defer cancel()
	_ = r.cluster.Await(limited, func(st orchestrator.Status) bool { // without a cause, the state is all that is known
		return !slices.ContainsFunc(unwell(st), func(n orchestrator.NodeStatus) bool { return len(n.Findings) == 0 })
	})
	st, stErr := r.cluster.Status(ctx)
	bad := unwell(st)
	if stErr != nil || len(bad) == 0 {
		return errors.Join(err, stErr)
	}
	e := &orchestrator.ClusterError{Cluster: r.spec.Name, Kind: orchestrator.ErrNotReady}
	for _, n := range bad {
		if n.State == orchestrator.Failed {
			e.Kind = orchestrator.ErrNodeFailed
		}
		e.Problems = append(e.Problems, orchestrator.NodeProblem{
			Node: n.Name, State: n.State, Reason: reasonOf(n), Findings: n.Findings, Hint: hint.Newf("see what it printed: %s", hint.Tail.On(r.spec.Name, n.Name)),
		})
	}
	return e
}

// healthy waits until the nodes are healthy. It returns one that is not, and why.
func (r *run) healthy(ctx context.Context, nodes []string) (node string, err error) {
	for begin := time.Now(); ; {
		report, err := r.cluster.Health(ctx)
		if err != nil {
			return nodes[0], fmt.Errorf("check its health: %w", err)
		}
		node = ""
		for _, n := range nodes {
			if err = compiler.Unwell(report.Report, n); err != nil {
				node = n
				break
			}
		}
		if node == "" {
			return "", nil
		}
		if time.Since(begin) > healthTime || !waiting.Sleep(ctx, healthEvery) {
			return node, orchestrator.WithHint(fmt.Errorf("%s is Ready and not healthy: %w", node, err), "see all checks: %s", hint.Health.On(r.spec.Name))
		}
	}
}
