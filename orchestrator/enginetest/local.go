package enginetest

import (
	"os"
	"testing"
)

// RemoteEngine is the environment variable that says that the tests' engine is on another
// machine, as in `make dind-test`.
const RemoteEngine = "BEAMYARD_TEST_REMOTE_ENGINE"

// NeedsLocalEngine skips the test if $BEAMYARD_TEST_REMOTE_ENGINE is 1; call it in a test
// that needs an engine on this machine. why says what the test needs. Without the
// variable the test runs, and fails if that is missing.
func NeedsLocalEngine(t testing.TB, why string) {
	t.Helper()
	if os.Getenv(RemoteEngine) == "1" {
		t.Skipf("needs an engine on this machine: %s", why)
	}
}
