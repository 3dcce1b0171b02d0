package enginetest_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/enginetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestContract(t *testing.T) {
	enginetest.Contract(t, func(testing.TB) orchestrator.Engine {
		e := enginetest.New("script")
		e.Program = func(orchestrator.ContainerSpec) enginetest.Program { return enginetest.Script }
		return e
	}, "script")
}
