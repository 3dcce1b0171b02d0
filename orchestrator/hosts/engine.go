package hosts

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/beamyard/beamyard/orchestrator"
)

// Machine is the engine of one host.
type Machine interface {
	orchestrator.Engine

	// SaveImage streams an image with its tags, for LoadImage of another machine.
	SaveImage(ctx context.Context, ref string) (io.ReadCloser, error)
	// LoadImage adds the images of such a stream.
	LoadImage(ctx context.Context, archive io.Reader) error
	// CreateOverlay creates an attachable overlay network. A machine that does not manage a
	// swarm fails with [orchestrator.ErrNoSwarm]. See CreateNetwork for its other errors.
	CreateOverlay(ctx context.Context, n orchestrator.NetworkSpec, encrypted bool) (id string, err error)
}

// Options configure an [Engine].
type Options struct {
	// Encrypted encrypts what nodes on different hosts send to each other.
	Encrypted bool
	// Patience is how long a host may take to answer a question that goes to all hosts.
	// Default 5s.
	Patience time.Duration
}

// Engine is one engine over those of several hosts.
type Engine struct {
	hosts []*host // sorted by name
	opts  Options
	index index

	copies singleflight.Group // of images
	mu     sync.Mutex
	naming map[string]bool // names of containers that are being created
}

var _ orchestrator.Engine = (*Engine)(nil)

// host is one machine.
type host struct {
	name string
	Machine
	clock clock
}

// New returns an engine over machines, by the names of their hosts. There is at least one.
// It does no I/O.
func New(machines map[string]Machine, o Options) *Engine {
	if o.Patience == 0 {
		o.Patience = 5 * time.Second
	}
	e := &Engine{opts: o, index: index{of: map[string]*host{}}, naming: map[string]bool{}}
	for _, name := range slices.Sorted(maps.Keys(machines)) {
		e.hosts = append(e.hosts, &host{name: name, Machine: machines[name]})
	}
	return e
}

// failed names the host in an error of its engine.
func (h *host) failed(err error) error {
	if err == nil || errors.Is(err, context.Canceled) {
		return err
	}
	if errors.Is(err, orchestrator.ErrEngineUnreachable) {
		return &MissingError{Hosts: map[string]error{h.name: err}}
	}
	return fmt.Errorf("host %s: %w", h.name, err)
}

// MissingError says which hosts did not answer. It matches [orchestrator.ErrHostLost], and what
// their errors match. A list that comes with it lacks the part of these hosts.
type MissingError struct{ Hosts map[string]error }

func (e *MissingError) Error() string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(e.Hosts)) {
		parts = append(parts, fmt.Sprintf("host %s does not answer: %v", name, e.Hosts[name]))
	}
	return strings.Join(parts, "; ")
}

// Unwrap returns the hosts' errors and [orchestrator.ErrHostLost].
func (e *MissingError) Unwrap() []error {
	return append(slices.Collect(maps.Values(e.Hosts)), orchestrator.ErrHostLost)
}

// Missing returns the [MissingError] in an error of a list, which is then the part of the hosts that
// answered. Any other error is other.
func Missing(err error) (missing *MissingError, other error) {
	if errors.As(err, &missing) {
		return missing, nil
	}
	return nil, err
}

// each asks all hosts at once and returns the answers by host, in order. A host that does not
// answer in time is missing from them, and the error is a [MissingError]; the first other error
// ends it.
func each[T any](ctx context.Context, e *Engine, ask func(context.Context, *host) (T, error)) (answers []answer[T], err error) {
	all, errs := make([]T, len(e.hosts)), make([]error, len(e.hosts))
	var group sync.WaitGroup
	for i, h := range e.hosts {
		group.Go(func() {
			asking, cancel := context.WithTimeout(ctx, e.opts.Patience)
			defer cancel()
			all[i], errs[i] = ask(asking, h)
			if asking.Err() != nil && ctx.Err() == nil && errs[i] != nil {
				errs[i] = fmt.Errorf("no answer within %s: %w", e.opts.Patience, orchestrator.ErrEngineUnreachable)
			}
		})
	}
	group.Wait()
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	missing := map[string]error{}
	for i, h := range e.hosts {
		switch {
		case errs[i] == nil:
			answers = append(answers, answer[T]{h, all[i]})
		case errors.Is(errs[i], orchestrator.ErrEngineUnreachable):
			missing[h.name] = errs[i]
		case err == nil:
			err = h.failed(errs[i])
		}
	}
	if err == nil && len(missing) > 0 {
		err = &MissingError{Hosts: missing}
	}
	return answers, err
}

// answer is what one host answered.
type answer[T any] struct {
	*host
	value T
}

// Proxies implements [orchestrator.Engine]: those of the first host.
func (e *Engine) Proxies() map[string]string { return e.hosts[0].Proxies() }

// Info implements orchestrator.Engine. It describes the manager, or else the first host that
// answers; Hosts has each, with its own time now. CPUs and memory are those of all, and the MTU is
// the smallest. Ports that are published on loopback are this machine's, or tunnelled: with several
// hosts, Host is loopback.
// It fails if none answers.
func (e *Engine) Info(ctx context.Context) (orchestrator.EngineInfo, error) {
	answers, err := each(ctx, e, func(ctx context.Context, h *host) (orchestrator.EngineInfo, error) {
		if _, err := h.offset(ctx); err != nil {
			return orchestrator.EngineInfo{}, err
		}
		return h.Info(ctx)
	})
	var missing *MissingError
	if err != nil && !errors.As(err, &missing) {
		return orchestrator.EngineInfo{}, err
	}
	if len(answers) == 0 {
		info, _ := e.hosts[0].Info(ctx) // what needs no answer
		return info, err
	}
	info := answers[max(0, slices.IndexFunc(answers, func(a answer[orchestrator.EngineInfo]) bool { return a.value.Swarm.Manager }))].value
	info.CPUs, info.Memory, info.Local, info.Time = 0, 0, false, time.Now()
	if len(e.hosts) > 1 {
		info.Host, info.Tunnelled = "127.0.0.1", false
	}
	info.Hosts = map[string]orchestrator.EngineInfo{}
	for _, a := range answers {
		info.CPUs, info.Memory = info.CPUs+a.value.CPUs, info.Memory+a.value.Memory
		info.MTU = smaller(info.MTU, a.value.MTU)
		ahead, err := a.offset(ctx) // it is known
		if err != nil {
			return orchestrator.EngineInfo{}, err
		}
		a.value.Time = theirs(info.Time, ahead)
		info.Hosts[a.name] = a.value
	}
	if missing != nil {
		for name, err := range missing.Hosts {
			info.Hosts[name] = orchestrator.EngineInfo{Lost: err.Error()}
		}
	}
	return info, nil
}

// smaller returns the smaller of two MTUs as engines report them; "" is unset.
func smaller(a, b string) string {
	if a == "" || b != "" && (len(b) < len(a) || len(b) == len(a) && b < a) {
		return b
	}
	return a
}

// named returns the host of that name.
func (e *Engine) named(name string) (*host, error) {
	for _, h := range e.hosts {
		if h.name == name {
			return h, nil
		}
	}
	return nil, fmt.Errorf("host %s: %w", name, orchestrator.ErrNotFound)
}
