package metrics

import (
	"slices"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/beamyard/beamyard/network/fault"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/health"
)

// All values of the labels that have a fixed set. Each is reported, also with 0: a series that
// appears with its first exit has no increase.
var (
	states = []orchestrator.State{
		orchestrator.Pending, orchestrator.Creating, orchestrator.Starting, orchestrator.Running, orchestrator.Ready, orchestrator.Degraded, orchestrator.Unreachable,
		orchestrator.BackingOff, orchestrator.Stopping, orchestrator.Stopped, orchestrator.Completed, orchestrator.Failed,
	}
	classes = []orchestrator.ExitClass{
		orchestrator.ExitCompleted, orchestrator.ExitCrashed, orchestrator.ExitKilled, orchestrator.ExitOOM, orchestrator.ExitStopped,
		orchestrator.ExitStoppedOutside, orchestrator.ExitRemoved, orchestrator.ExitBoot, orchestrator.ExitStartError,
	}
	kinds = []fault.Kind{fault.KindPartition, fault.KindCut, fault.KindLink, fault.KindDNS, fault.KindClock, fault.KindSqueeze}
)

// snapshot is what is known of a cluster when it is scraped.
type snapshot struct {
	build    Build
	mesh     orchestrator.MeshMode
	status   orchestrator.Status
	counts   counts
	health   *health.Report // nil: there is no sample
	failures uint64         // to take one
}

var _ prometheus.Collector = snapshot{}

// Describe implements [prometheus.Collector].
func (snapshot) Describe(out chan<- *prometheus.Desc) {
	for _, f := range families {
		out <- f.desc
	}
}

// Collect implements [prometheus.Collector].
func (s snapshot) Collect(out chan<- prometheus.Metric) {
	cluster := s.status.Cluster
	put := func(f *family, value float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(f.desc, f.kind, value, labels...)
	}
	put(buildInfo, 1, s.build.Version, s.build.Revision, s.build.GoVersion)
	ready := 0.0
	if s.status.Ready {
		ready = 1
	}
	put(clusterReady, ready, cluster)
	byState := map[orchestrator.State]int{}
	for _, n := range s.status.Nodes {
		byState[n.State]++
		put(restarts, float64(n.RestartCount), cluster, n.Name)
		put(dropped, float64(n.DroppedLines), cluster, n.Name)
	}
	for _, state := range states {
		put(nodes, float64(byState[state]), cluster, string(state))
	}
	for _, class := range classes {
		put(exits, float64(s.counts.exits[class]), cluster, string(class))
	}
	is, should := pairs(s.status, s.mesh)
	put(connected, float64(is), cluster)
	put(expected, float64(should), cluster)
	for _, kind := range kinds {
		put(inForce, float64(faultsOf(s.status.Faults, kind)), cluster, string(kind))
	}
	for _, h := range []struct {
		family *family
		durations
	}{{readySeconds, s.counts.ready}, {syncSeconds, s.counts.syncs}} {
		out <- prometheus.MustNewConstHistogram(h.family.desc, h.count, h.sum, h.buckets, cluster)
	}
	put(missed, float64(s.counts.missed), cluster)
	put(failures, float64(s.failures), cluster)
	if s.health == nil {
		return
	}
	put(sampled, float64(s.health.Time.UnixMilli())/1000, cluster)
	for _, n := range s.health.Nodes {
		if n.Sample != nil && !n.Sample.Partial {
			sample(put, n.Sample, cluster, n.Name)
		}
	}
}

// sample reports what a node measured. What it could not determine is left out.
func sample(put func(*family, float64, ...string), s *health.Sample, labels ...string) {
	count := func(used, limit *family, c health.Count) {
		if c.Known {
			put(used, float64(c.Used), labels...)
		}
		if c.Known && c.Limit > 0 {
			put(limit, float64(c.Limit), labels...)
		}
	}
	count(memory, memoryLimit, s.Container)
	count(processes, processLimit, s.Processes)
	count(atoms, atomLimit, s.Atoms)
	if total, known := s.Memory["total"]; known {
		put(vmMemory, float64(total), labels...)
	}
	put(runQueue, float64(s.RunQueue), labels...)
}

// pairs counts the pairs of nodes that are connected, as both of them say, and those that should be.
// A node that was stopped, or has completed, has no peers. A fault changes nothing of what should be.
func pairs(st orchestrator.Status, mesh orchestrator.MeshMode) (connected, expected int) {
	for i, a := range st.Nodes {
		for _, b := range st.Nodes[:i] {
			if slices.Contains(a.Peers, b.Name) && slices.Contains(b.Peers, a.Name) {
				connected++
			}
			if mesh != orchestrator.MeshNone && wanted(a) && wanted(b) {
				expected++
			}
		}
	}
	return connected, expected
}

func wanted(n orchestrator.NodeStatus) bool {
	return n.State != orchestrator.Stopped && n.State != orchestrator.Completed
}

func faultsOf(all []fault.Fault, kind fault.Kind) (n int) {
	for _, f := range all {
		if f.Kind == kind {
			n++
		}
	}
	return n
}
