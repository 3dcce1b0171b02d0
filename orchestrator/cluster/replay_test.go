package cluster_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/internal/history"
)

// engineEvents returns the events of the cluster that the engine keeps, in its order.
func (w *world) engineEvents() (all []string) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	_ = w.eng.Events(ctx, time.Unix(0, 0), map[string]string{orchestrator.LabelCluster: "shop"}, func() {}, func(e orchestrator.ContainerEvent) {
		entry := history.EngineEntry(e)
		all = append(all, fmt.Sprintf("%s %s %d", entry.Node, entry.Text, e.Time.UnixNano()))
	}) // ends with the timeout
	return all
}

// journalEvents returns the events that reached the cluster, in their order.
func (w *world) journalEvents() (all []string) {
	w.t.Helper()
	entries, err := w.Journal(context.Background())
	if err != nil {
		w.t.Fatal(err)
	}
	for _, e := range entries {
		if e.Source == orchestrator.FromEngine {
			all = append(all, fmt.Sprintf("%s %s %d", e.Node, e.Text, e.Time.UnixNano()))
		}
	}
	return all
}

// An engine keeps events in another order than that of their times, and begins a replay
// after the last event that is older than requested. Each event during a break of the
// stream, and just before it, arrives once.
func TestAReplayDeliversEachEventOnce(t *testing.T) {
	for _, disorder := range []time.Duration{0, time.Millisecond, 50 * time.Millisecond, 900 * time.Millisecond} {
		t.Run(disorder.String(), func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				w.eng.Disorder = disorder
				w.up(func(s *orchestrator.Spec) { s.Restart.Mode = orchestrator.RestartNo })
				n1, n2, n3 := w.container("n1"), w.container("n2"), w.container("n3")
				for range 5 {
					w.eng.Pause(n1)
					w.eng.Pause(n2)
					w.until("the stream is read to its end", func() bool { return len(w.journalEvents()) == len(w.engineEvents()) })
					w.eng.FailNext("Events", orchestrator.ErrEngineUnreachable)
					w.eng.BreakStreams()
					w.eng.Pause(n3) // its time is before that of the last event that arrived
					w.eng.Unpause(n1)
					w.eng.Unpause(n2)
					w.eng.Unpause(n3)
					time.Sleep(time.Minute)
				}
				w.eng.BreakStreams()
				w.eng.ExternalStop(n3)
				w.untilState("n3", orchestrator.Stopped)
				if n := w.node("n3"); n.LastExit.Class != orchestrator.ExitStoppedOutside {
					t.Errorf("n3 %+v", n.LastExit)
				}
				if diff := cmp.Diff(w.engineEvents(), w.journalEvents()); diff != "" {
					t.Errorf("(-events of the engine +events that arrived):\n%s", diff)
				}
				w.end()
			})
		})
	}
}

// A cluster gets no events of a former cluster of the same name.
func TestAReplayHasNoEventsOfAFormerCluster(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.up(nil)
		w.end()
		time.Sleep(100 * time.Millisecond)
		before := len(w.engineEvents())
		w.up(nil)
		if diff := cmp.Diff(w.engineEvents()[before:], w.journalEvents()); diff != "" {
			t.Errorf("(-events of the engine +events that arrived):\n%s", diff)
		}
		w.end()
	})
}
