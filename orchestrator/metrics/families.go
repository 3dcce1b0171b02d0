package metrics

import (
	"github.com/prometheus/client_golang/prometheus"
)

// family is one metric, as README.md lists it.
type family struct {
	name   string
	kind   prometheus.ValueType // 0: a histogram
	labels []string
	help   string
	desc   *prometheus.Desc
}

// histogram is the kind of families that are histograms, for which the library has no value type.
const histogram prometheus.ValueType = 0

// families are all metrics, in the order of README.md.
var families []*family

func newFamily(name string, kind prometheus.ValueType, help string, labels ...string) *family {
	f := &family{name: name, kind: kind, labels: labels, help: help, desc: prometheus.NewDesc(name, help, labels, nil)}
	families = append(families, f)
	return f
}

var (
	buildInfo    = newFamily("beamyard_build_info", prometheus.GaugeValue, "Always 1. The labels are the version of Beamyard, its commit and its Go release.", "version", "revision", "goversion")
	clusterReady = newFamily("beamyard_cluster_ready", prometheus.GaugeValue, "1 if every node is ready and every pair is connected, otherwise 0.", "cluster")
	nodes        = newFamily("beamyard_nodes", prometheus.GaugeValue, "Nodes in each state.", "cluster", "state")
	restarts     = newFamily("beamyard_node_restarts_total", prometheus.CounterValue, "Restarts after crashes.", "cluster", "node")
	exits        = newFamily("beamyard_exits_total", prometheus.CounterValue, "Ended runs of nodes by their class.", "cluster", "class")
	connected    = newFamily("beamyard_pairs_connected", prometheus.GaugeValue, "Pairs of nodes that are connected.", "cluster")
	expected     = newFamily("beamyard_pairs_expected", prometheus.GaugeValue, "Pairs of nodes that should be connected: all, except those of nodes that were stopped or have completed. 0 with mesh: none.", "cluster")
	inForce      = newFamily("beamyard_faults_in_force", prometheus.GaugeValue, "Faults in force by their kind.", "cluster", "kind")
	readySeconds = newFamily("beamyard_node_ready_seconds", histogram, "Time from the start of a node until it was ready.", "cluster")
	syncSeconds  = newFamily("beamyard_sync_seconds", histogram, "Duration of syncs that loaded changed sources.", "cluster")
	dropped      = newFamily("beamyard_node_dropped_log_lines_total", prometheus.CounterValue, "Lines of a node's output that are no longer kept.", "cluster", "node")
	memory       = newFamily("beamyard_node_memory_bytes", prometheus.GaugeValue, "Memory that a node's container uses, without what the kernel can reclaim.", "cluster", "node")
	memoryLimit  = newFamily("beamyard_node_memory_limit_bytes", prometheus.GaugeValue, "Memory limit of a node's container. Absent without a limit.", "cluster", "node")
	vmMemory     = newFamily("beamyard_node_vm_memory_bytes", prometheus.GaugeValue, "Memory that a node's VM has allocated: the total of erlang:memory/0.", "cluster", "node")
	runQueue     = newFamily("beamyard_node_run_queue", prometheus.GaugeValue, "Processes and ports that wait for a scheduler of a node.", "cluster", "node")
	processes    = newFamily("beamyard_node_processes", prometheus.GaugeValue, "Erlang processes of a node.", "cluster", "node")
	processLimit = newFamily("beamyard_node_processes_limit", prometheus.GaugeValue, "Limit of the Erlang processes of a node.", "cluster", "node")
	atoms        = newFamily("beamyard_node_atoms", prometheus.GaugeValue, "Atoms of a node. They are never freed.", "cluster", "node")
	atomLimit    = newFamily("beamyard_node_atoms_limit", prometheus.GaugeValue, "Limit of the atoms of a node. Its VM ends when it is exceeded.", "cluster", "node")
	sampled      = newFamily("beamyard_health_sample_timestamp_seconds", prometheus.GaugeValue, "Unix time of the nodes' samples. Absent if there is none.", "cluster")
	failures     = newFamily("beamyard_health_sample_failures_total", prometheus.CounterValue, "Scrapes for which the nodes could not be sampled in time.", "cluster")
	missed       = newFamily("beamyard_events_missed_total", prometheus.CounterValue, "Events that were gone before they were read: exits and durations may lack as many.", "cluster")
)

// readyBuckets and syncBuckets are upper bounds, in seconds.
var (
	readyBuckets = []float64{0.25, 0.5, 1, 2, 4, 8, 16, 32, 64, 128}
	syncBuckets  = []float64{0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6}
)
