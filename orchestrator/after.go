package orchestrator

import (
	"fmt"
	"slices"
	"strings"
)

// This file is about nodes that start after others: [NodeSpec].After. It is the order
// of a cluster's beginning, as Compose's depends_on with service_healthy is: a node that
// was started once is restarted without regard to the others, and so is one that
// somebody starts by hand, who may want it just so while the others are down.

// hold has the nodes wait that are to start after others, and launches the rest.
func (s *supervisor) hold() {
	for _, m := range s.nodes {
		if m.state == Pending {
			m.held = true
		}
	}
	s.release()
}

// release launches the held nodes whose time has come. Where one that a node waits for
// failed for good, or ended, the node fails with that reason.
func (s *supervisor) release() {
	for again := true; again; { // a failure passes along a chain
		again = false
		for _, m := range s.nodes {
			if !m.held || m.state != Pending || m.busy != idle || s.closing() {
				continue
			}
			waits, lost := s.awaited(m)
			switch {
			case lost != nil:
				m.held, again = false, true
				s.setState(m, Failed, fmt.Sprintf("not started: it starts after %s, which %s", lost.name, past(lost.state)), "")
			case len(waits) == 0:
				m.held = false
				s.launch(m)
			default:
				reason := "waits for " + strings.Join(waits, ", ")
				if m.reason == "" {
					s.emit(EventNote, m.name, "%s %s", m.name, reason)
				}
				m.reason = reason
			}
		}
	}
}

// awaited are the nodes that a held one waits for, with their states, and the first
// that will not come.
func (s *supervisor) awaited(m *member) (waits []string, lost *member) {
	for _, name := range s.spec.after(m.index) {
		p := s.byName[name]
		switch {
		case p == nil, p.state == Ready, p.cutOff:
		case p.state == Failed, p.state == Completed:
			return nil, p
		default:
			waits = append(waits, fmt.Sprintf("%s (%s)", name, p.state))
		}
	}
	return waits, nil
}

func past(state State) string {
	if state == Completed {
		return "ended"
	}
	return "failed"
}

// after are the nodes that node i starts after: a role in its After is all its nodes.
func (s Spec) after(i int) []string {
	var nodes []string
	for _, name := range s.Nodes[i].After {
		nodes = append(nodes, s.named(name)...)
	}
	return nodes
}

// after checks that every node that another waits for is there, and that none waits
// for itself in the end.
func (v *validation) after(s Spec) {
	at := map[string]int{}
	for i, n := range s.Nodes {
		at[n.Name] = i
	}
	for i, n := range s.Nodes {
		field := fmt.Sprintf("nodes[%d].after", i)
		for _, name := range n.After {
			if len(s.named(name)) == 0 {
				v.add(field, fmt.Sprintf("%q is none of the nodes", name), s.choice(name, "name nodes or roles: "))
			}
		}
		for j, name := range s.after(i) {
			if slices.Contains(s.after(i)[:j], name) {
				v.add(field, fmt.Sprintf("%q is there twice", name), "name each node once; a role names all of its nodes")
			}
		}
		if round := circle(s, at, []string{n.Name}); round != nil && n.Name == slices.Min(round) {
			v.add(field, strings.Join(round, " waits for ")+": none of them would start", "leave one of them out of after:")
		}
	}
}

// circle follows who waits for whom from the last of a path, back to its first.
func circle(s Spec, at map[string]int, path []string) []string {
	i, there := at[path[len(path)-1]]
	if !there {
		return nil
	}
	for _, next := range s.after(i) {
		if next == path[0] {
			return append(slices.Clone(path), next)
		}
		if slices.Contains(path, next) {
			continue // a circle that does not go through the first
		}
		if round := circle(s, at, append(slices.Clone(path), next)); round != nil {
			return round
		}
	}
	return nil
}
