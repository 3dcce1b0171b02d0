package docker_test

import (
	"os"
	"testing"

	"github.com/beamyard/beamyard/orchestrator/enginetest/turn"
)

func TestMain(m *testing.M) {
	turn.Take()
	os.Exit(m.Run())
}
