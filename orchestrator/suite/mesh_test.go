package suite

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/beamyard/beamyard/network/fault"
	"github.com/beamyard/beamyard/orchestrator"
)

func TestUnsettled(t *testing.T) {
	node := func(name string, state orchestrator.State, peers ...string) orchestrator.NodeStatus {
		return orchestrator.NodeStatus{Name: name, State: state, Peers: peers}
	}
	ready := orchestrator.Ready
	paused, apart := node("n2", orchestrator.Degraded), node("n2", orchestrator.Degraded)
	paused.Paused, apart.Cut = true, []string{"n1"}
	slow := node("n2", orchestrator.Starting, "n1")
	slow.Reason = "its application is not started"
	cut := fault.OneWay(fault.Pair{From: "n2", To: "n1"})
	for name, tt := range map[string]struct {
		mesh    orchestrator.MeshMode
		nodes   []orchestrator.NodeStatus
		faults  []fault.Fault
		without map[string]bool
		lacks   string
	}{
		"whole":                      {"", []orchestrator.NodeStatus{node("n1", ready, "n2"), node("n2", ready, "n1")}, nil, nil, ""},
		"one side":                   {"", []orchestrator.NodeStatus{node("n1", ready, "n2"), node("n2", ready)}, nil, nil, "n2 does not see n1"},
		"connected by nobody":        {orchestrator.MeshNone, []orchestrator.NodeStatus{node("n1", ready), node("n2", ready)}, nil, nil, ""},
		"starting":                   {"", []orchestrator.NodeStatus{node("n1", ready), slow}, nil, nil, "n1 does not see n2; n2 is starting: its application is not started"},
		"stopped":                    {"", []orchestrator.NodeStatus{node("n1", ready), node("n2", orchestrator.Stopped)}, nil, nil, ""},
		"paused":                     {"", []orchestrator.NodeStatus{node("n1", ready), paused}, nil, nil, ""},
		"degraded":                   {"", []orchestrator.NodeStatus{node("n1", ready, "n2"), node("n2", orchestrator.Degraded, "n1")}, nil, nil, "n2 is degraded"},
		"cut":                        {"", []orchestrator.NodeStatus{node("n1", orchestrator.Degraded), node("n2", orchestrator.Degraded)}, []fault.Fault{cut}, nil, ""},
		"disconnected by a program":  {"", []orchestrator.NodeStatus{node("n1", ready), apart}, nil, nil, ""},
		"waits for its restart":      {"", []orchestrator.NodeStatus{node("n1", ready), node("n2", orchestrator.BackingOff)}, nil, nil, "n1 does not see n2; n2 is backing-off"},
		"a restart that is not ours": {"", []orchestrator.NodeStatus{node("n1", ready), node("n2", orchestrator.BackingOff)}, nil, map[string]bool{"n2": true}, ""},
	} {
		if got := unsettled(orchestrator.Spec{Mesh: tt.mesh}, orchestrator.Status{Nodes: tt.nodes, Faults: tt.faults}, tt.without); got != tt.lacks {
			t.Errorf("%s: %q, want %q", name, got, tt.lacks)
		}
	}
}

func TestWhetherTheSupervisorKnows(t *testing.T) {
	now := time.Now()
	one, two, ended := fault.Fault{ID: "f1"}, fault.Fault{ID: "f2", End: now.Add(time.Second)}, fault.Fault{ID: "f3", End: now}
	for _, tt := range []struct {
		known, inForce []fault.Fault
		want           bool
	}{
		{nil, nil, true},
		{[]fault.Fault{two, one}, []fault.Fault{one, two}, true},
		{[]fault.Fault{one}, []fault.Fault{one, two}, false},
		{[]fault.Fault{one, two}, []fault.Fault{one}, false},
		{[]fault.Fault{one}, []fault.Fault{one, ended}, true},
	} {
		if got := knows(orchestrator.Status{Faults: tt.known}, tt.inForce, now); got != tt.want {
			t.Errorf("%v of %v: %t", tt.known, tt.inForce, got)
		}
	}
}

// Another process injects a fault while the nodes are being connected.
func TestAFaultOfAnotherProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		s := w.server()
		if answer, _ := asked(t, s, tuple{atom("partition"), terms{terms{"n1"}}, opts()}); answer != `{:ok, "f1"}` {
			t.Fatal(answer)
		}
		time.AfterFunc(time.Second, func() { _, _ = w.Inject(t.Context(), fault.Partition([]string{"n3"}), 0) })
		answer, took := asked(t, s, tuple{atom("heal"), terms{}})
		if answer != `{:ok, {["f1"], [:"app@n1.shop.test", :"app@n2.shop.test"]}}` && answer != `{:ok, {["f1"], []}}` || took > 2*notices {
			t.Errorf("%s after %s", answer, took)
		}
	})
}
