package cluster_test

import (
	"strings"
	"testing"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/cluster"
	"github.com/beamyard/beamyard/orchestrator/discovery"
	"github.com/beamyard/beamyard/orchestrator/keeper"
)

// Nodes are named by their addresses in every status, also by a supervisor that adopts
// them.
func TestAClusterNamedByAddress(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		detached := func(s *orchestrator.Spec) {
			s.Owner, s.Cookie, s.Distribution.Names = keeper.Self(true), "the_same", orchestrator.IPNames
		}
		w.up(detached)
		n2 := w.node("n2")
		if n2.Node != "app@"+n2.IP.String() || n2.Host != "n2.shop.test" {
			t.Errorf("n2 is %s on %s", n2.Node, n2.Host)
		}
		if err := w.Kill(t.Context(), "KILL", "n2"); err != nil {
			t.Fatal(err)
		}
		w.untilState("n2", orchestrator.BackingOff)
		w.ready()
		w.cancel()
		if err := <-w.result; err != nil {
			t.Fatal(err)
		}
		found, err := discovery.Find(t.Context(), w.eng, "shop")
		if n, _ := found.Node("n2"); err != nil || n.Node != n2.Node {
			t.Errorf("found %s, %v", n.Node, err)
		}
		w.run(detached, cluster.Options{Adopt: true})
		w.ready()
		if got := w.node("n2").Node; got != n2.Node {
			t.Errorf("adopted as %s", got)
		}
		if r := w.health(); !r.Passed {
			t.Errorf("%s", failures(r))
		}
		w.down()
	})
}

// An application that sets another cookie can no longer be reached by its peers, though
// our connection to it stays.
func TestACookieThatChangesWhileTheNodeRuns(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.up(func(s *orchestrator.Spec) { s.Cookie = "crumb" })
		w.play(func(v *vms) { v.cookie = "other" })
		w.untilState("n1", orchestrator.Degraded)
		if n := w.node("n1"); !strings.Contains(n.Reason, "cookie was changed while it runs") {
			t.Errorf("n1: %s", n.Reason)
		}
		w.until("the finding is reported", func() bool { return strings.Contains(w.history(), "cookie-changed: the cookie of n1") })
		w.play(func(v *vms) { v.cookie = "crumb" })
		w.ready()
		w.end()
	})
}
