package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/control"
	"github.com/beamyard/beamyard/orchestrator/discovery"
)

// oneShot holds the flags of commands that start a cluster for one task.
type oneShot struct {
	upFlags
	Reuse bool `help:"Use a running cluster of that name that is large enough, or start one, and keep it running."`
}

// ephemeral is the cluster of one task.
type ephemeral struct {
	*up
	cluster orchestrator.Controller
	found   discovery.Cluster // including its cookie
	info    orchestrator.EngineInfo
}

// with starts the cluster, does the work, and takes the cluster down again. A cluster that is
// reused, or kept to examine a failure, has its own supervisor in the background and stays up.
// Once the work has begun, it handles interruptions itself, and its error decides how the
// command ends.
func (c *oneShot) with(ctx context.Context, a *app, spec orchestrator.Spec, work func(context.Context, *ephemeral) error) error {
	// The reader of our output may exit: that must end the work, not this process.
	pipe := make(chan os.Signal, 1)
	signal.Notify(pipe, syscall.SIGPIPE)
	defer signal.Stop(pipe)
	c.takesParked = !c.Reuse && !c.KeepFailed && !spec.KeepOnFailure && !c.inMatrix
	return c.begin(ctx, a, spec, func(u *up, found *discovery.Cluster) error {
		if found != nil && !c.Reuse {
			return orchestrator.WithHint(errUp(spec.Name), "use it and leave it up: --reuse\nremove it: beamyard down %s\nor choose another name: --name NAME", spec.Name)
		}
		if found == nil {
			if err := u.prepare(ctx, true); err != nil {
				return err
			}
		}
		if !c.Reuse && !c.KeepFailed {
			defer u.tellVolumes(ctx)
			if !c.inMatrix { // the next combination needs another one
				if err := u.takeParked(ctx); err != nil {
					return err
				}
			}
			defer u.ticket.Close() // if it was not released
			return u.keep(ctx, func(ctx, _ context.Context, k *foreground) error {
				defer k.stop()
				if !k.hold() {
					return nil // it is being stopped
				}
				k.used = true
				return u.use(ctx, k, work)
			})
		}
		if found != nil {
			if want, have := len(spec.Nodes), len(found.Spec.Nodes); c.counted && have < want {
				return orchestrator.WithHint(fmt.Errorf("%s is up with %s, and %d are wanted", spec.Name, plural(have, "node"), want),
					"remove it first: beamyard down %s\nor choose another name: --name NAME", spec.Name)
			}
			if err := c.idle(spec, found.Spec); err != nil {
				return err
			}
			if fields := changed(spec, found.Spec); len(fields) > 0 {
				u.say("%s runs as it was started, with other settings than are asked for now: %s", spec.Name, strings.Join(fields, ", "))
			}
			u.spec, u.reused = found.Spec, true // unchanged, as requested
		}
		if _, err := u.bringUp(ctx, found); err != nil {
			return err
		}
		client, err := control.Dial(ctx, u.spec.Name)
		if err != nil {
			return err
		}
		defer client.Close()
		return c.leave(ctx, u, u.use(ctx, client, work))
	})
}

// leave takes down a cluster in the background, unless it is to be kept.
func (c *oneShot) leave(ctx context.Context, u *up, err error) error {
	if !c.Reuse && (err == nil || ctx.Err() != nil) {
		down, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer cancel()
		_, gone := takeDown(down, u.eng, u.spec.Name)
		u.tellVolumes(down)
		return errors.Join(err, gone)
	}
	if !c.Reuse {
		u.say("%[1]s is left up for a look: beamyard ps %[1]s; remove it: beamyard down %[1]s", u.spec.Name)
	}
	return err
}

// tellVolumes reports the remaining volumes of a cluster that is down.
func (u *up) tellVolumes(ctx context.Context) {
	looking, cancel := context.WithTimeout(context.WithoutCancel(ctx), supervisorPatience)
	defer cancel()
	if names, err := discovery.ListVolumes(looking, u.eng, u.spec.Name); err == nil { // a failure is ignored
		u.sayKept(u.spec.Name, names)
	}
}

// use does the work. A node that fails permanently during the work is reported, and is an error
// if the work itself has none.
func (u *up) use(ctx context.Context, cluster orchestrator.Controller, work func(context.Context, *ephemeral) error) error {
	u.progress.close()
	s := &ephemeral{up: u, cluster: cluster}
	var err error
	if s.found, err = discovery.Find(ctx, u.eng, u.spec.Name); err != nil {
		return err
	}
	if s.info, err = u.eng.Info(ctx); err != nil {
		return err
	}
	lasting := context.WithoutCancel(ctx)
	watching, cancel := context.WithCancel(lasting)
	defer cancel()
	failed, err := u.watchFailures(watching, cluster)
	if err != nil {
		return err
	}
	if err := work(ctx, s); err != nil {
		return err
	}
	cancel()
	return failed()
}

// watchFailures reports nodes that fail permanently from now on, until ctx ends. The result
// waits for that, and returns an error if any node failed.
func (u *up) watchFailures(ctx context.Context, cluster orchestrator.Controller) (failed func() error, err error) {
	var last uint64
	err = cluster.Events(ctx, 0, false, func(e orchestrator.Event) error { last = e.Seq; return nil })
	if err != nil {
		return nil, err
	}
	var told []orchestrator.NodeProblem
	var wg sync.WaitGroup
	var lost error
	wg.Go(func() {
		lost = cluster.Events(ctx, last, true, func(e orchestrator.Event) error {
			if e.Kind == orchestrator.EventState && e.State == orchestrator.Failed {
				u.say("%s", e)
				told = append(told, orchestrator.NodeProblem{Node: e.Node, State: e.State, Reason: e.Text})
			}
			return nil
		})
	})
	return func() error {
		wg.Wait()
		if u.wanted != nil {
			told = slices.DeleteFunc(told, func(p orchestrator.NodeProblem) bool { return u.wanted(p.Node) })
		}
		if len(told) > 0 {
			return &orchestrator.ClusterError{Cluster: u.spec.Name, Kind: orchestrator.ErrNodeFailed, Problems: told}
		}
		return lost
	}, nil
}

// coordinates are the environment variables through which a program finds the cluster. They do
// not include the cookie: a process's environment can be read by every process of the same
// user, and crash reports include it.
func coordinates(st orchestrator.Status, distAddr func(node string) string, cookieFile string) []string {
	var names, beams, urls, addrs, each []string
	for _, n := range st.Nodes {
		names, beams, addrs = append(names, n.Name), append(beams, n.Node), append(addrs, distAddr(n.Name))
		if n.URL != "" {
			urls = append(urls, n.URL)
			each = append(each, "BEAMYARD_URL_"+strings.ToUpper(strings.ReplaceAll(n.Name, "-", "_"))+"="+n.URL)
		}
	}
	return append([]string{
		"BEAMYARD_CLUSTER=" + st.Cluster,
		"BEAMYARD_NODES=" + strings.Join(names, ","),
		"BEAMYARD_NODE_NAMES=" + strings.Join(beams, ","),
		"BEAMYARD_URLS=" + strings.Join(urls, ","),
		"BEAMYARD_DIST_ADDRS=" + strings.Join(addrs, ","),
		"BEAMYARD_COOKIE_FILE=" + cookieFile,
	}, each...)
}
