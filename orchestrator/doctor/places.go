package doctor

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/beamyard/beamyard/network"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/control"
	"github.com/beamyard/beamyard/orchestrator/discovery"
	"github.com/beamyard/beamyard/orchestrator/hint"
	"github.com/beamyard/beamyard/orchestrator/internal/english"
)

// Where a cluster lives: its subnet, its host ports, its control socket; and what should not be
// there any more.

func lookSubnets(ctx context.Context, e *examination) verdict {
	networks, err := e.networks.get(ctx)
	if err != nil {
		return notTold(err)
	}
	pool := e.Pool
	var taken []netip.Prefix
	var holders []string
	for _, n := range networks {
		taken = append(taken, n.Subnets...)
		if slices.ContainsFunc(n.Subnets, pool.Overlaps) {
			holders = append(holders, n.Name)
		}
	}
	if e.engine.info.Local {
		local, err := network.LocalPrefixes()
		if err != nil {
			return notTold(err)
		}
		for _, p := range local {
			// A bridge of the engine is also an interface and a route of this machine.
			if route := fmt.Sprintf("this machine's route %s", p.Masked()); pool.Overlaps(p) && !slices.ContainsFunc(taken, p.Overlaps) && !slices.Contains(holders, route) {
				holders = append(holders, route)
			}
		}
		taken = append(taken, local...)
	}
	_, full := network.PickSubnet(pool, 1, taken, 0)
	free, all := network.FreeSubnets(pool, taken)
	return judgeSubnets(pool, free, all, holders, orchestrator.HintOf(full).String())
}

// judgeSubnets judges the free subnets: a cluster takes one of them, a large one a few.
func judgeSubnets(pool netip.Prefix, free, all int, holders []string, advice string) verdict {
	text := fmt.Sprintf("%d of %d (/26) free in %s", free, all, pool)
	if len(holders) > 0 {
		text += "; held by " + some(holders, 3)
	}
	switch {
	case free == 0:
		return failed(advice, "%s: no cluster finds a place", text)
	case free < 8 && free < all:
		return warning(fmt.Sprintf("remove clusters that are no longer needed: %s; or set another range: %s", hint.Prune.With(), hint.Setting("pool")), "%s", text)
	}
	return ok("%s", text)
}

// some lists the first few names: "a, b, c and 4 more".
func some(names []string, n int) string {
	if len(names) <= n {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:n], ", "), len(names)-n)
}

// portFacts describe the host ports from the base on.
type portFacts struct {
	base   int
	free   []uint16 // free ports, in order, as many as needed
	holder string   // who uses the base port
	remote bool     // the ports are on another machine
}

func lookPorts(ctx context.Context, e *examination) verdict {
	// If published ports do not answer on this machine, its ports are irrelevant.
	if h, err := e.helper.get(ctx); !e.engine.info.Local || (err == nil && h.publishedErr != nil) {
		return judgePorts(portFacts{remote: true}, e.Nodes)
	}
	containers, err := e.containers.get(ctx)
	if err != nil {
		return notTold(err)
	}
	taken := map[uint16]string{}
	for _, c := range containers {
		var pinned []uint16 // of a cluster that is down
		_ = json.Unmarshal([]byte(c.Labels[orchestrator.LabelPorts]), &pinned)
		for _, p := range c.Ports {
			pinned = append(pinned, p.Host)
		}
		for _, p := range pinned {
			taken[p] = c.Name
		}
	}
	f := portFacts{base: e.HostPort}
	// One at a time: a port that is held, even for a moment, looks taken to others.
	for next := e.HostPort; len(f.free) < e.Nodes && ctx.Err() == nil; {
		span := e.HostPort + network.DefaultPortSpan - next
		if span <= 0 {
			break
		}
		held, err := network.Reserve(network.PortRange{Base: next, Span: span}, 1, taken)
		if err != nil {
			break // no more free ports
		}
		port := held[0].Port()
		_ = held[0].Release()
		f.free = append(f.free, port)
		next = int(port) + 1
	}
	if first := uint16(e.HostPort); len(f.free) == 0 || f.free[0] != first {
		if f.holder = taken[first]; f.holder == "" {
			f.holder = network.Owner(first)
		}
	}
	return judgePorts(f, e.Nodes)
}

func judgePorts(f portFacts, nodes int) verdict {
	base := f.base
	if f.remote {
		return unknown("the ports are not this machine's, and only the engine's sees which are free")
	}
	text := ""
	if f.holder != "" {
		text = fmt.Sprintf("%d is taken by %s; ", base, f.holder)
	}
	next := base + network.DefaultPortSpan
	if next+nodes > 65535 {
		next = orchestrator.DefaultHostPort
	}
	elsewhere := fmt.Sprintf("see who has them: ss -ltnp; or search elsewhere: %s", hint.Setting(fmt.Sprint("host_port: ", next)))
	switch n := len(f.free); {
	case n == 0:
		return failed(elsewhere, "%snone is free from %d to %d", text, base, min(base+network.DefaultPortSpan-1, 65535))
	case n < nodes:
		return warning(elsewhere, "%s%d are free from %d on, a cluster may want %d", text, n, f.free[0], nodes)
	}
	return ok("%s%d are free from %d on, up to %d", text, len(f.free), f.free[0], f.free[len(f.free)-1])
}

func lookControl(context.Context, *examination) verdict {
	folder, room, err := control.Folder()
	return judgeControl(folder, room, err)
}

func judgeControl(folder string, room int, err error) verdict {
	const shorter = "export XDG_RUNTIME_DIR=/run/user/$(id -u), or another folder with a short path"
	switch {
	case err != nil:
		v := failed(shorter, "%v", err)
		if h := orchestrator.HintOf(err); len(h) > 0 {
			v.remedy = h.String()
		}
		return v
	case room < 1:
		return failed(shorter, "%s is too long a path for a unix socket", folder)
	case room < network.MaxCluster:
		return warning(shorter, "%s is so long a path that cluster names may have %d characters, not %d", folder, room, network.MaxCluster)
	}
	return ok("%s can be written to", folder)
}

func lookLeftovers(ctx context.Context, e *examination) verdict {
	removed, err := discovery.Prune(ctx, e.Engine, discovery.PruneOptions{DryRun: true, Supervised: func(cluster string) bool {
		client, err := control.Dial(ctx, cluster)
		if err == nil {
			client.Close()
		}
		return err == nil
	}})
	return judgeLeftovers(removed, err)
}

func judgeLeftovers(left []discovery.Removed, err error) verdict {
	if err != nil {
		return notTold(err)
	}
	if len(left) == 0 {
		return ok("no dead process left a cluster behind")
	}
	var names []string
	containers, networks := 0, 0
	for _, r := range left {
		names = append(names, r.Cluster)
		containers, networks = containers+len(r.Containers), networks+len(r.Networks)
	}
	return warning(hint.Prune.With().String(), "dead processes left %s and %s, of %s", english.Plural(containers, "container", "containers"), english.Plural(networks, "network", "networks"), some(names, 3))
}
