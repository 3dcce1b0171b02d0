package testsupport_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/chaos"
	"github.com/beamyard/beamyard/testsupport"
)

// A cluster without restarts is whole again after all kinds of faults, and nodes are picked in it.
func TestChaos(t *testing.T) {
	t.Parallel()
	c := testsupport.Start(t, demo, testsupport.WithNodes(3))
	report := c.Chaos(t, 3, testsupport.ChaosFor(8*time.Second, 2*time.Second), testsupport.ChaosFaults(chaos.Kill, chaos.Stop, chaos.Pause, chaos.Blip),
		testsupport.ChaosChecks(0, "agree: Demo.Counter.value()", "length(Node.list()) == 2"))
	if len(report.Steps) != 4 || report.Back == nil {
		t.Errorf("%+v", report)
	}
	for _, n := range c.Nodes() {
		if st := n.Status(); st.State != orchestrator.Ready {
			t.Errorf("%s is %s", n, st.State)
		}
	}
	if one, again := c.Pick(t, 5, "@one"), c.Pick(t, 5, "@one"); len(one) != 1 || !slices.Equal(one, again) {
		t.Errorf("picked %v, then %v", one, again)
	}
	if leader := c.Pick(t, 0, "@leader:Enum.max([node() | Node.list()])", "n1"); !slices.Equal(leader, []string{"n3", "n1"}) {
		t.Errorf("picked %v", leader)
	}
}

// chaosFails expects of each node what a kill takes from it.
func chaosFails(t *testing.T) {
	c := testsupport.Start(t, demo, testsupport.WithNodes(2))
	for _, n := range c.Nodes() {
		if _, err := n.Eval(t.Context(), "persistent_term:put(mark, true).", nil); err != nil {
			t.Fatal(err)
		}
	}
	fmt.Println("up " + c.Name())
	c.Chaos(t, 9, testsupport.ChaosFor(3*time.Second, 3*time.Second), testsupport.ChaosFaults(chaos.Kill),
		testsupport.ChaosChecks(time.Second, ":persistent_term.get(:mark, false)"))
}

func TestFailingChaosSaysWhy(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	v := startVictim(t, "chaos fails", []string{"BEAMYARD_EXPORT_DIR=" + dir})
	code, said := v.ended()
	for _, want := range []string{
		"chaos with seed 9: 1 fault in 3s on n1 n2\n",
		"chaos: after the faults of seed 9: after 1s: check :persistent_term.get(:mark, false): n",
		" says false",
		"evidence: " + dir + "/beamyard-" + v.cluster,
	} {
		if code != 1 || !strings.Contains(said, want) {
			t.Errorf("exit code %d, without %q:\n%s", code, want, said)
		}
	}
	v.gone()
}
