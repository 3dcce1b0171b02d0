package health

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/beamyard/beamyard/network/erldist"
	"github.com/beamyard/beamyard/orchestrator/hint"
)

// This file is about what connected nodes agree on: Mnesia's tables and global's names.

// Mnesia is one node's view of its Mnesia cluster. Source: mnesia(3), system_info/1.
type Mnesia struct {
	Running []string `json:"running"` // BEAM names of the running db nodes, including itself
	Nodes   []string `json:"nodes"`   // BEAM names in its schema
}

// Lock is a lock of OTP's global.
type Lock struct {
	Pid   string    `json:"pid"`   // the process that holds it, as the node prints it: "<0.120.0>"
	Node  string    `json:"node"`  // the node of that process
	Since time.Time `json:"since"` // time of the first sample that showed it
}

// StuckAfter is the longest time that global may hold its lock, or take to synchronize
// with a connected node. Normally it takes milliseconds.
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

// MnesiaApart maps the short name of each node to the nodes whose Mnesia it does not work
// with, although the nodes are connected, Mnesia runs on both, and one schema names both.
// Such nodes each continue with their own tables.
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

// GlobalStuck describes what a node's global has waited for too long, or returns "". Only
// nodes of the cluster count, because other nodes need not run global.
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
			c.Suggestion = hint.Newf("choose whose tables to keep, and restart the other node: %s", hint.Restart.On(j.Cluster, apart[0]))
		}
		checks = append(checks, c)
	}
	if stuck := GlobalStuck(n, j.Nodes); stuck != "" {
		checks = append(checks, Check{
			Name: "global", State: Failed, Means: fmt.Sprintf("global of %s is stuck: %s; no name can be registered", n.Name, stuck),
			Suggestion: hint.Newf("see who holds it: %s", j.eval(n, ":ets.tab2list(:global_locks)")),
		})
	}
	return checks
}
