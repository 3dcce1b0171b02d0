package cluster

import (
	"context"
	"fmt"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
)

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
	c.journal.Add(orchestrator.JournalEntry{Time: at, Source: orchestrator.FromNode, Node: observer, Peer: peer, Text: text})
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
	c.journal.Add(orchestrator.JournalEntry{Time: time.Now(), Source: orchestrator.FromUser, Node: node, Text: fmt.Sprintf(format, args...)})
}

// Journal implements [orchestrator.Controller]; it never fails.
func (c *Cluster) Journal(context.Context) ([]orchestrator.JournalEntry, error) {
	return c.journal.Entries(), nil
}
