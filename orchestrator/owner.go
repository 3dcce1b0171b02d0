package orchestrator

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// Owner identifies the process that keeps a cluster: a pid alone could have
// been given to another process since, so the process's start time goes with
// it, and the machine (with its boot) on which both mean something.
type Owner struct {
	Host  string `json:"host"`  // host name, boot and pid namespace
	PID   int    `json:"pid"`   //
	Start string `json:"start"` // of the process, in clock ticks since boot
	// Detached clusters outlive their owner on purpose: the next supervisor
	// adopts them, and prune leaves them.
	Detached bool `json:"detached,omitempty"`
}

// Self is this process as an owner.
func Self(detached bool) Owner {
	pid := os.Getpid()
	return Owner{Host: thisHost(), PID: pid, Start: processStart(pid), Detached: detached}
}

// Alive reports whether the owning process runs on this machine. known is
// false for an owner on another machine, of which nothing can be said.
func (o Owner) Alive() (alive, known bool) {
	if o.Host != thisHost() {
		return false, false
	}
	start := processStart(o.PID)
	return start != "" && start == o.Start, true
}

// thisHost is the host's name with the kernel's boot ID where there is one: a
// reboot ends every owner. The pid namespace goes with it: containers of one host
// name that share an engine see each other's pids as dead, and would sweep each
// other's clusters.
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

// processStart is field 22 of /proc/PID/stat (proc_pid_stat(5)), or "" where
// the process is gone. Where there is no /proc, a live process is "alive".
func processStart(pid int) string {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		if _, noProc := os.Stat("/proc/self/stat"); noProc == nil {
			return ""
		}
		if p, err := os.FindProcess(pid); err == nil && signalZero(p) == nil {
			return "alive"
		}
		return ""
	}
	// The command, field 2, is in parentheses and may hold anything.
	_, rest, _ := strings.Cut(string(stat[strings.LastIndexByte(string(stat), ')')+1:]), " ")
	fields := strings.Fields(rest)
	const startTime = 22 - 3 // fields after the command begin with number 3
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
