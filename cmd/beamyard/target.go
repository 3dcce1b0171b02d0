package main

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/beamyard/beamyard/network"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/control"
	"github.com/beamyard/beamyard/orchestrator/discovery"
)

// target is the cluster that a command acts on.
type target struct {
	Cluster string `short:"c" env:"BEAMYARD_CLUSTER" complete:"cluster" placeholder:"NAME" help:"Name of the cluster; required when there are several."`
}

// resolve finds the cluster that the flag, the nodes ("demo/n1") or, if there is only one
// cluster, the engine names. It returns the short names of the nodes that the targets mean: see
// package target.
func (t target) resolve(ctx context.Context, a *app, eng orchestrator.Engine, command string, nodes []string, s *seeded) (cluster string, short []string, err error) {
	cluster, short, err = t.find(ctx, eng, command, nodes)
	if err != nil || len(short) == 0 {
		return cluster, short, err
	}
	spec, err := specOf(ctx, eng, cluster)
	if err != nil {
		return "", nil, err
	}
	short, err = a.chooser(eng, command, spec, s).nodes(ctx, short...)
	return cluster, short, err
}

// resolveOne is resolve for a command that takes one node.
func (t target) resolveOne(ctx context.Context, a *app, eng orchestrator.Engine, command, node string) (cluster, short string, err error) {
	cluster, nodes, err := t.resolve(ctx, a, eng, command, []string{node}, nil)
	if err != nil {
		return "", "", err
	}
	short, err = theOne(command, node, nodes)
	return cluster, short, err
}

// theOne returns the node of a name that must mean a single node: a role may have several.
func theOne(command, name string, nodes []string) (string, error) {
	if len(nodes) == 1 {
		return nodes[0], nil
	}
	prefix, _, qualified := strings.Cut(name, "/")
	if qualified {
		prefix += "/"
	} else {
		prefix = ""
	}
	return "", usagef(fmt.Sprintf("beamyard %s %s%s", command, prefix, nodes[0]), "%s takes one node, and %s means %s", command, name, strings.Join(nodes, ", "))
}

// find returns the cluster, and the nodes as they are written.
func (t target) find(ctx context.Context, eng orchestrator.Engine, command string, nodes []string) (cluster string, short []string, err error) {
	cluster, short, err = t.named(nodes)
	if err != nil || cluster != "" {
		return cluster, short, err
	}
	all, err := discovery.List(ctx, eng)
	if err != nil {
		return "", nil, err
	}
	cluster, err = theOnly(clusterNames(all), command, nodes)
	return cluster, short, err
}

// specOf asks the supervisor for a cluster's spec, or the engine if no supervisor answers.
func specOf(ctx context.Context, eng orchestrator.Engine, cluster string) (orchestrator.Spec, error) {
	asking, cancel := context.WithTimeout(ctx, supervisorPatience)
	defer cancel()
	if client, err := control.Dial(asking, cluster); err == nil {
		defer client.Close()
		if spec, err := client.Spec(asking); err == nil {
			return spec, nil
		}
	}
	found, err := discovery.Find(ctx, eng, cluster)
	return found.Spec, err
}

// named returns the cluster that the flag or the nodes name, or "" if they name none.
func (t target) named(nodes []string) (cluster string, short []string, err error) {
	cluster = clusterRef(t.Cluster)
	from := ""
	for _, n := range nodes {
		prefix, name := nodeRef(n)
		switch {
		case prefix == "":
		case from != "" && from != prefix:
			return "", nil, usagef("one command for each cluster", "the nodes are of two clusters: %s and %s", from, prefix)
		default:
			// A prefix of a node takes precedence over a flag or the environment.
			from, cluster = prefix, prefix
		}
		short = append(short, name)
	}
	return cluster, short, nil
}

// clusterRef returns the name of a cluster that is given by its name or by its source, as for
// `up`: pubsub_app is pubsub-app.
func clusterRef(name string) string {
	if name == "" {
		return ""
	}
	return network.Sanitize(name)
}

// nodeRef parses the ways to write a node, and returns its cluster if that is part of it: n1,
// demo/n1, the host n1.demo.test, the BEAM node app@n1.demo.test and the container
// beamyard-demo-n1. A target with an @ is no name: only a cluster can be before it.
func nodeRef(text string) (cluster, node string) {
	if strings.HasPrefix(text, "@") {
		return "", text
	}
	if prefix, name, qualified := strings.Cut(text, "/"); qualified {
		_, name = nodeRef(name)
		return clusterRef(prefix), name
	}
	name := text[strings.LastIndex(text, "@")+1:]
	if _, err := netip.ParseAddr(name); err == nil {
		return "", text
	}
	if host, rest, dotted := strings.Cut(name, "."); dotted {
		of, _, _ := strings.Cut(rest, ".")
		if network.CheckNode(host) == nil && network.CheckCluster(of) == nil {
			return of, host
		}
		return "", text
	}
	if rest, ok := strings.CutPrefix(name, (network.Names{}).Network()); ok {
		// The last hyphen that is not doubled ends the cluster's name.
		whole := strings.ReplaceAll(rest, "--", "\x00")
		if i := strings.LastIndexByte(whole, '-'); i > 0 {
			return whole[:i], strings.ReplaceAll(whole[i+1:], "\x00", "-")
		}
	}
	return "", name
}

// theOnly returns the cluster to use if the command line names none.
func theOnly(names []string, command string, nodes []string) (string, error) {
	switch len(names) {
	case 0:
		return "", orchestrator.WithHint(fmt.Errorf("%w: nothing is up", orchestrator.ErrNoCluster), "beamyard up")
	case 1:
		return names[0], nil
	}
	return "", usagef(fmt.Sprintf("beamyard %s -c %s", strings.Join(append([]string{command}, nodes...), " "), names[0]),
		"there are %d clusters: %s", len(names), strings.Join(names, ", "))
}

func clusterNames(all []orchestrator.Status) []string {
	names := make([]string, len(all))
	for i, s := range all {
		names[i] = s.Cluster
	}
	return names
}

// supervisorPatience is how long a supervisor may take to report its status. It answers from a
// stored pointer: a supervisor that needs longer hangs.
const supervisorPatience = 2 * time.Second

// statusOf asks the supervisor, and falls back to the status that the labels give.
func statusOf(ctx context.Context, known orchestrator.Status) orchestrator.Status {
	ctx, cancel := context.WithTimeout(ctx, supervisorPatience)
	defer cancel()
	client, err := control.Dial(ctx, known.Cluster)
	if err != nil {
		return known
	}
	defer client.Close()
	if st, err := client.Status(ctx); err == nil {
		return st
	}
	return known
}
