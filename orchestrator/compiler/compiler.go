package compiler

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/beamyard/beamyard/network"
	"github.com/beamyard/beamyard/network/erldist"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/build"
	"github.com/beamyard/beamyard/orchestrator/codesync"
	"github.com/beamyard/beamyard/orchestrator/hint"
	"github.com/beamyard/beamyard/orchestrator/internal/dist"
	"github.com/beamyard/beamyard/orchestrator/internal/manifest"
	"github.com/beamyard/beamyard/orchestrator/internal/provision"
	"github.com/beamyard/beamyard/orchestrator/internal/reach"
	"github.com/beamyard/beamyard/orchestrator/internal/wait"
	"github.com/beamyard/beamyard/orchestrator/logs"
)

// This file handles a cluster's compiler: a container of the cluster's image that is not
// a node. In its VM, Mix waits with the project loaded. The first sync creates it, it
// stops itself when idle, and its file system is kept.

// helperCompiler is the purpose of the compiler's container.
const helperCompiler = "compiler"

// compilerStart is how long its VM may take to answer. On a busy machine Elixir boots
// within some seconds.
const compilerStart = 60 * time.Second

// compilerSpec returns the compiler's container. Mix is loaded without a real task: the
// one it runs only adds dependencies to the code path. The compiler may use as much
// memory as it needs, whatever the nodes' limits are. If containers' addresses are not
// reachable (not direct), its distribution port is published at the given address of the
// engine's host.
func compilerSpec(f Site, direct bool, at string) orchestrator.ContainerSpec {
	name := f.Spec.Names().Node(helperCompiler)
	c := manifest.Helper(f.Spec, f.NetworkID, f.Created, helperCompiler, []string{
		"elixir", manifest.NameFlag(f.Spec), name, "--hidden", "--erl", manifest.VMFlags(f.Spec), "--no-halt", "-e", codesync.Idle,
		"-S", "mix", "loadpaths", "--no-compile", "--no-deps-check",
	})
	c.Memory, c.CPUs, c.NoFile = 0, 0, 0 // VMFlags bounds the port table
	if !direct {
		c.Ports = []orchestrator.PortBinding{{Container: uint16(f.Spec.Distribution.Port), HostIP: at}}
	}
	return c
}

// Site is the cluster that a compiler belongs to.
type Site struct {
	Spec      orchestrator.Spec // as it was prepared, with the cluster's owner
	NetworkID string
	Subnet    netip.Prefix
	Created   time.Time // by the engine's clock
}

// Conn is a connection to a compiler.
type Conn struct {
	*erldist.Conn
	id string // the ID of its container
}

// Dial connects to the cluster's compiler. It creates or starts the compiler if
// it is not running.
func Dial(ctx context.Context, eng orchestrator.Engine, f Site, info orchestrator.EngineInfo) (Conn, error) {
	if err := compilable(f.Spec); err != nil {
		return Conn{}, err
	}
	f.Spec.Distribution.Port = cmp.Or(f.Spec.Distribution.Port, orchestrator.DefaultDistPort) // even if the nodes' custom command uses another port
	direct, err := reach.Direct(ctx, eng, info, f.NetworkID, network.Layout(f.Subnet))
	if err != nil {
		return Conn{}, err
	}
	listed, err := eng.Containers(ctx, map[string]string{orchestrator.LabelCluster: f.Spec.Name, orchestrator.LabelHelper: helperCompiler})
	if err != nil {
		return Conn{}, fmt.Errorf("list containers: %w", err)
	}
	var id string
	if len(listed) > 0 {
		id = listed[0].ID
	}
	spec := compilerSpec(f, direct, manifest.PublishAddress(info))
	if id == "" {
		if id, err = createCompiler(ctx, eng, f.Spec, spec); manifest.LeaveOut(&spec, err) {
			id, err = createCompiler(ctx, eng, f.Spec, spec)
		}
		if err != nil {
			return Conn{}, err
		}
	}
	conn, err := startCompiler(ctx, eng, f, info, direct, id)
	for manifest.LeaveOut(&spec, err) { // created again, without what the engine lacks
		if err = eng.RemoveContainer(ctx, id); err != nil {
			return Conn{}, err
		}
		if id, err = createCompiler(ctx, eng, f.Spec, spec); err != nil {
			return Conn{}, err
		}
		conn, err = startCompiler(ctx, eng, f, info, direct, id)
	}
	if stopped := (*compilerStopped)(nil); errors.As(err, &stopped) && len(listed) > 0 {
		// The code that the compiler got last may keep it from starting: write the
		// current sources directly.
		if werr := writeSources(ctx, eng, f.Spec, id); werr != nil {
			return Conn{}, errors.Join(err, werr)
		}
		conn, err = startCompiler(ctx, eng, f, info, direct, id)
	}
	return conn, err
}

// createCompiler creates the container. A container that another process just created is
// used instead. It is not interrupted: the engine would create the container anyway,
// after the removal of the cluster has listed its containers.
func createCompiler(ctx context.Context, eng orchestrator.Engine, s orchestrator.Spec, spec orchestrator.ContainerSpec) (string, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), EndTime)
	defer cancel()
	id, err := eng.CreateContainer(ctx, spec)
	if errors.Is(err, orchestrator.ErrNoInit) && !spec.NoInit { // Podman detects it before the start
		spec.NoInit = true
		id, err = eng.CreateContainer(ctx, spec)
	}
	if errors.Is(err, orchestrator.ErrNameTaken) {
		c, missing := eng.InspectContainer(ctx, spec.Name)
		if missing == nil && c.Labels[orchestrator.LabelHelper] == helperCompiler {
			return c.ID, nil
		}
	}
	if err == nil {
		if err = (provision.Writer{Engine: eng}).Helper(ctx, s, id, spec); err != nil {
			err = errors.Join(err, eng.RemoveContainer(ctx, id)) // without its files it would never answer
		}
	}
	if err != nil {
		return "", fmt.Errorf("create container %s: %w", spec.Name, err)
	}
	return id, nil
}

// compilable returns an error if there are no local sources for a compiler.
func compilable(s orchestrator.Spec) error {
	for _, n := range s.Nodes {
		if n.Name == helperCompiler {
			return orchestrator.WithHint(fmt.Errorf("sync needs the name %q for its compiler, which is a node's", helperCompiler), "give that node another name, then: %s; %s", hint.Down.On(s.Name), hint.Up.With())
		}
	}
	_, err := build.SyncSource(s)
	return err
}

// noProject returns the error for an image without a Mix project to compile in: usually a
// plain release, as in the last stage of a Dockerfile.
func noProject(s orchestrator.Spec) error {
	holds := "holds no Mix project"
	if s.Release {
		holds = "holds a release, and not the Mix project that it was made of"
	}
	up := hint.Up.On(s.Name).With("source: " + s.Source)
	again := up
	if s.File != "" {
		again = hint.Up.On(s.Name).With("file: " + s.File)
	}
	next := hint.Newf("build it again: %s; %s", hint.Down.On(s.Name), again)
	if s.Dockerfile != "" {
		next = hint.Lines(next, hint.Newf("or run the Mix project, which sync compiles: %s, without the Dockerfile", up))
	}
	return &orchestrator.HintError{
		Err:  fmt.Errorf("the image of cluster %s %s: sync cannot compile in it, and no node was changed", s.Name, holds),
		Next: next,
	}
}

// startCompiler starts a compiler's container and waits until its VM answers.
func startCompiler(ctx context.Context, eng orchestrator.Engine, f Site, info orchestrator.EngineInfo, direct bool, id string) (Conn, error) {
	if err := eng.StartContainer(ctx, id); err != nil {
		return Conn{}, fmt.Errorf("start the compiler: %w", err)
	}
	limited, cancel := context.WithTimeout(ctx, compilerStart)
	defer cancel()
	dialer, err := dist.Dialer(f.Spec, "")
	if err != nil {
		return Conn{}, err
	}
	for {
		c, err := eng.InspectContainer(limited, id)
		if err != nil {
			return Conn{}, fmt.Errorf("inspect the compiler: %w", err)
		}
		if !c.State.Running {
			if c.State.ExitCode == 126 || c.State.ExitCode == 127 { // there is no elixir
				return Conn{}, noProject(f.Spec)
			}
			return Conn{}, &compilerStopped{cluster: f.Spec.Name, code: c.State.ExitCode, output: lastOutput(ctx, eng, c, 20)}
		}
		if !direct { // the engine chooses its host port at each start, and only lists report it
			if c.Ports, err = compilerPorts(limited, eng, f.Spec.Name); err != nil {
				return Conn{}, err
			}
		}
		at := reach.Addresses{Direct: direct, Host: info.Host, DistPort: f.Spec.Distribution.Port}
		conn, err := dialer.Dial(limited, f.Spec.Names().Node(helperCompiler), at.Dist(orchestrator.Placement{IP: c.Address(f.NetworkID), Ports: c.Ports}))
		if err == nil {
			if booted(limited, conn) {
				return Conn{conn, id}, nil
			}
			_ = conn.Close() // it ends while Mix loads the project
			err = errors.New("its VM runs, and Mix is still loading the project")
		}
		if !wait.Sleep(limited, 20*time.Millisecond) {
			return Conn{}, orchestrator.WithHint(fmt.Errorf("the compiler does not answer within %s: %w", compilerStart, err), "see what it says: docker logs %s", c.Name)
		}
	}
}

func compilerPorts(ctx context.Context, eng orchestrator.Engine, cluster string) ([]orchestrator.PortBinding, error) {
	listed, err := eng.Containers(ctx, map[string]string{orchestrator.LabelCluster: cluster, orchestrator.LabelHelper: helperCompiler})
	if err != nil {
		return nil, fmt.Errorf("list containers: %w", err)
	}
	if len(listed) == 0 {
		return nil, fmt.Errorf("the compiler: %w", orchestrator.ErrNotFound)
	}
	return listed[0].Ports, nil
}

// booted waits until the VM has carried out its command line, when Mix has loaded the
// project: init/1 reports it only afterwards. It returns false if the connection ended.
func booted(ctx context.Context, conn *erldist.Conn) bool {
	for {
		status, err := conn.Call(ctx, "init", "get_status")
		if t, ok := status.(erldist.Tuple); err == nil && ok && len(t) == 2 && t[0] == any(erldist.Atom("started")) {
			return true
		}
		if err != nil || !wait.Sleep(ctx, 20*time.Millisecond) {
			return false
		}
	}
}

// compilerStopped says that a compiler's VM does not start.
type compilerStopped struct {
	cluster string
	code    int
	output  []string
}

func (e *compilerStopped) Error() string {
	text := fmt.Sprintf("the compiler does not start (exit %d)", e.code)
	for _, line := range e.output {
		text += "\n  | " + line
	}
	return text
}

// Hint says how to fix a compiler that does not start.
func (e *compilerStopped) Hint() hint.Hint {
	return hint.Newf("fix what it says, then: %s", hint.SyncRestart.On(e.cluster))
}

// lastOutput returns the last lines of a container's last run.
func lastOutput(ctx context.Context, eng orchestrator.Engine, c orchestrator.Container, n int) []string {
	out := logs.NewNode(helperCompiler, n)
	began := c.State.StartedAt.Add(-orchestrator.StartSlack)
	_ = out.ReadKept(ctx, eng, c.ID, logs.Uncounted, began, false) // best effort
	return out.Out.ExcerptOfRun(n, nil)
}

// writeSources overwrites a stopped compiler's project with the local one.
func writeSources(ctx context.Context, eng orchestrator.Engine, s orchestrator.Spec, id string) error {
	src, err := build.Sources(s)
	if err != nil {
		return err
	}
	image, err := eng.Image(ctx, s.Image)
	if err != nil {
		return fmt.Errorf("look at image %s: %w", s.Image, err)
	}
	user, _, _ := strings.Cut(image.User, ":")
	owner, _ := strconv.Atoi(user) // a user given by name counts as root: the files are readable by all
	r, w := io.Pipe()
	go func() { w.CloseWithError(codesync.WriteSources(w, src.Dir, image.WorkingDir, owner)) }()
	defer func() { _ = r.Close() }() // ends the writer if the archive is not read to its end
	return eng.WriteFiles(ctx, id, r)
}

// Overlay writes the synced code into a container that was just created.
func Overlay(ctx context.Context, eng orchestrator.Engine, cluster, id string) error {
	compilers, err := eng.Containers(ctx, map[string]string{orchestrator.LabelCluster: cluster, orchestrator.LabelHelper: helperCompiler})
	if len(compilers) == 0 || err != nil && !errors.Is(err, orchestrator.ErrHostLost) {
		return err
	}
	content, _, err := eng.OpenFile(ctx, compilers[0].ID, codesync.Archive)
	if errors.Is(err, orchestrator.ErrNotFound) {
		return nil // just created, and nothing was synced yet
	}
	if err != nil {
		return err
	}
	defer content.Close()
	return eng.WriteFiles(ctx, id, content)
}
