package browser

import (
	"os"
	"testing"

	"github.com/beamyard/beamyard/orchestrator/enginetest/turn"
)

// TestMain keeps clusters away: a page must be painted in time.
func TestMain(m *testing.M) {
	turn.Take()
	os.Exit(m.Run())
}
