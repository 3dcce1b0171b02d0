package enginetest

import (
	"os"
	"testing"
)

// RemoteEngine is the variable that says that the tests' engine is on another
// machine, as in `make dind-test`.
const RemoteEngine = "BEAMYARD_TEST_REMOTE_ENGINE"

// NeedsLocalEngine is said by a test whose subject is an engine on this very
// machine. Where $BEAMYARD_TEST_REMOTE_ENGINE is 1 it is skipped, and why says
// what it needs; without the variable it runs, and fails where that is not there.
func NeedsLocalEngine(t testing.TB, why string) {
	t.Helper()
	if os.Getenv(RemoteEngine) == "1" {
		t.Skipf("needs an engine on this machine: %s", why)
	}
}
