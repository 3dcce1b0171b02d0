package testsupport_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/beamyard/beamyard/orchestrator/enginetest/gate"
	"github.com/beamyard/beamyard/testsupport"
)

// The engine's events can be late: nodes see an exit before the supervisor gets its
// event. Such a node must not count as connected, though it is still Ready.

// hearsLate is a victim's test. Its connection to the engine goes through a gate.
func hearsLate(t *testing.T) {
	eng := engine(t)
	info, err := eng.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	gate, err := gate.New(info.Endpoint, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for key, value := range gate.Env() {
		t.Setenv(key, value)
	}
	c := testsupport.Start(t, demo, testsupport.WithNodes(2))
	gate.Hold()
	if _, err := testsupport.RPC[any](t.Context(), c.Node("n2"), "erlang", "halt"); err == nil {
		t.Error("n2 answers after halt")
	}
	if err := c.WaitDown(t.Context(), "n1", "n2"); err != nil {
		t.Error(err)
	}
	short, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	err = c.WaitMesh(short)
	if state := c.Node("n2").Status().State; state.Final() || !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "have not met") {
		t.Errorf("n2 is %s, before its exit event arrived: %v", state, err)
	}
	gate.Release()
	if err := c.WaitMesh(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestALateExitEvent(t *testing.T) {
	t.Parallel()
	if code, said := startVictim(t, "hears late", nil).ended(); code != 0 || !strings.Contains(said, "--- PASS") {
		t.Errorf("exit code %d:\n%s", code, said)
	}
}
