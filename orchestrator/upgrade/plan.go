package upgrade

import (
	"fmt"
	"strings"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/hint"
	"github.com/beamyard/beamyard/orchestrator/internal/manifest"
)

// This file decides. It asks nothing and waits for nothing.

// plan returns the nodes to replace, in groups of at most batch, those that are not well first.
// Nodes that run what they are to run are left out. The error says why an upgrade cannot begin.
func plan(st orchestrator.Status, now, to map[string]manifest.Build, batch int, back bool) (groups [][]string, err error) {
	var unwell, well []string
	for _, n := range st.Nodes {
		target, concerned := to[n.Name]
		is, has := now[n.Name]
		done := !concerned || has && is.Same(target)
		switch {
		case n.Paused:
			return nil, orchestrator.WithHint(fmt.Errorf("%s is paused: no node was changed", n.Name), "%s", hint.Unpause.On(st.Cluster, n.Name))
		case n.State == orchestrator.Stopped && !back:
			return nil, orchestrator.WithHint(fmt.Errorf("%s is stopped: no node was changed", n.Name), "%s", hint.Start.On(st.Cluster, n.Name))
		case len(n.Cut) > 0 && !back:
			return nil, orchestrator.WithHint(fmt.Errorf("%s is kept apart from %s on purpose: no node was changed", n.Name, strings.Join(n.Cut, ", ")), "%s", hint.Heal.On(st.Cluster))
		case n.State == orchestrator.Ready && !done:
			well = append(well, n.Name)
		case !done:
			unwell = append(unwell, n.Name)
		case n.State != orchestrator.Ready && concerned && !back:
			return nil, orchestrator.WithHint(fmt.Errorf("%s is %s with the image that it is to run (%s): no node was changed", n.Name, n.State, reasonOf(n)),
				"see why: %s\nmake it right and try again: %s\nor go back: %s", hint.Inspect.On(st.Cluster, n.Name), hint.Upgrade.On(st.Cluster), hint.Rollback.On(st.Cluster))
		}
	}
	for _, nodes := range [][]string{unwell, well} {
		for len(nodes) > 0 {
			size := min(batch, len(nodes))
			groups = append(groups, nodes[:size])
			nodes = nodes[size:]
		}
	}
	return groups, nil
}

func reasonOf(n orchestrator.NodeStatus) string {
	if n.Reason == "" {
		return "no answer yet"
	}
	return n.Reason
}

// verdict is what follows from a status while a group becomes ready.
type verdict int

const (
	wait   verdict = iota
	goOn           // the group is Ready, and so are the others
	giveUp         // a node will not become Ready by itself
)

// judge looks at the nodes that must be Ready: those that were so before, and those that were
// replaced. A node that crashed is waited for while it is restarted.
func judge(st orchestrator.Status, must []string) (v verdict, node string) {
	v = goOn
	for _, name := range must {
		n, _ := st.Node(name)
		switch {
		case n.State.Final():
			return giveUp, name
		case n.State != orchestrator.Ready && v == goOn:
			v, node = wait, name
		}
	}
	return v, node
}

// ready returns the names of the nodes that are Ready.
func ready(st orchestrator.Status) []string {
	var names []string
	for _, n := range st.Nodes {
		if n.State == orchestrator.Ready {
			names = append(names, n.Name)
		}
	}
	return names
}
