package main

import (
	"bufio"
	"context"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"

	"golang.org/x/term"

	"github.com/beamyard/beamyard/orchestrator/swarm"
)

// changesHosts are the flags of commands that change hosts.
type changesHosts struct {
	hostsOf
	Yes bool `short:"y" help:"Do not ask."`
}

// advertises is the flag of commands that make members.
type advertises struct {
	Advertise []string `placeholder:"HOST=ADDRESS" help:"The IP address or the network interface of a host at which the others reach it. May be repeated, or separated by commas."`
}

type hostsInitCmd struct {
	changesHosts
	advertises
}

func (hostsInitCmd) Help() string {
	return `Clusters over several hosts need a swarm, for its network alone: nodes stay plain
containers. The first host, by name, starts one and manages it; the others join as
workers, with a token that is never shown. If a host manages a swarm already, the
others join that one. Hosts of another swarm are refused.

It shows what it will do, with the address of each host, and asks. Without a
terminal it only shows it, and exits with 2, unless --yes is given. Members need
2377/tcp (to managers), 7946/tcp, 7946/udp and 4789/udp from each other.

Examples:
  beamyard hosts init --hosts a=ssh://build@big1,b=ssh://build@big2
  beamyard hosts init --advertise a=10.0.0.7,b=10.0.0.8 --yes`
}

// Run makes all hosts the members of one swarm.
func (c *hostsInitCmd) Run(ctx context.Context, a *app) error {
	return c.change(ctx, a, "init", func(hosts []swarm.Host) (swarm.Plan, error) {
		if err := c.set(hosts); err != nil {
			return swarm.Plan{}, err
		}
		return swarm.Init(hosts)
	})
}

type hostsJoinCmd struct {
	changesHosts
	advertises
	Names []string `arg:"" name:"host" help:"Names of hosts."`
}

func (hostsJoinCmd) Help() string {
	return `The hosts join, as workers, the swarm that one of the others manages: see
beamyard hosts init --help.

Example:
  beamyard hosts join c`
}

// Run has hosts join.
func (c *hostsJoinCmd) Run(ctx context.Context, a *app) error {
	return c.change(ctx, a, "join", func(hosts []swarm.Host) (swarm.Plan, error) {
		if err := c.set(hosts); err != nil {
			return swarm.Plan{}, err
		}
		return swarm.Join(hosts, c.Names)
	})
}

type hostsLeaveCmd struct {
	changesHosts
	Force bool     `help:"Also leave while clusters, containers or services use the swarm: they lose their network."`
	Names []string `arg:"" optional:"" name:"host" help:"Names of hosts (default: all)."`
}

func (hostsLeaveCmd) Help() string {
	return `Workers leave first. A manager leaves only with all the other members of its swarm,
which then ends. Refused while clusters or other containers of a host are on an
overlay network, or while the swarm has services, unless --force is given. It shows
what it will do, and asks.

Examples:
  beamyard hosts leave c
  beamyard hosts leave`
}

// Run has hosts leave.
func (c *hostsLeaveCmd) Run(ctx context.Context, a *app) error {
	return c.change(ctx, a, "leave", func(hosts []swarm.Host) (swarm.Plan, error) {
		return swarm.Leave(hosts, c.Names, c.Force)
	})
}

// set puts the given addresses into hosts.
func (c *advertises) set(hosts []swarm.Host) error {
	for _, pair := range c.Advertise {
		name, at, given := strings.Cut(pair, "=")
		i := slices.IndexFunc(hosts, func(h swarm.Host) bool { return h.Name == name })
		switch ip, err := netip.ParseAddr(at); {
		case !given || at == "":
			return usagef("--advertise a=10.0.0.7", "--advertise %s: it is HOST=ADDRESS", pair)
		case i < 0:
			return usagef("beamyard hosts ls", "--advertise %s: %s is not one of the hosts", pair, name)
		case err == nil && (ip.IsUnspecified() || ip.IsLoopback()):
			return usagef("--advertise "+name+"=10.0.0.7", "--advertise %s: other machines cannot reach it there", pair)
		}
		hosts[i].Advertise = at
	}
	return nil
}

// change plans, shows, asks, and does.
func (c *changesHosts) change(ctx context.Context, a *app, command string, plan func([]swarm.Host) (swarm.Plan, error)) error {
	specs, err := c.specs(ctx, a)
	if err != nil {
		return err
	}
	all := open(specs)
	defer all.Close()
	p, err := plan(all.look(ctx, a))
	if err != nil {
		return err
	}
	if len(p.Steps) == 0 {
		a.say("there is nothing to do for %s", strings.Join(all.names(), ", "))
		return a.listHosts(ctx, all)
	}
	explainPlan(a, p)
	if err := c.confirm(a, command, p); err != nil {
		return err
	}
	err = swarm.Do(ctx, all.swarmMachines(), p, func(s swarm.Step) { a.say("done: %s", s) })
	if err != nil {
		return err
	}
	return a.listHosts(ctx, all)
}

// explainPlan says what a plan does.
func explainPlan(a *app, p swarm.Plan) {
	a.say("this changes the engines of hosts:")
	opens := false
	for i, s := range p.Steps {
		a.say("  %d. %s\n       %s", i+1, s, s.Command())
		opens = opens || s.Do == swarm.ActInit || s.Do == swarm.ActJoin
	}
	if opens {
		a.say("members listen on every address of their machines: 2377/tcp (managers), 7946/tcp and udp, 4789/udp; only the other members should reach these ports")
	}
}

// planned is the JSON form of a step that was not done.
type planned struct {
	Host    string `json:"host"`
	Does    string `json:"does"`
	Command string `json:"command"`
}

// confirm asks. Without a terminal, what would be done has been said, and is the answer.
func (c *changesHosts) confirm(a *app, command string, p swarm.Plan) error {
	if c.Yes {
		return nil
	}
	if f, ok := a.in.(*os.File); !ok || !term.IsTerminal(int(f.Fd())) {
		if a.json {
			var steps []planned
			for _, s := range p.Steps {
				steps = append(steps, planned{s.Host, s.String(), s.Command()})
			}
			if err := a.printJSON(steps); err != nil {
				return err
			}
		}
		return usagef("beamyard hosts "+command+" --yes", "nothing was changed: there is no terminal to ask on")
	}
	fmt.Fprint(a.err, "go on? [y/N] ")
	line, _ := bufio.NewReader(a.in).ReadString('\n') // the end of the input is a no
	if answer := strings.ToLower(strings.TrimSpace(line)); answer != "y" && answer != "yes" {
		return errDeclined
	}
	return nil
}
