package orchestrator

import (
	"context"
	"time"

	"github.com/beamyard/beamyard/network/erldist"
	"github.com/beamyard/beamyard/orchestrator/diagnosis"
)

// This file reports VM settings of a release or an image that the VM ignores because it
// was given ours as well. The node is healthy without them; the note is for their author.

// ignored asks a VM for the flags that it was given twice. It does so once for each
// cluster, because its nodes are alike.
func (p *prover) ignored(ctx context.Context) {
	at := p.c.site.slots[p.r.node]
	if !p.c.site.spec.spareCookie(at.index) || p.c.ignoredTold.Load() {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	var flags []string
	for _, flag := range []string{"setcookie", "name", "sname"} {
		reply, err := p.conn.Call(ctx, "init", "get_argument", erldist.Atom(flag))
		if err == nil && differ(reply) {
			flags = append(flags, "-"+flag)
		}
	}
	if len(flags) == 0 {
		return
	}
	st, _ := p.c.view.Load().Node(p.r.node)
	settings := p.c.settingsIn(ctx, st.ContainerID, at.index)
	if ctx.Err() != nil || p.c.ignoredTold.Swap(true) { // the node is ending, or another one has reported it
		return
	}
	e := evidenceOf(p.c.site.spec)
	n := nodeEvidence(p.c.site.spec, at.index)
	n.Ready, n.Running, n.Twice = true, true, flags
	n.Settings = settings
	e.Nodes = []diagnosis.Node{n}
	for _, f := range cleanFindings(diagnosis.Diagnose(e), p.c.clean) {
		p.c.events.add(Event{Node: p.r.node, Kind: EventFinding, Text: findingText(f), Finding: &f}, time.Now())
	}
}

// differ reports whether init:get_argument/1 returns several different values.
func differ(reply any) bool {
	t, ok := reply.(erldist.Tuple)
	if !ok || len(t) != 2 || t[0] != any(erldist.Atom("ok")) {
		return false
	}
	values, ok := t[1].(erldist.List)
	if !ok {
		return false
	}
	for _, v := range values {
		if !erldist.Equal(v, values[0]) {
			return true
		}
	}
	return false
}
