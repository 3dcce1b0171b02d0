package manifest

import (
	"path"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/hint"
)

// This file is what a node needs so that its clock can be changed: libfaketime, which takes an
// offset from a file. Package faults writes that file.

const (
	// ClockFile has the offset of a node's clock from the right time, in seconds with a sign.
	ClockFile = "/.beamyard/clock"
	// clockLibrary is where a node finds libfaketime, wherever its image has it.
	clockLibrary = "/.beamyard/libfaketime.so.1"
)

// clockEnv arms libfaketime. It leaves monotonic time alone: its version 0.9.11 takes relative
// waits for absolute ones otherwise, and timers and ticks must stay right. It reads the file
// once a second: a reading of the clock takes 2.6 µs, and 96 µs if it read it each time.
func clockEnv(env map[string]string) {
	library := clockLibrary
	if own := env["LD_PRELOAD"]; own != "" {
		library = own + ":" + library
	}
	env["LD_PRELOAD"] = library
	env["FAKETIME_TIMESTAMP_FILE"] = ClockFile
	env["FAKETIME_CACHE_DURATION"] = "0" // whole seconds, and one more
	env["FAKETIME_DISABLE_SHM"] = "1"
	env["FAKETIME_DONT_FAKE_MONOTONIC"] = "1"
}

// clockFiles returns the files of a node whose clock can be changed, by path. read returns a file
// of its container, "" if there is none.
func clockFiles(read func(path string) (string, error)) (map[string]string, error) {
	for _, folder := range []string{"/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib", "/usr/local/lib"} {
		library, err := read(path.Join(folder, "faketime/libfaketimeMT.so.1"))
		if err != nil {
			return nil, err
		}
		if library != "" {
			return map[string]string{clockLibrary: library, ClockFile: "+0\n"}, nil
		}
	}
	return nil, orchestrator.WithHint(orchestrator.ErrNoFaketime, "%s",
		hint.Newf("install it in the image (Debian: apt-get install libfaketime), or leave out %s", hint.Setting("clock: true")))
}
