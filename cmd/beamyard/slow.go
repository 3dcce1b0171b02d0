package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/beamyard/beamyard/network/fault"
	"github.com/beamyard/beamyard/orchestrator"
)

type slowCmd struct {
	target
	lasting
	Links     []string      `arg:"" name:"link" help:"n1:n2 is what n1 sends to n2; n1 alone is all that it sends and receives."`
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
	c.NoWait = true // nodes do not notice: their connections stay
	var named []string
	for _, l := range c.Links {
		named = append(named, strings.Split(l, ":")...)
	}
	return c.inject(ctx, a, "slow", c.lasting, named, func(spec orchestrator.Spec, _ []string) (fault.Fault, error) {
		q := fault.Quality{Shaping: fault.Shaping{Latency: c.Latency, Jitter: c.Jitter}}
		for _, p := range []struct {
			flag, text string
			to         *float64
		}{{"--loss", c.Loss, &q.Loss}, {"--duplicate", c.Duplicate, &q.Duplicate}, {"--corrupt", c.Corrupt, &q.Corrupt}, {"--reorder", c.Reorder, &q.Reorder}} {
			var err error
			if *p.to, err = percentOf(p.text); err != nil {
				return fault.Fault{}, usagef(p.flag+" 5%", "%s: %v", p.flag, err)
			}
		}
		var err error
		if q.Rate, err = rateOf(c.Rate); err != nil {
			return fault.Fault{}, usagef("--rate 1mbit", "--rate: %v", err)
		}
		if q == (fault.Quality{}) {
			return fault.Fault{}, usagef("beamyard slow "+strings.Join(c.Links, " ")+" --loss 5%", "nothing to change: give --loss, --rate, --latency or another")
		}
		pairs, err := pairsIn(spec, c.Links, true)
		return fault.Link(q, pairs...), err
	})
}

// percentOf parses "5%" or "5"; "" is 0.
func percentOf(text string) (float64, error) {
	var p float64
	if text == "" {
		return 0, nil
	}
	if n, err := fmt.Sscanf(strings.TrimSuffix(text, "%")+"\n", "%g\n", &p); n != 1 || err != nil || p < 0 || p > 100 {
		return 0, fmt.Errorf("%q is not a percentage from 0 to 100", text)
	}
	return p, nil
}

// rateOf parses bits per second as tc(8) writes them: "1mbit", "500kbit", "64000bit"; "" is 0.
func rateOf(text string) (uint64, error) {
	if text == "" {
		return 0, nil
	}
	lower := strings.ToLower(text)
	for _, u := range []struct {
		suffix string
		factor float64
	}{{"gbit", 1e9}, {"mbit", 1e6}, {"kbit", 1e3}, {"bit", 1}} {
		number, ok := strings.CutSuffix(lower, u.suffix)
		var n float64
		if !ok {
			continue
		}
		if got, err := fmt.Sscanf(number+"\n", "%g\n", &n); got == 1 && err == nil && n > 0 {
			return uint64(n * u.factor), nil
		}
		break
	}
	return 0, fmt.Errorf("%q is not a rate like 1mbit or 500kbit", text)
}
