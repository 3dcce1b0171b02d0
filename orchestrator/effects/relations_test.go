package effects_test

import (
	"strings"
	"testing"
	"time"

	"github.com/beamyard/beamyard/network/fault"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/effects"
	"github.com/beamyard/beamyard/orchestrator/health"
	"github.com/google/go-cmp/cmp"
)

// ready returns a node that sees these peers, written "n2 n3".
func ready(name, peers string) orchestrator.NodeStatus {
	return orchestrator.NodeStatus{Name: name, State: orchestrator.Ready, Peers: strings.Fields(peers)}
}

// rows writes relations as a table.
func rows(r effects.Relations) string {
	var b strings.Builder
	for i, row := range r.Rows {
		b.WriteString(r.Nodes[i] + ":")
		for _, relation := range row {
			if relation == "" {
				relation = "."
			}
			b.WriteString(" " + string(relation))
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func TestRelate(t *testing.T) {
	now := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	with := func(n orchestrator.NodeStatus, change func(*orchestrator.NodeStatus)) orchestrator.NodeStatus {
		change(&n)
		return n
	}
	partition := fault.Fault{ID: "f1", Kind: fault.KindPartition, Groups: [][]string{{"n1"}}}
	oneWay := fault.Fault{ID: "f2", Kind: fault.KindCut, Pairs: []fault.Pair{{From: "n1", To: "n2"}}}
	allows := health.Report{Nodes: []health.NodeReport{{Name: "n3", Sample: &health.Sample{}}}}
	for name, tc := range map[string]struct {
		nodes        []orchestrator.NodeStatus
		faults       []fault.Fault
		report       health.Report
		unsupervised bool
		want         string
	}{
		"full": {
			nodes: []orchestrator.NodeStatus{ready("n1", "n2"), ready("n2", "n1")},
			want:  "n1: . connected\nn2: connected .\n",
		},
		"missing": {
			nodes: []orchestrator.NodeStatus{ready("n1", ""), ready("n2", "")},
			want:  "n1: . missing\nn2: missing .\n",
		},
		"one-sided": {
			nodes: []orchestrator.NodeStatus{ready("n1", "n2"), ready("n2", "")},
			want:  "n1: . one-sided\nn2: one-sided-by .\n",
		},
		"hidden": {
			nodes:  []orchestrator.NodeStatus{ready("n1", ""), ready("n2", "n1")},
			report: health.Report{Matrix: health.Matrix{Nodes: []string{"n1", "n2"}, Rows: [][]health.Sight{{"", health.SeesHidden}, {health.SeesVisible, ""}}}},
			want:   "n1: . hidden\nn2: hidden .\n",
		},
		"cut and noticed, and not yet": {
			nodes:  []orchestrator.NodeStatus{ready("n1", "n3"), ready("n2", "n3"), ready("n3", "n1 n2")},
			faults: []fault.Fault{partition},
			want:   "n1: . cut cut-unnoticed\nn2: cut . connected\nn3: cut-unnoticed connected .\n",
		},
		"a fault that is over explains nothing": {
			nodes:  []orchestrator.NodeStatus{ready("n1", ""), ready("n2", "")},
			faults: []fault.Fault{{ID: "f1", Kind: fault.KindPartition, Groups: [][]string{{"n1"}}, End: now}},
			want:   "n1: . missing\nn2: missing .\n",
		},
		"kept apart by the supervisor": {
			nodes: []orchestrator.NodeStatus{with(ready("n1", ""), func(n *orchestrator.NodeStatus) { n.Cut = []string{"n2"} }), ready("n2", "")},
			want:  "n1: . cut\nn2: cut .\n",
		},
		"global disconnects who saw both": {
			nodes:  []orchestrator.NodeStatus{ready("n1", ""), ready("n2", "n3"), ready("n3", "n2")},
			faults: []fault.Fault{oneWay},
			want:   "n1: . cut collateral\nn2: cut . connected\nn3: collateral connected .\n",
		},
		"global does not, where it may overlap": {
			nodes:  []orchestrator.NodeStatus{ready("n1", ""), ready("n2", "n3"), ready("n3", "n2")},
			faults: []fault.Fault{oneWay}, report: allows,
			want: "n1: . cut missing\nn2: cut . connected\nn3: missing connected .\n",
		},
		"down, and paused": {
			nodes: []orchestrator.NodeStatus{
				ready("n1", "n2 n3"), {Name: "n2", State: orchestrator.BackingOff},
				with(ready("n3", "n1"), func(n *orchestrator.NodeStatus) { n.State, n.Paused = orchestrator.Degraded, true }),
			},
			want: "n1: . down unknown\nn2: down . down\nn3: unknown down .\n",
		},
		"without a supervisor the nodes' own answers count": {
			nodes:        []orchestrator.NodeStatus{{Name: "n1", State: orchestrator.Running}, {Name: "n2", State: orchestrator.Running}, {Name: "n3", State: orchestrator.Running}},
			report:       health.Report{Matrix: health.Matrix{Nodes: []string{"n1", "n2"}, Rows: [][]health.Sight{{"", health.SeesVisible}, {health.SeesVisible, ""}}}},
			unsupervised: true,
			want:         "n1: . connected unknown\nn2: connected . unknown\nn3: unknown unknown .\n",
		},
	} {
		st := orchestrator.Status{Supervised: !tc.unsupervised, Nodes: tc.nodes, Faults: tc.faults}
		if diff := cmp.Diff(tc.want, rows(effects.Relate(st, tc.report, now))); diff != "" {
			t.Errorf("%s:\n%s", name, diff)
		}
	}
}

// Each pair counts once, whichever of its nodes is the one that sees the other.
func TestCountOfRelations(t *testing.T) {
	st := orchestrator.Status{Supervised: true, Nodes: []orchestrator.NodeStatus{ready("n1", "n2"), ready("n2", "n3"), ready("n3", "n2")}}
	want := map[effects.Relation]int{effects.OneSidedFrom: 1, effects.Missing: 1, effects.Connected: 1}
	if diff := cmp.Diff(want, effects.Relate(st, health.Report{}, time.Now()).Count()); diff != "" {
		t.Error(diff)
	}
}
