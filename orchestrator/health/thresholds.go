package health

import (
	"cmp"
	"fmt"
	"time"
)

// Thresholds are the values from which a measurement is a failed check. Zero means the
// default.
type Thresholds struct {
	// RoundTrip is the round-trip time of an empty call. Default 100ms.
	RoundTrip time.Duration `json:"round_trip,omitempty"`
	// ClockSkew is the difference between a node's clock and this machine's. Default 2s.
	ClockSkew time.Duration `json:"clock_skew,omitempty"`
	// RunQueue is the number of processes waiting in the run queue, per scheduler. Default
	// 10.
	RunQueue float64 `json:"run_queue,omitempty" file:",min=0"`
	// Load is the fraction of the schedulers' time spent working. Default 0.95.
	Load float64 `json:"load,omitempty" file:"part"`
	// Memory of the container, as a fraction of its limit. A node above this threshold is
	// Degraded; the same holds for Processes, Ports, Atoms, Tables and Files. Default 0.9.
	Memory float64 `json:"memory,omitempty" file:"part"`
	// Processes, as a fraction of the VM's limit. Default 0.9.
	Processes float64 `json:"processes,omitempty" file:"part"`
	// Ports, as a fraction of the VM's limit. Default 0.9.
	Ports float64 `json:"ports,omitempty" file:"part"`
	// Atoms, as a fraction of the VM's limit. Default 0.9.
	Atoms float64 `json:"atoms,omitempty" file:"part"`
	// Tables are ETS tables, as a fraction of the VM's limit. Default 0.9.
	Tables float64 `json:"tables,omitempty" file:"part"`
	// Files are open files, as a fraction of the limit. Default 0.9.
	Files float64 `json:"files,omitempty" file:"part"`
}

// Defaulted returns t with defaults for all thresholds that are not set.
func (t Thresholds) Defaulted() Thresholds {
	t.RoundTrip = cmp.Or(t.RoundTrip, 100*time.Millisecond)
	t.ClockSkew = cmp.Or(t.ClockSkew, 2*time.Second)
	t.RunQueue = cmp.Or(t.RunQueue, 10)
	t.Load = cmp.Or(t.Load, 0.95)
	for _, part := range []*float64{&t.Memory, &t.Processes, &t.Ports, &t.Atoms, &t.Tables, &t.Files} {
		*part = cmp.Or(*part, 0.9)
	}
	return t
}

// Problems returns what is wrong with each invalid threshold, by key.
func (t Thresholds) Problems() map[string]string {
	problems := map[string]string{}
	for key, part := range map[string]float64{
		"load": t.Load, "memory": t.Memory, "processes": t.Processes, "ports": t.Ports,
		"atoms": t.Atoms, "tables": t.Tables, "files": t.Files,
	} {
		if !(part >= 0 && part <= 1) { // NaN too
			problems[key] = fmt.Sprintf("%g is not a part of a limit: give 0 to 1", part)
		}
	}
	for key, d := range map[string]time.Duration{"round_trip": t.RoundTrip, "clock_skew": t.ClockSkew} {
		if d < 0 {
			problems[key] = fmt.Sprintf("%s is negative", d)
		}
	}
	if !(t.RunQueue >= 0) {
		problems["run_queue"] = fmt.Sprintf("%g is negative", t.RunQueue)
	}
	return problems
}
