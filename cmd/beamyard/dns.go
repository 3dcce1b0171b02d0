package main

import (
	"context"
	"slices"
	"strings"

	"github.com/beamyard/beamyard/network/fault"
)

type dnsCmd struct {
	faulty
	None  bool     `help:"No peer has an address: the answer is \"no such name\"."`
	Hide  []string `sep:"none" placeholder:"NODE" complete:"nodes" help:"These peers have no address. The name that stands for all nodes resolves to the others."`
	Stale []string `sep:"none" placeholder:"NODE" complete:"nodes" help:"These peers have an address at which nothing answers, like that of a container which is gone."`
}

func (dnsCmd) Help() string {
	return `Connections stay: a node resolves names only when it connects, so when it boots,
or when a library looks for its peers (dns_cluster, libcluster's DNSPoll). The
names of other machines resolve as before.

  beamyard dns n1 --none             n1 finds no peer
  beamyard dns n1 --hide n2          n1 does not find n2
  beamyard dns @all --stale n3       all nodes get a wrong address for n3`
}

// Run makes nodes resolve the names of their peers wrongly.
func (c *dnsCmd) Run(ctx context.Context, a *app) error {
	given := 0
	for _, is := range []bool{c.None, len(c.Hide) > 0, len(c.Stale) > 0} {
		if is {
			given++
		}
	}
	if given != 1 {
		return usagef("beamyard dns "+strings.Join(c.Nodes, " ")+" --none", "nothing to change: give one of --none, --hide and --stale")
	}
	peers := slices.Concat(c.Hide, c.Stale)
	_, err := c.inject(ctx, a, "dns", peers, func(ctx context.Context, in *nodeChooser, f *fault.Fault) (err error) {
		f.Kind, f.DNS.Answers = fault.KindDNS, fault.NoAnswers
		if len(c.Stale) > 0 {
			f.DNS.Answers = fault.StaleAnswers
		}
		if !c.None {
			f.DNS.Peers, err = in.nodes(ctx, peers...)
		}
		return err
	})
	return err
}
