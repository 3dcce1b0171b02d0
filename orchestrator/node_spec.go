package orchestrator

import "fmt"

// NodeSpec declares one node. Fields that are unset take the cluster's value.
type NodeSpec struct {
	// Name of the node: a lower-case DNS label, unique in the cluster.
	Name string `json:"name" file:",required,maxLength=16"`
	// Host to run the node on, one of the cluster's. Default: see place.
	//
	// In Go: see [Spec].Place.
	Host string `json:"host,omitempty"`
	// Image reference. It replaces the cluster's image.
	Image string `json:"image,omitempty"`
	// ImageEnv is the node image's counterpart of [Spec].ImageEnv. Prepare sets it.
	ImageEnv map[string]string `json:"image_env,omitempty" file:"-"`
	// Command replaces the cluster's.
	Command []string `json:"command,omitempty" file:"command"`
	// Entrypoint replaces the cluster's. Without a Command of the node it has no
	// arguments.
	Entrypoint []string `json:"entrypoint,omitempty" file:"words"`
	// User replaces the cluster's.
	User string `json:"user,omitempty"`
	// Role that the node shares with others; "" if it has none. Wherever nodes are named,
	// a role's name stands for all of its nodes.
	Role string `json:"role,omitempty" file:"-"`
	// App replaces the cluster's.
	App string `json:"app,omitempty"`
	// MixEnv replaces the cluster's. The node gets its own image, built with it from the
	// cluster's Source.
	MixEnv string `json:"mix_env,omitempty"`
	// ReleaseName replaces the cluster's. The node gets its own image, which contains that
	// release, built from the cluster's Source.
	ReleaseName string `json:"release_name,omitempty" file:",pattern=^[a-z][a-zA-Z0-9_]*$"`
	// BaseImage replaces the cluster's: the node gets its own image, with another OTP or Elixir.
	// OTP only promises that nodes work together whose releases are at most two apart.
	BaseImage string `json:"base_image,omitempty"`
	// HTTPPort replaces the cluster's; -1 for none.
	HTTPPort int `json:"http_port,omitempty" file:",min=-1,max=65535"`
	// HTTPCheck replaces the cluster's; "-" for none.
	HTTPCheck string `json:"http_check,omitempty" file:",pattern=^(/|-$)"`
	// Checks are added to the cluster's; a check replaces the cluster's check of the same
	// name.
	Checks []Check `json:"checks,omitempty"`
	// Ready are added to the cluster's; a check replaces the cluster's check of the same
	// name.
	Ready []Check `json:"ready,omitempty"`
	// Dockerfile is the path of the Dockerfile to build for this node, relative to the
	// cluster's Source. It replaces the cluster's image; the cluster's Target and Args do
	// not apply.
	Dockerfile string `json:"dockerfile,omitempty" file:",minLength=1"`
	// Target is the stage of the Dockerfile to build for this node. Default: the cluster's
	// target, or the last stage if the node has a Dockerfile.
	Target string `json:"target,omitempty" file:",minLength=1"`
	// Args are the values of the Dockerfile's arguments (ARG). They are added to the
	// cluster's, and take precedence, unless the node has a Dockerfile.
	Args map[string]string `json:"args,omitempty"`
	// Built says that Image was built from the cluster's Source. Prepare sets it.
	Built bool `json:"built,omitempty" file:"-"`
	// Precompiled says that Image holds a compiled Mix project. Prepare sets it.
	Precompiled bool `json:"precompiled,omitempty" file:"-"`
	// ImageBoot is "direct", or why the nodes of Image start with `mix run`. Prepare sets
	// it.
	ImageBoot string `json:"image_boot,omitempty" file:"-"`
	// Release says whether the node runs a `mix release`, for a node with its own image.
	// If it is set, the cluster's Command and Entrypoint are ignored: the node's are
	// complete. Prepare sets it.
	Release *bool `json:"release,omitempty" file:"-"`
	// Env is added to the cluster's; the node's values take precedence.
	Env map[string]string `json:"env,omitempty" file:"env"`
	// Volumes are added to the cluster's; the node's take precedence, by name.
	Volumes map[string]string `json:"volumes,omitempty" file:"volumes"`
	// Tmpfs is added to the cluster's; an entry replaces the cluster's at the same path.
	Tmpfs []string `json:"tmpfs,omitempty" file:"tmpfs"`
	// Networks are added to the cluster's; the node's take precedence, by name.
	Networks map[string][]string `json:"networks,omitempty" file:"networks"`
	// ExtraHosts are added to the cluster's; the node's take precedence, by name.
	ExtraHosts map[string]string `json:"extra_hosts,omitempty" file:"extra_hosts"`
	// Nodes or roles that must be Ready before this node is started with the cluster. If one of
	// them fails for good, this node is not started. A restart, or `beamyard start`, does not wait.
	After []string `json:"after,omitempty" file:",unique"`
	// Memory replaces the cluster's limit.
	//
	// In Go: bytes; 0 is the cluster's.
	Memory int64 `json:"memory,omitempty" file:"size"`
	// CPUs replaces the cluster's limit.
	CPUs float64 `json:"cpus,omitempty" file:",min=0"`
	// Ports are TCP ports to publish in addition to HTTPPort.
	//
	// In beamyard.yml: for example {container: 9568, host: 9568}, 9568, or "9568:9568".
	Ports []PortSpec `json:"ports,omitempty" file:"ports"`
	// HostPort is the host port to publish HTTPPort on. Default: a free one, from the
	// cluster's HostPort on.
	HostPort int `json:"host_port,omitempty" file:"port"`
}

// PortSpec publishes an additional TCP port of a node.
type PortSpec struct {
	// Container is the port in the container.
	Container int `json:"container" file:"port,required"`
	// Host is the port on the host. Default: a free one, which stays the node's.
	Host int `json:"host,omitempty" file:"port"`
}

// NodeOf returns the node of that name, with the fields that it takes from the cluster
// filled in.
func (s Spec) NodeOf(name string) (NodeSpec, bool) {
	i := s.Index(name)
	if i < 0 {
		return NodeSpec{}, false
	}
	return s.Defaulted().NodeAt(i), true
}

// NodeNames returns n nodes with the default names n1 … nN.
func NodeNames(n int) []NodeSpec {
	nodes := make([]NodeSpec, max(n, 0))
	for i := range nodes {
		nodes[i].Name = fmt.Sprintf("n%d", i+1)
	}
	return nodes
}
