package reach

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/beamyard/beamyard/network"
	"github.com/beamyard/beamyard/orchestrator"
)

// This file handles a Beamyard that runs in a container of the engine that it uses, like
// a CI job with the engine's socket. From there, neither the nodes' addresses nor the
// ports published on the engine's host are reachable, so the container is attached to the
// cluster's network. Whichever process removes the network detaches it: a killed job does
// not prevent the removal.

// OwnContainer returns the container that this process runs in, if the engine knows it.
func OwnContainer(ctx context.Context, eng orchestrator.Engine) (orchestrator.Container, bool) {
	for _, id := range OwnCandidates() {
		c, err := eng.InspectContainer(ctx, id)
		if err == nil && c.State.Running && strings.HasPrefix(c.ID, id) {
			return c, true
		}
	}
	return orchestrator.Container{}, false
}

// OwnCandidates returns the possible IDs of this process's container. The files mounted
// over /etc/hostname and similar paths come from the container's folder, its control
// group has the ID as its name, and its host name is the beginning of the ID if none was
// set.
var OwnCandidates = func() []string {
	var ids []string
	for _, file := range []string{"/proc/self/mountinfo", "/proc/self/cgroup"} {
		if f, err := os.Open(file); err == nil {
			ids = append(ids, containerIDs(f)...)
			f.Close()
		}
	}
	if inContainer() {
		if name, err := os.Hostname(); err == nil && hostnameID.MatchString(name) {
			ids = append(ids, name)
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// inContainer reports whether the machine looks like a container from the inside.
func inContainer() bool {
	for _, mark := range []string{"/.dockerenv", "/run/.containerenv"} {
		if _, err := os.Stat(mark); err == nil {
			return true
		}
	}
	return false
}

var (
	hostnameID = regexp.MustCompile(`^[0-9a-f]{12}$`)
	longID     = regexp.MustCompile(`[0-9a-f]{64}`)
	ownFile    = regexp.MustCompile(` /etc/(?:hostname|hosts|resolv\.conf) `)
	ownCtl     = regexp.MustCompile(`^\d+:[^:]*:/`)
)

// containerIDs extracts the IDs from /proc/self/mountinfo or /proc/self/cgroup. Sources:
// proc_pid_mountinfo(5), cgroups(7).
func containerIDs(r io.Reader) []string {
	var ids []string
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		if line := lines.Text(); ownFile.MatchString(line) || ownCtl.MatchString(line) {
			if all := longID.FindAllString(line, -1); len(all) > 0 {
				ids = append(ids, all[len(all)-1]) // for nested containers, the inner one
			}
		}
	}
	return ids
}

// Direct reports whether the addresses of a cluster's network can be dialled from this
// process. If this process runs in a container of the engine, it first attaches the
// container to the network.
func Direct(ctx context.Context, eng orchestrator.Engine, info orchestrator.EngineInfo, networkID string, subnet network.Subnet) (bool, error) {
	if !info.Local || networkID == "" {
		return false, nil
	}
	if network.Reachable(subnet.Gateway) || network.Joined(subnet.Prefix) {
		return true, nil
	}
	own, ok := OwnContainer(ctx, eng)
	if !ok {
		return false, nil
	}
	err := eng.ConnectNetwork(ctx, networkID, own.ID, []string{orchestrator.VisitorAlias})
	if err != nil && !errors.Is(err, orchestrator.ErrConflict) {
		return false, fmt.Errorf("attach the container that this runs in, %s, to the cluster's network: %w", own.Name, err)
	}
	return true, nil
}

// KeeperGone reports whether the container that a cluster's owner ran in is gone or was
// restarted: the owner is then dead. It returns false if the owner did not run in a
// container.
func KeeperGone(ctx context.Context, eng orchestrator.Engine, labels map[string]string) bool {
	keeper := labels[orchestrator.LabelKeeper]
	if keeper == "" {
		return false
	}
	c, err := eng.InspectContainer(ctx, keeper)
	if errors.Is(err, orchestrator.ErrNotFound) {
		return true
	}
	return err == nil && (!c.State.Running || c.State.StartedAt.After(orchestrator.CreatedOf(labels).Add(orchestrator.StartSlack)))
}

// DetachVisitors detaches the containers that a Beamyard runs, or ran, in from a network to be
// removed. Containers attached by others stay attached.
func DetachVisitors(ctx context.Context, eng orchestrator.Engine, n orchestrator.Network) {
	all, err := eng.Containers(ctx, nil)
	if err != nil {
		return // the removal reports what prevents it
	}
	for _, c := range all {
		if !c.State.Running || !c.Attached(n.ID) || c.Labels[orchestrator.LabelCluster] == n.Labels[orchestrator.LabelCluster] {
			continue
		}
		full, err := eng.InspectContainer(ctx, c.ID)
		if err == nil && slices.ContainsFunc(full.Networks, func(a orchestrator.Attachment) bool { return a.Network == n.ID && a.Visitor }) {
			_ = eng.DisconnectNetwork(ctx, n.ID, c.ID) // as above
		}
	}
}
