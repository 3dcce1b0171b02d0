package main

import (
	"context"
	"strings"
	"time"

	"github.com/beamyard/beamyard/network/fault"
)

type slowCmd struct {
	target
	seeded
	For       time.Duration `placeholder:"TIME" help:"Heal it after this time: 10s, 2m."`
	Links     []string      `arg:"" sep:"none" name:"link" complete:"links" help:"n1:n2 is what n1 sends to n2; n1 is all that it sends and receives, beyond the cluster, too."`
	Loss      string        `placeholder:"PERCENT" help:"Lose packets: 5%."`
	Rate      string        `placeholder:"RATE" help:"Limit the rate: 1mbit, 500kbit."`
	Latency   time.Duration `placeholder:"TIME" help:"Delay packets: 50ms."`
	Jitter    time.Duration `placeholder:"TIME" help:"Vary the delay by as much."`
	Duplicate string        `placeholder:"PERCENT" help:"Send packets twice."`
	Corrupt   string        `placeholder:"PERCENT" help:"Flip a bit in packets."`
	Reorder   string        `placeholder:"PERCENT" help:"Send packets at once, before those that wait; needs --latency."`
}

func (slowCmd) Help() string {
	return `Loss and rate work on most kernels. Latency, jitter, duplicate, corrupt and
reorder need the kernel's netem: where it is missing, nothing is changed and the
exit code is 5. Both directions: beamyard slow n1:n2 n2:n1 --loss 5%.`
}

// Run makes links worse.
func (c *slowCmd) Run(ctx context.Context, a *app) error {
	l := lasting{seeded: c.seeded, For: c.For, NoWait: true} // nodes do not notice: their connections stay
	return c.inject(ctx, a, "slow", &l, endsOf(c.Links), func(ctx context.Context, in *nodeChooser, _ []string) (fault.Fault, error) {
		q := fault.Quality{Shaping: fault.Shaping{Latency: c.Latency, Jitter: c.Jitter}}
		for _, p := range []struct {
			flag, text string
			to         *float64
		}{{"--loss", c.Loss, &q.Loss}, {"--duplicate", c.Duplicate, &q.Duplicate}, {"--corrupt", c.Corrupt, &q.Corrupt}, {"--reorder", c.Reorder, &q.Reorder}} {
			var err error
			if *p.to, err = fault.ParsePercent(p.text); err != nil {
				return fault.Fault{}, usagef(p.flag+" 5%", "%s: %v", p.flag, err)
			}
		}
		var err error
		if q.Rate, err = fault.ParseRate(c.Rate); err != nil {
			return fault.Fault{}, usagef("--rate 1mbit", "--rate: %v", err)
		}
		if q == (fault.Quality{}) {
			return fault.Fault{}, usagef("beamyard slow "+strings.Join(c.Links, " ")+" --loss 5%", "nothing to change: give --loss, --rate, --latency or another")
		}
		pairs, err := in.pairs(ctx, c.Links, true)
		return fault.Link(q, pairs...), err
	})
}
