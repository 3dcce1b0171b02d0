package manifest

import (
	"encoding/json"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/validation"
)

func byAddress() orchestrator.Spec {
	s := orchestrator.Spec{Name: "demo", Image: "x", Nodes: orchestrator.NodeNames(2), Subnet: netip.MustParsePrefix("10.213.7.0/26"), Env: map[string]string{"SELF": "{node} {host} {ip}"}}
	s.Distribution.Names = orchestrator.IPNames
	return s.Defaulted()
}

func TestNodesNamedByAddress(t *testing.T) {
	s := byAddress()
	c := Container(s, 1, "net", orchestrator.Placement{IP: netip.MustParseAddr("10.213.7.3")}, time.Time{})
	for _, want := range []string{
		"NODE_NAME=app@10.213.7.3", "RELEASE_NODE=app@10.213.7.3", "RELEASE_DISTRIBUTION=name", "DNS_CLUSTER_QUERY=demo.test", "SELF=app@10.213.7.3 n2.demo.test 10.213.7.3",
	} {
		if !slices.Contains(c.Env, want) {
			t.Errorf("%s is not in %v", want, c.Env)
		}
	}
	if got := strings.Join(c.Command, " "); !strings.HasPrefix(got, "elixir --name app@10.213.7.3 ") {
		t.Errorf("command %s", got)
	}
	if c.Hostname != "n2.demo.test" || !slices.Equal(c.Aliases, []string{"n2.demo.test", "n2", "n2.demo.test", "demo.test"}) {
		t.Errorf("host %s, aliases %v", c.Hostname, c.Aliases)
	}
	if err := validation.Check(s); err != nil {
		t.Error(err)
	}
}

// A spec that is read from its label yields the same names.
func TestNamesByAddressAreReadFromTheLabel(t *testing.T) {
	s := byAddress()
	read, err := orchestrator.SpecOf(NetworkLabels(s, time.Time{}))
	if err != nil || read.Names().Node("n1") != "app@10.213.7.2" {
		t.Errorf("%s, %v", read.Names().Node("n1"), err)
	}
	if diff := validation.Diff(s, byAddress()); len(diff) != 0 {
		t.Errorf("differs in %v", diff)
	}
	other := byAddress()
	other.Subnet = netip.MustParsePrefix("10.213.9.0/26")
	if diff := validation.Diff(s, other); len(diff) != 0 {
		t.Errorf("another subnet differs in %v", diff)
	}
	if text, _ := json.Marshal(orchestrator.Spec{}); strings.Contains(string(text), "subnet") {
		t.Errorf("%s", text)
	}
}

// DNS_CLUSTER_QUERY is set only if libraries can use it, and never over the user's own
// value.
func TestDNSClusterQuery(t *testing.T) {
	query := func(s orchestrator.Spec) string {
		for _, kv := range Env(s, 0) {
			if value, ok := strings.CutPrefix(kv, "DNS_CLUSTER_QUERY="); ok {
				return value
			}
		}
		return ""
	}
	own, long := byAddress(), byAddress()
	own.Env, long.Distribution.Names = map[string]string{"DNS_CLUSTER_QUERY": "own.test"}, orchestrator.LongNames
	if query(own) != "own.test" || query(long) != "" {
		t.Errorf("%q, %q", query(own), query(long))
	}
}

// Each node has the one DNS name of all nodes as an alias, whatever the BEAM names are.
func TestAllNodesHaveOneName(t *testing.T) {
	for _, mode := range []orchestrator.NameMode{orchestrator.LongNames, orchestrator.ShortNames, orchestrator.IPNames} {
		s := byAddress()
		s.Distribution.Names, s.Domain = mode, "internal.example"
		if c := Container(s, 0, "net", orchestrator.Placement{}, time.Time{}); !slices.Contains(c.Aliases, "demo.internal.example") {
			t.Errorf("%s: %v", mode, c.Aliases)
		}
	}
}
