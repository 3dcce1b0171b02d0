package supervisor

import (
	"fmt"
	"testing"

	"github.com/beamyard/beamyard/orchestrator"
)

// BenchmarkForming is what the supervisor decides and shows while a cluster forms: one turn of
// its loop for each message.
func BenchmarkForming(b *testing.B) {
	for _, nodes := range []int{3, 30, 50} {
		b.Run(fmt.Sprintf("nodes=%d", nodes), func(b *testing.B) {
			turns := 0
			for b.Loop() {
				turns = form(b, nodes)
			}
			b.ReportMetric(float64(turns), "turns/op")
		})
	}
}

// form forms a cluster, and returns the number of turns.
func form(b *testing.B, nodes int) (turns int) {
	s := newScript(b, nodes, func(s *orchestrator.Spec) { s.HTTPCheck = "/health" })
	turn := func(messages ...Message) {
		for _, m := range messages {
			s.skip()
			s.send(m)
			s.sup.Snapshot(s.now)
			s.sup.Wake()
			turns++
		}
	}
	mesh := func(live int) Mesh {
		sees := map[string]Sight{}
		for i, m := range s.sup.nodes[:live] {
			sight := Sight{Inc: m.inc}
			for j, p := range s.sup.nodes[:live] {
				if i != j {
					sight.Peers = append(sight.Peers, p.name)
				}
			}
			sees[m.name] = sight
		}
		return Mesh{sees}
	}
	event := func(m *member, action string) Message {
		return EngineEvent{Event: orchestrator.ContainerEvent{ID: "id-" + m.name, Action: action, Time: s.now, Labels: map[string]string{orchestrator.LabelNode: m.name}}}
	}
	const atOnce = 4
	boots := func(i int) {
		m := s.sup.nodes[i]
		r := m.report()
		turn(Unproven{RunID: r, Reason: "the VM does not listen on its distribution port 9100 yet"}, Live{r}, mesh(i+1), Unproven{RunID: r, Reason: "its application does not run yet"},
			Connected{RunID: r}, mesh(i+1), Serving{RunID: r, Is: orchestrator.ServingOpen}, Unproven{RunID: r}, Proven{r}, mesh(i+1), Seen{RunID: r, Container: &orchestrator.Container{ID: m.id, State: orchestrator.ContainerState{Running: true, PID: 1}}})
	}
	for i, m := range s.sup.nodes {
		turn(event(m, "create"), event(m, "start"), Launched{RunID: m.report(), ID: "id-" + m.name})
		if i >= atOnce {
			boots(i - atOnce)
		}
	}
	for i := max(0, nodes-atOnce); i < nodes; i++ {
		boots(i)
	}
	if _, ready := s.sup.Snapshot(s.now); !ready {
		b.Fatal("not ready")
	}
	return turns
}
