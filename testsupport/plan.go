package testsupport

import (
	"fmt"
	"maps"
	"reflect"
	"slices"

	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/wait"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/cluster"
)

type waitStrategy = wait.Strategy

// plan describes a cluster to start.
type plan struct {
	spec  orchestrator.Spec
	files []testcontainers.ContainerFile // of every node
	after map[string]after               // by node
	named bool

	parked *cluster.Parked // the cluster to take, with the spec's name, cookie and owner; nil for none
}

// plan puts testcontainers' options into the spec: options for all nodes into the cluster's
// settings, and what [WithNode] adds into the node's.
func (s *settings) plan() (plan, error) {
	p := plan{spec: s.spec, after: map[string]after{}, named: s.named}
	for name := range s.each {
		if !slices.ContainsFunc(s.spec.Nodes, func(n orchestrator.NodeSpec) bool { return n.Name == name }) {
			return p, fmt.Errorf("WithNode(%q): a later option sets the nodes, and this is not one of them", name)
		}
	}
	req, err := requested(s.spec, s.all...)
	if err != nil {
		return p, err
	}
	all, err := carry(req)
	if err != nil {
		return p, refused("", err)
	}
	p.files = all.files
	p.spec = all.over(s.spec)
	p.spec.Nodes = slices.Clone(s.spec.Nodes)
	for i, n := range p.spec.Nodes {
		p.after[n.Name] = all.after
		p.spec.Nodes[i].Ports = published(p.spec, n.Ports, all.ports)
		own := s.each[n.Name]
		if len(own) == 0 {
			continue
		}
		req, err := requested(s.spec, slices.Concat(s.all, own)...)
		if err != nil {
			return p, fmt.Errorf("%s: %w", n.Name, err)
		}
		node, err := carry(req)
		if err == nil {
			p.spec.Nodes[i], err = node.beside(all, n)
		}
		if err != nil {
			return p, refused(n.Name, err)
		}
		p.spec.Nodes[i].Ports = published(p.spec, n.Ports, node.ports)
		p.after[n.Name] = node.after
	}
	return p, nil
}

func refused(node string, err error) error {
	if node != "" {
		node = " of " + node
	}
	return fmt.Errorf("options%s that a cluster cannot follow:\n%w", node, err)
}

// over applies to a spec the settings for all nodes.
func (c carried) over(s orchestrator.Spec) orchestrator.Spec {
	if c.image != s.Image {
		s.Image, s.Source = c.image, ""
	}
	s.Entrypoint, s.Command, s.Env, s.Labels, s.Networks = c.entrypoint, c.command, c.env, c.labels, c.networks
	if c.user != "" {
		s.User = c.user
	}
	if len(c.volumes) > 0 {
		s.Volumes = merged(s.Volumes, c.volumes)
	}
	if c.memory != 0 {
		s.Memory = c.memory
	}
	if c.cpus != 0 {
		s.CPUs = c.cpus
	}
	return s
}

// beside applies to a node the settings that differ from those for all nodes.
func (c carried) beside(all carried, n orchestrator.NodeSpec) (orchestrator.NodeSpec, error) {
	if !maps.Equal(c.labels, all.labels) {
		return n, fmt.Errorf("labels are the cluster's: give them beside WithNode(%q)", n.Name)
	}
	if !reflect.DeepEqual(c.files, all.files) {
		return n, fmt.Errorf("files are the cluster's: give them beside WithNode(%q)", n.Name)
	}
	if c.image != all.image {
		n.Image = c.image
	}
	if !slices.Equal(c.entrypoint, all.entrypoint) {
		n.Entrypoint = c.entrypoint
	}
	if !slices.Equal(c.command, all.command) {
		n.Command = c.command
	}
	if c.user != all.user {
		n.User = c.user
	}
	if c.memory != all.memory {
		n.Memory = c.memory
	}
	if c.cpus != all.cpus {
		n.CPUs = c.cpus
	}
	n.Env = merged(n.Env, differing(c.env, all.env, func(a, b string) bool { return a == b }))
	n.Volumes = merged(n.Volumes, differing(c.volumes, all.volumes, func(a, b string) bool { return a == b }))
	n.Networks = merged(n.Networks, differing(c.networks, all.networks, slices.Equal))
	return n, nil
}

// published returns the ports of a node in addition to its HTTP port, each once: a port of the
// request replaces that of the spec.
func published(s orchestrator.Spec, own, asked []orchestrator.PortSpec) []orchestrator.PortSpec {
	ports := slices.Clone(own)
	for _, p := range asked {
		same := func(q orchestrator.PortSpec) bool { return q.Container == p.Container }
		http := s.HTTPPort
		if http == 0 {
			http = orchestrator.DefaultHTTPPort
		}
		if p.Container == http && p.Host == 0 {
			continue // the HTTP port is always published
		}
		ports = append(slices.DeleteFunc(ports, same), p)
	}
	return ports
}

func differing[V any](of, from map[string]V, equal func(a, b V) bool) map[string]V {
	diff := map[string]V{}
	for k, v := range of {
		if other, there := from[k]; !there || !equal(v, other) {
			diff[k] = v
		}
	}
	return diff
}

// merged returns a with the entries of b, which take precedence; nil if both are empty.
func merged[V any](a, b map[string]V) map[string]V {
	if len(b) == 0 {
		return a
	}
	m := maps.Clone(a)
	if m == nil {
		m = map[string]V{}
	}
	maps.Copy(m, b)
	return m
}
