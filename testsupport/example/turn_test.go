package example_test

import "github.com/beamyard/beamyard/orchestrator/enginetest/turn"

// Packages of Beamyard start clusters one after the other. Yours need not.
func init() { turn.Share() }
