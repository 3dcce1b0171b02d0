package mcp

import "slices"

// Input is what a tool is asked: one of the structs of this file. The json and jsonschema tags make
// the schema that the assistant sees.
type Input interface {
	// Of returns the name of the cluster; "" if it is the only one.
	Of() string
	// Named returns the nodes that the input names, as the command line takes them: "n1",
	// "n1,n2", "n1:n2".
	Named() []string
}

// The parts that several inputs embed do not have the names of their fields: these would be hidden.

// InCluster is the part of an input that names the cluster.
type InCluster struct {
	Cluster string `json:"cluster,omitempty" jsonschema:"name of the cluster; needed only if there are several"`
}

// Of implements [Input].
func (c InCluster) Of() string { return c.Cluster }

// Named implements [Input].
func (c InCluster) Named() []string { return nil }

// OnNodes is the part of an input that names a cluster and nodes of it.
type OnNodes struct {
	InCluster
	Nodes []string `json:"nodes" jsonschema:"the nodes: a name (n1), a role, a glob (n*), @one, @minority, @majority, @all or @host:NAME"`
	Seed  *uint64  `json:"seed,omitempty" jsonschema:"seed of the random choices (@one, …): the same seed makes the same choices"`
}

// Named implements [Input].
func (n OnNodes) Named() []string { return n.Nodes }

// Until is the part of an input that says when a fault ends.
type Until struct {
	For string `json:"for,omitempty" jsonschema:"end the fault after this time: 30s, 2m; without it, heal ends it"`
}

// The inputs of the tools that only read.
type (
	// List asks for all clusters.
	List struct{}

	// Status asks for the nodes of a cluster.
	Status struct{ InCluster }

	// Why asks what is wrong with a cluster, or a node.
	Why struct {
		InCluster
		Node string `json:"node,omitempty" jsonschema:"only this node, with everything that is known of it"`
	}

	// Health asks for the checks of a cluster's health.
	Health struct{ InCluster }

	// Logs asks for lines that nodes printed.
	Logs struct {
		InCluster
		Nodes        []string `json:"nodes,omitempty" jsonschema:"only these nodes: names (n1), roles or globs (n*)"`
		Tail         int      `json:"tail,omitempty" jsonschema:"the last lines of each node and stream; 100 if not given"`
		Grep         string   `json:"grep,omitempty" jsonschema:"only lines that match this regular expression (RE2); tail counts them"`
		Since        string   `json:"since,omitempty" jsonschema:"only lines since a time: 5m (ago), or 2026-01-31T12:00:00Z"`
		Stream       string   `json:"stream,omitempty" jsonschema:"only this stream"`
		SinceRestart bool     `json:"since_restart,omitempty" jsonschema:"only the current run of each node, or its last one"`
	}

	// Events asks for what happened to a cluster.
	Events struct {
		InCluster
		Node string `json:"node,omitempty" jsonschema:"only events of this node, by its short name (n1)"`
		Tail int    `json:"tail,omitempty" jsonschema:"the last events; 100 if not given"`
	}

	// Faults asks for the faults in force.
	Faults struct{ InCluster }

	// Export asks for an archive with all that is known of a cluster.
	Export struct{ InCluster }
)

// The inputs of the tools that change something.
type (
	// RPC evaluates an expression on a node.
	RPC struct {
		InCluster
		Node       string `json:"node" jsonschema:"the node: n1"`
		Expression string `json:"expression" jsonschema:"Elixir, or Erlang; it runs in the node's VM, and can do anything there"`
		Erlang     bool   `json:"erlang,omitempty" jsonschema:"the expression is Erlang, and ends with a dot: nodes()."`
		Timeout    string `json:"timeout,omitempty" jsonschema:"how long it may take, at most 60s; 10s if not given"`
	}

	// Start starts nodes.
	Start struct{ OnNodes }
	// Stop stops nodes.
	Stop struct{ OnNodes }
	// Restart restarts nodes.
	Restart struct{ OnNodes }
	// Pause freezes nodes.
	Pause struct{ OnNodes }
	// Unpause ends pauses.
	Unpause struct{ OnNodes }
	// Kill sends a signal to nodes.
	Kill struct {
		OnNodes
		Signal string `json:"signal,omitempty" jsonschema:"KILL if not given; TERM, USR1, …"`
	}
	// Crash makes VMs crash from inside.
	Crash struct {
		OnNodes
		How string `json:"how,omitempty" jsonschema:"halt: the VM ends at once; abort: by SIGABRT; slogan: with a crash dump; oom: it allocates memory until the kernel kills it"`
	}

	// Partition cuts nodes off from each other.
	Partition struct {
		InCluster
		Until
		Groups   []string `json:"groups,omitempty" jsonschema:"groups of nodes that stay connected, each a list with commas: [\"n1,n2\", \"n3\"]; nodes that are not named are a group of their own"`
		Isolate  []string `json:"isolate,omitempty" jsonschema:"cut these nodes off from all others, and from each other"`
		Halves   bool     `json:"halves,omitempty" jsonschema:"cut the cluster into two halves"`
		Majority bool     `json:"majority,omitempty" jsonschema:"cut the smallest majority off, chosen at random"`
		Minority bool     `json:"minority,omitempty" jsonschema:"cut the largest minority off, chosen at random"`
		Bridge   string   `json:"bridge,omitempty" jsonschema:"cut the cluster into two halves that both see this node"`
		Ring     bool     `json:"ring,omitempty" jsonschema:"let each node see only its two neighbours"`
		OneWay   []string `json:"one_way,omitempty" jsonschema:"drop what FROM sends to TO: [\"n1:n2\"]"`
		Random   bool     `json:"random,omitempty" jsonschema:"cut a random group off"`
		Kind     string   `json:"kind,omitempty" jsonschema:"drop: packets disappear, which nodes notice after net_tick (60 s by default); reset: connections are reset at once; disconnect: the VMs refuse each other, the network stays as it is"`
		Hard     bool     `json:"hard,omitempty" jsonschema:"cut the nodes off from the host and from all other containers, too"`
		Seed     *uint64  `json:"seed,omitempty" jsonschema:"seed of the random choices"`
		Wait     bool     `json:"wait,omitempty" jsonschema:"return when the nodes have noticed: at once with reset and disconnect, after up to 80 s with drop"`
	}
	// Blip resets connections once.
	Blip struct {
		InCluster
		Groups []string `json:"groups,omitempty" jsonschema:"reset the connections between these groups: [\"n1,n2\", \"n3\"]; without it, between all nodes"`
		Refuse string   `json:"refuse,omitempty" jsonschema:"refuse new connections for this long, at most 1s: 6ms"`
		NoWait bool     `json:"no_wait,omitempty" jsonschema:"do not wait until the nodes are connected again"`
	}
	// Slow makes links worse.
	Slow struct {
		InCluster
		Until
		Links     []string `json:"links" jsonschema:"n1:n2 is what n1 sends to n2; n1 is all that it sends and receives"`
		Loss      string   `json:"loss,omitempty" jsonschema:"lose packets: 5%"`
		Rate      string   `json:"rate,omitempty" jsonschema:"limit the rate: 1mbit, 500kbit"`
		Latency   string   `json:"latency,omitempty" jsonschema:"delay packets: 50ms; needs the kernel's netem"`
		Jitter    string   `json:"jitter,omitempty" jsonschema:"vary the delay by as much: 10ms; needs the kernel's netem"`
		Duplicate string   `json:"duplicate,omitempty" jsonschema:"send packets twice: 1%; needs the kernel's netem"`
		Corrupt   string   `json:"corrupt,omitempty" jsonschema:"flip a bit in packets: 1%; needs the kernel's netem"`
		Reorder   string   `json:"reorder,omitempty" jsonschema:"send packets before those that wait: 1%; needs latency"`
	}
	// DNS makes nodes resolve the names of their peers wrongly.
	DNS struct {
		OnNodes
		Until
		None  bool     `json:"none,omitempty" jsonschema:"no peer has an address"`
		Hide  []string `json:"hide,omitempty" jsonschema:"these peers have no address"`
		Stale []string `json:"stale,omitempty" jsonschema:"these peers have an address at which nothing answers"`
	}
	// Squeeze gives nodes less than they need.
	Squeeze struct {
		OnNodes
		Until
		Memory string   `json:"memory,omitempty" jsonschema:"limit the memory: 96MiB; the kernel kills a VM that needs more"`
		CPUs   float64  `json:"cpus,omitempty" jsonschema:"limit the processor time: 0.1 is a tenth of one CPU"`
		Disk   []string `json:"disk,omitempty" jsonschema:"fill the file system of a folder, which must be in tmpfs: of beamyard.yml"`
	}
	// Clock makes wall clocks wrong.
	Clock struct {
		OnNodes
		Until
		Bump   string  `json:"bump,omitempty" jsonschema:"set the clock forward or back: 30s, -5m"`
		Drift  float64 `json:"drift,omitempty" jsonschema:"let the clock run fast or slow: with 1.02 it shows 1.02 s after one second"`
		Strobe string  `json:"strobe,omitempty" jsonschema:"set the clock forward in every other second: 200ms"`
	}
	// Heal ends faults.
	Heal struct {
		InCluster
		IDs    []string `json:"ids,omitempty" jsonschema:"IDs of the faults, as the tool faults lists them; without it, all"`
		NoWait bool     `json:"no_wait,omitempty" jsonschema:"do not wait until the nodes are connected again"`
	}
)

// Of implements [Input].
func (List) Of() string { return "" }

// Named implements [Input].
func (List) Named() []string { return nil }

// Named implements [Input].
func (i Why) Named() []string { return one(i.Node) }

// Named implements [Input].
func (i Logs) Named() []string { return i.Nodes }

// Named implements [Input].
func (i Events) Named() []string { return one(i.Node) }

// Named implements [Input].
func (i RPC) Named() []string { return one(i.Node) }

// Named implements [Input].
func (i Partition) Named() []string {
	return slices.Concat(i.Groups, i.Isolate, one(i.Bridge), i.OneWay)
}

// Named implements [Input].
func (i Blip) Named() []string { return i.Groups }

// Named implements [Input].
func (i Slow) Named() []string { return i.Links }

// Named implements [Input].
func (i DNS) Named() []string { return slices.Concat(i.Nodes, i.Hide, i.Stale) }

func one(name string) []string {
	if name == "" {
		return nil
	}
	return []string{name}
}
