package script

import (
	"strings"
	"time"

	"github.com/beamyard/beamyard/network/fault"
	"github.com/beamyard/beamyard/orchestrator"
)

// Cluster is what a test starts.
type Cluster struct {
	Spec   orchestrator.Spec
	Source string // as in a status: the folder or image that the nodes run
}

// source is what a test is given to start.
func (c Cluster) source() string {
	switch {
	case c.Spec.File != "":
		return c.Spec.File
	case c.Source != "":
		return c.Source
	}
	return c.Spec.Image
}

// verb says what a step does.
type verb int

const (
	note    verb = iota // what no function does
	crash               // SIGKILL
	stop                //
	start               //
	restart             //
	pause               //
	unpause             //
	inject              // a fault
	heal                // a fault that an earlier step injected
)

// step is one thing that was done.
type step struct {
	verb  verb
	after time.Duration // since the step before it
	node  string
	text  string // of a note
	fault fault.Fault
	used  bool // of inject: a later step heals the fault
}

// requests are the texts of the journal's entries about requests; see the supervisor's CommandKind.
var requests = map[string]verb{
	"kill with SIGKILL": crash, "stop": stop, "start": start, "restart": restart, "pause": pause, "unpause": unpause,
}

// steps returns what was done, the oldest first.
func steps(journal []orchestrator.JournalEntry) []step {
	var all []step
	var last time.Time
	at := map[string]int{} // of the steps that injected faults, by the ID
	for _, e := range journal {
		s := step{node: e.Node}
		switch {
		case e.Source == orchestrator.FromUser && e.Node != "":
			known, ok := requests[e.Text]
			s.verb = known
			if !ok {
				s.text = e.Node + ": " + e.Text
			}
		case e.Source == orchestrator.FromFault && e.Fault == nil && !e.Healed:
			s.text = strings.TrimSpace(e.Node + " " + e.Text)
		case e.Source == orchestrator.FromFault && e.Healed:
			injected, ok := at[e.Fault.ID]
			if !ok { // before the first entry that is kept
				continue
			}
			all[injected].used = true
			s.verb, s.fault = heal, *e.Fault
		case e.Source == orchestrator.FromFault:
			at[e.Fault.ID] = len(all)
			s.verb, s.fault = inject, *e.Fault
		default:
			continue
		}
		if !last.IsZero() {
			s.after = rounded(e.Time.Sub(last))
		}
		last = e.Time
		all = append(all, s)
	}
	return all
}

// rounded leaves out times in which nobody waited on purpose.
func rounded(d time.Duration) time.Duration {
	switch {
	case d < 500*time.Millisecond:
		return 0
	case d < 10*time.Second:
		return d.Round(100 * time.Millisecond)
	}
	return d.Round(time.Second)
}

// numbered reports whether the nodes are n1, n2, …, as a number of nodes makes them.
func numbered(spec orchestrator.Spec) bool {
	for i, n := range orchestrator.NodeNames(len(spec.Nodes)) {
		if spec.Nodes[i].Name != n.Name {
			return false
		}
	}
	return true
}

// variables are the names of variables that hold the faults, by their IDs.
func variables(all []step) map[string]string {
	names := map[string]string{}
	for _, s := range all {
		if s.verb == inject && s.used {
			names[s.fault.ID] = "fault" + number(len(names)+1)
		}
	}
	return names
}
