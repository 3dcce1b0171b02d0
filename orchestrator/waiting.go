package orchestrator

import (
	"github.com/beamyard/beamyard/orchestrator/diagnosis"
)

// This file is about nodes that wait by crashing, as services under Compose do:
// until their database answers, or the node that they join.

// waited is what a run ended for want of, "" where time brings nothing.
func (c *Cluster) waited(r report) string {
	var lines []diagnosis.Line
	for _, l := range c.outputs[r.node].out.Tail(diagnoseLines) {
		if l.Run == r.inc && l.Stream != StreamSystem {
			lines = append(lines, diagnosis.Line{Stream: string(l.Stream), Text: c.clean(l.Text)})
		}
	}
	wait, ok := diagnosis.WaitsFor(lines, c.spec.names().Node(r.node))
	if !ok {
		return ""
	}
	return wait.String()
}
