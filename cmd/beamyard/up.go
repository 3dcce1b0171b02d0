package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"time"

	"github.com/beamyard/beamyard/images"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/build"
	"github.com/beamyard/beamyard/orchestrator/cluster"
	"github.com/beamyard/beamyard/orchestrator/config"
	"github.com/beamyard/beamyard/orchestrator/discovery"
	"github.com/beamyard/beamyard/orchestrator/parking"
	"github.com/beamyard/beamyard/orchestrator/secrets"
	"github.com/beamyard/beamyard/orchestrator/validation"
)

// upFlags are the flags of every command that starts a cluster.
type upFlags struct {
	What        string                        `kong:"-"` // the command's positional argument
	accept      func(orchestrator.Spec) error // checks the prepared spec; nil accepts it
	takesParked bool                          // a parked cluster may be used
	inMatrix    bool                          // it is one of several, and none is parked
	counted     bool                          // the number of nodes was given
	Nodes       *int                          `short:"n" placeholder:"N" help:"How many nodes (${nodes})."`
	Name        string                        `help:"Name of the cluster (the folder's or the image's)."`
	File        string                        `short:"f" placeholder:"beamyard.yml" complete:"files" help:"Settings; a beamyard.yml in the folder is found by itself."`
	WaitTimeout time.Duration                 `placeholder:"30s" help:"Maximum time to wait for the cluster to be ready."`
	Env         []string                      `short:"e" sep:"none" placeholder:"K=V" help:"Set environment variables of every node; K alone copies it from this environment. May be repeated."`
	Base        string                        `placeholder:"auto" complete:"auto|trixie|bookworm" help:"Base image of a Mix project: auto, trixie, bookworm, or an image."`
	Dockerfile  dockerfile                    `placeholder:"FILE" complete:"files" help:"Build this Dockerfile of the folder (default: Dockerfile) instead of running its Mix project."`
	KeepFailed  bool                          `name:"keep-on-failure" help:"Keep containers and network when the cluster, or the command run beside it, fails."`
	KeepDumps   string                        `placeholder:"DIR" complete:"files" help:"Copy crash dumps of nodes to this folder; they show the cookie."`
	Progress    string                        `enum:"auto,tty,plain,json" default:"auto" help:"auto, tty, plain or json (${default})."`
	hostsFlag
}

type upCmd struct {
	upFlags `set:"nodes=3"`
	Path    string `arg:"" optional:"" name:"path|image" complete:"files" help:"A Mix project, a folder with a Dockerfile and no mix.exs, an image, or with -d the name of a cluster that is up (default: this folder)."`
	Detach  bool   `short:"d" help:"Run the cluster in the background once it is ready."`
	UI      bool   `name:"ui" help:"Serve the cluster's page, and print its URL."`
}

func (upCmd) Help() string {
	return `Flags win over beamyard.yml. The cluster is up when every node has proven its
name and cookie, sees all others, runs its application and answers its check.

In the foreground it follows the logs. Ctrl-C stops and removes everything;
a second one does not wait for the nodes.

Examples:
  beamyard up
  beamyard up ./shop -n 5 -d --env POOL_SIZE=2
  beamyard up registry.example/acme/shop:1.4 --name shop`
}

// Run starts a cluster.
func (c *upCmd) Run(ctx context.Context, a *app) error {
	c.What = c.Path
	spec, err := c.spec()
	if err != nil {
		return err
	}
	a.sayMatrix(c.What, c.File)
	spec.UI = spec.UI || c.UI
	return c.begin(ctx, a, spec, func(u *up, found *discovery.Cluster) error {
		switch {
		case found != nil && !c.Detach:
			return errUp(found.Spec.Name)
		case found != nil && !filepath.IsAbs(u.spec.Source) && clusterRef(u.spec.Source) == found.Spec.Name: // `up NAME`
			if u.spec, err = c.over(found.Spec, defaultNodes); err != nil {
				return err
			}
			u.spec.UI = u.spec.UI || c.UI
		case found != nil:
			if err := u.unlike(*found); err != nil {
				return err
			}
		}
		if err := u.prepare(ctx, found == nil); err != nil {
			return err
		}
		if !c.Detach {
			return u.keep(ctx, u.showLogs)
		}
		st, err := u.bringUp(ctx, found)
		if err != nil {
			return err
		}
		if err := u.answer(st); err != nil {
			return err
		}
		u.announceDetached(ctx)
		return nil
	})
}

// begin checks the spec and the engine, looks for an existing cluster (nil: none), and calls
// do. If do fails, begin saves the evidence.
func (c *upFlags) begin(ctx context.Context, a *app, spec orchestrator.Spec, do func(*up, *discovery.Cluster) error) error {
	w, err := newFailureEvidence(a)
	if err != nil {
		return err
	}
	err = c.connect(ctx, a, w, spec, do)
	w.told(ctx, err)
	return err
}

func (c *upFlags) connect(ctx context.Context, a *app, w *failureEvidence, spec orchestrator.Spec, do func(*up, *discovery.Cluster) error) error {
	w.knows(spec)
	if err := validation.Check(spec); err != nil {
		return err
	}
	if spec.Source != "" || spec.Image != "" { // a wrong argument can be reported without an engine
		src, err := build.Detect(spec)
		if err != nil {
			return err
		}
		if c.Base != "" && src.Kind != images.Mix { // auto, which requires nothing in a file
			return usagef("leave --base out, or give the folder of a Mix project", "--base %s would have no effect: %s is not a Mix project", c.Base, whatOf(spec))
		}
	}
	eng, err := a.engineToLook(ctx, spec)
	if err != nil {
		return err
	}
	defer eng.Close()
	found, err := findLive(ctx, a, eng, spec.Name)
	if errors.Is(err, orchestrator.ErrNoCluster) || err == nil && len(found.Spec.Hosts) == 0 {
		own, ownErr := a.engineOf(ctx, eng, spec)
		if ownErr != nil {
			return ownErr
		}
		defer own.Close()
		eng = own
	}
	u := &up{app: a, eng: eng, spec: spec, evidence: w, accept: c.accept}
	if err == nil && found.Parked && c.takesParked {
		u.inTheWay, err = true, orchestrator.ErrNoCluster
	} else if err == nil && found.Parked {
		if err = u.evict(ctx); err == nil {
			found, err = findLive(ctx, a, eng, spec.Name)
		}
	}
	there := &found
	if errors.Is(err, orchestrator.ErrNoCluster) {
		there, err = nil, nil
	}
	if err != nil {
		return err
	}
	u.progress = newProgress(c.Progress, a.err, a.now)
	defer u.progress.close()
	return do(u, there)
}

// prepare builds the image of the spec. fresh means that it is for a new cluster.
func (u *up) prepare(ctx context.Context, fresh bool) error {
	if u.spec.Image == "" && fresh {
		phase(u.progress, u.now(), "preparing the image")
	}
	if unset := secrets.Unset(u.spec); fresh && len(unset) > 0 {
		u.progress.event(noteOf(u.now(), "secrets: no env has "+strings.Join(unset, ", ")+": check the spelling, because nothing is masked for it"))
	}
	spec, err := build.Prepare(ctx, u.eng, u.spec, u.progress)
	if err != nil {
		if ctx.Err() == nil {
			u.progress.buildFailed(err)
		}
		return cluster.Diagnose(err, spec)
	}
	if u.accept != nil {
		if err := u.accept(spec); err != nil {
			return err
		}
	}
	u.spec = spec
	u.evidence.knows(spec)
	return nil
}

// bringUp starts the cluster in the background, or what is missing of it.
func (u *up) bringUp(ctx context.Context, found *discovery.Cluster) (orchestrator.Status, error) {
	if found == nil {
		return u.detach(ctx, false)
	}
	return u.again(ctx, *found)
}

// findLive is [discovery.Find] after removing the remains of a killed `up` of that name.
func findLive(ctx context.Context, a *app, eng orchestrator.Engine, name string) (discovery.Cluster, error) {
	found, err := discovery.Find(ctx, eng, name)
	if err != nil || !found.Orphaned() {
		return found, err
	}
	a.say("removing what process %d, which is gone, left of %s", found.Owner.PID, name)
	if err := discovery.RemoveOwned(ctx, eng, name, found.Owner); err != nil {
		return found, err
	}
	return discovery.Find(ctx, eng, name)
}

// errUp reports that a name is taken, and what to type.
func errUp(name string) error {
	return orchestrator.WithHint(fmt.Errorf("%w: %s", orchestrator.ErrClusterExists, name),
		"look at it: beamyard ps %[1]s\nremove it: beamyard down %[1]s\nor choose another name: --name NAME", name)
}

// defaultNodes is the number of nodes of a cluster without a given number.
const defaultNodes = 3

// spec returns the spec that the flags and the file ask for.
func (c *upFlags) spec() (orchestrator.Spec, error) { return c.specOf(defaultNodes, "") }

// specOf is spec with n nodes if neither the flags nor the file give a number. A name that is
// not given gets the ending.
func (c *upFlags) specOf(n int, ending string) (orchestrator.Spec, error) {
	spec, err := config.Of(c.What, c.File)
	if err != nil {
		return spec, err
	}
	return c.settled(spec, n, ending)
}

// settled completes the spec of a file as specOf does.
func (c *upFlags) settled(spec orchestrator.Spec, n int, ending string) (orchestrator.Spec, error) {
	if spec.Name == "" {
		spec.Name = config.DefaultName(spec)
	}
	spec.Name += ending
	if c.Name != "" {
		spec.Name = c.Name
	}
	c.counted = c.Nodes != nil || spec.Nodes != nil
	return c.over(spec, n)
}

// over applies the flags to a spec, with n nodes if neither gives a number.
func (c *upFlags) over(spec orchestrator.Spec, n int) (orchestrator.Spec, error) {
	if c.Nodes != nil {
		if len(spec.Nodes) > 0 && listsNodes(spec.Nodes) {
			return spec, usagef("leave -n out, or write `nodes: 3` there", "%s lists its nodes by name", config.Name)
		}
		if *c.Nodes > config.ManyNodes {
			return spec, usagef("beamyard up -n 3", "-n %d: too many nodes (max %d)", *c.Nodes, config.ManyNodes)
		}
		spec.Nodes = orchestrator.NodeNames(*c.Nodes)
	} else if spec.Nodes == nil {
		spec.Nodes = orchestrator.NodeNames(n)
	}
	var err error
	if spec.Hosts, err = c.hostsFlag.over(spec.Hosts); err != nil {
		return spec, err
	}
	if c.WaitTimeout != 0 {
		spec.ReadyTimeout = c.WaitTimeout
	}
	if c.Base != "" {
		spec.BaseImage = c.Base
	}
	if c.Dockerfile != "" {
		spec.Dockerfile = c.dockerfileIn(spec.Source)
	}
	spec.KeepOnFailure = spec.KeepOnFailure || c.KeepFailed
	if c.KeepDumps != "" {
		dir, err := filepath.Abs(c.KeepDumps)
		if err != nil {
			return spec, fmt.Errorf("find folder %s: %w", c.KeepDumps, err)
		}
		spec.KeepDumps = dir
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
		if key == "MIX_ENV" { // both set the same variable, and flags win
			spec.MixEnv = value
		}
	}
	return spec, nil
}

// listsNodes reports whether nodes are listed, and not merely counted.
func listsNodes(nodes []orchestrator.NodeSpec) bool {
	for i, n := range orchestrator.NodeNames(len(nodes)) {
		if !reflect.DeepEqual(nodes[i], n) {
			return true
		}
	}
	return false
}

// up is the state of one `up`.
type up struct {
	*app
	eng      orchestrator.Engine
	spec     orchestrator.Spec
	progress progress
	evidence *failureEvidence
	accept   func(orchestrator.Spec) error
	ticket   *parking.Ticket // of a parked cluster; nil if nothing is to be parked
	order    parking.Order
	inTheWay bool                   // a parked cluster has this name
	reused   bool                   // the cluster was already up, and stays unchanged
	wanted   func(node string) bool // whether the work made a node fail; nil: it makes none
}
