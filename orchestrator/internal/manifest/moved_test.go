package manifest

import (
	"testing"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
)

func TestTheNewerContainerIsTheNode(t *testing.T) {
	at := func(minute int) time.Time { return time.Date(2026, 1, 1, 12, minute, 0, 0, time.UTC) }
	of := func(id, node, helper string, created time.Time) orchestrator.Container {
		c := orchestrator.Container{ID: id, Created: created, Labels: map[string]string{orchestrator.LabelNode: node}}
		if helper != "" {
			c.Labels[orchestrator.LabelHelper] = helper
		}
		return c
	}
	all := []orchestrator.Container{
		of("old", "n1", "", at(0)), of("n2", "n2", "", at(1)), of("new", "n1", "", at(5)), of("other", "n1", "", at(3)),
		of("helper", "n1", "keeper-n1", at(9)), of("record", "", "fault-f1", at(9)), of("record2", "", "fault-f2", at(8)),
	}
	var got string
	for _, c := range Current(all) {
		got += c.ID + " "
	}
	if want := "n2 new helper record record2 "; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
