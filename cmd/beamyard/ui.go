package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/control"
	"github.com/beamyard/beamyard/orchestrator/discovery"
	"github.com/beamyard/beamyard/orchestrator/ui"
)

type uiCmd struct {
	Name     string `arg:"" optional:"" complete:"cluster" help:"Name of the cluster. (Default: the only one; with several, an overview.)"`
	NoOpen   bool   `help:"Print the URL, and do not open a browser."`
	Port     int    `placeholder:"PORT" help:"Port of the page. (Default: a free one.)"`
	ReadOnly bool   `help:"Let the browser change nothing."`
}

func (uiCmd) Help() string {
	return `The page shows who sees whom, nodes, events, faults and logs as they change, and
has buttons that do what commands do. The cluster's supervisor serves it, on
loopback only, until the cluster ends. Without a supervisor, and for the overview,
this command serves it until Ctrl-C; the page then offers to take the cluster over.

The URL is printed on stdout. It opens once: each browser needs its own. To have
the page from the start: beamyard up --ui, or ui: true in beamyard.yml.

--json also has the address of the metrics for Prometheus, if a supervisor serves
the page, and the token that the scraper sends as "Authorization: Bearer TOKEN".

On another machine, over ssh: beamyard ui --no-open --port 8400 there, and
ssh -L 8400:localhost:8400 HOST here.

Examples:
  beamyard ui
  beamyard ui demo --read-only --no-open`
}

// Run prints the address of a page, and opens it.
func (c *uiCmd) Run(ctx context.Context, a *app) error {
	if c.Port < 0 || c.Port > 65535 {
		return usagef("beamyard ui --port 8400", "--port %d is not a port", c.Port)
	}
	src := foundClusters{app: a}
	eng, away := a.engine(ctx)
	if away == nil {
		defer eng.Close()
		src.eng = eng
	}
	name, err := c.choose(ctx, src, away)
	if err != nil {
		return err
	}
	if name != "" {
		served, err := c.bySupervisor(ctx, a, name)
		if served || err != nil {
			return err
		}
		switch _, err := src.Open(ctx, name); {
		case err != nil && away != nil:
			return away
		case err != nil:
			return err
		}
	}
	return c.inForeground(ctx, a, src, name)
}

// choose returns the cluster whose page is meant; "" means the overview.
func (c *uiCmd) choose(ctx context.Context, src foundClusters, away error) (string, error) {
	if c.Name != "" {
		return clusterRef(c.Name), nil
	}
	names := control.Answering(ctx)
	if src.eng != nil {
		all, err := discovery.List(ctx, src.eng)
		if err != nil {
			return "", err
		}
		names = append(names, clusterNames(all)...)
		slices.Sort(names)
		names = slices.Compact(names)
	}
	switch {
	case len(names) == 0 && away != nil:
		return "", away
	case len(names) > 1:
		return "", nil
	}
	return theOnly(names, "ui", nil)
}

// bySupervisor asks the supervisor to serve the page. It reports whether it does.
func (c *uiCmd) bySupervisor(ctx context.Context, a *app, name string) (bool, error) {
	r := &connection{cluster: name}
	if r.dial(ctx) != nil {
		return false, ctx.Err()
	}
	defer r.hangUp()
	p, err := r.client.Page(ctx, control.PageRequest{Port: c.Port, ReadOnly: c.ReadOnly})
	switch {
	case errors.Is(err, errors.ErrUnsupported):
		a.say("the supervisor of %s is of an earlier version, so this command serves the page", name)
		return false, nil
	case err != nil:
		return false, err
	}
	return true, c.show(a, name, p)
}

// show prints the address and opens it.
func (c *uiCmd) show(a *app, name string, p control.Page) error {
	if a.json {
		if err := a.printJSONLine(shownPage{name, p}); err != nil {
			return err
		}
	} else if _, err := fmt.Fprintln(a.out, p.URL); err != nil {
		return err
	}
	if !c.NoOpen {
		openBrowser(cmp.Or(name, allClusters), p.URL)
	}
	return nil
}

// shownPage is what --json prints.
type shownPage struct {
	Cluster string `json:"cluster,omitempty"`
	control.Page
}

// allClusters stands for the overview in the name of a file: no cluster's name has a dot.
const allClusters = "all.clusters"

// inForeground serves the page of one cluster, or of all, until Ctrl-C.
func (c *uiCmd) inForeground(ctx context.Context, a *app, src foundClusters, name string) error {
	l, err := ui.Listen(ctx, c.Port)
	if err != nil {
		return orchestrator.WithHint(err, "choose another port, or leave --port out: beamyard ui %s", name)
	}
	server := ui.New(l, ui.Options{Source: src, Only: name, ReadOnly: c.ReadOnly})
	path := "/"
	if name != "" {
		path = "/c/" + name + "/"
	}
	served := make(chan error, 1)
	serving, stop := context.WithCancel(ctx)
	defer stop()
	go func() { served <- server.Serve(serving) }()
	if err := c.show(a, name, control.Page{URL: server.URL(path, c.ReadOnly)}); err != nil {
		stop()
		return errors.Join(err, <-served)
	}
	a.say("Ctrl-C ends the page; its clusters go on")
	if err := <-served; err != nil {
		return err
	}
	return errInterrupted
}
