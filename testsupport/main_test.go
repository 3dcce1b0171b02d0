package testsupport_test

import (
	"flag"
	"os"
	"testing"

	"github.com/beamyard/beamyard/orchestrator/enginetest/turn"
	"github.com/beamyard/beamyard/testsupport"
)

// demo is the project that the tests run.
const demo = "../images/demo"

// TestMain also runs the tests that end badly: see victims_test.go.
func TestMain(m *testing.M) {
	if name := os.Getenv(victimVariable); name != "" {
		runVictim(name)
	}
	turn.Take()
	// Three at once keep two processors busy.
	if err := flag.Set("test.parallel", "3"); err != nil {
		panic(err)
	}
	os.Exit(testsupport.Main(m))
}
