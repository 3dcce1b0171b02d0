package doctor

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"time"

	"github.com/beamyard/beamyard/network"
	"github.com/beamyard/beamyard/orchestrator"
)

// Engine is the part of a container engine that an examination needs.
type Engine interface {
	orchestrator.Engine

	// Offered asks the engine whether a registry has an image, without fetching it; nil
	// means yes. It fails with images.ErrNotFound if the registry does not have the
	// image, and with images.ErrNoRegistry if no registry answers.
	Offered(ctx context.Context, ref string) error
}

// Options configure an examination. The zero value works, and reports that there is no
// engine.
type Options struct {
	// Engine to examine; it need not answer.
	Engine Engine
	// NoEngine is why Engine is nil: a context that does not exist, or an invalid
	// address.
	NoEngine error
	// Executable is the program that runs inside the engine, as `PROGRAM probe`: it must
	// call [Probe]. Default: this process's own executable.
	Executable string
	// Pool is the range of clusters' subnets. Default: network.DefaultPool.
	Pool netip.Prefix
	// HostPort is the first host port for nodes. Default: 4200.
	HostPort int
	// Nodes is the number of nodes that the machine must support. Default: 50, the most
	// that a cluster may have.
	Nodes int
	// Patience is the time limit of each check. Default: 5 s.
	Patience time.Duration
}

func (o Options) withDefaults() Options {
	if !o.Pool.IsValid() {
		o.Pool = network.DefaultPool
	}
	if o.HostPort == 0 {
		o.HostPort = orchestrator.DefaultHostPort
	}
	if o.Nodes == 0 {
		o.Nodes = orchestrator.DefaultMaxNodes
	}
	if o.Patience == 0 {
		o.Patience = 5 * time.Second
	}
	return o
}

// State is the outcome of a check.
type State string

// The states. A warning names what will not work, or not well. A failure keeps a cluster
// from starting until it is fixed, or until other settings are given.
const (
	OK      State = "ok"
	Warning State = "warning"
	Failed  State = "failed"
	Unknown State = "unknown"
)

// Check is the result of one check.
type Check struct {
	Code  string `json:"code"`  // for scripts: "storage"
	Title string `json:"title"` // for people: "storage"
	State State  `json:"state"`
	// Text is the result in one line, with figures.
	Text string `json:"text"`
	// Remedy is what to type or to do, one step per line; "" if nothing is wrong.
	Remedy string `json:"remedy,omitempty"`
}

// Report is the result of an examination.
type Report struct {
	Checks []Check `json:"checks"`
	// Usable means that it is worth trying to start a cluster: the engine answers,
	// permits access, is new enough, and does not refuse every container.
	Usable bool `json:"usable"`
}

// Count returns the number of checks with a state.
func (r Report) Count(s State) int {
	n := 0
	for _, c := range r.Checks {
		if c.State == s {
			n++
		}
	}
	return n
}

// UnusableError reports that no cluster can run on this machine. The Remedy of its Check
// says what to do. It has no Hint, because the report has already shown the remedy.
type UnusableError struct{ Check Check }

func (e *UnusableError) Error() string { return "nothing can run here: " + e.Check.Text }

// Err returns an [*UnusableError] if no cluster can run, else nil.
func (r Report) Err() error {
	if r.Usable {
		return nil
	}
	for _, code := range []string{codeEngine, codeContainer, codeHost} {
		for _, c := range r.Checks {
			if c.State == Failed && (c.Code == code || code == codeHost && strings.HasPrefix(c.Code, code)) {
				return &UnusableError{c}
			}
		}
	}
	return &UnusableError{Check{Text: "no engine was examined"}}
}

// errNoEngine stands for an engine that was not given.
var errNoEngine = errors.New("no engine was given")

// Examine checks everything that could keep a cluster from running on this machine and
// its engine. It takes a few seconds at most. It leaves only its own image,
// beamyard/helper, which the next examination uses again.
func Examine(ctx context.Context, o Options) Report {
	e := begin(ctx, o.withDefaults())
	defer e.end()
	answers := e.engineErr == nil
	return Report{Checks: e.run(ctx, checks(answers)), Usable: answers && !e.refusesContainers(ctx)}
}
