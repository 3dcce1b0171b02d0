package keeper

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/internal/wait"
)

// Self returns this process as an owner.
func Self(detached bool) orchestrator.Owner {
	pid := os.Getpid()
	return orchestrator.Owner{Host: thisHost(), PID: pid, Start: processStart(pid), Detached: detached}
}

// Alive reports whether the owning process is running on this machine. known is false for
// an owner on another machine, whose state cannot be determined.
func Alive(o orchestrator.Owner) (alive, known bool) {
	if o.Host != thisHost() {
		return false, false
	}
	start := processStart(o.PID)
	return start != "" && start == o.Start, true
}

// End asks a detached owner on this machine to end, with SIGTERM, and returns when it has, with ctx's
// error, or at once with the error of kill(2), as for another user's. It returns nil at once if that
// process is gone, or cannot be told from another one of its number.
func End(ctx context.Context, o orchestrator.Owner) error {
	alive := func() bool { alive, _ := Alive(o); return alive }
	if !o.Detached || o.Start == noStart || !alive() {
		return nil
	}
	p, err := os.FindProcess(o.PID)
	if err == nil {
		err = p.Signal(syscall.SIGTERM)
	}
	if err != nil && alive() { // another user's
		return fmt.Errorf("end process %d: %w", o.PID, err)
	}
	for alive() {
		if !wait.Sleep(ctx, 20*time.Millisecond) {
			return ctx.Err()
		}
	}
	return nil
}

// thisHost returns the host's name with the kernel's boot ID, if there is one: a reboot
// ends every owner. It also holds the pid namespace: containers with the same host name
// that share an engine would see each other's pids as dead, and sweep each other's
// clusters.
func thisHost() string {
	name, err := os.Hostname()
	if err != nil {
		name = "unknown"
	}
	if boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id"); err == nil {
		name += "/" + strings.TrimSpace(string(boot))
	}
	if ns, err := os.Readlink("/proc/self/ns/pid"); err == nil {
		name += "/" + ns
	}
	return name
}

// noStart stands for the start time of a live process on systems without /proc.
const noStart = "alive"

// processStart returns field 22 of /proc/PID/stat (proc_pid_stat(5)), or "" if the
// process is gone.
func processStart(pid int) string {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		if _, noProc := os.Stat("/proc/self/stat"); noProc == nil {
			return ""
		}
		if p, err := os.FindProcess(pid); err == nil && signalZero(p) == nil {
			return noStart
		}
		return ""
	}
	// Field 2, the command, is in parentheses and may contain any character.
	_, rest, _ := strings.Cut(string(stat[strings.LastIndexByte(string(stat), ')')+1:]), " ")
	fields := strings.Fields(rest)
	const startTime = 22 - 3 // the fields after the command begin with number 3
	if len(fields) <= startTime {
		return ""
	}
	if fields[0] == "Z" {
		return "" // a zombie keeps its pid and owns nothing
	}
	if _, err := strconv.ParseUint(fields[startTime], 10, 64); err != nil {
		return ""
	}
	return fields[startTime]
}
