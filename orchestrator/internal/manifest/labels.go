package manifest

import (
	"encoding/json"
	"maps"
	"strconv"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
)

// ClusterLabels returns the labels for every object of a cluster.
func ClusterLabels(s orchestrator.Spec, created time.Time) map[string]string {
	return Merged(s.Labels, map[string]string{
		orchestrator.LabelCluster: s.Name,
		orchestrator.LabelOwner:   MustJSON(s.Owner),
		orchestrator.LabelCreated: created.UTC().Format(time.RFC3339Nano),
	})
}

// NetworkLabels returns the labels of the cluster's network, which hold its spec.
func NetworkLabels(s orchestrator.Spec, created time.Time) map[string]string {
	labels := ClusterLabels(s, created)
	labels[orchestrator.LabelSpec] = MustJSON(s)
	return labels
}

// WithKeeper adds a label with the container that the owner runs in, if any.
func WithKeeper(labels map[string]string, container string) map[string]string {
	if container != "" {
		labels[orchestrator.LabelKeeper] = container
	}
	return labels
}

func nodeLabels(s orchestrator.Spec, i int, ports []orchestrator.PortBinding, created time.Time) map[string]string {
	labels := ClusterLabels(s, created)
	labels[orchestrator.LabelNode] = s.Nodes[i].Name
	labels[orchestrator.LabelIndex] = strconv.Itoa(i)
	labels[orchestrator.LabelPorts] = MustJSON(HostPorts(ports))
	return labels
}

// HostPorts returns the host ports of published ports.
func HostPorts(bindings []orchestrator.PortBinding) []uint16 {
	ports := make([]uint16, len(bindings))
	for i, b := range bindings {
		ports[i] = b.Host
	}
	return ports
}

// MustJSON encodes plain data of this package, which cannot fail.
func MustJSON(v any) string {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(data)
}

// VolumeLabels identify the volumes of a node, and are set on them in addition to the
// spec's. They do not include the cluster's owner: the next cluster of that name uses the
// volume, too.
func VolumeLabels(s orchestrator.Spec, node string) map[string]string {
	return map[string]string{orchestrator.LabelCluster: s.Name, orchestrator.LabelNode: node}
}

// Merged merges two maps; values of upper take precedence.
func Merged[K comparable, V any](lower, upper map[K]V) map[K]V {
	both := map[K]V{}
	maps.Copy(both, lower)
	maps.Copy(both, upper)
	return both
}

// Unfinished reports whether a container was created for the node that labels name, and
// never started. The engine calls it "created" until its first start, even if that
// failed.
func Unfinished(c orchestrator.Container, labels map[string]string) bool {
	return c.State.Status == "created" &&
		c.Labels[orchestrator.LabelCluster] == labels[orchestrator.LabelCluster] && c.Labels[orchestrator.LabelNode] == labels[orchestrator.LabelNode] && labels[orchestrator.LabelNode] != ""
}

// PortsOf returns a container's pinned host ports from its labels.
func PortsOf(labels map[string]string) []uint16 {
	var ports []uint16
	_ = json.Unmarshal([]byte(labels[orchestrator.LabelPorts]), &ports) // a container that is not ours has no pinned ports
	return ports
}
