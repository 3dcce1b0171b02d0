package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/cluster"
	"github.com/beamyard/beamyard/orchestrator/config"
	"github.com/beamyard/beamyard/orchestrator/discovery"
	"github.com/beamyard/beamyard/orchestrator/hint"
	"github.com/beamyard/beamyard/orchestrator/upgrade"
)

// rolling are the arguments and flags of the commands that replace nodes.
type rolling struct {
	Name string `arg:"" optional:"" complete:"cluster" help:"Name of the cluster; required when there are several."`
	target
	OneByOne   bool   `xor:"batch" help:"Replace one node at a time (the default)."`
	Batch      int    `xor:"batch" default:"1" placeholder:"N" help:"How many nodes to replace at once (${default})."`
	HealthGate bool   `default:"true" negatable:"" help:"Check the health of a node before the next is replaced (${default})."`
	Progress   string `enum:"auto,plain,json" default:"auto" help:"auto, plain or json (${default})."`
}

type (
	upgradeCmd struct {
		rolling
		To string `placeholder:"PATH|IMAGE" complete:"files" help:"The project or the image to run (what the cluster was made of, as it is now)."`
	}
	rollbackCmd struct{ rolling }
)

func (upgradeCmd) Help() string {
	return `Builds the image first. Then each node is stopped with its stop timeout and gets a
new container of the new image, with its name, address, ports and volumes. It must be
ready and healthy before the next node is stopped. The upgrade stops at the first
node that is not, and says why; the other nodes keep running. Then go back
(beamyard rollback), or make it right and type the same again: nodes that are not well
come first, and those that run the image already are left as they are.

Settings of the cluster stay as they are, whatever beamyard.yml says now. What a node
wrote outside of volumes is gone with its container, and so is code of beamyard sync.

Examples:
  beamyard upgrade
  beamyard upgrade demo --to registry.example/acme/shop:1.5 --batch 2`
}

func (rollbackCmd) Help() string {
	return `Every node gets the image again that it ran before the last upgrade, in the same
way: one after the other, and those first that are not well. An upgrade that stopped in
the middle is undone as well. The last upgrade can be undone, and none before it.`
}

// Run upgrades a cluster.
func (c *upgradeCmd) Run(ctx context.Context, a *app) error {
	return c.roll(ctx, a, "upgrade", upgrade.Options{}, func(ctx context.Context, r *connection, p progress, o *upgrade.Options) error {
		found, err := r.find(ctx, a)
		if err != nil {
			return err
		}
		var written orchestrator.Spec
		if c.To != "" {
			if written, err = config.Of(c.To, ""); err != nil {
				return err
			}
			a.sayMatrix(c.To, "")
			o.Source = written.Source
		} else if found.Spec.Source != "" {
			written, _ = config.Of(found.Spec.Source, found.Spec.File) // what is wrong there is reported by Prepare
		}
		if other := unapplied(found.Spec, written); len(other) > 0 {
			a.say("beamyard.yml has other settings than %[2]s: %[1]s; an upgrade leaves them as they are. To apply them: beamyard down %[2]s, then beamyard up", strings.Join(other, ", "), r.cluster)
		}
		phase(p, a.now(), "preparing the image")
		prepared, err := upgrade.Prepare(ctx, r.eng, found.Spec, o.Source, p)
		if err != nil {
			if ctx.Err() == nil {
				p.buildFailed(err)
			}
			return cluster.Diagnose(err, found.Spec)
		}
		o.To = &prepared
		return nil
	})
}

// Run goes back.
func (c *rollbackCmd) Run(ctx context.Context, a *app) error {
	return c.roll(ctx, a, "rollback", upgrade.Options{Back: true}, func(context.Context, *connection, progress, *upgrade.Options) error { return nil })
}

// roll has the supervisor replace nodes, shows what happens, and prints the result.
func (c *rolling) roll(ctx context.Context, a *app, command string, o upgrade.Options, prepare func(context.Context, *connection, progress, *upgrade.Options) error) error {
	if c.Batch < 1 {
		return usagef("beamyard "+command+" --batch 2", "--batch %d: at least one node is replaced at once", c.Batch)
	}
	o.Batch, o.NoHealth = c.Batch, !c.HealthGate
	where := target{Cluster: cmp.Or(c.Name, c.Cluster)}
	r, err := where.connect(ctx, a, command, nil)
	if err != nil {
		return err
	}
	defer r.close()
	if r.client == nil { // its error says how to get a supervisor
		return discovery.Control(r.eng, r.cluster).WaitReady(ctx)
	}
	if r.eng == nil {
		return fmt.Errorf("%s needs the engine: %w", command, orchestrator.ErrEngineUnreachable)
	}
	mode := c.Progress
	if mode == "auto" && a.err.terminal {
		mode = "plain"
	}
	p := newProgress(mode, a.err, a.now)
	defer p.close()
	if err := prepare(ctx, r, p, &o); err != nil {
		return err
	}
	stop := r.follow(ctx, p)
	report, err := r.client.Upgrade(ctx, o)
	stop()
	p.close()
	if ctx.Err() != nil {
		next := fmt.Sprintf("go on: %s, or go back: %s", upgrade.Again(r.cluster, o.Source), hint.Rollback.On(r.cluster))
		if o.Back {
			next = fmt.Sprintf("go on: %s", hint.Rollback.On(r.cluster))
		}
		a.say("interrupted: the supervisor finishes the nodes that it is replacing, and no others; %s", next)
	}
	if len(report.Nodes) == 0 {
		return err
	}
	if told := a.answer(report, func(out *output) error {
		if err != nil {
			return nil //nolint:nilerr // the error says what was done
		}
		_, err := fmt.Fprintln(out, printable(report.Line()))
		return err
	}); told != nil {
		return errors.Join(err, told)
	}
	return err
}

// follow shows the events from now on, the last ones included, until the returned function is
// called.
func (r *connection) follow(ctx context.Context, p progress) (stop func()) {
	var last uint64
	shown := func(show bool) func(orchestrator.Event) error {
		return func(e orchestrator.Event) error {
			last = e.Seq
			if show {
				p.event(e)
			}
			return nil
		}
	}
	_ = r.client.Events(ctx, 0, false, shown(false)) // if it fails, earlier events are shown, too
	following, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { _ = r.client.Events(following, last, true, shown(true)) })
	return func() {
		cancel()
		wg.Wait()
		rest, cancel := context.WithTimeout(context.WithoutCancel(ctx), supervisorPatience)
		defer cancel()
		_ = r.client.Events(rest, last, false, shown(true))
	}
}

// replaced are the keys of beamyard.yml that say what nodes run, or which nodes there are.
var replaced = []string{"name", "nodes", "source", "file", "image", "base_image", "precompiled", "image_boot", "image_env"}

// unapplied returns the keys of a file that an upgrade does not apply: those that are written there
// and differ from what the cluster has.
func unapplied(has, written orchestrator.Spec) []string {
	keys := func(s orchestrator.Spec) map[string]any {
		keys := map[string]any{}
		if text, err := json.Marshal(s); err == nil {
			_ = json.Unmarshal(text, &keys) // it was just encoded
		}
		return keys
	}
	var other []string
	there := keys(has)
	for key, value := range keys(written) {
		if !slices.Contains(replaced, key) && !covers(value, there[key]) {
			other = append(other, key)
		}
	}
	slices.Sort(other)
	return other
}

// covers reports whether what is written is in a value: flags add to mappings.
func covers(written, value any) bool {
	mapping, ok := written.(map[string]any)
	if !ok {
		return reflect.DeepEqual(written, value)
	}
	all, _ := value.(map[string]any)
	for key, v := range mapping {
		if !covers(v, all[key]) {
			return false
		}
	}
	return true
}
