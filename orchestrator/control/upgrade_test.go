package control

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/internal/manifest"
	"github.com/beamyard/beamyard/orchestrator/upgrade"
)

// upgrader is a fake whose upgrades stop at n2.
type upgrader struct {
	*fake
	asked chan upgrade.Options
}

func (u upgrader) Upgrade(_ context.Context, o upgrade.Options) (upgrade.Report, error) {
	u.asked <- o
	r := upgrade.Report{Cluster: "demo", Nodes: []upgrade.NodeReport{{Name: "n1", To: "demo:2", State: upgrade.Replaced}, {Name: "n2", To: "demo:2", State: upgrade.Unwell}}}
	return r, &upgrade.Stopped{Report: r, Node: "n2", Err: &orchestrator.ClusterError{
		Cluster: "demo", Kind: orchestrator.ErrNodeFailed, Problems: []orchestrator.NodeProblem{{Node: "n2", State: orchestrator.Failed, Reason: "boot (exit 1)"}},
	}}
}

// An upgrade that stopped arrives with its report, and its error with text, hint and kind.
func TestAnUpgradeThatStoppedCrossesTheSocket(t *testing.T) {
	u := upgrader{newFake(), make(chan upgrade.Options, 1)}
	c, _ := served(t, u)
	want, wantErr := u.Upgrade(t.Context(), upgrade.Options{})
	<-u.asked
	o := upgrade.Options{To: &orchestrator.Spec{Name: "demo", Image: "demo:2", Nodes: orchestrator.NodeNames(2)}, Batch: 2, NoHealth: true}
	report, err := c.Upgrade(t.Context(), o)
	if got := <-u.asked; manifest.MustJSON(got) != manifest.MustJSON(o) {
		t.Errorf("the options arrived as %+v", got)
	}
	if diff := cmp.Diff(want, report); diff != "" {
		t.Errorf("report (-want +got):\n%s", diff)
	}
	if !errors.Is(err, orchestrator.ErrNodeFailed) || err.Error() != wantErr.Error() || orchestrator.HintOf(err).String() != orchestrator.HintOf(wantErr).String() {
		t.Errorf("%v\n%s", err, orchestrator.HintOf(err))
	}
}

// A controller that cannot upgrade, as an earlier version's, is an error that says so.
func TestAControllerThatCannotUpgrade(t *testing.T) {
	c, _ := served(t, newFake())
	_, err := c.Upgrade(t.Context(), upgrade.Options{})
	if want := "the supervisor of demo is of a version of Beamyard that cannot upgrade"; err == nil || err.Error() != want {
		t.Errorf("%v; want %s", err, want)
	}
}
