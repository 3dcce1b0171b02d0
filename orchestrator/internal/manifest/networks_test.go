package manifest

import (
	"fmt"
	"testing"

	"github.com/beamyard/beamyard/orchestrator"
)

func TestAttachments(t *testing.T) {
	s := validSpec()
	s.Distribution.Names = orchestrator.ShortNames
	s.Networks = map[string][]string{"shared": {"web", "app"}, "back": nil}
	s.Nodes[1].Networks = map[string][]string{"shared": {"db", "n2.shop.test"}, "front": {}}
	for i, want := range []string{
		"[{back [n1.shop.test]} {shared [app n1.shop.test web]}]",
		"[{back [n2.shop.test]} {front [n2.shop.test]} {shared [db n2.shop.test]}]",
	} {
		if got := fmt.Sprint(Attachments(s.Defaulted(), i)); got != want {
			t.Errorf("node %d: %s, want %s", i, got, want)
		}
	}
}

func TestNetworksAreFound(t *testing.T) {
	all := []orchestrator.Network{
		{ID: "0123456789abcdef", Name: "shared"}, {ID: "fedcba9876543210", Name: "0123456789ab"},
		{ID: "1", Name: "twice"}, {ID: "2", Name: "twice"}, {ID: "twins", Name: "shared2"},
	}
	for _, tc := range []struct{ name, id, err, hint string }{
		{"shared", "0123456789abcdef", "", ""},
		{"0123456789abcdef", "0123456789abcdef", "", ""},
		{"fedcba987654", "fedcba9876543210", "", ""},
		{"0123456789ab", "fedcba9876543210", "", ""}, // a name takes precedence over the prefix of an ID
		{"twice", "", "networks: 2 networks are called twice", "name one by its ID, see: docker network ls --no-trunc"},
		{"none", "", "networks: the engine has no network none: not found", "make it: docker network create none\nor see which there are: docker network ls"},
	} {
		s := validSpec()
		s.Networks = map[string][]string{tc.name: nil}
		ids, err := ResolveNetworks(s, all)
		switch {
		case tc.err == "" && (err != nil || ids[tc.name] != tc.id || len(ids) != 1):
			t.Errorf("%s: %v, %v", tc.name, ids, err)
		case tc.err != "" && (err == nil || err.Error() != tc.err || orchestrator.HintOf(err).String() != tc.hint):
			t.Errorf("%s: %v", tc.name, err)
		}
	}
	s := validSpec()
	s.Networks, s.Nodes[2].Networks = map[string][]string{"none": nil, "shared": nil}, map[string][]string{"nor this": nil}
	if ids, err := ResolveNetworks(s, all); err == nil || err.Error() != "networks: the engine has no network none, nor this: not found" || ids["shared"] == "" {
		t.Errorf("%v, %v", ids, err)
	}

	s.Networks, s.Nodes[2].Networks = map[string][]string{"shared": nil}, map[string][]string{"0123456789abcdef": {"db"}}
	if _, err := ResolveNetworks(s, all); err == nil || err.Error() != "networks: 0123456789abcdef and shared are one network: conflict" {
		t.Errorf("a network that is listed twice: %v", err)
	}
	s.Networks, s.Nodes[0].Networks = nil, map[string][]string{"shared": nil}
	if _, err := ResolveNetworks(s, all); err != nil {
		t.Errorf("two nodes that list one network, by name and by ID: %v", err)
	}
}
