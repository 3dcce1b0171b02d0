package testsupport

import (
	"testing"

	"github.com/testcontainers/testcontainers-go"

	"github.com/beamyard/beamyard/orchestrator"
)

func TestWhichTestUsesACluster(t *testing.T) {
	of := func(tests ...string) *Cluster {
		c := &Cluster{tests: map[string]bool{}}
		for _, test := range tests {
			c.tests[test] = true
		}
		return c
	}
	for name, c := range map[string]struct {
		cluster *Cluster
		others  bool
	}{
		"its own":                        {of("TestA"), false},
		"a subtest's":                    {of("TestA/x"), false},
		"another's":                      {of("TestAB"), true},
		"one that no test uses":          {of(), false},
		"one that Run has not given yet": {&Cluster{starting: true}, true},
		"a shared one":                   {&Cluster{shared: true}, true},
		"one that is kept":               {&Cluster{tests: map[string]bool{"TestA": true}, kept: true}, true},
	} {
		t.Run(name, func(t *testing.T) {
			if got := c.cluster.isOfOthers("TestA"); got != c.others {
				t.Errorf("used by others: %t", got)
			}
		})
	}
}

// WithFreshApplication is found without running the other options, which may need the
// original spec.
func TestAFreshApplicationIsRequested(t *testing.T) {
	late := WithSpec(func(s *orchestrator.Spec) { s.Nodes[1].Memory = 1 })
	if freshAsked([]testcontainers.ContainerCustomizer{late, testcontainers.WithCmd("x")}) {
		t.Error("fresh, though no option requests it")
	}
	if !freshAsked([]testcontainers.ContainerCustomizer{late, nil, WithFreshApplication()}) {
		t.Error("not fresh")
	}
}

// The failure of a test that runs again is reported again.
func TestASecondRunIsReportedAgain(t *testing.T) {
	c := &Cluster{tests: map[string]bool{}, reported: map[string]bool{t.Name(): true}}
	c.acquire(t)
	if c.reported[t.Name()] {
		t.Error("the failure counts as reported")
	}
}
