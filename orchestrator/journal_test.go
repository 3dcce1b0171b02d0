package orchestrator

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestTheJournalKeepsTheLast(t *testing.T) {
	var j journal
	if got := j.entries(); len(got) != 0 {
		t.Fatalf("a new one has %v", got)
	}
	for i := range keptEntries + 3 {
		j.add(JournalEntry{Text: fmt.Sprint(i)})
	}
	got := j.entries()
	if len(got) != keptEntries || got[0].Text != "3" || got[keptEntries-1].Text != fmt.Sprint(keptEntries+2) {
		t.Errorf("%d entries, from %s to %s", len(got), got[0].Text, got[len(got)-1].Text)
	}
	got[0].Text = "changed" // a copy: not the journal's
	if j.entries()[0].Text != "3" {
		t.Error("who reads can change it")
	}
}

func TestWhatTheJournalSays(t *testing.T) {
	c, err := New(Spec{Name: "demo", Image: "x", Nodes: NodeNames(2), Cookie: "the_cookie"}, nil, Options{})
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 1, 31, 13, 0, 0, 0, time.FixedZone("", 3600))
	c.saw("n1", "app@n2.demo.test", true, "", at)
	c.saw("n1", "app@n2.demo.test", false, "cookie the_cookie", at)
	c.saw("n1", "other@elsewhere", false, "net_tick_timeout", at)
	event := func(action string) ContainerEvent {
		return ContainerEvent{Action: action, Time: at, Labels: map[string]string{LabelNode: "n2"}, ExitCode: 3, Signal: "15"}
	}
	for _, action := range []string{"start", "kill", "die"} {
		c.journal.add(EngineEntry(event(action)))
	}
	got, err := c.Journal(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	utc := at.UTC()
	want := []JournalEntry{
		{utc, FromNode, "n1", "n2", "nodeup n2"},
		{utc, FromNode, "n1", "n2", "nodedown n2 (cookie [secret])"},
		{utc, FromNode, "n1", "other@elsewhere", "nodedown other@elsewhere (net_tick_timeout)"},
		{utc, FromEngine, "n2", "", "start"},
		{utc, FromEngine, "n2", "", "kill (signal 15)"},
		{utc, FromEngine, "n2", "", "die (exit 3)"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
