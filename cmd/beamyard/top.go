package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"

	"github.com/beamyard/beamyard/cmd/beamyard/internal/top"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/control"
	"github.com/beamyard/beamyard/orchestrator/discovery"
	"github.com/beamyard/beamyard/orchestrator/faults"
)

type topCmd struct {
	Name string `arg:"" optional:"" complete:"cluster" help:"Name of the cluster; required when there are several."`
	target
	ReadOnly bool `name:"read-only" help:"Turn off the keys that change the cluster."`
	Once     bool `help:"Print the view once and exit, as without a terminal."`
}

func (topCmd) Help() string {
	return `Shows the nodes, who sees whom, what is wrong and the command that helps, the faults
in force, and the last events, until q. Keys kill, restart, stop, pause and heal, and
show a node's log; ? lists them. Each shows the command that does the same.

If the supervisor goes away, the view says so, shows what the engine and the nodes tell,
and goes on when a supervisor returns.

Who sees whom: a row is a node, a column one that it sees.
  ✓ connected                       ✗ not connected
  > it sees, and is not seen        < it is seen, and does not see
  / cut by a fault                  % cut by a fault, and not noticed yet
  ~ cut by global, due to a fault   h hidden
  - one is down                     ? one does not answer

Without a terminal it prints the view once, as a text as wide as COLUMNS (120). For
scripts use --json, ps or health.

--json prints the status, the health and the relations of each pair, once.`
}

// Run shows a cluster.
func (c *topCmd) Run(ctx context.Context, a *app) error {
	where := target{Cluster: cmp.Or(c.Name, c.Cluster)}
	r, err := where.connect(ctx, a, "top", nil)
	if err != nil {
		return err
	}
	defer r.close()
	o := top.Options{
		Cluster: r.cluster, ReadOnly: c.ReadOnly, Colors: a.out.colors,
		Connect: func(ctx context.Context) (*top.Link, error) { return a.link(ctx, r.eng, r.cluster) },
	}
	in, interactive := a.terminal()
	switch {
	case a.json:
		s, err := top.Look(ctx, o.Connect)
		if err != nil {
			return err
		}
		return a.printJSON(s.Printed())
	case c.Once || !interactive || !a.out.terminal:
		text, err := top.Page(ctx, o, a.columns())
		if err != nil {
			return err
		}
		if !c.Once {
			a.say("hint: this is not a terminal, so it is shown once; for scripts: beamyard ps --json %s", r.cluster)
		}
		_, err = fmt.Fprint(a.out, text)
		return err
	}
	o.In, o.Out = in, os.Stdout
	if err := top.Run(ctx, o); errors.Is(err, top.ErrInterrupted) {
		return errInterrupted
	} else if err != nil {
		return err
	}
	return nil
}

// columns is the width of the terminal, or what COLUMNS says without one, or 120.
func (a *app) columns() int {
	if a.out.fd >= 0 {
		return a.out.width()
	}
	if n, err := strconv.Atoi(os.Getenv("COLUMNS")); err == nil && n >= 60 {
		return n
	}
	return 120
}

// link connects to the supervisor, or else to the cluster by its labels.
func (a *app) link(ctx context.Context, eng engine, cluster string) (*top.Link, error) {
	heal := func(ctx context.Context) error {
		if eng == nil {
			return orchestrator.ErrEngineUnreachable
		}
		found, err := discovery.Find(ctx, eng, cluster)
		if err != nil {
			return err
		}
		_, err = a.healFaults(ctx, faults.Injector{Engine: eng, Spec: found.Spec}, cluster)
		return err
	}
	client, silent := dialled(ctx, cluster)
	switch {
	case silent == nil:
		return &top.Link{Controller: client, Supervised: true, Heal: heal, Close: client.Close}, nil
	case eng == nil:
		return nil, silent
	}
	return &top.Link{Controller: discovery.Control(eng, cluster), Heal: heal, Close: func() {}, Better: func(ctx context.Context) bool {
		client, err := dialled(ctx, cluster)
		if err != nil {
			return false
		}
		client.Close()
		return true
	}}, nil
}

// dialled returns a supervisor that answers.
func dialled(ctx context.Context, cluster string) (*control.Client, error) {
	r := &connection{cluster: cluster}
	if err := r.dial(ctx); err != nil {
		return nil, err
	}
	return r.client, nil
}
