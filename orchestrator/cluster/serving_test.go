package cluster_test

import (
	"strings"
	"testing"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/cluster"
)

const (
	onLoopback = "0100007F:0FA0"
	onAll      = "00000000:0FA0"
)

// One node listens on loopback, one on all addresses, and one does not listen.
func TestOnlyReachableNodesHaveAURL(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.vms.listens = map[string]string{"app@n1.shop.test": onLoopback, "app@n2.shop.test": onAll}
		w.up(nil)
		for node, want := range map[string]orchestrator.Serving{"n1": orchestrator.ServingForwarded, "n2": orchestrator.ServingOpen, "n3": orchestrator.ServingNothing} {
			if n := w.node(node); n.Serving != want || (n.URL == "") != (node == "n3") {
				t.Errorf("%s: %q, URL %q", node, n.Serving, n.URL)
			}
		}
		if got := w.history(); strings.Count(got, "n1 listens on 127.0.0.1:4000 only") != 1 {
			t.Error(got)
		}
		if r := w.health(); !r.Passed {
			t.Error(failures(r))
		}
		// One node begins to listen late, and another stops listening.
		w.play(func(v *vms) { v.listens["app@n3.shop.test"] = onAll })
		w.until("n3 has a URL", func() bool { return w.node("n3").URL != "" })
		w.play(func(v *vms) { v.listens["app@n2.shop.test"] = "" })
		w.until("n2 has no URL", func() bool { return w.node("n2").URL == "" })
		// The next run is another VM.
		if err := w.Kill(t.Context(), "KILL", "n1"); err != nil {
			t.Fatal(err)
		}
		w.until("n1 is forwarded again", func() bool {
			n := w.node("n1")
			return n.Incarnation == 2 && n.State == orchestrator.Ready && n.Serving == orchestrator.ServingForwarded
		})
		w.end()
	})
}

func TestLoopbackThatIsNotForwarded(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.vms.listens = map[string]string{"app@n1.shop.test": onLoopback, "app@n2.shop.test": onLoopback, "app@n3.shop.test": onAll}
		w.up(func(s *orchestrator.Spec) { s.Loopback = orchestrator.LoopbackLeave })
		if n := w.node("n1"); n.Serving != orchestrator.ServingLoopback || n.URL != "" {
			t.Errorf("n1: %q, URL %q", n.Serving, n.URL)
		}
		if got := w.history(); strings.Count(got, "listens on 127.0.0.1:4000 only, inside its container: it cannot be reached; have it listen on 0.0.0.0, or set loopback: forward in beamyard.yml") != 1 {
			t.Error(got)
		}
		const want = "operations/HTTP port 4000 n1: HTTP port 4000: n1 listens on 127.0.0.1:4000 only, inside its container"
		if got := failures(w.health()); !strings.HasPrefix(got, want) {
			t.Error(got)
		}
		w.end()
	})
}

// The reason is shown in the progress after a moment, not only at the deadline.
func TestAWaitingHTTPCheckSaysWhy(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.vms.listens = map[string]string{}
		w.run(func(s *orchestrator.Spec) { s.HTTPCheck, s.Nodes = "/health", orchestrator.NodeNames(1) }, cluster.Options{})
		const want = "n1 waits: HTTP check /health: nothing listens on port 4000 inside n1"
		w.until("the reason is shown", func() bool { return strings.Contains(w.history(), want) })
		if n := w.node("n1"); n.State != orchestrator.Starting || n.Reason != strings.TrimPrefix(want, "n1 waits: ") {
			t.Errorf("n1 is %s: %s", n.State, n.Reason)
		}
		w.down()
	})
}

func TestASuiteThatServesNothingSkipsTheHTTPCheck(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.vms.listens = map[string]string{}
		w.up(func(s *orchestrator.Spec) { s.HTTPCheck, s.MixEnv = "/health", "test" })
		if got := w.history(); !strings.Contains(got, "n1 is not asked HTTP check /health: nothing listens on port 4000 with MIX_ENV=test") {
			t.Error(got)
		}
		if r := w.health(); !r.Passed {
			t.Error(failures(r))
		}
		w.end()
	})
}
