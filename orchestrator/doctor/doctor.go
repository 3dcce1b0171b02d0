package doctor

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"github.com/beamyard/beamyard/network"
	"github.com/beamyard/beamyard/orchestrator"
)

// Engine is what an examination needs of a container engine.
type Engine interface {
	orchestrator.Engine

	// Offered asks the engine whether a registry has an image, without fetching
	// it; nil says yes. It fails with images.ErrNotFound where the registry
	// answers and has it not, with images.ErrNoRegistry where none answers.
	Offered(ctx context.Context, ref string) error
}

// Options say what is examined. The zero value works, and finds no engine.
type Options struct {
	// Engine to examine; it need not answer.
	Engine Engine
	// NoEngine is why there is no Engine: a context that does not exist, an
	// address that is none.
	NoEngine error
	// Executable is the program that is run inside the engine, as `PROGRAM
	// probe`: it must call [Probe]. Default: this process's own.
	Executable string
	// Pool is where clusters' subnets are cut from. Default: network.DefaultPool.
	Pool netip.Prefix
	// HostPort is where nodes' host ports are counted from. Default: 4200.
	HostPort int
	// Nodes is how many nodes the figures are compared with. Default: 50, as
	// many as a cluster may have.
	Nodes int
	// Patience bounds each check. Default: 5 s.
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

// The states. A warning names what will not work, or not well; with a failure a
// cluster cannot start until it is mended, or not without saying otherwise.
const (
	OK      State = "ok"
	Warning State = "warning"
	Failed  State = "failed"
	Unknown State = "unknown"
)

// Check is one thing that was looked at.
type Check struct {
	Code  string `json:"code"`  // for scripts: "storage"
	Title string `json:"title"` // for people: "storage"
	State State  `json:"state"`
	// Text says in one line what was found, with figures.
	Text string `json:"text"`
	// Remedy is what to type or to do, a line each; "" where nothing is wrong.
	Remedy string `json:"remedy,omitempty"`
}

// Report is everything that was looked at.
type Report struct {
	Checks []Check `json:"checks"`
	// Usable says that a cluster can be tried here: the engine answers, lets us
	// in, is new enough, and does not refuse every container.
	Usable bool `json:"usable"`
}

// Count is how many checks have a state.
func (r Report) Count(s State) int {
	n := 0
	for _, c := range r.Checks {
		if c.State == s {
			n++
		}
	}
	return n
}

// UnusableError says that nothing can run on this machine. What to do is in its
// Check's Remedy; it is no hint, for it was shown with the report already.
type UnusableError struct{ Check Check }

func (e *UnusableError) Error() string { return "nothing can run here: " + e.Check.Text }

// Err is an [*UnusableError] where nothing can run, else nil.
func (r Report) Err() error {
	if r.Usable {
		return nil
	}
	for _, code := range []string{codeEngine, codeContainer} {
		for _, c := range r.Checks {
			if c.Code == code && c.State == Failed {
				return &UnusableError{c}
			}
		}
	}
	return &UnusableError{Check{Text: "no engine was looked at"}}
}

// errNoEngine stands for an engine that nobody gave.
var errNoEngine = errors.New("no engine was given")

// Examine looks at everything that could keep a cluster from running on this
// machine and its engine. It takes a few seconds at most, and leaves nothing
// behind but an image of its own, beamyard/probe, that the next one uses again.
func Examine(ctx context.Context, o Options) Report {
	e := begin(ctx, o.withDefaults())
	defer e.end()
	answers := e.engineErr == nil
	return Report{Checks: e.run(ctx, checks(answers)), Usable: answers && !e.refusesContainers(ctx)}
}
