package testsupport_test

import (
	"os"
	"testing"

	"github.com/beamyard/beamyard/testsupport"
)

// demo is the project that the tests run.
const demo = "../images/demo"

// TestMain is also the program of the tests that end badly: see victims_test.go.
func TestMain(m *testing.M) {
	if name := os.Getenv(victimVariable); name != "" {
		runVictim(name)
	}
	os.Exit(testsupport.Main(m))
}
