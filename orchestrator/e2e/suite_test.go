package e2e_test

import (
	"strings"
	"testing"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/discovery"
	"github.com/beamyard/beamyard/orchestrator/suite"
)

// A suite runs beside real nodes and is connected to them before its first test. Its
// result is reported, and the nodes do not change, also if its tests break them.
func TestSuite(t *testing.T) {
	t.Parallel()
	for _, otp := range otps {
		t.Run(otp.name, func(t *testing.T) {
			t.Parallel()
			eng := engine(t)
			r := up(t, eng, otp.base, 2, func(s *orchestrator.Spec) { s.MixEnv = "test" })
			st, err := r.Status(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			run := func(server *suite.Server, args ...string) (said string, code int) {
				t.Helper()
				found, err := discovery.Find(t.Context(), eng, r.name)
				if err != nil {
					t.Fatal(err)
				}
				var lines []string
				code, err = discovery.RunSuite(t.Context(), eng, found, discovery.Suite{Image: st.Image, Args: args, Beamyard: server, Output: func(l orchestrator.Line) error {
					lines = append(lines, l.Text)
					return nil
				}})
				if err != nil {
					t.Fatal(err)
				}
				return strings.Join(lines, "\n"), code
			}
			if said, code := run(nil, "--only", "mesh"); code != 0 || !strings.Contains(said, "25 tests, 0 failures, 23 excluded, 1 skipped") || strings.Contains(said, "\x1b") {
				t.Errorf("exit %d:\n%s", code, said)
			}
			eventually(t, "the suite's VM is gone", func() bool { return r.rpc("n1", "length(Node.list())") == "1" })
			r.tells("")
			if said, code := run(nil, "test/nosuch_test.exs"); code != 1 {
				t.Errorf("a missing test file: exit %d:\n%s", code, said)
			}
			breaking := &suite.Server{Spec: r.Spec(), Cluster: r, Faults: r.injector()}
			if said, code := run(breaking, "--only", "mesh", "--warnings-as-errors"); code != 0 || !strings.Contains(said, "27 tests, 0 failures, 23 excluded") {
				t.Errorf("exit %d:\n%s", code, said)
			}
			r.ready()
		})
	}
}
