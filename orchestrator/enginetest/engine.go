package enginetest

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/netip"
	"sync"
	"time"

	"github.com/beamyard/beamyard/images"
	"github.com/beamyard/beamyard/orchestrator"
)

// Engine is an in-memory engine. Create one with [New].
type Engine struct {
	// Program returns the program of a container. Default: [UntilStopped]. Set it before
	// the first container starts.
	Program func(orchestrator.ContainerSpec) Program
	// Command is the program that Exec runs; its Process's Spec.Command is the command
	// line. Default: every command is missing. Set it before the first Exec.
	Command Program
	// NoInit means that the engine has no init program: a container that requests one
	// does not start. Set it before the first container starts.
	NoInit bool
	// Disorder moves the timestamp of every other event back by this much, if the event
	// before it is another container's. A real engine takes an event's timestamp before
	// it acquires the lock of its event list, so with several active containers the list
	// and the stream are not in the order of the timestamps. No timestamp precedes the
	// time that Info last returned. Set it before the first container is created.
	Disorder time.Duration
	// Skew is how far the engine's clock is ahead of the machine's. Set it before the first
	// container is created.
	Skew time.Duration
	// Local means that the engine says it is on this machine. A cluster then also asks this
	// machine for its addresses and reserves ports on it, so what it gets depends on the other
	// processes here. Set it before the first call.
	Local bool

	mu         *sync.Mutex // shared with the other members of a swarm
	swarm      *swarm      // nil: the engine is in none
	number     int         // in the swarm, from 0
	away       bool
	serial     int
	last       time.Time // of the last event: no two have the same time
	early      bool      // the last event was stamped too early, see Disorder
	asked      time.Time // when Info was asked last
	images     map[string]images.Info
	networks   map[string]*orchestrator.Network
	ranges     map[string]netip.Prefix // of networks that have one: NetworkSpec.IPRange, by their IDs
	volumes    map[string]*volume
	containers map[string]*container
	ring       []orchestrator.ContainerEvent
	streams    map[*stream]bool
	broken     chan struct{} // closed by BreakStreams, and replaced
	failures   map[string][]error
	drop       int
}

var _ orchestrator.Engine = (*Engine)(nil)

// ringSize is how many events an engine replays.
const ringSize = 256

// New creates an engine that has the given images.
func New(refs ...string) *Engine {
	e := &Engine{
		mu: &sync.Mutex{}, images: map[string]images.Info{}, networks: map[string]*orchestrator.Network{}, ranges: map[string]netip.Prefix{}, containers: map[string]*container{}, volumes: map[string]*volume{},
		streams: map[*stream]bool{}, broken: make(chan struct{}), failures: map[string][]error{},
	}
	for _, ref := range refs {
		e.AddImage(ref)
	}
	return e
}

// AddImage adds an image that needs no pull, and returns its ID.
func (e *Engine) AddImage(ref string) (id string) { return e.addImage(nil, ref) }

// FailNext makes the next calls of a method ("StartContainer") fail, one with each error.
func (e *Engine) FailNext(method string, errs ...error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.failures[method] = append(e.failures[method], errs...)
}

// DropEvents drops the next n events: no stream receives them, now or later.
func (e *Engine) DropEvents(n int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.drop += n
}

// BreakStreams breaks every open stream of events and logs, like a lost connection.
func (e *Engine) BreakStreams() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.breakStreams()
}

// breakStreams does the work of BreakStreams. The caller holds the lock.
func (e *Engine) breakStreams() {
	close(e.broken)
	e.broken = make(chan struct{})
}

// SetAway sets whether the engine is away: every stream breaks, every call fails with
// [orchestrator.ErrEngineUnreachable], and its containers continue to run.
func (e *Engine) SetAway(away bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.away = away; away {
		e.breakStreams()
	}
}

// fails says whether the method is to fail. Its caller holds no lock.
func (e *Engine) fails(method string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.away {
		return fmt.Errorf("dial memory://: connection refused: %w", orchestrator.ErrEngineUnreachable)
	}
	if errs := e.failures[method]; len(errs) > 0 {
		e.failures[method] = errs[1:]
		return errs[0]
	}
	return nil
}

// id makes a new ID as long as the real ones, which no other member of a swarm makes. Its caller holds the lock.
func (e *Engine) id() string {
	e.serial++
	return fmt.Sprintf("%02x%062x", e.number, e.serial)
}

// now is a time that no event had before.
func (e *Engine) now() time.Time {
	t := time.Now().Add(e.Skew)
	if !t.After(e.last) {
		t = e.last.Add(time.Nanosecond)
	}
	e.last = t
	return t
}

// Info implements orchestrator.Engine.
func (e *Engine) Info(context.Context) (orchestrator.EngineInfo, error) {
	if err := e.fails("Info"); err != nil {
		return orchestrator.EngineInfo{Local: e.Local, Endpoint: "memory://", From: orchestrator.EndpointFlag}, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.asked = time.Now().Add(e.Skew)
	return orchestrator.EngineInfo{
		ID: fmt.Sprintf("memory-%d", e.number), Version: "1", APIVersion: "1.41", Time: e.asked, CPUs: 2,
		Local: e.Local, Host: "127.0.0.1", Endpoint: "memory://", From: orchestrator.EndpointFlag,
		System: "memory", OS: "linux", Arch: "x86_64", Kernel: "6.1.0", Memory: 8 << 30, StorageDriver: "memory", Runtime: "runc",
		CgroupVersion: "2", CgroupDriver: "systemd", MemoryLimit: true, SwapLimit: true, PidsLimit: true, Security: []string{"seccomp"},
		Swarm: e.membership(),
	}, nil
}

// Proxies implements orchestrator.Engine: there are none.
func (e *Engine) Proxies() map[string]string { return nil }

// Image implements images.Engine.
func (e *Engine) Image(_ context.Context, ref string) (images.Info, error) {
	if err := e.fails("Image"); err != nil {
		return images.Info{}, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	info, ok := e.images[ref]
	if !ok {
		return images.Info{}, fmt.Errorf("image %s: %w", ref, images.ErrNotFound)
	}
	return info, nil
}

// Pull implements images.Engine: there is no registry.
func (e *Engine) Pull(_ context.Context, ref string, _ io.Writer) error {
	if err := e.fails("Pull"); err != nil {
		return err
	}
	return fmt.Errorf("pull %s: %w", ref, images.ErrNoRegistry)
}

// Offered corresponds to the Docker engine's method: it reports that there is no
// registry.
func (e *Engine) Offered(_ context.Context, ref string) error {
	if err := e.fails("Offered"); err != nil {
		return err
	}
	return fmt.Errorf("ask for %s: %w", ref, images.ErrNoRegistry)
}

// Build implements images.Engine: the image has the tags and labels, and no step is run.
func (e *Engine) Build(_ context.Context, b images.Build, _ io.Writer) (string, error) {
	if err := e.fails("Build"); err != nil {
		return "", err
	}
	if _, err := io.Copy(io.Discard, b.Context); err != nil {
		return "", err
	}
	return e.addImage(b.Labels, b.Tags...), nil
}

// Import implements images.Engine.
func (e *Engine) Import(_ context.Context, rootfs io.Reader, imp images.Import) (string, error) {
	if err := e.fails("Import"); err != nil {
		return "", err
	}
	if _, err := io.Copy(io.Discard, rootfs); err != nil {
		return "", err
	}
	return e.addImage(nil, imp.Ref), nil
}

func (e *Engine) addImage(labels map[string]string, refs ...string) string {
	e.mu.Lock()
	defer e.mu.Unlock()
	id := "sha256:" + e.id()
	for _, ref := range append(refs, id) {
		e.images[ref] = images.Info{ID: id, Labels: maps.Clone(labels)}
	}
	return id
}

// carries reports whether labels hold all that are wanted.
func carries(labels, want map[string]string) bool {
	for k, v := range want {
		if labels[k] != v {
			return false
		}
	}
	return true
}
