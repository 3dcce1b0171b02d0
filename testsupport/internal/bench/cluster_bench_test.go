//go:build bench

package bench_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/cluster"
)

// running is a cluster of the demo under a supervisor in this process.
type running struct {
	*cluster.Cluster
	t      *testing.T
	result chan error
	over   bool
}

// up starts a cluster, and returns when every pair of nodes is proven. It is removed at the end
// of the test at the latest.
func (s *session) up(t *testing.T, nodes int, edit func(*orchestrator.Spec)) *running {
	t.Helper()
	spec := orchestrator.Spec{
		Name: fmt.Sprintf("bench%08x", rand.Uint32()), Source: demo, BaseImage: "trixie",
		Nodes: orchestrator.NodeNames(nodes), HTTPCheck: "/health", HostPort: 5200,
		ReadyTimeout: 5 * time.Minute, StopTimeout: 5 * time.Second, MaxNodes: 100,
	}
	if edit != nil {
		edit(&spec)
	}
	c, err := cluster.New(spec, s.eng, cluster.Options{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{Cluster: c, t: t, result: make(chan error, 1)}
	go func() { r.result <- c.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		r.end()
	})
	r.ready()
	return r
}

func (r *running) ready() {
	r.t.Helper()
	if err := r.WaitReady(r.t.Context()); err != nil {
		r.t.Fatalf("not ready: %v", err)
	}
}

// down removes the cluster, and returns how long that took.
func (r *running) down() float64 {
	r.t.Helper()
	took := seconds(r.t, func() error { return r.Down(r.t.Context()) })
	r.end()
	return took
}

// end waits until Run has returned.
func (r *running) end() {
	r.t.Helper()
	if r.over {
		return
	}
	r.over = true
	if err := <-r.result; err != nil {
		r.t.Errorf("run of %s: %v", r.Spec().Name, err)
	}
}

func (r *running) node(name string) orchestrator.NodeStatus {
	r.t.Helper()
	n, ok := r.Snapshot().Node(name)
	if !ok {
		r.t.Fatalf("no node %s", name)
	}
	return n
}

// bootCost is the processor time that a node's container has used, the mean of at most three.
func (s *session) bootCost(t *testing.T, r *running) float64 {
	t.Helper()
	nodes := r.Snapshot().Nodes
	nodes = nodes[:min(3, len(nodes))]
	sum := 0.0
	for _, n := range nodes {
		stats, err := s.cli.ContainerStats(t.Context(), n.ContainerID, client.ContainerStatsOptions{})
		if err != nil {
			t.Fatal(err)
		}
		var sample container.StatsResponse
		err = json.NewDecoder(stats.Body).Decode(&sample)
		stats.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		sum += time.Duration(sample.CPUStats.CPUUsage.TotalUsage).Seconds()
	}
	return sum / float64(len(nodes))
}
