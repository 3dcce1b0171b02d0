package history

import (
	"fmt"
	"testing"

	"github.com/beamyard/beamyard/orchestrator"
)

func TestTheJournalKeepsTheLastEntries(t *testing.T) {
	var j Journal
	if got := j.Entries(); len(got) != 0 {
		t.Fatalf("a new journal has %v", got)
	}
	for i := range keptEntries + 3 {
		j.Add(orchestrator.JournalEntry{Text: fmt.Sprint(i)})
	}
	got := j.Entries()
	if len(got) != keptEntries || got[0].Text != "3" || got[keptEntries-1].Text != fmt.Sprint(keptEntries+2) {
		t.Errorf("%d entries, from %s to %s", len(got), got[0].Text, got[len(got)-1].Text)
	}
	got[0].Text = "changed" // a copy: the journal itself does not change
	if j.Entries()[0].Text != "3" {
		t.Error("a change of the returned entries changes the journal")
	}
}
