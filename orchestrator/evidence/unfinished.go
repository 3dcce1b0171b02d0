package evidence

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/keeper"
)

// This file names data that is being written, so that the remains of a killed process can be
// distinguished from the work of a running one.

const unfinished = ".beamyard-evidence-"

// unfinishedName is a pattern for [os.MkdirTemp] with this process's data: prefix, machine, pid
// and start of the process, and a unique part.
func unfinishedName() string {
	self := keeper.Self(false)
	return fmt.Sprintf("%s%s-%d-%s-", unfinished, machine(self), self.PID, self.Start)
}

// machine is a short name of an owner's machine, boot and pid namespace.
func machine(o orchestrator.Owner) string {
	sum := sha256.Sum256([]byte(o.Host))
	return fmt.Sprintf("%x", sum[:6])
}

// sweep removes from a folder the unfinished data of processes of this machine that have ended,
// and reports whether there was any. What it cannot remove stays.
func sweep(dir string) (found bool) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return false
	}
	for _, e := range entries {
		if abandoned(e.Name()) {
			found = true
			_ = os.RemoveAll(filepath.Join(dir, e.Name()))
		}
	}
	return found
}

// sweepBundles sweeps the bundles in a folder. It also removes a bundle that is then empty.
func sweepBundles(in string) {
	entries, err := os.ReadDir(in)
	if err != nil {
		return
	}
	for _, e := range entries {
		if dir := filepath.Join(in, e.Name()); strings.HasPrefix(e.Name(), "beamyard-") && sweep(dir) {
			_ = os.Remove(dir)
		}
	}
}

// abandoned reports whether a name marks unfinished data whose process has certainly ended.
func abandoned(name string) bool {
	rest, ours := strings.CutPrefix(name, unfinished)
	fields := strings.Split(rest, "-")
	if !ours || len(fields) != 4 {
		return false
	}
	self := keeper.Self(false)
	pid, err := strconv.Atoi(fields[1])
	if err != nil || fields[0] != machine(self) {
		return false
	}
	alive, known := keeper.Alive(orchestrator.Owner{Host: self.Host, PID: pid, Start: fields[2]})
	return known && !alive
}
