package manifest

import (
	"encoding/json"
	"slices"

	"github.com/beamyard/beamyard/orchestrator"
)

// Build is what a node runs: its image, and the settings that come with it. An upgrade replaces
// it, and keeps everything else of a spec. The label [orchestrator.LabelBuild] has it as JSON.
type Build struct {
	// ID is the image's ID, by which it is found if its reference names another one since.
	ID      string       `json:"id,omitempty"`
	Cluster ClusterBuild `json:"cluster"`
	Node    NodeBuild    `json:"node,omitzero"`
}

// ClusterBuild is the part of a [Build] that a node shares with its cluster: the fields of
// [orchestrator.Spec] of these names.
type ClusterBuild struct {
	Source      string                `json:"source,omitempty"`
	File        string                `json:"file,omitempty"`
	Dockerfile  string                `json:"dockerfile,omitempty"`
	Target      string                `json:"target,omitempty"`
	Args        map[string]string     `json:"args,omitempty"`
	BaseImage   string                `json:"base_image,omitempty"`
	Packages    orchestrator.Packages `json:"packages,omitzero"`
	Image       string                `json:"image,omitempty"`
	ImageEnv    map[string]string     `json:"image_env,omitempty"`
	Precompiled bool                  `json:"precompiled,omitempty"`
	ImageBoot   string                `json:"image_boot,omitempty"`
	MixEnv      string                `json:"mix_env,omitempty"`
	Release     bool                  `json:"release,omitempty"`
	ReleaseName string                `json:"release_name,omitempty"`
	Command     []string              `json:"command,omitempty"`
	Entrypoint  []string              `json:"entrypoint,omitempty"`
}

// NodeBuild is what a node has of its own: the fields of [orchestrator.NodeSpec] of these names.
type NodeBuild struct {
	Image       string            `json:"image,omitempty"`
	ImageEnv    map[string]string `json:"image_env,omitempty"`
	Built       bool              `json:"built,omitempty"`
	Precompiled bool              `json:"precompiled,omitempty"`
	ImageBoot   string            `json:"image_boot,omitempty"`
	Release     *bool             `json:"release,omitempty"`
	Command     []string          `json:"command,omitempty"`
	Entrypoint  []string          `json:"entrypoint,omitempty"`
}

// BuildOf returns the build of node i, without the image's ID.
func BuildOf(s orchestrator.Spec, i int) Build {
	n := s.Nodes[i]
	return Build{
		Cluster: ClusterBuild{
			s.Source, s.File, s.Dockerfile, s.Target, s.Args, s.BaseImage, s.Packages, s.Image, s.ImageEnv, s.Precompiled, s.ImageBoot,
			s.MixEnv, s.Release, s.ReleaseName, s.Command, s.Entrypoint,
		},
		Node: NodeBuild{n.Image, n.ImageEnv, n.Built, n.Precompiled, n.ImageBoot, n.Release, n.Command, n.Entrypoint},
	}
}

// Image returns the reference of the image that the node runs.
func (b Build) Image() string {
	if b.Node.Image != "" {
		return b.Node.Image
	}
	return b.Cluster.Image
}

// Same reports whether two builds are the same image with the same settings. An image whose ID is
// not known is compared by its reference.
func (b Build) Same(other Build) bool {
	if b.ID != "" && other.ID != "" && b.ID != other.ID {
		return false
	}
	b.ID, other.ID = "", ""
	return MustJSON(b) == MustJSON(other)
}

// to makes this build the cluster's and the node's.
func (b Build) to(s *orchestrator.Spec, i int) {
	b.Cluster.to(s)
	b.Node.to(&s.Nodes[i])
}

func (c ClusterBuild) to(s *orchestrator.Spec) {
	s.Source, s.File, s.Dockerfile, s.Target, s.Args, s.BaseImage, s.Packages = c.Source, c.File, c.Dockerfile, c.Target, c.Args, c.BaseImage, c.Packages
	s.Image, s.ImageEnv, s.Precompiled, s.ImageBoot = c.Image, c.ImageEnv, c.Precompiled, c.ImageBoot
	s.MixEnv, s.Release, s.ReleaseName, s.Command, s.Entrypoint = c.MixEnv, c.Release, c.ReleaseName, c.Command, c.Entrypoint
}

func (b NodeBuild) to(n *orchestrator.NodeSpec) {
	n.Image, n.ImageEnv, n.Built, n.Precompiled, n.ImageBoot = b.Image, b.ImageEnv, b.Built, b.Precompiled, b.ImageBoot
	n.Release, n.Command, n.Entrypoint = b.Release, b.Command, b.Entrypoint
}

// whole returns the build of node i as a node has it whose cluster runs another one.
func (b Build) whole(s orchestrator.Spec, i int) NodeBuild {
	s.Nodes = slices.Clone(s.Nodes)
	b.to(&s, i)
	n := s.NodeAt(i)
	release := s.RunsRelease(n)
	return NodeBuild{n.Image, s.ImageEnvAt(i), true, n.Precompiled, n.ImageBoot, &release, n.Command, n.Entrypoint}
}

// BuildsOf returns the builds that containers have in their labels, by node.
func BuildsOf(containers []orchestrator.Container) map[string]Build {
	builds := map[string]Build{}
	for _, c := range containers {
		var b Build
		node, text := c.Labels[orchestrator.LabelNode], c.Labels[orchestrator.LabelBuild]
		if node != "" && text != "" && json.Unmarshal([]byte(text), &b) == nil {
			builds[node] = b
		}
	}
	return builds
}

// WithBuilds returns the spec with the builds of these nodes. The build that the cluster has is
// that of its last node: an upgrade changes that node last, and the code that a sync compiles is
// that of the others until then.
func WithBuilds(s orchestrator.Spec, builds map[string]Build) orchestrator.Spec {
	if len(builds) == 0 {
		return s
	}
	all := make([]Build, len(s.Nodes))
	base := -1
	for i, n := range s.Nodes {
		b, upgraded := builds[n.Name]
		if !upgraded {
			b = BuildOf(s, i)
		}
		if all[i] = b; upgraded || !UsesCustomImage(s, n.Name) {
			base = i
		}
	}
	if base < 0 {
		return s
	}
	upgraded := s
	upgraded.Nodes = slices.Clone(s.Nodes)
	all[base].Cluster.to(&upgraded)
	for i, b := range all {
		own := b.Node
		if MustJSON(b.Cluster) != MustJSON(all[base].Cluster) && (own.Image == "" || own.Built) {
			own = b.whole(s, i)
		}
		own.to(&upgraded.Nodes[i])
	}
	return upgraded
}

// ByID returns the build with the image's ID in place of its reference.
func (b Build) ByID() Build {
	if b.Node.Image != "" {
		b.Node.Image = b.ID
	} else {
		b.Cluster.Image = b.ID
	}
	return b
}
