package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/beamyard/beamyard/orchestrator"
)

type eventsCmd struct {
	target
	last   int    // only the last events; 0: all
	node   string // only those of a node; "": all
	Follow bool   `short:"f" help:"Follow new events."`
}

func (eventsCmd) Help() string {
	return `The supervisor keeps the last 1000 events. --json prints a line of JSON for each.`
}

// Run prints events.
func (c *eventsCmd) Run(ctx context.Context, a *app) error {
	eng, err := a.engine(ctx)
	if err != nil {
		return err
	}
	defer eng.Close()
	cluster, _, err := c.resolve(ctx, a, eng, "events", nil, nil)
	if err != nil {
		return err
	}
	controller, done, err := controllerOf(ctx, eng, cluster)
	if err != nil {
		return err
	}
	defer done()
	if c.last > 0 {
		return c.printLast(ctx, a, controller)
	}
	return controller.Events(ctx, 0, c.Follow, a.printEvent)
}

// printLast prints the last events, of one node if it is named.
func (c *eventsCmd) printLast(ctx context.Context, a *app, controller orchestrator.Controller) error {
	var kept []orchestrator.Event
	err := controller.Events(ctx, 0, false, func(e orchestrator.Event) error {
		if c.node == "" || e.Node == c.node {
			kept = append(kept, e)
		}
		return nil
	})
	for _, e := range kept[max(0, len(kept)-c.last):] {
		err = errors.Join(err, a.printEvent(e))
	}
	return err
}

func (a *app) printEvent(e orchestrator.Event) error {
	if a.json {
		if err := a.printJSONLine(e.Printed()); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(a.people(), "%s  %s\n", e.Time.Local().Format("2006-01-02 15:04:05.000"), printable(e.String()))
	return err
}
