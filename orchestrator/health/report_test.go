package health

import (
	"encoding/json"
	"errors"
	"slices"
	"testing"

	"github.com/beamyard/beamyard/orchestrator/hint"
)

// Scripts get suggestions as text.
func TestAReportAsItIsPrinted(t *testing.T) {
	nodes := cluster(2)
	nodes[0].Own = []Outcome{{Name: "a", Failure: "x", Hint: hint.Newf("see %s", hint.Logs.On("shop", "n1"))}}
	r := judged(nodes, Thresholds{})
	data, err := json.Marshal(r.Printed())
	var got struct {
		Cluster string
		Summary Summary
		Checks  []struct {
			Name, Suggestion string
			State            State
		}
		Suggestions []string
	}
	if err := errors.Join(err, json.Unmarshal(data, &got)); err != nil {
		t.Fatal(err)
	}
	if got.Cluster != "shop" || got.Summary != r.Summary || len(got.Checks) != len(r.Checks) || !slices.Equal(got.Suggestions, []string{"see beamyard logs shop/n1"}) {
		t.Errorf("%+v", got)
	}
	for i, c := range got.Checks {
		if want := r.Checks[i]; c.Name != want.Name || c.State != want.State || c.Suggestion != want.Suggestion.String() {
			t.Errorf("%+v, want %+v", c, want)
		}
	}
}
