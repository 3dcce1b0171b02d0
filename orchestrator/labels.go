package orchestrator

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"
)

// Labels are the only state outside of a process: whatever carries them can be
// listed, adopted and removed by any process that reaches the engine.
const (
	LabelCluster = "beamyard.cluster" // on everything: the cluster's name
	LabelNode    = "beamyard.node"    // on containers: the node's short name
	LabelHelper  = "beamyard.helper"  // on containers of a cluster that are no node: what it is for
	LabelIndex   = "beamyard.index"   // on containers: the node's place, from 0
	LabelSpec    = "beamyard.spec"    // on networks: the Spec as JSON
	LabelOwner   = "beamyard.owner"   // on everything: the Owner as JSON
	LabelCreated = "beamyard.created" // on everything: RFC 3339, the engine's clock
	// LabelPorts is on containers: their host ports as JSON. They stay pinned
	// while the container is down, when an engine's list does not show them.
	LabelPorts = "beamyard.ports"
)

// clusterLabels go on everything of a cluster.
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

// keptBy adds the container that the owner runs in, if it does.
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

// portsOf reads a container's pinned host ports back.
func portsOf(labels map[string]string) []uint16 {
	var ports []uint16
	_ = json.Unmarshal([]byte(labels[LabelPorts]), &ports) // a container of others pins none
	return ports
}

// specOf reads a cluster's spec back from its network's labels.
func specOf(labels map[string]string) (Spec, error) {
	var s Spec
	if err := json.Unmarshal([]byte(labels[LabelSpec]), &s); err != nil {
		return Spec{}, fmt.Errorf("read label %s of cluster %s: %w", LabelSpec, labels[LabelCluster], err)
	}
	return s, nil
}

// OwnerOf reads the owner of something from its labels; the zero value where there
// is none.
func OwnerOf(labels map[string]string) Owner {
	var o Owner
	_ = json.Unmarshal([]byte(labels[LabelOwner]), &o) // a label that is not ours to read names no owner
	return o
}

func createdOf(labels map[string]string) time.Time {
	t, _ := time.Parse(time.RFC3339Nano, labels[LabelCreated]) // missing: the zero time
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
