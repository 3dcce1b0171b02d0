package main

import (
	"context"
	"strings"

	"github.com/beamyard/beamyard/network/fault"
	"github.com/beamyard/beamyard/orchestrator/config"
)

type squeezeCmd struct {
	faulty
	Memory string   `placeholder:"SIZE" help:"Limit the memory: 96MiB. The kernel kills a VM that needs more."`
	CPUs   float64  `name:"cpus" placeholder:"N" help:"Limit the processor time: 0.1 is a tenth of one CPU."`
	Disk   []string `placeholder:"FOLDER" help:"Fill the file system of a folder. The folder must be in tmpfs: of beamyard.yml, with a size."`
}

func (squeezeCmd) Help() string {
	return `Limits apply at once, and stay over a restart of the node. Some kernels refuse a
memory limit below what the node uses now. heal gives the node its own limits
again. --for is ended by the supervisor; without one, this command waits and does.

  beamyard squeeze n1 --memory 96MiB --for 30s
  beamyard squeeze n1 --cpus 0.1
  beamyard squeeze n1 --disk /var/lib/app`
}

// Run gives nodes less than they need.
func (c *squeezeCmd) Run(ctx context.Context, a *app) error {
	memory := int64(0)
	if c.Memory != "" {
		var ok bool
		if memory, ok = config.ParseSize(c.Memory); !ok {
			return usagef("beamyard squeeze "+strings.Join(c.Nodes, " ")+" --memory 96MiB", "--memory: %q is not a size", c.Memory)
		}
	}
	if memory == 0 && c.CPUs == 0 && len(c.Disk) == 0 {
		return usagef("beamyard squeeze "+strings.Join(c.Nodes, " ")+" --memory 96MiB", "nothing to squeeze: give --memory, --cpus or --disk")
	}
	_, err := c.inject(ctx, a, "squeeze", nil, func(_ context.Context, _ *nodeChooser, f *fault.Fault) error {
		f.Kind, f.Limits = fault.KindSqueeze, fault.Limits{Memory: memory, CPUs: c.CPUs, Full: c.Disk}
		return nil
	})
	return err
}
