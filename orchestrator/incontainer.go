package orchestrator

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
)

// This file handles a Beamyard that runs in a container of the engine that it uses, like
// a CI job with the engine's socket. From there, neither the nodes' addresses nor the
// ports published on the engine's host are reachable, so the container is attached to the
// cluster's network. Whichever process removes the network detaches it: a killed job does
// not prevent the removal.

// VisitorAlias marks the containers attached this way: it is their name in the cluster's
// network. Labels cannot be added to an existing container.
const VisitorAlias = "beamyard-visitor"

// LabelKeeper is on networks: the container that the cluster's owner runs in, if it is
// one of this engine's. When that container is no longer running, the owner is dead.
const LabelKeeper = "beamyard.container"

// ownContainer returns the container that this process runs in, if the engine knows it.
func ownContainer(ctx context.Context, eng Engine) (Container, bool) {
	for _, id := range ownCandidates() {
		c, err := eng.InspectContainer(ctx, id)
		if err == nil && c.State.Running && strings.HasPrefix(c.ID, id) {
			return c, true
		}
	}
	return Container{}, false
}

// ownCandidates returns the possible IDs of this process's container. The files mounted
// over /etc/hostname and similar paths come from the container's folder, its control
// group has the ID as its name, and its host name is the beginning of the ID if none was
// set.
var ownCandidates = func() []string {
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

// reachable reports whether the addresses of a cluster's network can be dialled from this
// process. If this process runs in a container of the engine, it first attaches the
// container to the network.
func reachable(ctx context.Context, eng Engine, info EngineInfo, networkID string, subnet network.Subnet) (bool, error) {
	if !info.Local || networkID == "" {
		return false, nil
	}
	if network.Reachable(subnet.Gateway) || network.Joined(subnet.Prefix) {
		return true, nil
	}
	own, ok := ownContainer(ctx, eng)
	if !ok {
		return false, nil
	}
	err := eng.ConnectNetwork(ctx, networkID, own.ID, []string{VisitorAlias})
	if err != nil && !errors.Is(err, ErrConflict) {
		return false, fmt.Errorf("attach the container that this runs in, %s, to the cluster's network: %w", own.Name, err)
	}
	return true, nil
}

// sayUnreachable notes what to type if this process runs in a container that is not one
// of the engine's: with a rootful engine behind its socket, nothing of a cluster is
// reachable from here. It is not an error, because the machine's ports may be reachable
// in ways that cannot be detected.
func (c *Cluster) sayUnreachable(s *site) {
	if s.direct || !s.info.Local || slices.Contains(s.info.Security, "rootless") || len(ownCandidates()) == 0 {
		return
	}
	c.note("", "this runs in a container that the engine at %s does not know: if no node answers, run it with docker run --network host, or name the engine by an address at which its ports are reached, too: DOCKER_HOST=tcp://HOST:2375", s.info.Endpoint)
}

// keeperGone reports whether the container that a cluster's owner ran in is gone or was
// restarted: the owner is then dead. It returns false if the owner did not run in a
// container.
func keeperGone(ctx context.Context, eng Engine, labels map[string]string) bool {
	keeper := labels[LabelKeeper]
	if keeper == "" {
		return false
	}
	c, err := eng.InspectContainer(ctx, keeper)
	if errors.Is(err, ErrNotFound) {
		return true
	}
	return err == nil && (!c.State.Running || c.State.StartedAt.After(createdOf(labels).Add(startSlack)))
}

// showOut detaches the containers that a Beamyard runs, or ran, in from a network to be
// removed. Containers attached by others stay attached.
func showOut(ctx context.Context, eng Engine, n Network) {
	all, err := eng.Containers(ctx, nil)
	if err != nil {
		return // the removal reports what prevents it
	}
	for _, c := range all {
		if !c.State.Running || !c.Attached(n.ID) || c.Labels[LabelCluster] == n.Labels[LabelCluster] {
			continue
		}
		full, err := eng.InspectContainer(ctx, c.ID)
		if err == nil && slices.ContainsFunc(full.Networks, func(a Attachment) bool { return a.Network == n.ID && a.Visitor }) {
			_ = eng.DisconnectNetwork(ctx, n.ID, c.ID) // as above
		}
	}
}
