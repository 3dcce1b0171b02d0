package history

import (
	"fmt"
	"sync"

	"github.com/beamyard/beamyard/orchestrator"
)

// keptEntries bounds a journal: about 1 MB. A mesh of fifty nodes reports 2450 nodeups
// when it forms, and 98 more for each node that restarts.
const keptEntries = 10_000

// Journal keeps what was reported to a cluster, in order of arrival. All methods are safe
// for concurrent use.
type Journal struct {
	mu   sync.Mutex
	kept []orchestrator.JournalEntry
	next int // the index of the oldest entry, once it is full
}

// Add keeps an entry.
func (j *Journal) Add(e orchestrator.JournalEntry) {
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

// Entries returns the kept entries, the oldest first.
func (j *Journal) Entries() []orchestrator.JournalEntry {
	j.mu.Lock()
	defer j.mu.Unlock()
	return append(append(make([]orchestrator.JournalEntry, 0, len(j.kept)), j.kept[j.next:]...), j.kept[:j.next]...)
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
