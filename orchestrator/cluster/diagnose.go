package cluster

import (
	"context"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/beamyard/beamyard/network"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/diagnosis"
	"github.com/beamyard/beamyard/orchestrator/health"
	"github.com/beamyard/beamyard/orchestrator/internal/erlterm"
	"github.com/beamyard/beamyard/orchestrator/internal/manifest"
	"github.com/beamyard/beamyard/orchestrator/internal/reach"
	"github.com/beamyard/beamyard/orchestrator/internal/supervisor"
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
func (c *Cluster) answerWhy(ctx context.Context, snapshots []supervisor.NodeSnapshot) {
	msg := supervisor.Diagnosed{Asked: map[string]supervisor.Asked{}, Found: c.diagnose(ctx, snapshots, false)}
	for _, s := range snapshots {
		msg.Asked[s.Node] = supervisor.Asked{RunID: s.RunID, State: s.State}
	}
	c.box.post(msg)
}

// diagnose returns what is wrong. final says that the cluster failed because of it.
func (c *Cluster) diagnose(ctx context.Context, snapshots []supervisor.NodeSnapshot, final bool) []orchestrator.Finding {
	absent := final && !c.spec.KeepOnFailure
	ctx, cancel := context.WithTimeout(ctx, diagnoseTime)
	defer cancel()
	e := diagnosis.Evidence{Spec: c.current(), Absent: absent, Faults: manifest.Faults(c.view.Load().Faults)}
	e.Nodes = make([]diagnosis.Node, len(snapshots))
	var wg sync.WaitGroup
	if slices.ContainsFunc(snapshots, func(s supervisor.NodeSnapshot) bool { return s.Exit != nil || s.StartErr != nil }) {
		if image, err := c.eng.Image(ctx, c.current().Image); err == nil {
			e.ImageArch, e.EngineArch = image.Arch, manifest.GoArch(c.site.info.Arch)
		}
	}
	inside := c.nodesToInspect(snapshots, final)
	for i, s := range snapshots {
		wg.Go(func() { e.Nodes[i] = c.collectEvidence(ctx, s, final, inside[s.Node]) })
	}
	wg.Wait()
	return manifest.CleanFindings(diagnosis.Diagnose(e), c.clean)
}

// nodesToInspect picks the nodes whose containers are worth inspecting: those that are
// running, are not too young, and do not answer, or no longer do. If there are many, it
// picks different ones each time.
func (c *Cluster) nodesToInspect(snapshots []supervisor.NodeSnapshot, final bool) map[string]bool {
	inside := map[string]bool{}
	for _, i := range rand.Perm(len(snapshots)) {
		s := snapshots[i]
		conn, answers := c.links.Get(s.Node)
		answers = answers && conn.Inc == s.Inc && s.State != orchestrator.Degraded // a Degraded node may be silent
		if len(inside) < lookMost && s.State.Running() && s.State != orchestrator.Ready && !s.Paused && !answers && !c.newborn(s, final) {
			inside[s.Node] = true
		}
	}
	return inside
}

// young reports whether a node began to boot so recently that whatever it lacks may still
// appear.
func (c *Cluster) young(s supervisor.NodeSnapshot, final bool) bool {
	return !final && s.State == orchestrator.Starting && time.Since(s.Since) < supervisor.AskAfter
}

// newborn reports whether a node began to boot so recently that an inspection shows
// nothing.
func (c *Cluster) newborn(s supervisor.NodeSnapshot, final bool) bool {
	return !final && s.State == orchestrator.Starting && time.Since(s.Since) < supervisor.AskFirst
}

// collectEvidence collects the evidence about one node; look includes its container. It removes
// secrets first: once a text is shortened, a secret in it may no longer be recognised.
func (c *Cluster) collectEvidence(ctx context.Context, s supervisor.NodeSnapshot, final, look bool) diagnosis.Node {
	young := c.young(s, final)
	at := c.site.slots[s.Node]
	n := manifest.NodeEvidence(c.current(), at.index)
	n.IP, n.State, n.Paused = at.IP.String(), s.State, s.Paused
	n.Reason, n.Dump, n.DumpPath, n.Peers, n.Missing = c.clean(s.Reason), c.cleanDump(s.Dump), manifest.DumpPath(c.spec, s.Node), s.Peers, s.Missing
	n.WasReady = s.WasReady
	n.Young = young
	n.Late = final || n.WasReady || time.Since(s.Since) > c.spec.ReadyTimeout
	if s.Exit != nil && s.Exit.Class != orchestrator.ExitStartError && s.Exit.Class != orchestrator.ExitRemoved {
		n.Exit = s.Exit
	}
	if s.StartErr != nil && !n.State.Running() {
		n.StartError, n.Kind, n.Hint = c.clean(s.StartErr.Error()), manifest.KindOf(s.StartErr), orchestrator.HintOf(s.StartErr).Map(c.clean)
	}
	if from, any := linesFrom(s, young); any {
		n.Lines = c.linesOf(s.RunID, from, s.Apart)
	}
	if s.ID != "" && !n.WasReady && (look || n.Exit != nil && n.Exit.Code != 0) {
		n.Settings = c.inside.Settings(ctx, c.current(), s.ID, at.index)
	}
	if !n.State.Running() || s.Paused {
		return n
	}
	n.Contact, n.Answered = c.links.LastContact(s.RunID)
	n.Knew, n.CookieChanged = c.links.Cookie(s.RunID)
	if young {
		n.Missing = nil
		if look {
			n.Entrypoint = c.inside.Entrypoint(ctx, c.current(), at.index)
			n.Live = c.lookInside(ctx, s.ID)
		} else if n.Contact == diagnosis.ContactRefused {
			n.Contact = "" // whatever it lacks may still appear
		}
		if n.Contact == diagnosis.ContactSilent || n.Contact == diagnosis.ContactOther {
			n.Contact = ""
		}
		return n
	}
	if conn, ok := c.links.Get(s.Node); ok && conn.Inc == s.Inc {
		limited, cancel := context.WithTimeout(ctx, glanceTime)
		sample, err := health.Glance(limited, conn)
		cancel()
		if err == nil || !look { // else it is silent, and stays so for a while before its link breaks
			app := c.current().Node(s.Node).App
			n.AppDown = err == nil && app != "" && app != "-" && !slices.Contains(sample.Apps, app)
			n.Live = manifest.Live(conn.Last)
			return n
		}
	}
	if look {
		n.Entrypoint = c.inside.Entrypoint(ctx, c.current(), at.index)
		n.Live = c.lookInside(ctx, s.ID)
		if n.Live != nil && slices.Contains(n.Live.Listening, reach.EPMDPort) {
			if c.site.direct {
				n.Live.Registered = reach.Registered(ctx, network.HostPort(at.IP.String(), reach.EPMDPort))
			} else {
				n.Live.Registered = c.inside.Registered(ctx, s.ID)
			}
		}
	}
	return n
}

// linesOf returns the last lines that a run printed from a time on, without secrets and without
// those that name one of the nodes apart.
func (c *Cluster) linesOf(r supervisor.RunID, from time.Time, apart []string) []orchestrator.Line {
	var lines []orchestrator.Line
	for _, l := range c.outputs[r.Node].Out.Tail(diagnoseLines) {
		if l.Run == r.Inc && l.Stream != orchestrator.StreamSystem && !l.Time.Before(from) && !c.tellsOf(l.Text, apart) {
			l.Text = c.clean(erlterm.Readable(l.Text)) // a secret that is printed as bytes would not be recognised
			lines = append(lines, l)
		}
	}
	return lines
}

// tellsOf reports whether a line names one of these nodes. Log lines about a deliberately
// disconnected peer, such as a refused handshake or global's actions, are not the cause
// of a problem.
func (c *Cluster) tellsOf(line string, nodes []string) bool {
	return slices.ContainsFunc(nodes, func(n string) bool { return strings.Contains(line, c.names().Node(n)) })
}

// linesFrom returns the time from which a node's lines may explain its problem. For a run
// that failed or was never Ready, these are all its lines; for a run that was Ready,
// those since shortly before it degraded. No line explains a requested stop, or a boot
// that has only just begun.
func linesFrom(s supervisor.NodeSnapshot, young bool) (from time.Time, any bool) {
	switch s.State {
	case orchestrator.BackingOff, orchestrator.Failed, orchestrator.Completed:
		return time.Time{}, true
	case orchestrator.Starting:
		return time.Time{}, !young
	case orchestrator.Degraded:
		return s.Unwell.Add(-unwellSlack), true
	case orchestrator.Pending, orchestrator.Creating, orchestrator.Running, orchestrator.Ready, orchestrator.Unreachable, orchestrator.Stopping, orchestrator.Stopped:
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
	c.inside.LookAround(ctx, id, live)
	return live
}
