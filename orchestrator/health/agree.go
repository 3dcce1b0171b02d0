package health

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/beamyard/beamyard/network/erldist"
	"github.com/beamyard/beamyard/orchestrator/hint"
)

// This file is about what connected nodes agree on: Mnesia's tables and global's names. What is
// there for a moment while nodes come and go is not a problem: only what a node has shown before is
// judged.

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
	// Taken identifies this time that it was taken: global's own processes take it again
	// and again.
	Taken string `json:"-"`
}

// globalName is a name of global's. The number tells names apart whose texts are cut.
type globalName struct {
	hash int64
	text string // in Erlang
}

const (
	// StuckAfter is the longest time that global may hold its lock, or take to synchronize
	// with a connected node. Normally it takes milliseconds.
	StuckAfter = 10 * time.Second
	// duplicateAfter is the longest time that two nodes which global has synchronized may
	// have a process each for one name: a name that moves is on both for milliseconds.
	duplicateAfter = time.Second
)

// agreements reads them.
func (s *Sample) agreements(get func(string) any) {
	if t, ok := get("mnesia").(erldist.Tuple); ok && len(t) == 2 {
		s.Mnesia = &Mnesia{Running: atoms(t[0]), Nodes: atoms(t[1])}
	}
	if t, ok := get("global_lock").(erldist.Tuple); ok && len(t) == 3 {
		node, _ := t[1].(erldist.Atom)
		s.GlobalLock = &Lock{Pid: text(t[0]), Node: string(node), Since: s.Time, Taken: text(t[2])}
	}
	if _, s.Syncs = get("synced").(erldist.List); s.Syncs {
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
	names, _ := get("names").(erldist.List)
	for _, e := range names {
		if t, ok := e.(erldist.Tuple); ok && len(t) == 2 {
			if s.names == nil {
				s.names = map[globalName]time.Time{}
			}
			s.names[globalName{number(t[0]), text(t[1])}] = s.Time
		}
	}
}

// carry takes over since when an earlier sample of the same run showed the same.
func (s *Sample) carry(earlier *Sample) {
	if earlier == nil {
		return
	}
	if now, before := s.GlobalLock, earlier.GlobalLock; now != nil && before != nil && now.Pid == before.Pid && now.Node == before.Node && now.Taken == before.Taken {
		now.Since = before.Since
	}
	for node := range s.Unsynced {
		if since, ok := earlier.Unsynced[node]; ok {
			s.Unsynced[node] = since
		}
	}
	for name := range s.names {
		if since, ok := earlier.names[name]; ok {
			s.names[name] = since
		}
	}
}

// MnesiaApart maps the short name of each node to the nodes whose Mnesia it does not work
// with, although the nodes are connected, Mnesia runs on both, and one schema names both.
// Such nodes each continue with their own tables.
func MnesiaApart(nodes []Seen) map[string][]string {
	apart := map[string][]string{}
	for _, n := range nodes {
		for _, peer := range nodes {
			if oneSchema(n, peer) && slices.Contains(n.Sample.Visible, peer.Node) && !slices.Contains(n.Sample.Mnesia.Running, peer.Node) {
				apart[n.Name] = append(apart[n.Name], peer.Name)
			}
		}
	}
	return apart
}

// oneSchema reports whether Mnesia runs on two nodes, and a schema names both.
func oneSchema(n, peer Seen) bool {
	if n.Name == peer.Name || n.Sample == nil || peer.Sample == nil || n.Sample.Mnesia == nil || peer.Sample.Mnesia == nil {
		return false
	}
	own, other := n.Sample.Mnesia, peer.Sample.Mnesia
	return slices.Contains(own.Running, n.Node) && slices.Contains(other.Running, peer.Node) &&
		(slices.Contains(own.Nodes, peer.Node) || slices.Contains(other.Nodes, n.Node))
}

// MnesiaKept says of each node in [MnesiaApart] how its Mnesia becomes one again: the nodes of
// kept go on, and those of restarted, which are all others of their schema, are restarted and
// then load the tables of the first. Kept is the largest group that works together, of equal
// ones the first. Mnesia itself never merges such groups.
func MnesiaKept(nodes []Seen) (kept, restarted map[string][]string) {
	kept, restarted = map[string][]string{}, map[string][]string{}
	names := slices.Sorted(maps.Keys(MnesiaApart(nodes)))
	for _, name := range names {
		at := slices.IndexFunc(nodes, func(n Seen) bool { return n.Name == name })
		schema := []Seen{nodes[at]}
		for i := 0; i < len(schema); i++ { // the schema of one node may lack some that another's has
			for _, n := range nodes {
				if oneSchema(schema[i], n) && !slices.ContainsFunc(schema, func(s Seen) bool { return s.Name == n.Name }) {
					schema = append(schema, n)
				}
			}
		}
		slices.SortFunc(schema, func(a, b Seen) int { return strings.Compare(a.Name, b.Name) })
		var largest []string
		for _, n := range schema {
			group := []string{}
			for _, peer := range schema {
				if slices.Contains(n.Sample.Mnesia.Running, peer.Node) {
					group = append(group, peer.Name)
				}
			}
			if len(group) > len(largest) {
				largest = group
			}
		}
		kept[name] = largest
		for _, n := range schema {
			if !slices.Contains(largest, n.Name) {
				restarted[name] = append(restarted[name], n.Name)
			}
		}
	}
	return kept, restarted
}

// GlobalStuck describes what a node's global has waited for too long, or returns "". Only
// nodes of the cluster whose global synchronizes names count, because others need not run it.
func GlobalStuck(n Seen, nodes []Seen) string {
	s := n.Sample
	if s == nil {
		return ""
	}
	if l := s.GlobalLock; l != nil && s.Time.Sub(l.Since) >= StuckAfter {
		gone := ""
		if l.Node != n.Node && !slices.Contains(s.Visible, l.Node) && !slices.Contains(s.Hidden, l.Node) {
			gone = ", which is not connected,"
		}
		return fmt.Sprintf("process %s of %s%s has held its lock for %s", l.Pid, l.Node, gone, s.Time.Sub(l.Since).Round(time.Second))
	}
	var late []string
	for _, peer := range nodes {
		if since, ok := s.Unsynced[peer.Node]; ok && peer.Sample != nil && peer.Sample.Syncs && s.Time.Sub(since) >= StuckAfter {
			late = append(late, peer.Name)
		}
	}
	if len(late) > 0 {
		return "it is connected to " + strings.Join(late, ", ") + ", and has not agreed on names with it"
	}
	return ""
}

// Duplicate is a name of global's that several nodes have for a process of their own.
type Duplicate struct {
	Name  string   // as Erlang writes it, at most 100 characters
	Nodes []string // short names
}

// DuplicateNames returns the names that nodes have for a process of their own each, although they
// are connected and global has synchronized them. Of each node, 500 names are compared. It is
// judged from a node's second sample on: see [Ask].Since.
func DuplicateNames(nodes []Seen) []Duplicate {
	owners := map[globalName][]Seen{}
	for _, n := range nodes {
		if n.Sample == nil || !n.Sample.Syncs {
			continue
		}
		for name, since := range n.Sample.names {
			if n.Sample.Time.Sub(since) >= duplicateAfter {
				owners[name] = append(owners[name], n)
			}
		}
	}
	var all []Duplicate
	for name, seen := range owners {
		d := Duplicate{Name: name.text}
		for _, n := range seen {
			if slices.ContainsFunc(seen, func(peer Seen) bool { return synchronized(n, peer) }) {
				d.Nodes = append(d.Nodes, n.Name)
			}
		}
		if len(d.Nodes) > 0 {
			all = append(all, d)
		}
	}
	slices.SortFunc(all, func(a, b Duplicate) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// synchronized reports whether two nodes see each other, and global has synchronized them.
func synchronized(a, b Seen) bool {
	sees := func(n, peer Seen) bool {
		_, waits := n.Sample.Unsynced[peer.Node]
		return slices.Contains(n.Sample.Visible, peer.Node) && !waits
	}
	return a.Name != b.Name && sees(a, b) && sees(b, a)
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
			c.Suggestion = hint.Newf("Mnesia does not merge by itself: keep the tables of %s, and restart the others, which then load them: %s", strings.Join(j.kept[n.Name], ", "), hint.Restart.On(j.Cluster, j.restarted[n.Name]...))
		}
		checks = append(checks, c)
	}
	if stuck := GlobalStuck(n, j.Nodes); stuck != "" {
		checks = append(checks, Check{
			Name: "global", State: Failed, Means: fmt.Sprintf("global of %s is stuck: %s; no name can be registered", n.Name, stuck),
			Suggestion: hint.Newf("see who holds it: %s", j.eval(n, ":ets.tab2list(:global_locks)")),
		})
	}
	for _, d := range j.duplicates {
		if slices.Contains(d.Nodes, n.Name) {
			checks = append(checks, Check{
				Name: "names", State: Failed, Figures: []Figure{{Name: "processes with the name", Value: float64(len(d.Nodes)), Limit: 2}},
				Means:      fmt.Sprintf("global has a process for the name %s on each of %s: a lookup returns one or the other", d.Name, strings.Join(d.Nodes, ", ")),
				Suggestion: hint.Newf("choose whose process to keep, and restart the other node: %s", hint.Restart.On(j.Cluster, d.Nodes[len(d.Nodes)-1])),
			})
		}
	}
	return checks
}
