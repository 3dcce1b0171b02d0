package orchestrator

import (
	"github.com/beamyard/beamyard/orchestrator/diagnosis"
)

// This file handles nodes that wait by crashing, as services under Compose do: until
// their database answers, or the node that they join.

// waited returns what a run lacked when it ended, or "" if time does not fix it.
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
