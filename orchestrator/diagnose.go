package orchestrator

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/beamyard/beamyard/network/erldist"
	"github.com/beamyard/beamyard/orchestrator/diagnosis"
	"github.com/beamyard/beamyard/orchestrator/health"
)

// This file collects data about unhealthy nodes for package diagnosis.

const (
	// diagnoseTime bounds the collection. It delays only its own answer and, for a
	// cluster that failed, its end.
	diagnoseTime = 3 * time.Second
	// glanceTime is how long a node may take to answer before it counts as silent.
	glanceTime = time.Second
	// diagnoseLines is how many of the last lines of a run are searched for a reason.
	diagnoseLines = 200
	// lookMost is how many containers are inspected at once: each costs the engine some
	// 50 ms, which fifty nodes booting on a small machine need themselves.
	lookMost = 4
)

// answerWhy diagnoses the nodes and posts the findings.
func (c *Cluster) answerWhy(ctx context.Context, snapshots []nodeSnapshot) {
	msg := msgDiagnosed{asked: map[string]asked{}, found: c.diagnose(ctx, snapshots, false)}
	for _, s := range snapshots {
		msg.asked[s.node] = asked{s.report, s.state}
	}
	c.box.post(msg)
}

// diagnose returns what is wrong. final says that the cluster failed because of it.
func (c *Cluster) diagnose(ctx context.Context, snapshots []nodeSnapshot, final bool) []diagnosis.Finding {
	absent := final && !c.spec.KeepOnFailure
	ctx, cancel := context.WithTimeout(ctx, diagnoseTime)
	defer cancel()
	e := evidenceOf(c.site.spec)
	e.Absent = absent
	e.Nodes = make([]diagnosis.Node, len(snapshots))
	var wg sync.WaitGroup
	if slices.ContainsFunc(snapshots, func(s nodeSnapshot) bool { return s.exit != nil || s.startErr != nil }) {
		if image, err := c.eng.Image(ctx, c.site.spec.Image); err == nil {
			e.ImageArch, e.EngineArch = image.Arch, machineArch(c.site.info.Arch)
		}
	}
	inside := c.nodesToInspect(snapshots, final)
	for i, s := range snapshots {
		wg.Go(func() { e.Nodes[i] = c.collectEvidence(ctx, s, final, inside[s.node]) })
	}
	wg.Wait()
	return cleanFindings(diagnosis.Diagnose(e), c.clean)
}

// machineArch returns Go's name for a processor as uname(2) names it.
func machineArch(machine string) string {
	switch machine {
	case "x86_64":
		return "amd64"
	case "aarch64":
		return "arm64"
	case "armv7l", "armv6l":
		return "arm"
	case "i386", "i686":
		return "386"
	}
	return machine
}

// nodesToInspect picks the nodes whose containers are worth inspecting: those that are
// running, are not too young, and do not answer, or no longer do. If there are many, it
// picks different ones each time.
func (c *Cluster) nodesToInspect(snapshots []nodeSnapshot, final bool) map[string]bool {
	inside := map[string]bool{}
	for _, i := range rand.Perm(len(snapshots)) {
		s := snapshots[i]
		conn, answers := c.links.get(s.node)
		answers = answers && conn.inc == s.inc && s.state != Degraded // a Degraded node may be silent
		if len(inside) < lookMost && s.state.Running() && s.state != Ready && !s.paused && !answers && !c.newborn(s, final) {
			inside[s.node] = true
		}
	}
	return inside
}

// young reports whether a node began to boot so recently that whatever it lacks may still
// appear.
func (c *Cluster) young(s nodeSnapshot, final bool) bool {
	return !final && s.state == Starting && time.Since(s.since) < askAfter
}

// newborn reports whether a node began to boot so recently that an inspection shows
// nothing.
func (c *Cluster) newborn(s nodeSnapshot, final bool) bool {
	return !final && s.state == Starting && time.Since(s.since) < askFirst
}

// evidenceOf returns the evidence in a spec.
func evidenceOf(s Spec) diagnosis.Evidence {
	e := diagnosis.Evidence{
		Cluster: s.Name, Source: s.Source, File: s.File, Image: s.Image, MeshApp: s.Mesh == MeshApp, Release: s.Release,
		ShortNames: s.Distribution.Names == ShortNames, CookieFile: s.CookieFile, EPMD: s.Distribution.EPMD, DistPort: s.Distribution.Port, HTTPPort: s.HTTPPort, HTTPCheck: s.HTTPCheck,
	}
	if s.App != "-" {
		e.App = s.App
	}
	return e
}

// nodeEvidence returns the evidence in a spec about one node.
func nodeEvidence(s Spec, i int) diagnosis.Node {
	names, node, words := s.names(), s.filled(i), words(s, i)
	n := diagnosis.Node{
		Name: node.Name, BEAM: names.Node(node.Name), Host: names.Host(node.Name), Container: names.Container(node.Name),
		Command: append(replaced(words, node.Entrypoint), nodeCommand(s, i)...), Stdin: s.Stdin, Env: map[string]string{}, Memory: node.Memory, StopTimeout: s.StopTimeout,
	}
	for key, value := range node.Env {
		n.Env[key] = words.Replace(value)
	}
	own := diagnosis.Runs{Image: node.Image, App: node.App, Release: s.runsRelease(node), HTTPPort: node.HTTPPort, HTTPCheck: node.HTTPCheck}
	if own.App == "-" {
		own.App = ""
	}
	if e := evidenceOf(s); own != (diagnosis.Runs{Image: e.Image, App: e.App, Release: e.Release, HTTPPort: e.HTTPPort, HTTPCheck: e.HTTPCheck}) {
		n.Runs = &own
	}
	return n
}

// collectEvidence collects the evidence about one node; look includes its container. It removes
// secrets first: once a text is shortened, a secret in it may no longer be recognised.
func (c *Cluster) collectEvidence(ctx context.Context, s nodeSnapshot, final, look bool) diagnosis.Node {
	young := c.young(s, final)
	at := c.site.slots[s.node]
	n := nodeEvidence(c.site.spec, at.index)
	n.IP, n.Ready, n.Running, n.Paused = at.ip.String(), s.state == Ready && len(s.missing) == 0, s.state.Running(), s.paused
	n.Reason, n.Dump, n.DumpPath, n.Peers, n.Missing = c.clean(s.reason), c.cleanDump(s.dump), DumpPath(c.spec, s.node), s.peers, s.missing
	n.WasReady = s.wasReady
	n.Young = young
	n.Late = final || n.WasReady || time.Since(s.since) > c.spec.ReadyTimeout
	if s.exit != nil {
		n.Exit = &diagnosis.Exit{Class: string(s.exit.Class), Code: s.exit.Code}
		if s.exit.Class == ExitStartError || s.exit.Class == ExitRemoved {
			n.Exit = nil
		}
	}
	if s.startErr != nil && !n.Running {
		n.StartError, n.Kind, n.Hint = c.clean(s.startErr.Error()), kindOf(s.startErr), c.clean(hintOf(s.startErr))
	}
	if from, any := linesFrom(s, young); any {
		for _, l := range c.outputs[s.node].out.Tail(diagnoseLines) {
			if l.Run == s.inc && l.Stream != StreamSystem && !l.Time.Before(from) && !c.tellsOf(l.Text, s.apart) {
				n.Lines = append(n.Lines, diagnosis.Line{Stream: string(l.Stream), Text: c.clean(l.Text)})
			}
		}
	}
	if s.id != "" && !n.WasReady && (look || n.Exit != nil && n.Exit.Code != 0) {
		n.Settings = c.settingsIn(ctx, s.id, at.index)
	}
	if !n.Running || s.paused {
		return n
	}
	n.Contact, n.Answered = c.links.lastContact(s.report)
	n.Knew, n.CookieChanged = c.links.cookie(s.report)
	if young {
		n.Missing = nil
		if look {
			n.Entrypoint = c.entrypointOf(ctx, at.index)
			n.Live = c.lookInside(ctx, s.id)
		} else if n.Contact == diagnosis.ContactRefused {
			n.Contact = "" // whatever it lacks may still appear
		}
		if n.Contact == diagnosis.ContactSilent || n.Contact == diagnosis.ContactOther {
			n.Contact = ""
		}
		return n
	}
	if conn, ok := c.links.get(s.node); ok && conn.inc == s.inc {
		limited, cancel := context.WithTimeout(ctx, glanceTime)
		sample, err := health.Glance(limited, conn)
		cancel()
		if err == nil || !look { // else it is silent, and stays so for a while before its link breaks
			app := c.site.spec.of(s.node).App
			n.AppDown = err == nil && app != "" && app != "-" && !slices.Contains(sample.Apps, app)
			n.Live = liveOf(conn.last)
			return n
		}
	}
	if look {
		n.Entrypoint = c.entrypointOf(ctx, at.index)
		n.Live = c.lookInside(ctx, s.id)
		if n.Live != nil && slices.Contains(n.Live.Listening, epmdPort) {
			if c.site.direct {
				n.Live.Registered = registeredAt(ctx, hostPort(at.ip.String(), epmdPort))
			} else {
				n.Live.Registered = c.registeredIn(ctx, s.id)
			}
		}
	}
	return n
}

const epmdPort = 4369

// tellsOf reports whether a line names one of these nodes. Log lines about a deliberately
// disconnected peer, such as a refused handshake or global's actions, are not the cause
// of a problem.
func (c *Cluster) tellsOf(line string, nodes []string) bool {
	return slices.ContainsFunc(nodes, func(n string) bool { return strings.Contains(line, c.names().Node(n)) })
}

// registeredAt returns the nodes registered with an EPMD, and their ports.
func registeredAt(ctx context.Context, addr string) map[string]int {
	names, err := erldist.Names(ctx, addr)
	if err != nil {
		return nil // unknown
	}
	ports := map[string]int{}
	for _, n := range names {
		ports[n.Alive] = n.Port
	}
	return ports
}

// registeredIn queries a container's EPMD from inside, if its address is not reachable.
// It returns nil if there is no epmd in the container's path.
func (c *Cluster) registeredIn(ctx context.Context, id string) map[string]int {
	result, err := Command(ctx, c.eng, id, []string{"epmd", "-names"})
	if err != nil || result.ExitCode != 0 {
		return nil
	}
	return registeredNames(result.Stdout)
}

// registeredNames parses the output of epmd -names: one line "name app at port 9100" for
// each node. Source: epmd(1).
func registeredNames(printed string) map[string]int {
	ports := map[string]int{}
	for line := range strings.Lines(printed) {
		var name string
		var port int
		if n, _ := fmt.Sscanf(line, "name %s at port %d", &name, &port); n == 2 {
			ports[name] = port
		}
	}
	return ports
}

// linesFrom returns the time from which a node's lines may explain its problem. For a run
// that failed or was never Ready, these are all its lines; for a run that was Ready,
// those since shortly before it degraded. No line explains a requested stop, or a boot
// that has only just begun.
func linesFrom(s nodeSnapshot, young bool) (from time.Time, any bool) {
	switch s.state {
	case BackingOff, Failed, Completed:
		return time.Time{}, true
	case Starting:
		return time.Time{}, !young
	case Degraded:
		return s.unwell.Add(-unwellSlack), true
	case Pending, Creating, Ready, Stopping, Stopped:
	}
	return time.Time{}, false
}

// unwellSlack is how long before a state change a node may have logged the reason, by a
// clock that may be the engine's.
const unwellSlack = 10 * time.Second

// cleanDump removes secrets from a crash dump's texts.
func (c *Cluster) cleanDump(d *diagnosis.Dump) *diagnosis.Dump {
	if d == nil {
		return nil
	}
	clean := *d
	clean.Slogan, clean.Top = c.clean(d.Slogan), slices.Clone(d.Top)
	for i := range clean.Top {
		clean.Top[i].Name = c.clean(clean.Top[i].Name)
	}
	return &clean
}

// liveOf returns the evidence in a sample of a VM that answers.
func liveOf(s *health.Sample) *diagnosis.Live {
	if s == nil {
		return nil
	}
	return &diagnosis.Live{Encoding: s.Encoding, Heart: s.Heart, Skew: s.ClockSkew}
}

// remarks returns findings about nodes that answer: conditions that do not degrade them
// now, but will cause problems later.
func remarks(s Spec, seen []health.Seen, clean func(string) string) []diagnosis.Finding {
	e := evidenceOf(s)
	apart := health.MnesiaApart(seen)
	for _, one := range seen {
		i := slices.IndexFunc(s.Nodes, func(n NodeSpec) bool { return n.Name == one.Name })
		if i < 0 || one.Sample == nil {
			continue
		}
		n := nodeEvidence(s, i)
		n.Ready, n.Running, n.Live = true, true, liveOf(one.Sample)
		n.Live.MnesiaApart, n.Live.GlobalStuck = apart[one.Name], health.GlobalStuck(one, seen)
		e.Nodes = append(e.Nodes, n)
	}
	return cleanFindings(diagnosis.Diagnose(e), clean)
}

// lookInside queries the engine and a shell in the container. An image without a shell
// shows less.
func (c *Cluster) lookInside(ctx context.Context, id string) *diagnosis.Live {
	live := &diagnosis.Live{}
	found, err := c.eng.InspectContainer(ctx, id)
	if err != nil {
		return nil
	}
	attached := found.Attached(c.site.networkID)
	live.Attached = &attached
	c.lookAround(ctx, id, live)
	return live
}

// cleanFindings removes secrets from findings, which quote nodes and engines.
func cleanFindings(found []diagnosis.Finding, clean func(string) string) []diagnosis.Finding {
	for i := range found {
		f := &found[i]
		f.Problem, f.Evidence = clean(f.Problem), clean(f.Evidence)
		f.Solutions = slices.Clone(f.Solutions)
		for j := range f.Solutions {
			f.Solutions[j].Text, f.Solutions[j].Command = clean(f.Solutions[j].Text), clean(f.Solutions[j].Command)
		}
	}
	return found
}
