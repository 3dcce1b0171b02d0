package orchestrator

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/beamyard/beamyard/network/fault"
)

// Labels are the only state outside of a process: any process that reaches the engine can
// list, adopt and remove the objects that have them.
const (
	LabelCluster = "beamyard.cluster" // on everything: the cluster's name
	LabelNode    = "beamyard.node"    // on containers: the node's short name
	LabelHelper  = "beamyard.helper"  // on containers of a cluster that are not nodes: the container's purpose
	LabelFault   = "beamyard.fault"   // on containers that record a fault: the fault as JSON
	LabelIndex   = "beamyard.index"   // on containers: the node's index, from 0
	LabelSpec    = "beamyard.spec"    // on networks: the Spec as JSON
	LabelOwner   = "beamyard.owner"   // on everything: the Owner as JSON
	LabelCreated = "beamyard.created" // on everything: RFC 3339, the engine's clock
	LabelBuild   = "beamyard.build"   // on containers of upgraded nodes: what the node runs, as JSON
	LabelUpgrade = "beamyard.upgrade" // on the container that records the last upgrade: see package upgrade
	// LabelPorts is on containers: their host ports as JSON. The ports stay pinned while
	// the container is down, when an engine's list does not show them.
	LabelPorts = "beamyard.ports"
)

// SpecOf returns a cluster's spec from its network's labels.
func SpecOf(labels map[string]string) (Spec, error) {
	var s Spec
	if err := json.Unmarshal([]byte(labels[LabelSpec]), &s); err != nil {
		return Spec{}, fmt.Errorf("read label %s of cluster %s: %w", LabelSpec, labels[LabelCluster], err)
	}
	return s, nil
}

// FaultOf returns the fault that a container records in its labels, if it records one.
func FaultOf(labels map[string]string) (f fault.Fault, ok bool) {
	text := labels[LabelFault]
	return f, text != "" && json.Unmarshal([]byte(text), &f) == nil
}

// OwnerOf returns the owner of an object from its labels, or the zero value if there is
// none.
func OwnerOf(labels map[string]string) Owner {
	var o Owner
	_ = json.Unmarshal([]byte(labels[LabelOwner]), &o) // a label that cannot be decoded names no owner
	return o
}

// CreatedOf returns the creation time of an object from its labels, by the engine's clock,
// or the zero time.
func CreatedOf(labels map[string]string) time.Time {
	t, _ := time.Parse(time.RFC3339Nano, labels[LabelCreated]) // if missing: the zero time
	return t
}

// VisitorAlias marks the containers attached this way: it is their name in the cluster's
// network. Labels cannot be added to an existing container.
const VisitorAlias = "beamyard-visitor"

// LabelKeeper is on networks: the container that the cluster's owner runs in, if it is
// one of this engine's. When that container is no longer running, the owner is dead.
const LabelKeeper = "beamyard.container"

// LabelParked is on the networks of clusters that were parked, before and after their nodes
// started to run their commands.
const LabelParked = "beamyard.parked"

// NetworksOf returns the networks of a cluster, the one that is the cluster's first.
func NetworksOf(all []Network, cluster string) []Network {
	var own []Network
	for _, n := range all {
		if n.Labels[LabelCluster] == cluster {
			own = append(own, n)
		}
	}
	// If two were created at the same time, the older one is the cluster; the engine
	// allows two networks of one name.
	slices.SortFunc(own, func(a, b Network) int {
		if d := a.Created.Compare(b.Created); d != 0 {
			return d
		}
		return strings.Compare(a.ID, b.ID)
	})
	return own
}

// Owner identifies the process that keeps a cluster. A pid alone could meanwhile belong
// to another process, so an Owner also holds the process's start time, and the machine
// (with its boot) on which both are valid.
type Owner struct {
	Host  string `json:"host"`  // host name, boot ID and pid namespace
	PID   int    `json:"pid"`   //
	Start string `json:"start"` // of the process, in clock ticks since boot
	// Detached clusters outlive their owner: the next supervisor adopts them, and prune
	// keeps them.
	Detached bool `json:"detached,omitempty"`
}
