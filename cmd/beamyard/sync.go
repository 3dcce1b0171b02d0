package main

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/beamyard/beamyard/images"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/build"
	"github.com/beamyard/beamyard/orchestrator/codesync"
	"github.com/beamyard/beamyard/orchestrator/codesync/watch"
)

type syncCmd struct {
	Nodes []string `arg:"" optional:"" name:"node" complete:"node" help:"The nodes: n1, or demo/n1; a role means all its nodes. Default: all."`
	target
	Watch   bool   `short:"w" help:"Sync again whenever a file is saved, until Ctrl-C."`
	Rolling bool   `help:"Update one node at a time, and stop at the first one that is unhealthy with the new code."`
	Restart bool   `help:"Restart the nodes, which also applies mix.exs, config and NIFs."`
	Purge   string `enum:"soft,hard" default:"soft" placeholder:"soft|hard" help:"What to do with processes still running old code: soft keeps them, hard kills them (${default})."`
}

func (syncCmd) Help() string {
	return `Copies the changed source files into the cluster, compiles them once, in a container
of the cluster's image and with the project's Mix settings, loads the changed
modules into every node, and verifies that all nodes run the same code. Processes
keep their state. Code that does not compile changes no node.

A node that starts later, even in a new container, starts with the synced code.
Changes that a running node cannot load (mix.exs, config, NIFs) are refused and
named: --restart applies them. Other dependencies need a new image: beamyard down,
then beamyard up. Nodes that run an image which is not made of the project are not
changed. Where nodes run several builds of the project (another mix_env, release_name
or dockerfile), name those of the cluster's own build.`
}

// Run syncs once, or each time a file is saved.
func (c *syncCmd) Run(ctx context.Context, a *app) error {
	r, err := c.connect(ctx, a, "sync", c.Nodes)
	if err != nil {
		return err
	}
	defer r.close()
	nodes, err := c.nodes(ctx, a, r)
	if err != nil {
		return err
	}
	opts := orchestrator.SyncOptions{Nodes: nodes, Rolling: c.Rolling, Restart: c.Restart, PurgeHard: c.Purge == "hard"}
	if c.Watch {
		return c.watch(ctx, a, r, opts)
	}
	report, err := r.sync(ctx, opts)
	if err != nil {
		return err
	}
	return tellSync(a, report, a.printJSON)
}

// nodes returns the names of the nodes to sync; none means all.
func (c *syncCmd) nodes(ctx context.Context, a *app, r *connection) ([]string, error) {
	if len(r.nodes) == 0 {
		return nil, nil
	}
	found, err := r.find(ctx, a)
	if err != nil {
		return nil, err
	}
	return r.choose(ctx, a, "sync", found)
}

// watch syncs now, and again after each change, until ctx ends. It reports failures and
// continues: the next save may fix them.
func (c *syncCmd) watch(ctx context.Context, a *app, r *connection, opts orchestrator.SyncOptions) error {
	found, err := r.find(ctx, a)
	if err != nil {
		return err
	}
	dir, err := build.SyncSource(found.Spec)
	if err != nil {
		return err
	}
	rules, err := newRules(dir)
	if err != nil {
		return err
	}
	once := func(ctx context.Context) {
		report, err := r.sync(ctx, opts)
		switch {
		case ctx.Err() != nil:
		case err != nil:
			a.fail(ctx, err)
		default:
			_ = tellSync(a, report, a.printJSONLine) // fails if the output is closed
		}
	}
	var loops watch.Loops
	return watch.Watch(ctx, rules.dir(), rules.ignored, func() {
		once(ctx)
		if ctx.Err() == nil {
			a.say("watching %s: save a file, or end this with Ctrl-C", dir)
		}
	}, func(ctx context.Context, paths []string) {
		rules.read(paths)
		began := time.Now()
		once(ctx)
		for _, p := range loops.Note(paths, began, time.Now()) {
			a.say("%s changes again and again, right after each sync: what the sync runs seems to write it; to leave it out: echo %s >>.dockerignore", p, p)
		}
	})
}

// tellSync prints the result of a sync: one line, and on stderr the compiler's messages and the
// processes that still run old code.
func tellSync(a *app, r codesync.Report, printJSON func(any) error) error {
	if a.json {
		return printJSON(r)
	}
	for _, line := range warnings(r.Warnings) {
		fmt.Fprintln(a.err, uncoloured(line))
	}
	if _, err := fmt.Fprintln(a.out, printable(r.Line())); err != nil {
		return err
	}
	for _, p := range r.Killed {
		a.say("killed, it ran the code before: %s", p)
	}
	for _, p := range r.Lingering {
		a.say("still runs the code before: %s", p)
	}
	if len(r.Lingering) > 0 {
		a.say("their next call into the module gets the new code; to kill them: beamyard sync -c %s --purge hard", r.Cluster)
	}
	return nil
}

// warnings returns the compiler's output without its progress lines. The line that names an
// application ("==> core") is kept if messages follow it.
func warnings(said string) []string {
	var lines []string
	app := ""
	for line := range strings.Lines(said) {
		line = strings.TrimRight(line, "\n")
		switch {
		case strings.HasPrefix(line, "Compiling "), strings.HasPrefix(line, "Generated "):
		case strings.HasPrefix(line, "==> "):
			app = line
		default:
			if app != "" {
				lines = append(lines, app)
			}
			lines, app = append(lines, line), ""
		}
	}
	return lines
}

// sync asks the supervisor, or syncs from this process without one. It connects anew each time:
// --watch continues when the supervisor comes or goes.
func (r *connection) sync(ctx context.Context, opts orchestrator.SyncOptions) (codesync.Report, error) {
	r.hangUp()
	if silent := r.dial(ctx); silent != nil && (r.eng == nil || !errors.Is(silent, orchestrator.ErrNoSupervisor)) {
		return codesync.Report{}, fmt.Errorf("ask the supervisor of %s: %w", r.cluster, silent)
	}
	return r.controller(r.eng).Sync(ctx, opts)
}

// rules decide which files of a project count. They are read again when the files that define
// them change; the goroutine that watches files uses them at the same time.
type rules struct {
	source string
	files  atomic.Pointer[images.Files]
}

func newRules(dir string) (*rules, error) {
	files, err := images.OpenFiles(dir)
	if err != nil {
		return nil, err
	}
	r := &rules{source: dir}
	r.files.Store(files)
	return r, nil
}

func (r *rules) dir() string { return r.files.Load().Dir() }

func (r *rules) ignored(path string) bool { return r.files.Load().Ignored(path) }

// read reads the rules again if one of their files changed. A file that cannot be read is just
// being written: the rules then stay as they are.
func (r *rules) read(paths []string) {
	if slices.ContainsFunc(paths, func(p string) bool { return path.Base(p) == ".dockerignore" || path.Base(p) == "mix.exs" }) {
		if files, err := images.OpenFiles(r.source); err == nil {
			r.files.Store(files)
		}
	}
}
