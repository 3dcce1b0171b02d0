package orchestrator

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/beamyard/beamyard/images"
	"github.com/beamyard/beamyard/network"
	"github.com/beamyard/beamyard/network/erldist"
	"github.com/beamyard/beamyard/orchestrator/codesync"
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
func (f Found) compilerSpec(direct bool, at string) ContainerSpec {
	name := f.Spec.names().Node(helperCompiler)
	c := f.helperSpec(helperCompiler, []string{
		"elixir", nameFlag(f.Spec), name, "--hidden", "--erl", vmFlags(f.Spec), "--no-halt", "-e", codesync.Idle,
		"-S", "mix", "loadpaths", "--no-compile", "--no-deps-check",
	})
	c.Memory, c.CPUs, c.NoFile = 0, 0, 0 // vmFlags bounds the port table
	if !direct {
		c.Ports = []PortBinding{{Container: uint16(f.Spec.Distribution.Port), HostIP: at}}
	}
	return c
}

// compilerConn is a connection to a compiler.
type compilerConn struct {
	*erldist.Conn
	id string // the ID of its container
}

// dialCompiler connects to the cluster's compiler. It creates or starts the compiler if
// it is not running.
func dialCompiler(ctx context.Context, eng Engine, f Found, info EngineInfo) (compilerConn, error) {
	if err := compilable(f.Spec); err != nil {
		return compilerConn{}, err
	}
	setDefault(&f.Spec.Distribution.Port, DefaultDistPort) // even if the nodes' custom command uses another port
	direct, err := reachable(ctx, eng, info, f.NetworkID, network.Layout(f.Subnet))
	if err != nil {
		return compilerConn{}, err
	}
	listed, err := eng.Containers(ctx, map[string]string{LabelCluster: f.Spec.Name, LabelHelper: helperCompiler})
	if err != nil {
		return compilerConn{}, fmt.Errorf("list containers: %w", err)
	}
	var id string
	if len(listed) > 0 {
		id = listed[0].ID
	}
	spec := f.compilerSpec(direct, publishedAt(info))
	if id == "" {
		if id, err = createCompiler(ctx, eng, spec); leftOut(&spec, err) {
			id, err = createCompiler(ctx, eng, spec)
		}
		if err != nil {
			return compilerConn{}, err
		}
	}
	conn, err := startCompiler(ctx, eng, f, info, direct, id)
	for leftOut(&spec, err) { // created again, without what the engine lacks
		if err = eng.RemoveContainer(ctx, id); err != nil {
			return compilerConn{}, err
		}
		if id, err = createCompiler(ctx, eng, spec); err != nil {
			return compilerConn{}, err
		}
		conn, err = startCompiler(ctx, eng, f, info, direct, id)
	}
	if stopped := (*compilerStopped)(nil); errors.As(err, &stopped) && len(listed) > 0 {
		// The code that the compiler got last may keep it from starting: write the
		// current sources directly.
		if werr := writeSources(ctx, eng, f.Spec, id); werr != nil {
			return compilerConn{}, errors.Join(err, werr)
		}
		conn, err = startCompiler(ctx, eng, f, info, direct, id)
	}
	return conn, err
}

// createCompiler creates the container. A container that another process just created is
// used instead. It is not interrupted: the engine would create the container anyway,
// after the removal of the cluster has listed its containers.
func createCompiler(ctx context.Context, eng Engine, spec ContainerSpec) (string, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), syncEnds)
	defer cancel()
	id, err := eng.CreateContainer(ctx, spec)
	if errors.Is(err, ErrNoInit) && !spec.NoInit { // Podman detects it before the start
		spec.NoInit = true
		id, err = eng.CreateContainer(ctx, spec)
	}
	if errors.Is(err, ErrNameTaken) {
		c, missing := eng.InspectContainer(ctx, spec.Name)
		if missing == nil && c.Labels[LabelHelper] == helperCompiler {
			return c.ID, nil
		}
	}
	if err != nil {
		return "", fmt.Errorf("create container %s: %w", spec.Name, err)
	}
	return id, nil
}

// compilable returns an error if there are no local sources for a compiler.
func compilable(s Spec) error {
	for _, n := range s.Nodes {
		if n.Name == helperCompiler {
			return WithHint(fmt.Errorf("sync needs the name %q for its compiler, which is a node's", helperCompiler), "give that node another name in beamyard.yml, then: beamyard down %[1]s; beamyard up", s.Name)
		}
	}
	_, err := s.SyncSource()
	return err
}

// SyncSource returns the folder that a sync compiles, or an error that says why the
// cluster has none.
func (s Spec) SyncSource() (dir string, err error) {
	src, err := s.sources()
	var runs string
	switch {
	case err == nil && src.Dir != "" && images.IsMixProject(src.Dir):
		return src.Dir, nil
	case err == nil && src.Dir != "":
		return "", WithHint(fmt.Errorf("%s has no mix.exs: sync has Mix compile, and knows no other way", src.Dir),
			"build it again: beamyard down %s; beamyard up", s.Name)
	case s.Source != "" && err != nil:
		return "", WithHint(fmt.Errorf("cluster %s was made from %s, which is not on this machine: sync has no sources to compile", s.Name, s.Source),
			"bring the folder back, or run the project from another one: beamyard down %s; beamyard up PATH", s.Name)
	case s.Release:
		runs = "a release in "
	}
	image := cmp.Or(s.Image, s.Source, "an image")
	return "", WithHint(fmt.Errorf("cluster %s runs %s%s, which was not made from a folder on this machine: sync has no sources to compile", s.Name, runs, image),
		"bring in a newer image: beamyard down %[1]s; beamyard up IMAGE --name %[1]s\nor run the project from its folder, which sync compiles: beamyard up PATH", s.Name)
}

// noProject returns the error for an image without a Mix project to compile in: usually a
// plain release, as in the last stage of a Dockerfile.
func noProject(s Spec) error {
	holds := "holds no Mix project"
	if s.Release {
		holds = "holds a release, and not the Mix project that it was made of"
	}
	again := "beamyard up " + s.Source
	if s.File != "" {
		again = "beamyard up -f " + s.File
	}
	hint := fmt.Sprintf("build it again: beamyard down %s; %s --name %[1]s", s.Name, again)
	if s.Dockerfile != "" {
		hint += fmt.Sprintf("\nor run the Mix project, which sync compiles: beamyard up %s --name %s, without the Dockerfile", s.Source, s.Name)
	}
	return WithHint(fmt.Errorf("the image of cluster %s %s: sync cannot compile in it, and no node was changed", s.Name, holds), "%s", hint)
}

// startCompiler starts a compiler's container and waits until its VM answers.
func startCompiler(ctx context.Context, eng Engine, f Found, info EngineInfo, direct bool, id string) (compilerConn, error) {
	if err := eng.StartContainer(ctx, id); err != nil {
		return compilerConn{}, fmt.Errorf("start the compiler: %w", err)
	}
	limited, cancel := context.WithTimeout(ctx, compilerStart)
	defer cancel()
	dialer := &erldist.Dialer{Cookie: f.Spec.Cookie}
	for {
		c, err := eng.InspectContainer(limited, id)
		if err != nil {
			return compilerConn{}, fmt.Errorf("inspect the compiler: %w", err)
		}
		if !c.State.Running {
			if c.State.ExitCode == 126 || c.State.ExitCode == 127 { // there is no elixir
				return compilerConn{}, noProject(f.Spec)
			}
			return compilerConn{}, &compilerStopped{cluster: f.Spec.Name, code: c.State.ExitCode, output: lastOutput(ctx, eng, c, 20)}
		}
		if !direct { // the engine chooses its host port at each start, and only lists report it
			if c.Ports, err = compilerPorts(limited, eng, f.Spec.Name); err != nil {
				return compilerConn{}, err
			}
		}
		at := &site{spec: f.Spec, info: info, direct: direct, slots: map[string]*slot{helperCompiler: {placement: placement{ip: c.Address(f.NetworkID), ports: c.Ports}}}}
		conn, err := dialer.Dial(limited, f.Spec.names().Node(helperCompiler), at.distAddr(helperCompiler))
		if err == nil {
			if booted(limited, conn) {
				return compilerConn{conn, id}, nil
			}
			_ = conn.Close() // it ends while Mix loads the project
		}
		if !pause(limited, 50*time.Millisecond) {
			return compilerConn{}, WithHint(fmt.Errorf("the compiler does not answer within %s: %w", compilerStart, err), "see what it says: docker logs %s", c.Name)
		}
	}
}

func compilerPorts(ctx context.Context, eng Engine, cluster string) ([]PortBinding, error) {
	listed, err := eng.Containers(ctx, map[string]string{LabelCluster: cluster, LabelHelper: helperCompiler})
	if err != nil {
		return nil, fmt.Errorf("list containers: %w", err)
	}
	if len(listed) == 0 {
		return nil, fmt.Errorf("the compiler: %w", ErrNotFound)
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
		if err != nil || !pause(ctx, 20*time.Millisecond) {
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
func (e *compilerStopped) Hint() string {
	return fmt.Sprintf("fix what it says, then: beamyard sync -c %s --restart", e.cluster)
}

// lastOutput returns the last lines of a container's output.
func lastOutput(ctx context.Context, eng Engine, c Container, n int) []string {
	out := newNodeOutput(helperCompiler, n)
	began := c.State.StartedAt.Add(-startSlack)
	_ = out.f.readKept(ctx, runLog{engine: eng, container: c.ID, run: 2, began: began, running: func(context.Context) bool { return false }}) // best effort
	return out.out.Excerpt(n, nil)
}

// writeSources overwrites a stopped compiler's project with the local one.
func writeSources(ctx context.Context, eng Engine, s Spec, id string) error {
	src, err := s.sources()
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

// overlaid writes the synced code into a container that was just created.
func overlaid(ctx context.Context, eng Engine, cluster, id string) error {
	compilers, err := eng.Containers(ctx, map[string]string{LabelCluster: cluster, LabelHelper: helperCompiler})
	if err != nil || len(compilers) == 0 {
		return err
	}
	content, _, err := eng.OpenFile(ctx, compilers[0].ID, codesync.Archive)
	if errors.Is(err, ErrNotFound) {
		return nil // just created, and nothing was synced yet
	}
	if err != nil {
		return err
	}
	defer content.Close()
	return eng.WriteFiles(ctx, id, content)
}
