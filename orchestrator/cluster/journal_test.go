package cluster

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/internal/history"
)

func TestJournalEntries(t *testing.T) {
	c, err := New(orchestrator.Spec{Name: "demo", Image: "x", Nodes: orchestrator.NodeNames(2), Cookie: "the_cookie"}, nil, Options{})
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 1, 31, 13, 0, 0, 0, time.FixedZone("", 3600))
	c.saw("n1", "app@n2.demo.test", true, "", at)
	c.saw("n1", "app@n2.demo.test", false, "cookie the_cookie", at)
	c.saw("n1", "other@elsewhere", false, "net_tick_timeout", at)
	event := func(action string) orchestrator.ContainerEvent {
		return orchestrator.ContainerEvent{Action: action, Time: at, Labels: map[string]string{orchestrator.LabelNode: "n2"}, ExitCode: 3, Signal: "15"}
	}
	for _, action := range []string{"start", "kill", "die"} {
		c.journal.Add(history.EngineEntry(event(action)))
	}
	got, err := c.Journal(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	utc := at.UTC()
	want := []orchestrator.JournalEntry{
		{Time: utc, Source: orchestrator.FromNode, Node: "n1", Peer: "n2", Text: "nodeup n2"},
		{Time: utc, Source: orchestrator.FromNode, Node: "n1", Peer: "n2", Text: "nodedown n2 (cookie [secret])"},
		{Time: utc, Source: orchestrator.FromNode, Node: "n1", Peer: "other@elsewhere", Text: "nodedown other@elsewhere (net_tick_timeout)"},
		{Time: utc, Source: orchestrator.FromEngine, Node: "n2", Peer: "", Text: "start"},
		{Time: utc, Source: orchestrator.FromEngine, Node: "n2", Peer: "", Text: "kill (signal 15)"},
		{Time: utc, Source: orchestrator.FromEngine, Node: "n2", Peer: "", Text: "die (exit 3)"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
