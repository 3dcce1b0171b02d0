package evidence

import (
	"testing"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/google/go-cmp/cmp"
)

// An engine keeps 256 events of all containers. The containers show what it has
// forgotten, and nothing is listed twice.
func TestWhatTheEngineForgot(t *testing.T) {
	noon := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	entry := func(at time.Time, node, text string) orchestrator.JournalEntry {
		return orchestrator.JournalEntry{Time: at, Source: orchestrator.FromEngine, Node: node, Text: text}
	}
	told := []orchestrator.JournalEntry{entry(noon.Add(20*time.Millisecond), "n1", "start")}
	nodes := []orchestrator.NodeStatus{
		{Name: "n1", StartedAt: noon},
		{Name: "n2", StartedAt: noon, LastExit: &orchestrator.Exit{Code: 1, At: noon.Add(time.Minute)}},
		{Name: "n3"},
	}
	want := []orchestrator.JournalEntry{entry(noon, "n2", "start"), entry(noon.Add(time.Minute), "n2", "die (exit 1)")}
	if diff := cmp.Diff(want, forgotten(told, nodes)); diff != "" {
		t.Error(diff)
	}
}
