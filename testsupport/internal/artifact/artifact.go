// Package artifact says where tests leave files for people.
//
//	$BEAMYARD_EXPORT_DIR  or  `go test -artifacts`  or  the temporary folder ──► Dir
//
// # Threads
//
// None.
package artifact

import (
	"flag"
	"os"
	"path/filepath"
	"testing"
)

// variable names the folder for evidence, as for `beamyard up`.
const variable = "BEAMYARD_EXPORT_DIR"

// Dir returns the folder for the evidence of a test: $BEAMYARD_EXPORT_DIR, or with `go test
// -artifacts` the test's own folder, or a folder in the system's temporary one. It may not exist
// yet. Without a test, tb is nil.
func Dir(tb testing.TB) string {
	if dir := os.Getenv(variable); dir != "" {
		return dir
	}
	if f := flag.Lookup("test.artifacts"); f != nil && f.Value.String() == "true" && tb != nil {
		return tb.ArtifactDir()
	}
	return filepath.Join(os.TempDir(), "beamyard-evidence")
}
