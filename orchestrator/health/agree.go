package health

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/beamyard/beamyard/network/erldist"
)

// This file is about what connected nodes agree on: Mnesia's tables and global's names.

// Mnesia is what one node's Mnesia says of its cluster. Source: mnesia(3), system_info/1.
type Mnesia struct {
	Running []string `json:"running"` // BEAM names of the nodes that it works with, itself included
	Nodes   []string `json:"nodes"`   // that its schema names
}

// Lock is a lock of global's.
type Lock struct {
	Pid   string    `json:"pid"`   // who holds it, as the node prints it: "<0.120.0>"
	Node  string    `json:"node"`  // where that runs
	Since time.Time `json:"since"` // of the first sample that showed it
}

// StuckAfter is how long global may hold its lock, or take to agree with a node that is
// connected: it takes milliseconds where all is well.
const StuckAfter = 10 * time.Second

// agreements reads them.
func (s *Sample) agreements(get func(string) any) {
	if t, ok := get("mnesia").(erldist.Tuple); ok && len(t) == 2 {
		s.Mnesia = &Mnesia{Running: atoms(t[0]), Nodes: atoms(t[1])}
	}
	if t, ok := get("global_lock").(erldist.Tuple); ok && len(t) == 2 {
		node, _ := t[1].(erldist.Atom)
		s.GlobalLock = &Lock{Pid: text(t[0]), Node: string(node), Since: s.Time}
	}
	if _, ok := get("synced").(erldist.List); ok {
		synced := atoms(get("synced"))
		for _, node := range s.Visible {
			if !slices.Contains(synced, node) {
				if s.Unsynced == nil {
					s.Unsynced = map[string]time.Time{}
				}
				s.Unsynced[node] = s.Time
			}
		}
	}
}

// carry takes over since when an earlier sample of the same run showed the same.
func (s *Sample) carry(earlier *Sample) {
	if earlier == nil {
		return
	}
	if now, before := s.GlobalLock, earlier.GlobalLock; now != nil && before != nil && now.Pid == before.Pid && now.Node == before.Node {
		now.Since = before.Since
	}
	for node := range s.Unsynced {
		if since, ok := earlier.Unsynced[node]; ok {
			s.Unsynced[node] = since
		}
	}
}

// MnesiaApart tells for each node, by its short name, with which others its Mnesia does
// not work, though the nodes are connected, Mnesia runs on both, and one schema names
// both: each continues with its own copy of the tables.
func MnesiaApart(nodes []Seen) map[string][]string {
	apart := map[string][]string{}
	for _, n := range nodes {
		if n.Sample == nil || n.Sample.Mnesia == nil {
			continue
		}
		for _, peer := range nodes {
			if peer.Name == n.Name || peer.Sample == nil || peer.Sample.Mnesia == nil || !slices.Contains(n.Sample.Visible, peer.Node) {
				continue
			}
			own, other := n.Sample.Mnesia, peer.Sample.Mnesia
			both := slices.Contains(own.Running, n.Node) && slices.Contains(other.Running, peer.Node)
			meant := slices.Contains(own.Nodes, peer.Node) || slices.Contains(other.Nodes, n.Node)
			if both && meant && !slices.Contains(own.Running, peer.Node) {
				apart[n.Name] = append(apart[n.Name], peer.Name)
			}
		}
	}
	return apart
}

// GlobalStuck says what global of a node waits for longer than it should: "" where it
// does not. Nodes of the cluster alone count: others need not have a global.
func GlobalStuck(n Seen, nodes []Seen) string {
	s := n.Sample
	if s == nil {
		return ""
	}
	if l := s.GlobalLock; l != nil && s.Time.Sub(l.Since) >= StuckAfter {
		return fmt.Sprintf("process %s of %s has held its lock for %s", l.Pid, l.Node, s.Time.Sub(l.Since).Round(time.Second))
	}
	var late []string
	for _, peer := range nodes {
		if since, ok := s.Unsynced[peer.Node]; ok && peer.Sample != nil && s.Time.Sub(since) >= StuckAfter {
			late = append(late, peer.Name)
		}
	}
	if len(late) > 0 {
		return "it is connected to " + strings.Join(late, ", ") + ", and has not agreed on names with it"
	}
	return ""
}

// agree checks what a node shares with those that it is connected to.
func (j *judge) agree(n Seen) []Check {
	var checks []Check
	if n.Sample.Mnesia != nil {
		c := Check{Name: "mnesia", State: Passed, Figures: []Figure{
			{Name: "running", Value: float64(len(n.Sample.Mnesia.Running))}, {Name: "in its schema", Value: float64(len(n.Sample.Mnesia.Nodes))},
		}}
		if apart := j.mnesia[n.Name]; len(apart) > 0 {
			c.State = Failed
			c.Means = fmt.Sprintf("Mnesia of %s does not work with that of %s, though they are connected: each has tables of its own", n.Name, strings.Join(apart, ", "))
			c.Suggestion = "choose whose tables stay, and start the other anew: beamyard restart " + j.Cluster + "/" + apart[0]
		}
		checks = append(checks, c)
	}
	if stuck := GlobalStuck(n, j.Nodes); stuck != "" {
		checks = append(checks, Check{
			Name: "global", State: Failed, Means: fmt.Sprintf("global of %s is stuck: %s; no name can be registered", n.Name, stuck),
			Suggestion: fmt.Sprintf("see who holds it: beamyard rpc %s ':ets.tab2list(:global_locks)'", j.at(n)),
		})
	}
	return checks
}
