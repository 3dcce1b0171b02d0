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

// This file is about a Beamyard that runs in a container of the engine that it uses, as
// a CI job with the engine's socket does. Neither the nodes' addresses nor the ports
// that the engine publishes on its host are reached from there: so that container is
// attached to the cluster's network. It is taken off when the network is removed, by
// whichever process does that: a job that was killed leaves nothing in the way.

// VisitorAlias marks the containers that were attached so: it is a name that they
// have in the cluster's network. Labels cannot be added to a container that is there.
const VisitorAlias = "beamyard-visitor"

// LabelKeeper is on networks: the container that the cluster's owner runs in, where it
// is one of this engine. When that does not run any more, the owner is dead.
const LabelKeeper = "beamyard.container"

// ownContainer is the container that this process runs in, where the engine knows it.
func ownContainer(ctx context.Context, eng Engine) (Container, bool) {
	for _, id := range ownCandidates() {
		c, err := eng.InspectContainer(ctx, id)
		if err == nil && c.State.Running && strings.HasPrefix(c.ID, id) {
			return c, true
		}
	}
	return Container{}, false
}

// ownCandidates are the IDs that this process's container may have: what is mounted
// over /etc/hostname and its like comes from the container's folder, its control group
// is called so, and its host name is the ID's beginning where it was given none.
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

// inContainer reports whether the machine looks like a container from inside.
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

// containerIDs reads the IDs out of /proc/self/mountinfo or /proc/self/cgroup. Sources:
// proc_pid_mountinfo(5), cgroups(7).
func containerIDs(r io.Reader) []string {
	var ids []string
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		if line := lines.Text(); ownFile.MatchString(line) || ownCtl.MatchString(line) {
			if all := longID.FindAllString(line, -1); len(all) > 0 {
				ids = append(ids, all[len(all)-1]) // of one inside another the inner
			}
		}
	}
	return ids
}

// reachable reports whether the addresses of a cluster's network can be dialled from
// here. Where this process runs in a container of the engine, that is attached to the
// network first.
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

// sayUnreachable says what to type where this process runs in a container that is not
// one of the engine's: where a rootful engine is behind its socket, nothing of a
// cluster is reached from here. It is no error, as the machine's ports may be this
// container's in ways that cannot be seen.
func (c *Cluster) sayUnreachable(s *site) {
	if s.direct || !s.info.Local || slices.Contains(s.info.Security, "rootless") || len(ownCandidates()) == 0 {
		return
	}
	c.note("", "this runs in a container that the engine at %s does not know: if no node answers, run it with docker run --network host, or name the engine by an address at which its ports are reached, too: DOCKER_HOST=tcp://HOST:2375", s.info.Endpoint)
}

// keeperGone reports whether the container that a cluster's owner ran in is gone, or
// runs anew: then the owner is dead. It is false where the owner ran in none.
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

// showOut takes the containers that a Beamyard ran, or runs, in off a network that is
// to be removed. Those that somebody else attached stay.
func showOut(ctx context.Context, eng Engine, n Network) {
	all, err := eng.Containers(ctx, nil)
	if err != nil {
		return // the removal says what is in its way
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
