package network

import (
	"os"
	"path/filepath"
	"testing"
)

func TestNeighbourLimitsAreOnlyRaised(t *testing.T) {
	folder := t.TempDir()
	put := func(name, value string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(folder, name), []byte(value+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, known := readLimit(folder, "gc_thresh3"); known {
		t.Error("limits are reported without the files")
	}
	if err := raiseLimits(folder); err == nil {
		t.Error("raised limits whose files do not exist")
	}
	put("gc_thresh1", "128")
	put("gc_thresh2", "512")
	put("gc_thresh3", "1048576")
	if err := raiseLimits(folder); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]int{"gc_thresh1": 8192, "gc_thresh2": 49152, "gc_thresh3": 1048576} {
		if got, known := readLimit(folder, name); got != want || !known {
			t.Errorf("%s is %d, want %d", name, got, want)
		}
	}
	put("gc_thresh3", "many")
	if _, known := readLimit(folder, "gc_thresh3"); known {
		t.Error("a limit is reported though it is not a number")
	}
}
