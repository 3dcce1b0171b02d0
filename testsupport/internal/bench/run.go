package bench

import (
	"slices"
	"time"
)

// Run is what one run of the benchmark measured.
type Run struct {
	Began    time.Time     `json:"began"`
	Took     time.Duration `json:"took"`
	Commit   string        `json:"commit,omitempty"`
	Quick    bool          `json:"quick,omitempty"`
	Machine  Machine       `json:"machine"`
	Engine   Engine        `json:"engine"`
	Software []string      `json:"software,omitempty"` // "docker-compose 1.29.2"
	Rows     []Row         `json:"rows"`
}

// Machine is where a run took place.
type Machine struct {
	CPUs   int    `json:"cpus"`
	CPU    string `json:"cpu"` // the model
	Memory int64  `json:"memory"`
	Kernel string `json:"kernel"`
	// Load is the load average of the last minute, before and after the run.
	Load [2]float64 `json:"load"`
}

// Engine is what ran the containers.
type Engine struct {
	Version string `json:"version"`
	Driver  string `json:"driver"` // of storage
	Runtime string `json:"runtime"`
	Cgroups string `json:"cgroups"` // "1"
	// Where is "on the machine", or "in a container".
	Where string `json:"where"`
}

// Row is one measurement.
type Row struct {
	// Key names what was measured: "up". With Nodes and By it identifies the row.
	Key   string `json:"key"`
	What  string `json:"what"`
	Nodes int    `json:"nodes,omitempty"`
	Unit  Unit   `json:"unit"`
	// By names what stands in the row's column "beside", and What it is for a reader: a floor,
	// or another tool. Empty: the row has no pairs.
	By     string    `json:"by,omitempty"`
	Beside string    `json:"beside,omitempty"`
	Theirs []float64 `json:"theirs,omitempty"`
	// Ours has a value of Beamyard for each of Theirs, of the same round.
	Ours []float64 `json:"ours,omitempty"`
	// Why says why the row could not be measured.
	Why string `json:"why,omitempty"`
}

// Unit says what a row's values are.
type Unit string

// The units. Times are in seconds.
const (
	Seconds   Unit = "s"
	Processor Unit = "cpu-s" // seconds of processor time
	Bytes     Unit = "B"
	PerSecond Unit = "1/s"
	Share     Unit = "core" // of one processor core; 1 is all of it
	Count     Unit = "count"
)

// Ratios returns ours over theirs, round by round.
func (r Row) Ratios() []float64 {
	var ratios []float64
	for i := range min(len(r.Ours), len(r.Theirs)) {
		if r.Theirs[i] > 0 {
			ratios = append(ratios, r.Ours[i]/r.Theirs[i])
		}
	}
	return ratios
}

// Differences returns ours minus theirs, round by round.
func (r Row) Differences() []float64 {
	var over []float64
	for i := range min(len(r.Ours), len(r.Theirs)) {
		over = append(over, r.Ours[i]-r.Theirs[i])
	}
	return over
}

// Median returns the middle value, or the mean of the two in the middle; 0 for none.
func Median(values []float64) float64 {
	s := slices.Sorted(slices.Values(values))
	switch n := len(s); {
	case n == 0:
		return 0
	case n%2 == 0:
		return (s[n/2-1] + s[n/2]) / 2
	default:
		return s[n/2]
	}
}
