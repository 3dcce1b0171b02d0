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

// This file collects what is known of nodes with which something is wrong, for
// package diagnosis to say what.

const (
	// diagnoseTime bounds the look. It delays nothing but its own answer, and at
	// the end of a cluster that failed, that end.
	diagnoseTime = 3 * time.Second
	// glanceTime is within which a node says what runs on it, or counts as silent.
	glanceTime = time.Second
	// diagnoseLines are the last lines of a run in which a reason is sought.
	diagnoseLines = 200
	// lookMost is into how many containers somebody looks at once: it costs the
	// engine some 50 ms each, and fifty nodes that boot on a small machine need them.
	lookMost = 4
)

// answerWhy asks, and posts the findings.
func (c *Cluster) answerWhy(ctx context.Context, suspects []suspect) {
	msg := msgDiagnosed{asked: map[string]asked{}, found: c.diagnose(ctx, suspects, false)}
	for _, s := range suspects {
		msg.asked[s.node] = asked{s.report, s.state}
	}
	c.box.post(msg)
}

// diagnose says what is wrong. final is whether the cluster failed by it.
func (c *Cluster) diagnose(ctx context.Context, suspects []suspect, final bool) []diagnosis.Finding {
	absent := final && !c.spec.KeepOnFailure
	ctx, cancel := context.WithTimeout(ctx, diagnoseTime)
	defer cancel()
	e := evidenceOf(c.site.spec)
	e.Absent = absent
	e.Nodes = make([]diagnosis.Node, len(suspects))
	var wg sync.WaitGroup
	if slices.ContainsFunc(suspects, func(s suspect) bool { return s.exit != nil || s.startErr != nil }) {
		if image, err := c.eng.Image(ctx, c.site.spec.Image); err == nil {
			e.ImageArch, e.EngineArch = image.Arch, machineArch(c.site.info.Arch)
		}
	}
	inside := c.toLookInto(suspects, final)
	for i, s := range suspects {
		wg.Go(func() { e.Nodes[i] = c.testify(ctx, s, final, inside[s.node]) })
	}
	wg.Wait()
	return cleanFindings(diagnosis.Diagnose(e), c.clean)
}

// machineArch is what Go calls the processor that uname(2) calls so.
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

// toLookInto picks the nodes into whose containers it is worth looking: those that
// run, are not too young, and do not answer, or no longer. Of many, others each time.
func (c *Cluster) toLookInto(suspects []suspect, final bool) map[string]bool {
	inside := map[string]bool{}
	for _, i := range rand.Perm(len(suspects)) {
		s := suspects[i]
		conn, answers := c.links.get(s.node)
		answers = answers && conn.inc == s.inc && s.state != Degraded // such a one may be silent
		if len(inside) < lookMost && s.state.Running() && s.state != Ready && !s.paused && !answers && !c.newborn(s, final) {
			inside[s.node] = true
		}
	}
	return inside
}

// young tells whether a node has begun its boot so lately that what it lacks may be
// on its way.
func (c *Cluster) young(s suspect, final bool) bool {
	return !final && s.state == Starting && time.Since(s.since) < askAfter
}

// newborn tells whether it has begun it so lately that a look tells nothing at all.
func (c *Cluster) newborn(s suspect, final bool) bool {
	return !final && s.state == Starting && time.Since(s.since) < askFirst
}

// evidenceOf is what a spec says.
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

// nodeEvidence is what a spec says of a node.
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

// testify collects what is known of one node; look is whether inside it, too.
// Secrets are taken out first: what is cut later might not be known as one.
func (c *Cluster) testify(ctx context.Context, s suspect, final, look bool) diagnosis.Node {
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
			n.Contact = "" // what it lacks is on its way
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
		if err == nil || !look { // else it is silent, and will be for a while before its link breaks
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

// tellsOf reports whether a line names one of these nodes. What a node logs of one
// that it was cut off from, a refused handshake or what global did, is not what is
// wrong with it.
func (c *Cluster) tellsOf(line string, nodes []string) bool {
	return slices.ContainsFunc(nodes, func(n string) bool { return strings.Contains(line, c.names().Node(n)) })
}

// registeredAt are the nodes that an EPMD knows, and their ports.
func registeredAt(ctx context.Context, addr string) map[string]int {
	names, err := erldist.Names(ctx, addr)
	if err != nil {
		return nil // then it is not known
	}
	ports := map[string]int{}
	for _, n := range names {
		ports[n.Alive] = n.Port
	}
	return ports
}

// registeredIn asks a container's EPMD from inside, where its address is not
// reached from here. One that has no epmd in its path tells nothing.
func (c *Cluster) registeredIn(ctx context.Context, id string) map[string]int {
	result, err := Command(ctx, c.eng, id, []string{"epmd", "-names"})
	if err != nil || result.ExitCode != 0 {
		return nil
	}
	return registeredNames(result.Stdout)
}

// registeredNames reads what epmd -names prints: "name app at port 9100", a line
// each. Source: epmd(1).
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

// linesFrom is from when on a node's lines may tell what is wrong with it: all of a
// run that ended badly or was never Ready, and of one that was, those since shortly
// before it was no more. Nothing that a node says tells why somebody stopped it, or
// why it has only just begun.
func linesFrom(s suspect, young bool) (from time.Time, any bool) {
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

// unwellSlack is how much earlier than its state a node may have said why, by a
// clock that may be the engine's.
const unwellSlack = 10 * time.Second

// cleanDump keeps secrets out of what a dump told.
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

// liveOf is what a sample tells of a VM that answers.
func liveOf(s *health.Sample) *diagnosis.Live {
	if s == nil {
		return nil
	}
	return &diagnosis.Live{Encoding: s.Encoding, Heart: s.Heart, Skew: s.ClockSkew}
}

// remarks are the findings about nodes that answer: what does not keep them from
// being well, and will be in the way one day.
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

// lookInside asks the engine and a shell in the container what there is to see.
// An image without a shell shows less.
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

// cleanFindings keeps secrets out of them: they quote what nodes and engines said.
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
