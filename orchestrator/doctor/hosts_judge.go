package doctor

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/beamyard/beamyard/orchestrator/hint"
	"github.com/beamyard/beamyard/orchestrator/swarm"
)

// judgeHost judges the engine of a host, and its place in the swarm of all.
func judgeHost(f hostFacts, all []hostFacts) verdict {
	if f.err != nil {
		return failed("try it by hand: docker -H ADDRESS version\nor name other hosts: --hosts …", "it does not answer: %v", f.err)
	}
	text := fmt.Sprintf("Docker %s, %s/%s", f.info.Version, f.info.OS, f.info.Arch)
	role := "worker"
	if f.state.Manager {
		role = "manager"
	}
	join := hint.Machines.With("init").String()
	switch members, manager := membersOf(all); {
	case len(all) == 1:
		return ok("%s, the only host: it needs no swarm", text)
	case f.state.Phase == swarm.Active && slices.ContainsFunc(members, func(m swarm.Member) bool { return m.ID == f.state.Node }):
		m := members[slices.IndexFunc(members, func(m swarm.Member) bool { return m.ID == f.state.Node })]
		text += fmt.Sprintf(", %s of the swarm at %s", role, f.state.Address)
		switch {
		case m.State != "" && m.State != "ready":
			return failed("on "+f.name+": docker info; on "+manager+": docker node ls", "%s, and host %s lists it as %s", text, manager, m.State)
		case m.Availability == "drain" || m.Availability == "pause":
			text += ", " + m.Availability + " (of services: nodes run there)"
		}
		if other := otherPlatform(f, all); other != "" {
			return warning("name hosts of one platform, or build an image of several", "%s; host %s is %s: an image made on one does not run on the other", text, other, platformOf(other, all))
		}
		return ok("%s", text)
	case f.state.Phase == swarm.Locked:
		return failed("on "+f.name+": docker swarm unlock", "%s, its swarm is locked", text)
	case f.state.In() && manager != "":
		return failed(join, "%s, in another swarm than host %s", text, manager)
	case f.state.In():
		return failed("name a host that manages it, too", "%s, in a swarm that none of the hosts manages (%s)", text, f.state.Phase)
	}
	return failed(join, "%s, in no swarm", text)
}

// membersOf returns the members of the swarm that a host manages, and the host.
func membersOf(all []hostFacts) ([]swarm.Member, string) {
	for _, f := range all {
		if f.err == nil && f.state.Manager {
			return f.state.Members, f.name
		}
	}
	return nil, ""
}

// otherPlatform returns the first host with another platform, or "".
func otherPlatform(f hostFacts, all []hostFacts) string {
	for _, other := range all {
		if other.err == nil && (other.info.OS != f.info.OS || other.info.Arch != f.info.Arch) {
			return other.name
		}
	}
	return ""
}

func platformOf(name string, all []hostFacts) string {
	i := slices.IndexFunc(all, func(f hostFacts) bool { return f.name == name })
	return all[i].info.OS + "/" + all[i].info.Arch
}

// judgeWays judges what passes from a host to the others, as its helper found. err is why there
// were no helpers at all.
func judgeWays(from string, w way, err error, mtu string) verdict {
	switch {
	case err != nil:
		return unknown("%v", err)
	case w.err != nil:
		return unknown("no helper container reported from there: %v", w.err)
	}
	var good, bad, remedies []string
	state := OK
	for _, f := range w.to {
		text, remedy, s := judgeWay(from, f, mtu)
		if s == OK {
			good = append(good, text)
			continue
		}
		bad = append(bad, text)
		remedies = append(remedies, remedy)
		if s == Failed {
			state = Failed
		} else if state == OK {
			state = s
		}
	}
	return verdict{state, strings.Join(slices.Concat(bad, good), "; "), strings.Join(slices.Compact(remedies), "\n")}
}

// judgeWay judges what passes from one host to one other.
func judgeWay(from string, f wayFacts, mtu string) (text, remedy string, s State) {
	var closed []string
	for _, port := range slices.Sorted(maps.Keys(f.Closed)) {
		closed = append(closed, fmt.Sprintf("%d/tcp (%s)", port, f.Closed[port]))
	}
	size := "their default"
	if mtu != "" {
		size = mtu
	}
	switch {
	case f.Small != "":
		text = fmt.Sprintf("to %s: nothing passes the overlay network (%s): 4789/udp is probably closed", f.Peer, f.Small)
		if len(closed) > 0 {
			text += ", and so is " + strings.Join(closed, ", ")
		}
		return text, fmt.Sprintf("let %s reach %s, and back, at 7946/tcp, 7946/udp and 4789/udp (or the port of docker swarm init --data-path-port)", from, f.Peer), Failed
	case f.Large != "":
		return fmt.Sprintf("to %s: small messages pass the overlay network, and a large one does not (%s): the path carries less than the engines' MTU, %s", f.Peer, f.Large, size),
			fmt.Sprintf("find what the path carries: ping -M do -s 1422 %s, from %s\nthen set it on both: {\"mtu\": 1450} in /etc/docker/daemon.json, and restart the engine", f.Peer, from), Failed
	case len(closed) > 0:
		return fmt.Sprintf("to %s: closed for containers of it: %s; the overlay network passes", f.Peer, strings.Join(closed, ", ")),
			fmt.Sprintf("let %s reach %s at 2377/tcp (managers), 7946/tcp and 7946/udp", from, f.Peer), Warning
	}
	var open []string
	for _, port := range f.Open {
		open = append(open, fmt.Sprintf("%d/tcp", port))
	}
	text = "to " + f.Peer + ": "
	if len(open) > 0 {
		text += strings.Join(open, " and ") + " open, "
	}
	return text + fmt.Sprintf("1 MiB over an overlay network (4789/udp) came back after %s", rough(f.Took)), "", OK
}
