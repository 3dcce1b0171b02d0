package main

import (
	"context"
	"fmt"

	"github.com/beamyard/beamyard/orchestrator"
)

type eventsCmd struct {
	target
	Follow bool `short:"f" help:"Follow new events."`
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
	cluster, _, err := c.resolve(ctx, eng, "events", nil)
	if err != nil {
		return err
	}
	controller, done, err := controllerOf(ctx, eng, cluster)
	if err != nil {
		return err
	}
	defer done()
	return controller.Events(ctx, 0, c.Follow, func(e orchestrator.Event) error {
		if a.json {
			return a.printJSONLine(e.Printed())
		}
		_, err := fmt.Fprintf(a.out, "%s  %s\n", e.Time.Local().Format("2006-01-02 15:04:05.000"), printable(e.String()))
		return err
	})
}
