package e2e_test

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/beamyard/beamyard/network/erldist"
	"github.com/beamyard/beamyard/orchestrator"
)

// nodedowns counts how often a node sees a peer disconnect.
func (r *running) nodedowns(node, peer string) (downs func() int) {
	r.t.Helper()
	conn, beam := r.dialNode(node), r.node(peer).Node
	ready := make(chan struct{})
	var mu sync.Mutex
	n := 0
	go func() {
		_ = conn.WatchNodes(r.t.Context(), func() { close(ready) }, func(e erldist.NodeEvent) {
			if e.Node == beam && !e.Up {
				mu.Lock()
				n++
				mu.Unlock()
			}
		})
	}()
	<-ready
	return func() int { mu.Lock(); defer mu.Unlock(); return n }
}

// connects reports whether a node can connect to a peer.
func (r *running) connects(node, peer string) bool {
	r.t.Helper()
	v, err := r.dialNode(node).Call(r.t.Context(), "net_kernel", "connect_node", erldist.Atom(r.node(peer).Node))
	if err != nil {
		r.t.Fatal(err)
	}
	return v == any(true) || v == any(erldist.Atom("true"))
}

// Disconnected nodes stay disconnected until they are reconnected, whatever happens to
// them. No other node notices.
func TestDisconnect(t *testing.T) {
	t.Parallel()
	for _, otp := range otps {
		t.Run(otp.name, func(t *testing.T) {
			t.Parallel()
			r := up(t, engine(t), otp.base, 3, func(s *orchestrator.Spec) { s.Distribution.OverlappingPartitions = true })
			must := func(err error) {
				t.Helper()
				if err != nil {
					t.Fatal(err)
				}
			}
			cutFrom := func(node, peer string) {
				t.Helper()
				n := r.node(node)
				if n.State != orchestrator.Degraded || !slices.Equal(n.Cut, []string{peer}) || n.Reason != "disconnected from "+peer+" on purpose" || len(n.Findings) > 0 {
					t.Errorf("%+v", n)
				}
			}
			others := []func() int{r.nodedowns("n1", "n3"), r.nodedowns("n2", "n3"), r.nodedowns("n3", "n1"), r.nodedowns("n3", "n2")}

			must(r.Disconnect(t.Context(), "n1", "n2"))
			cutFrom("n1", "n2")
			cutFrom("n2", "n1")
			if r.connects("n1", "n2") || r.connects("n2", "n1") {
				t.Error("disconnected nodes connect")
			}
			if !r.connects("n1", "n3") || !r.connects("n2", "n3") {
				t.Error("the third node is not reached")
			}
			for i, downs := range others {
				if n := downs(); n > 0 {
					t.Errorf("%d nodedowns of other nodes in turn %d", n, i)
				}
			}

			must(r.Kill(t.Context(), "KILL", "n1"))
			eventually(t, "n1 runs again", func() bool { n := r.node("n1"); return n.Incarnation == 2 && n.State == orchestrator.Degraded })
			cutFrom("n1", "n2")
			if st, err := r.Status(t.Context()); err != nil || st.Ready {
				t.Errorf("a cluster with disconnected nodes is ready, %v", err)
			}
			if r.connects("n1", "n2") || r.connects("n2", "n1") {
				t.Error("nodes connect after a restart")
			}

			must(r.Reconnect(t.Context(), "n2"))
			if !r.connects("n1", "n2") || !r.connects("n2", "n1") {
				t.Error("not connected again")
			}
			r.ready()
			for _, n := range []string{"n1", "n2"} {
				if s := r.node(n); len(s.Cut) > 0 || s.State != orchestrator.Ready {
					t.Errorf("%+v", s)
				}
			}
			journal, err := r.Journal(t.Context())
			must(err)
			var faults []string
			for _, e := range journal {
				if e.Source == orchestrator.FromFault {
					faults = append(faults, e.Node+" "+e.Text)
				}
			}
			if got := strings.Join(faults, "; "); got != "n1 disconnected from n2; n2 reconnected to n1" {
				t.Errorf("journal: %s", got)
			}
		})
	}
}

// A node is disconnected from all others without harm to those, because OTP supports
// this. Disconnecting a single pair is refused.
func disconnectFromAll(t *testing.T, r *running) {
	var overlap *orchestrator.OverlapError
	if err := r.Disconnect(t.Context(), "n1", "n2"); !errors.Is(err, orchestrator.ErrOverlapping) || !errors.As(err, &overlap) || overlap.Third != "n3" {
		t.Fatalf("a partition that OTP does not support: %v", err)
	}
	if n := r.node("n1"); n.State != orchestrator.Ready || len(n.Cut) > 0 {
		t.Fatalf("after the refusal: %+v", n)
	}
	others := []func() int{r.nodedowns("n2", "n3"), r.nodedowns("n3", "n2")}
	for range turns {
		if err := r.Disconnect(t.Context(), "n1"); err != nil {
			t.Fatal(err)
		}
		if r.connects("n2", "n1") || r.connects("n1", "n3") || !r.connects("n2", "n3") {
			t.Fatal("n1 is not disconnected, or another node is")
		}
		if err := r.Reconnect(t.Context(), "n1", "n2"); !errors.Is(err, orchestrator.ErrOverlapping) {
			t.Fatalf("n1 was reconnected to one of its peers: %v", err)
		}
		if err := r.Reconnect(t.Context(), "n1"); err != nil {
			t.Fatal(err)
		}
		r.ready()
		for _, downs := range others {
			if downs() > 0 {
				t.Fatal("the other nodes lost each other")
			}
		}
	}
}

// turns is small: one turn shows that it works. To search for a race, use many.
const turns = 2
