package enginetest

import (
	"testing"

	"github.com/beamyard/beamyard/orchestrator/internal/helper"
)

// HelperImage returns the reference of the image that doctor and faults make of the program at path.
func HelperImage(t testing.TB, path string) string {
	t.Helper()
	ref, err := helper.Reference(path)
	if err != nil {
		t.Fatal(err)
	}
	return ref
}
