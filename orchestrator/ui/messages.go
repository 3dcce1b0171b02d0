package ui

import (
	"time"

	"github.com/beamyard/beamyard/orchestrator"
)

// The kinds of messages. Those without a type here have one of package orchestrator: status is a
// Status, health a HealthReport, happened an Event, journal a JournalEntry, lines a list of Line.
const (
	kindHello    = "hello"    // the first message of each connection
	kindStatus   = "status"   // when it changed, at most four a second
	kindHealth   = "health"   // every five seconds, and after changes
	kindPairs    = "pairs"    // when it changed
	kindHappened = "happened" // each event
	kindJournal  = "journal"  // each entry of the sources node, user and fault
	kindSample   = "sample"   // of each node, with each health report
	kindLines    = "lines"    // what nodes printed, every 100 ms
	kindGone     = "gone"     // the cluster cannot be reached; status ends it
	kindLive     = "live"     // the end of a snapshot
)

// hello describes the connection.
type hello struct {
	Cluster    string    `json:"cluster"`
	ReadOnly   bool      `json:"read_only"`
	Supervised bool      `json:"supervised"`
	Resumed    bool      `json:"resumed"` // no snapshot follows: the messages go on after the last one
	Boot       string    `json:"boot"`
	Now        time.Time `json:"now"`       // by the server's clock, which the times in messages have
	TakeOver   string    `json:"take_over"` // the command that gives it a supervisor; "" if it has one, or this server cannot
}

// gone says why nothing is known of the cluster any more.
type gone struct {
	Why string `json:"why"`
}

// sample has the figures of a node that are drawn over time.
type sample struct {
	Node        string    `json:"node"`
	Time        time.Time `json:"time"`
	Memory      int64     `json:"memory"`       // bytes: of its container, or of the VM if the container's are not known
	MemoryLimit int64     `json:"memory_limit"` // bytes; 0: none
	RunQueue    int       `json:"run_queue"`
	Processes   int64     `json:"processes"`
	Atoms       int64     `json:"atoms"`
	AtomsLimit  int64     `json:"atoms_limit"`
}

// samplesOf returns the figures of each node that answered.
func samplesOf(r orchestrator.HealthReport) []sample {
	var all []sample
	for _, n := range r.Nodes {
		s := n.Sample
		if s == nil || s.Partial {
			continue
		}
		memory := s.Memory["total"]
		if s.Container.Known {
			memory = s.Container.Used
		}
		all = append(all, sample{n.Name, s.Time, memory, s.Container.Limit, s.RunQueue, s.Processes.Used, s.Atoms.Used, s.Atoms.Limit})
	}
	return all
}

// summary is one cluster of the overview.
type summary struct {
	Cluster    string             `json:"cluster"`
	State      orchestrator.State `json:"state"` // of the node that is worst off
	Ready      bool               `json:"ready"`
	Supervised bool               `json:"supervised"`
	Nodes      int                `json:"nodes"`
	Running    int                `json:"running"`
	Finding    string             `json:"finding"` // the first root cause, in one line; "" if nothing is known to be wrong
	Faults     int                `json:"faults"`
}

// worst are the states from the worst to the best.
var worst = []orchestrator.State{
	orchestrator.Failed, orchestrator.BackingOff, orchestrator.Unreachable, orchestrator.Degraded, orchestrator.Stopping, orchestrator.Stopped,
	orchestrator.Completed, orchestrator.Starting, orchestrator.Creating, orchestrator.Pending, orchestrator.Running, orchestrator.Ready,
}

func summaryOf(st orchestrator.Status) summary {
	s := summary{Cluster: st.Cluster, Ready: st.Ready, Supervised: st.Supervised, Nodes: len(st.Nodes), Faults: len(st.Faults)}
	at := len(worst)
	var findings []orchestrator.Finding
	for _, n := range st.Nodes {
		if n.State.Running() {
			s.Running++
		}
		for i, state := range worst[:at] {
			if state == n.State {
				at, s.State = i, state
			}
		}
		findings = append(findings, n.Findings...)
	}
	if roots := orchestrator.RootCauses(findings); len(roots) > 0 {
		s.Finding = roots[0].String()
	}
	return s
}
