package volume

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/beamyard/beamyard/network"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/hint"
	"github.com/beamyard/beamyard/orchestrator/internal/manifest"
)

// Engine is an engine that reads folders of containers: [docker.Engine] does.
type Engine interface {
	orchestrator.Engine

	// Archive returns a folder of a container, running or not, as a tar stream, in which all names
	// begin with that of the folder. A missing container or folder matches
	// [orchestrator.ErrNotFound]. Source: GET /containers/{id}/archive.
	Archive(ctx context.Context, id, path string) (io.ReadCloser, error)
}

// Volume is a volume of a cluster.
type Volume struct {
	Cluster string `json:"cluster"`
	Node    string `json:"node"`
	Name    string `json:"name"` // as in beamyard.yml: "data"
	Volume  string `json:"volume"`
	// Running says that the node runs.
	Running bool `json:"running"`
}

// String returns "n1/data", the beginning of its names in an archive.
func (v Volume) String() string { return v.Node + "/" + v.Name }

// List returns the volumes of a cluster, whether it is up or not, sorted by node and name. With ""
// it returns those of all clusters, and with nodes only theirs.
func List(ctx context.Context, eng orchestrator.Engine, cluster string, nodes ...string) ([]Volume, error) {
	labels := map[string]string{}
	if cluster != "" {
		labels[orchestrator.LabelCluster] = cluster
	}
	volumes, err := eng.Volumes(ctx, labels)
	if err != nil {
		return nil, fmt.Errorf("list volumes: %w", err)
	}
	running, err := runningNodes(ctx, eng, labels)
	if err != nil {
		return nil, err
	}
	all := []Volume{}
	for _, v := range volumes {
		one := Volume{Cluster: v.Labels[orchestrator.LabelCluster], Node: v.Labels[orchestrator.LabelNode], Volume: v.Name}
		name, ours := strings.CutPrefix(v.Name, network.Names{Cluster: one.Cluster}.Container(one.Node)+"-")
		if one.Cluster == "" || !ours || len(nodes) > 0 && !slices.Contains(nodes, one.Node) {
			continue
		}
		one.Name = strings.ReplaceAll(name, "--", "-")
		one.Running = running[one.Cluster+"/"+one.Node]
		all = append(all, one)
	}
	slices.SortFunc(all, func(a, b Volume) int {
		return strings.Compare(a.Cluster+"\x00"+a.String(), b.Cluster+"\x00"+b.String())
	})
	return all, nil
}

// runningNodes returns the nodes that run, as CLUSTER/NODE. An engine lists a container as running
// for a moment after its end (20.10), so each is looked at.
func runningNodes(ctx context.Context, eng orchestrator.Engine, labels map[string]string) (map[string]bool, error) {
	containers, err := eng.Containers(ctx, labels)
	if err != nil {
		return nil, fmt.Errorf("list containers: %w", err)
	}
	running := map[string]bool{}
	for _, c := range containers {
		if !c.State.Running || c.Labels[orchestrator.LabelNode] == "" {
			continue
		}
		now, err := eng.InspectContainer(ctx, c.ID)
		if err != nil && !errors.Is(err, orchestrator.ErrNotFound) {
			return nil, fmt.Errorf("inspect %s: %w", c.Name, err)
		}
		if err == nil && now.State.Running {
			running[c.Labels[orchestrator.LabelCluster]+"/"+c.Labels[orchestrator.LabelNode]] = true
		}
	}
	return running, nil
}

// named returns the volume of that name, which need not exist.
func named(cluster, node, name string) Volume {
	return Volume{Cluster: cluster, Node: node, Name: name, Volume: network.Names{Cluster: cluster}.Volume(node, name)}
}

// labels are those of a volume as a cluster creates it.
func (v Volume) labels() map[string]string {
	return manifest.VolumeLabels(orchestrator.Spec{Name: v.Cluster}, v.Node)
}

// folder returns where a helper mounts the volume: no image has such a folder, from which the
// engine would fill an empty volume.
func (v Volume) folder() string { return mounts + "/" + v.String() }

const mounts = "/.beamyard/volumes"

// errNone returns the error for a cluster or a node without volumes.
func errNone(cluster string, nodes []string) error {
	of := cluster
	if len(nodes) > 0 {
		of += "/" + strings.Join(nodes, ", ")
	}
	return orchestrator.WithHint(fmt.Errorf("%s has no volumes", of), "give it some: %s", hint.Setting("volumes: {data: /data}"))
}
