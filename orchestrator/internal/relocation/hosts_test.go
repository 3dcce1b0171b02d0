package relocation

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
)

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

// spec is a cluster over three hosts; places are the hosts of its nodes.
func spec(places string, edit func(*orchestrator.Spec)) orchestrator.Spec {
	s := orchestrator.Spec{OnHostLost: orchestrator.HostLostMove, Hosts: map[string]orchestrator.HostSpec{"a": {}, "b": {}, "c": {}}}
	for _, host := range strings.Fields(places) {
		s.Nodes = append(s.Nodes, orchestrator.NodeSpec{Host: host})
	}
	if edit != nil {
		edit(&s)
	}
	return s
}

func TestWhenANodeMoves(t *testing.T) {
	var h Hosts
	s := spec("a b c", nil)
	if at := h.At(s, "b", time.Time{}); !at.IsZero() {
		t.Errorf("nothing is lost, and it moves at %s", at)
	}
	h.Lose("b", "no route", noon)
	if at := h.At(s, "b", time.Time{}); !at.Equal(noon.Add(orchestrator.MoveAfter)) {
		t.Errorf("it moves at %s", at)
	}
	if why := h.Why("b"); why != "host b has not answered since 2026-01-01T12:00:00Z: no route" {
		t.Error(why)
	}
	if at := h.At(s, "b", noon.Add(time.Hour)); !at.Equal(noon.Add(time.Hour)) {
		t.Errorf("after a move that failed, it moves at %s", at)
	}
	if at := h.At(s, "a", time.Time{}); !at.IsZero() || h.Why("a") != "" {
		t.Errorf("a node of another host moves at %s", at)
	}
	s.OnHostLost = orchestrator.HostLostWait
	if at := h.At(s, "b", time.Time{}); !at.IsZero() {
		t.Errorf("it is to wait, and moves at %s", at)
	}
	s.OnHostLost = orchestrator.HostLostMove
	h.Return("b")
	if at := h.At(s, "b", time.Time{}); !at.IsZero() || h.Why("b") != "" {
		t.Errorf("its host answers again, and it moves at %s", at)
	}
}

func TestWhereANodeMovesTo(t *testing.T) {
	for _, tt := range []struct {
		name, places string
		edit         func(*orchestrator.Spec)
		lost         string
		i            int
		want         string
	}{
		{"the fewest nodes", "a b c a", nil, "b", 1, "c"},
		{"the first of equals", "a b c", nil, "b", 1, "a"},
		{"beside one that moves already", "a c c b", nil, "b", 3, "a"},
		{"pack", "a b c", func(s *orchestrator.Spec) { s.Place = orchestrator.PlacePack }, "a", 0, "b"},
		{"not where it is full", "a b c", func(s *orchestrator.Spec) { s.Hosts["a"] = orchestrator.HostSpec{Nodes: 1} }, "b", 1, "c"},
		{"no host has room", "a b", func(s *orchestrator.Spec) {
			s.Hosts = map[string]orchestrator.HostSpec{"a": {Nodes: 1}, "b": {}}
		}, "b", 1, ""},
		{"no host answers", "a b c", nil, "a b c", 1, ""},
		{"two are lost", "a b c", nil, "a b", 1, "c"},
	} {
		var h Hosts
		for _, host := range strings.Fields(tt.lost) {
			h.Lose(host, "gone", noon)
		}
		if to := h.Depart(spec(tt.places, tt.edit), tt.i); to != tt.want {
			t.Errorf("%s: to %q, want %q", tt.name, to, tt.want)
		}
	}
}

// Nodes that are on their way count where they go to.
func TestTwoNodesThatMoveAtOnce(t *testing.T) {
	var h Hosts
	h.Lose("b", "gone", noon)
	s := spec("a b c b b", nil)
	if got := h.Depart(s, 1) + h.Depart(s, 3); got != "ac" {
		t.Errorf("to %s", got)
	}
	h.Arrive(1) // where nothing is known to run: the move failed
	if got := h.Depart(s, 4); got != "a" {
		t.Errorf("to %s", got)
	}
}

func TestWhatIsLeftBehind(t *testing.T) {
	var h Hosts
	h.Lose("b", "gone", noon)
	h.Leave("1", "n1", "b")
	h.Leave("2", "n2", "c")
	due := h.Due()
	if len(due) != 1 || due[0].ContainerID != "2" || len(h.Due()) != 0 {
		t.Errorf("due: %v", due)
	}
	if _, removed := h.Removed("2", errors.New("busy")); removed || len(h.Due()) != 1 {
		t.Error("a removal that failed is not due again")
	}
	if gone, removed := h.Removed("2", nil); !removed || gone.Node != "n2" || gone.Host != "c" {
		t.Errorf("gone: %v", gone)
	}
	if _, removed := h.Removed("2", nil); removed {
		t.Error("it is gone twice")
	}
	h.Return("b")
	if due := h.Due(); len(due) != 1 || due[0].Node != "n1" {
		t.Errorf("due: %v", due)
	}
}
