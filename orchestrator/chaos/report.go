package chaos

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/beamyard/beamyard/orchestrator/internal/english"
)

// Report is what a run did, and how the cluster took it. Times count from the beginning of the run.
type Report struct {
	Seed  uint64 `json:"seed"`
	Steps []Done `json:"steps"`
	// Back is how long the cluster took after the end of the last fault until all nodes were
	// Ready and the checks held. Nil: it did not come back.
	Back *time.Duration `json:"back,omitempty"`
}

// Done is a step that was played.
type Done struct {
	Step   Step          `json:"step"`
	Began  time.Duration `json:"began"`
	Ended  time.Duration `json:"ended,omitempty"`  // 0: the run ended first
	Fault  string        `json:"fault,omitempty"`  // the ID of a fault of the network
	Missed string        `json:"missed,omitempty"` // why it had no effect
	// Recovered is the time until all nodes were Ready again, for a second: after a kill from
	// its beginning, and otherwise from the end of the step. Nil: not before the next step.
	Recovered *time.Duration `json:"recovered,omitempty"`
	// Leader is the time from the beginning of the step until the nodes named one leader again.
	// Nil: they always named one, never did again, or were not asked.
	Leader *time.Duration `json:"leader,omitempty"`
}

// recovered sets when the nodes were Ready again, unless that is known.
func (d *Done) recovered(at time.Duration) {
	if d.Recovered != nil || d.Missed != "" {
		return
	}
	from := d.Ended
	if d.Step.Kind == Kill {
		from = d.Began
	}
	took := max(0, at-from)
	d.Recovered = &took
}

// Phase says what an [Event] is about.
type Phase string

// The phases.
const (
	Begins   Phase = "begins"
	Ends     Phase = "ends"
	Misses   Phase = "missed"
	Recovers Phase = "recovered"
	Lasts    Phase = "last" // all steps are done, and everything is ended
)

// Event is something that happened in a run.
type Event struct {
	At    time.Duration `json:"at"`
	Phase Phase         `json:"phase"`
	Step  Step          `json:"step,omitzero"`
	Text  string        `json:"text,omitempty"` // why it was missed, or after what time it recovered
}

// String describes the event in one line.
func (e Event) String() string {
	text := ""
	switch e.Phase {
	case Begins:
		text = e.Step.String()
	case Ends:
		text = string(e.Step.Kind) + " ends"
	case Misses:
		text = string(e.Step.Kind) + " had no effect: " + e.Text
	case Recovers:
		text = "all nodes are ready again, after " + e.Text
	case Lasts:
		text = "all faults end; waiting for the nodes"
	}
	return fmt.Sprintf("%9s  %s", seconds(e.At), text)
}

// leaders sets the time to the next leader of the steps, by what the nodes named.
func (r *Report) leaders(samples []sample) {
	lost := -1 // the step after which the nodes named no leader, or several
	for _, s := range samples {
		switch {
		case !s.agreed() && lost < 0:
			lost = r.stepAt(s.at)
		case s.agreed() && lost >= 0:
			took := s.at - r.Steps[lost].Began
			r.Steps[lost].Leader, lost = &took, -1
		}
	}
}

// stepAt returns the index of the last step that had begun, or -1.
func (r *Report) stepAt(at time.Duration) int {
	last := -1
	for i, d := range r.Steps {
		if d.Began <= at {
			last = i
		}
	}
	return last
}

// String summarizes the run in a few lines.
func (r Report) String() string {
	var b strings.Builder
	byKind := map[Kind][]Done{}
	missed := 0
	for _, d := range r.Steps {
		if d.Missed != "" {
			missed++
			continue
		}
		byKind[d.Step.Kind] = append(byKind[d.Step.Kind], d)
	}
	fmt.Fprintf(&b, "%s", english.Plural(len(r.Steps)-missed, "fault", "faults"))
	if missed > 0 {
		fmt.Fprintf(&b, ", and %d without effect", missed)
	}
	b.WriteByte('\n')
	for _, k := range Kinds {
		done := byKind[k]
		if len(done) == 0 {
			continue
		}
		fmt.Fprintf(&b, "  %-10s %3d  ", k, len(done))
		if text := times(done, func(d Done) *time.Duration { return d.Recovered }); text != "" {
			b.WriteString("ready again " + text)
		} else {
			b.WriteString("not ready again before the next one")
		}
		if text := times(done, func(d Done) *time.Duration { return d.Leader }); text != "" {
			b.WriteString("; one leader again " + text)
		}
		b.WriteByte('\n')
	}
	if r.Back != nil {
		fmt.Fprintf(&b, "the cluster is as it should be, %s after the last fault\n", seconds(*r.Back))
	}
	return b.String()
}

// times describes times of steps: the median and the longest. It is "" if there are none.
func times(done []Done, of func(Done) *time.Duration) string {
	var all []time.Duration
	for _, d := range done {
		if t := of(d); t != nil {
			all = append(all, *t)
		}
	}
	if len(all) == 0 {
		return ""
	}
	slices.Sort(all)
	text := "after " + seconds(all[0])
	if len(all) > 1 {
		text = fmt.Sprintf("after %s (median), %s at most", seconds(all[len(all)/2]), seconds(all[len(all)-1]))
	}
	if len(all) < len(done) {
		text += fmt.Sprintf(" (%d of them)", len(all))
	}
	return text
}
