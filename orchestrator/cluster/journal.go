package cluster

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
)

// keptEntries bounds a journal: about 1 MB. A mesh of fifty nodes reports 2450 nodeups
// when it forms, and 98 more for each node that restarts.
const keptEntries = 10_000

// journal keeps what was reported to a cluster, in order of arrival. All methods are safe
// for concurrent use.
type journal struct {
	mu   sync.Mutex
	kept []orchestrator.JournalEntry
	next int // the index of the oldest entry, once it is full
}

func (j *journal) add(e orchestrator.JournalEntry) {
	e.Time = e.Time.Round(0).UTC() // a monotonic reading is meaningless to other processes
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.kept) < keptEntries {
		j.kept = append(j.kept, e)
		return
	}
	j.kept[j.next] = e
	j.next = (j.next + 1) % keptEntries
}

func (j *journal) entries() []orchestrator.JournalEntry {
	j.mu.Lock()
	defer j.mu.Unlock()
	return append(append(make([]orchestrator.JournalEntry, 0, len(j.kept)), j.kept[j.next:]...), j.kept[:j.next]...)
}

// saw notes that a node saw a peer connect or disconnect, at a time of this process. The
// peer is given by its BEAM name; the entry keeps that name for a peer of another
// cluster. reason is the kernel's ("connection_closed"), or "" if it gave none.
func (c *Cluster) saw(observer, peer string, up bool, reason string, at time.Time) {
	if n, ok := c.shortName(peer); ok {
		peer = n
	}
	text := "nodeup " + peer
	if !up {
		text = "nodedown " + peer
	}
	if reason != "" {
		text += " (" + c.clean(reason) + ")"
	}
	c.journal.add(orchestrator.JournalEntry{Time: at, Source: orchestrator.FromNode, Node: observer, Peer: peer, Text: text})
}

func (c *Cluster) shortName(full string) (string, bool) {
	for _, n := range c.spec.Nodes {
		if c.names().Node(n.Name) == full {
			return n.Name, true
		}
	}
	return "", false
}

// requested notes a request about a node, or with "" about the cluster.
func (c *Cluster) requested(node, format string, args ...any) {
	c.journal.add(orchestrator.JournalEntry{Time: time.Now(), Source: orchestrator.FromUser, Node: node, Text: fmt.Sprintf(format, args...)})
}

// Journal implements [orchestrator.Controller]; it never fails.
func (c *Cluster) Journal(context.Context) ([]orchestrator.JournalEntry, error) {
	return c.journal.entries(), nil
}

// EngineEntry returns the journal entry of an engine's event.
func EngineEntry(e orchestrator.ContainerEvent) orchestrator.JournalEntry {
	text := e.Action
	switch e.Action {
	case "die":
		text = fmt.Sprintf("die (exit %d)", e.ExitCode)
	case "kill":
		text = fmt.Sprintf("kill (signal %s)", e.Signal)
	}
	return orchestrator.JournalEntry{Time: e.Time, Source: orchestrator.FromEngine, Node: e.Labels[orchestrator.LabelNode], Text: text}
}
