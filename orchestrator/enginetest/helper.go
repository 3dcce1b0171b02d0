package enginetest

import "github.com/beamyard/beamyard/orchestrator/internal/helper"

// HelperImage returns the reference of the image that doctor and faults make of the program at path.
func HelperImage(path string) (ref string, err error) { return helper.Reference(path) }
