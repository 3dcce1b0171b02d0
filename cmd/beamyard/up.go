package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/beamyard/beamyard/images"
	"github.com/beamyard/beamyard/network"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/control"
)

type upCmd struct {
	What        string        `arg:"" optional:"" name:"path|image" help:"A Mix project, a folder with a Dockerfile, or an image (default: this folder)."`
	Nodes       *int          `short:"n" placeholder:"N" help:"How many nodes (3)."`
	Name        string        `help:"Name of the cluster (the folder's or the image's)."`
	File        string        `short:"f" type:"path" placeholder:"beamyard.yml" help:"Settings; a beamyard.yml in the folder is found by itself."`
	Detach      bool          `short:"d" help:"Leave the cluster in the background once it is ready."`
	WaitTimeout time.Duration `placeholder:"30s" help:"How long it may take to be ready."`
	Env         []string      `short:"e" sep:"none" placeholder:"K=V" help:"Environment of every node; K alone takes ours. May be repeated."`
	Base        string        `placeholder:"auto" help:"What a Mix project is built on: auto, trixie, bookworm, or an image."`
	Progress    string        `enum:"auto,tty,plain,json" default:"auto" help:"auto, tty, plain or json (${default})."`
}

func (upCmd) Help() string {
	return `Flags win over beamyard.yml. The cluster is up when every node has proven its
name and cookie, sees all others, runs its application and answers its check.

In the foreground it follows the logs. Ctrl-C stops and removes everything;
a second one does not wait for the nodes.

Examples:
  beamyard up
  beamyard up ./shop -n 5 -d --env POOL_SIZE=2
  beamyard up ghcr.io/acme/shop:1.4 --name shop`
}

// Run brings a cluster up.
func (c *upCmd) Run(ctx context.Context, a *app) error {
	spec, err := c.spec()
	if err != nil {
		return err
	}
	if err := spec.Validate(); err != nil {
		return err
	}
	if spec.Image == "" { // what is wrong with the argument needs no engine to tell
		if _, err := images.Detect(spec.Source); err != nil {
			return err
		}
	}
	eng, err := a.engine(ctx)
	if err != nil {
		return err
	}
	defer eng.Close()
	found, err := orchestrator.Find(ctx, eng, spec.Name)
	exists := err == nil
	switch {
	case err != nil && !errors.Is(err, orchestrator.ErrNoCluster):
		return err
	case exists && !c.Detach:
		return errUp(found.Spec.Name)
	}

	p := newProgress(c.Progress, a.err, a.now)
	defer p.close()
	if spec.Image == "" && !exists {
		phase(p, a.now(), "preparing the image")
	}
	spec, err = orchestrator.Prepare(ctx, eng, spec, p)
	if err != nil {
		return err
	}
	u := &up{app: a, eng: eng, spec: spec, progress: p}
	switch {
	case exists:
		return u.again(ctx, found)
	case c.Detach:
		return u.detach(ctx, false)
	}
	return u.foreground(ctx)
}

// errUp says that a name is taken, and what to type.
func errUp(name string) error {
	return orchestrator.WithHint(fmt.Errorf("%w: %s", orchestrator.ErrClusterExists, name),
		"look at it: beamyard ps %[1]s\nremove it: beamyard down %[1]s\nor choose another name: beamyard up --name NAME", name)
}

// spec is what the flags and the file ask for.
func (c *upCmd) spec() (orchestrator.Spec, error) {
	spec, err := c.fileSpec()
	if err != nil {
		return spec, err
	}
	if c.Name != "" {
		spec.Name = c.Name
	}
	if spec.Name == "" {
		spec.Name = defaultName(spec)
	}
	if c.Nodes != nil {
		if len(spec.Nodes) > 0 && listsNodes(spec.Nodes) {
			return spec, usagef("leave -n out, or write `nodes: 3` there", "%s lists its nodes by name", configName)
		}
		spec.Nodes = orchestrator.NodeNames(*c.Nodes)
	} else if spec.Nodes == nil {
		spec.Nodes = orchestrator.NodeNames(3)
	}
	if c.WaitTimeout != 0 {
		spec.ReadyTimeout = c.WaitTimeout
	}
	if c.Base != "" {
		spec.BaseImage = c.Base
	}
	for _, kv := range c.Env {
		key, value, given := strings.Cut(kv, "=")
		if !given {
			var ok bool
			if value, ok = os.LookupEnv(key); !ok {
				return spec, usagef("beamyard up --env "+key+"=value", "--env %s: it has no value, and is not set here either", key)
			}
		}
		if spec.Env == nil {
			spec.Env = map[string]string{}
		}
		spec.Env[key] = value
	}
	return spec, nil
}

// fileSpec is what beamyard.yml asks for, or just the source where there is none.
func (c *upCmd) fileSpec() (orchestrator.Spec, error) {
	what, file := c.What, c.File
	if what == "" && file == "" {
		what = "."
	}
	info, statErr := os.Stat(what)
	folder := what != "" && statErr == nil && info.IsDir()
	if folder && file == "" {
		if inside := filepath.Join(what, configName); exists(inside) {
			file = inside
		}
	}
	var spec orchestrator.Spec
	if file != "" {
		var err error
		if spec, err = readConfig(file); err != nil {
			return spec, err
		}
	}
	// A folder that its own file describes is what that file says.
	if what != "" && (file == "" || c.File != "") {
		spec.Source, spec.Image = what, ""
	}
	if spec.Source != "" && exists(spec.Source) {
		abs, err := filepath.Abs(spec.Source)
		if err != nil {
			return spec, fmt.Errorf("find folder %s: %w", spec.Source, err)
		}
		spec.Source = abs // `up` again and `ps` may be typed in another folder
	}
	return spec, nil
}

// listsNodes tells a list of nodes from a mere number of them.
func listsNodes(nodes []orchestrator.NodeSpec) bool {
	for i, n := range orchestrator.NodeNames(len(nodes)) {
		m := nodes[i]
		if m.Name != n.Name || len(m.Env) > 0 || len(m.Ports) > 0 || m.HostPort != 0 {
			return true
		}
	}
	return false
}

// defaultName is the folder's, or the last part of the image's without its tag.
func defaultName(s orchestrator.Spec) string {
	if filepath.IsAbs(s.Source) {
		return network.Sanitize(filepath.Base(s.Source))
	}
	ref := s.Source
	if ref == "" {
		ref = s.Image
	}
	ref, _, _ = strings.Cut(ref, "@")
	ref, _, _ = strings.Cut(path.Base(ref), ":")
	return network.Sanitize(ref)
}

// up is one `up` on its way.
type up struct {
	*app
	eng      orchestrator.Engine
	spec     orchestrator.Spec
	progress progress
}

// again is `up -d` of a cluster that exists: nothing, a wait, or an adoption.
func (u *up) again(ctx context.Context, found orchestrator.Found) error {
	name := u.spec.Name
	if diff := found.Spec.Diff(u.spec); len(diff) > 0 {
		return orchestrator.WithHint(
			fmt.Errorf("%w: %s, with other settings: %s", orchestrator.ErrClusterExists, name, strings.Join(diff, ", ")),
			"remove it first: beamyard down %s\nor choose another name: beamyard up --name NAME", name)
	}
	client, err := control.Dial(ctx, name)
	if errors.Is(err, control.ErrNoSupervisor) {
		if alive, _ := found.Owner.Alive(); alive {
			return orchestrator.WithHint(fmt.Errorf("%w: %s, kept by process %d, which does not answer here", orchestrator.ErrClusterExists, name, found.Owner.PID),
				"it may be another user's, or starting just now: beamyard ps %s", name)
		}
		u.spec = found.Spec // with its cookie
		return u.detach(ctx, true)
	}
	if err != nil {
		return err
	}
	defer client.Close()
	st, err := client.Status(ctx)
	if err != nil {
		return err
	}
	if st.Ready {
		u.progress.close()
		u.say("%s is already up: nothing changed", name)
		return u.answer(st)
	}
	if err := u.wake(ctx, client, st); err != nil {
		return err
	}
	st, err = client.Status(ctx)
	if err != nil {
		return err
	}
	u.progress.close()
	u.say("%s is up again", name)
	return u.answer(st)
}

// wake starts what was stopped in a supervised cluster, and waits.
func (u *up) wake(ctx context.Context, client *control.Client, st orchestrator.Status) error {
	var down []string
	for _, n := range st.Nodes {
		if n.State.Final() {
			down = append(down, n.Name)
		}
	}
	phase(u.progress, u.now(), "waiting for %s", st.Cluster)
	if len(down) > 0 {
		phase(u.progress, u.now(), "starting %s", strings.Join(down, ", "))
		if err := client.Start(ctx, down...); err != nil {
			return err
		}
	}
	patience := u.spec.Defaulted().ReadyTimeout
	waiting, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err := client.WaitReady(waiting)
	if err == nil || ctx.Err() != nil || waiting.Err() == nil {
		return err
	}
	failed := &orchestrator.ClusterError{Cluster: st.Cluster, Kind: orchestrator.ErrNotReady}
	if st, err = client.Status(ctx); err != nil {
		return err
	}
	for _, n := range st.Nodes {
		if n.State != orchestrator.Ready {
			failed.Problems = append(failed.Problems, orchestrator.NodeProblem{
				Node: n.Name, State: n.State, Reason: n.Reason, Hint: fmt.Sprintf("beamyard logs %s/%s", st.Cluster, n.Name),
			})
		}
	}
	return failed
}

// answer prints the table on stdout and what to type next on stderr.
func (u *up) answer(st orchestrator.Status) error {
	if u.json {
		return u.printJSON(st)
	}
	if err := u.printNodes(u.out, []orchestrator.Status{st}, false); err != nil {
		return err
	}
	u.next(st)
	return nil
}

// next says what can be typed now.
func (u *up) next(st orchestrator.Status) {
	if len(st.Nodes) == 0 {
		return
	}
	first := st.Nodes[0]
	u.say("")
	u.say("next:")
	if first.URL != "" {
		u.say("  curl %s%s", first.URL, u.spec.HTTPCheck)
	}
	u.say("  beamyard logs -c %s -f", st.Cluster)
	u.say("  beamyard rpc %s/%s 'Node.list()'", st.Cluster, first.Name)
	u.say("  beamyard down %s", st.Cluster)
}

// draw shows the events of a cluster until ctx ends, the last ones included.
// Drawing is all it is for: an error of it is none of the command.
func (u *up) draw(ctx context.Context, c orchestrator.Controller) {
	var last uint64
	show := func(e orchestrator.Event) error {
		last = e.Seq
		u.progress.event(e)
		return nil
	}
	_ = c.Events(ctx, 0, true, show)
	rest, cancel := context.WithTimeout(context.WithoutCancel(ctx), supervisorPatience)
	defer cancel()
	_ = c.Events(rest, last, false, show)
}
