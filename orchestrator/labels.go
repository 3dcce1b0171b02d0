package orchestrator

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"
)

// Labels are the only state outside of a process: any process that reaches the engine can
// list, adopt and remove the objects that have them.
const (
	LabelCluster = "beamyard.cluster" // on everything: the cluster's name
	LabelNode    = "beamyard.node"    // on containers: the node's short name
	LabelHelper  = "beamyard.helper"  // on containers of a cluster that are not nodes: the container's purpose
	LabelIndex   = "beamyard.index"   // on containers: the node's index, from 0
	LabelSpec    = "beamyard.spec"    // on networks: the Spec as JSON
	LabelOwner   = "beamyard.owner"   // on everything: the Owner as JSON
	LabelCreated = "beamyard.created" // on everything: RFC 3339, the engine's clock
	// LabelPorts is on containers: their host ports as JSON. The ports stay pinned while
	// the container is down, when an engine's list does not show them.
	LabelPorts = "beamyard.ports"
)

// clusterLabels returns the labels for every object of a cluster.
func clusterLabels(s Spec, created time.Time) map[string]string {
	return over(s.Labels, map[string]string{
		LabelCluster: s.Name,
		LabelOwner:   mustJSON(s.Owner),
		LabelCreated: created.UTC().Format(time.RFC3339Nano),
	})
}

func networkLabels(s Spec, created time.Time) map[string]string {
	labels := clusterLabels(s, created)
	labels[LabelSpec] = mustJSON(s)
	return labels
}

// keptBy adds a label with the container that the owner runs in, if any.
func keptBy(labels map[string]string, container string) map[string]string {
	if container != "" {
		labels[LabelKeeper] = container
	}
	return labels
}

func nodeLabels(s Spec, i int, ports []PortBinding, created time.Time) map[string]string {
	labels := clusterLabels(s, created)
	labels[LabelNode] = s.Nodes[i].Name
	labels[LabelIndex] = strconv.Itoa(i)
	labels[LabelPorts] = mustJSON(hostPorts(ports))
	return labels
}

func hostPorts(bindings []PortBinding) []uint16 {
	ports := make([]uint16, len(bindings))
	for i, b := range bindings {
		ports[i] = b.Host
	}
	return ports
}

// portsOf returns a container's pinned host ports from its labels.
func portsOf(labels map[string]string) []uint16 {
	var ports []uint16
	_ = json.Unmarshal([]byte(labels[LabelPorts]), &ports) // a container that is not ours has no pinned ports
	return ports
}

// specOf returns a cluster's spec from its network's labels.
func specOf(labels map[string]string) (Spec, error) {
	var s Spec
	if err := json.Unmarshal([]byte(labels[LabelSpec]), &s); err != nil {
		return Spec{}, fmt.Errorf("read label %s of cluster %s: %w", LabelSpec, labels[LabelCluster], err)
	}
	return s, nil
}

// OwnerOf returns the owner of an object from its labels, or the zero value if there is
// none.
func OwnerOf(labels map[string]string) Owner {
	var o Owner
	_ = json.Unmarshal([]byte(labels[LabelOwner]), &o) // a label that cannot be decoded names no owner
	return o
}

func createdOf(labels map[string]string) time.Time {
	t, _ := time.Parse(time.RFC3339Nano, labels[LabelCreated]) // if missing: the zero time
	return t
}

// mustJSON encodes plain data of this package, which cannot fail.
func mustJSON(v any) string {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(data)
}
