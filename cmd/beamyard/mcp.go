package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/control"
	"github.com/beamyard/beamyard/orchestrator/discovery"
	"github.com/beamyard/beamyard/orchestrator/mcp"
	choice "github.com/beamyard/beamyard/orchestrator/target"
)

type mcpCmd struct {
	Name         string `arg:"" optional:"" env:"BEAMYARD_CLUSTER" complete:"cluster" help:"Only this cluster. (Default: all.)"`
	AllowChanges bool   `help:"Also offer the tools that change a cluster: rpc, kill, stop, partition, heal and the others."`
}

func (mcpCmd) Help() string {
	return `A server of the Model Context Protocol on stdin and stdout, for assistants and
editors, which start it themselves. Its tools do what the commands do, and answer
with what these print, with --json and without: list, status, why, health, logs,
events, faults, export. export writes to the folder of BEAMYARD_EXPORT_DIR, or to
the folder of temporary files.

It only reads, unless --allow-changes is given: an expression of rpc can do
anything that a node can. Secrets and cookies are masked in all answers, and long
answers are cut.

Example of a configuration:
  {"mcpServers": {"beamyard": {"command": "beamyard", "args": ["mcp"]}}}`
}

// Run serves until stdin ends.
func (c *mcpCmd) Run(ctx context.Context, a *app) error {
	if a.out.terminal {
		a.say("this is for assistants, which start it themselves: see beamyard mcp --help; Ctrl-C ends it")
	}
	only := clusterRef(c.Name)
	s := mcp.New(&assistant{app: a, only: only}, mcp.Options{
		AllowChanges: c.AllowChanges, Version: buildVersion().Version, Allow: strings.Join(strings.Fields("beamyard mcp "+only+" --allow-changes"), " "),
	})
	return s.Run(ctx, a.in, a.out)
}

// assistant runs commands for an assistant.
type assistant struct {
	app  *app
	only string // the only cluster that it may name; "": all
}

var _ mcp.Commands = (*assistant)(nil)

// command is a command with its flags.
type command interface {
	Run(context.Context, *app) error
}

// Run implements [mcp.Commands].
func (s *assistant) Run(ctx context.Context, in mcp.Input) (mcp.Answer, error) {
	var out, words, notes bytes.Buffer
	a := *s.app
	a.in, a.json = strings.NewReader(""), true
	a.out, a.words, a.err = newOutput(&out), newOutput(&words), newOutput(&notes)
	err := s.allowed(in)
	if err == nil {
		var c command
		if c, err = s.command(in); err == nil {
			err = c.Run(ctx, &a)
		}
	}
	answer := mcp.Answer{JSON: out.Bytes(), Text: words.String() + notes.String()}
	if err == nil || errors.Is(err, errUnhealthy) { // an unhealthy cluster is an answer
		return answer, nil
	}
	if ctx.Err() != nil {
		return mcp.Answer{}, ctx.Err()
	}
	err = understood(err)
	var failed bytes.Buffer
	writeFailure(newOutput(&failed), err)
	return mcp.Answer{JSON: failureJSON(err), Text: answer.Text + failed.String(), Failed: true}, nil
}

// Specs implements [mcp.Commands].
func (s *assistant) Specs(ctx context.Context) ([]orchestrator.Spec, error) {
	specs, err := s.specs(ctx)
	if err != nil {
		var text bytes.Buffer
		writeFailure(newOutput(&text), understood(err))
		return nil, errors.New(strings.TrimPrefix(strings.TrimSpace(text.String()), "error: "))
	}
	return specs, nil
}

// specs asks the engine for the clusters, or the supervisors if it does not answer.
func (s *assistant) specs(ctx context.Context) (specs []orchestrator.Spec, err error) {
	eng, away := s.app.engine(ctx)
	if away == nil {
		defer eng.Close()
		all, err := discovery.List(ctx, eng)
		if err != nil {
			return nil, err
		}
		for _, name := range clusterNames(all) {
			spec, err := specOf(ctx, eng, name)
			if err != nil && !errors.Is(err, orchestrator.ErrNoCluster) { // it was removed meanwhile
				return nil, err
			}
			specs = append(specs, spec)
		}
		return specs, nil
	}
	for _, name := range control.Answering(ctx) {
		client, err := control.Dial(ctx, name)
		if err != nil {
			return nil, err
		}
		spec, err := client.Spec(ctx)
		client.Close()
		if err != nil {
			return nil, err
		}
		specs = append(specs, spec)
	}
	if len(specs) == 0 {
		return nil, away
	}
	return specs, nil
}

// allowed returns an error if an input names another cluster than the only one.
func (s *assistant) allowed(in mcp.Input) error {
	if s.only == "" {
		return nil
	}
	named := []string{clusterRef(in.Of())}
	for _, name := range eachPair(in.Named()) {
		for _, end := range choice.Split(name, ':') {
			prefix, _ := nodeRef(end)
			named = append(named, prefix)
		}
	}
	for _, name := range named {
		if name != "" && name != s.only {
			return usagef("beamyard mcp", "this server was started for cluster %s alone, not for %s", s.only, name)
		}
	}
	return nil
}

// command returns the command that an input asks for.
func (s *assistant) command(in mcp.Input) (command, error) {
	where := target{Cluster: cmp.Or(in.Of(), s.only)}
	nodes := func(n mcp.OnNodes) nodesArgs { return nodesArgs{target: where, seeded: seeded{n.Seed}, Nodes: n.Nodes} }
	var times durations
	faulted := func(n mcp.OnNodes, f mcp.Until) faulty {
		return faulty{target: where, seeded: seeded{n.Seed}, Nodes: n.Nodes, For: times.parse("for", f.For)}
	}
	var c command
	switch in := in.(type) {
	case mcp.List:
		c = &clustersCmd{only: s.only}
	case mcp.Status:
		c = &psCmd{Name: where.Cluster}
	case mcp.Why:
		if c = (&whyCmd{target: where}); in.Node != "" {
			c = &inspectCmd{where, in.Node}
		}
	case mcp.Health:
		c = &healthCmd{target: where}
	case mcp.Logs:
		var from since
		if in.Since != "" {
			var err error
			if from, err = sinceOf(in.Since); err != nil {
				return nil, usagef("since: 5m", "since: %v", err)
			}
		}
		c = &logsCmd{target: where, Nodes: in.Nodes, Tail: tail(cmp.Or(in.Tail, mcp.DefaultTail)), Grep: in.Grep, Since: from, Stream: in.Stream, SinceRest: in.SinceRestart}
	case mcp.Events:
		_, node := nodeRef(in.Node)
		c = &eventsCmd{target: where, last: cmp.Or(in.Tail, mcp.DefaultTail), node: node}
	case mcp.Faults:
		c = &faultsCmd{where}
	case mcp.Export:
		c = &exportCmd{target: where, into: cmp.Or(os.Getenv(exportDir), os.TempDir())}
	case mcp.RPC:
		limit := cmp.Or(times.parse("timeout", in.Timeout), mcp.DefaultTimeout)
		if limit < 0 || limit > mcp.MaxTimeout {
			return nil, usagef("timeout: "+mcp.MaxTimeout.String(), "timeout: %q is not a time up to %s", in.Timeout, mcp.MaxTimeout)
		}
		c = &rpcCmd{target: where, Nodes: in.Node, Expression: in.Expression, Erlang: in.Erlang, Timeout: limit}
	case mcp.Start:
		c = &startCmd{nodes(in.OnNodes)}
	case mcp.Stop:
		c = &stopCmd{nodes(in.OnNodes)}
	case mcp.Restart:
		c = &restartCmd{nodes(in.OnNodes)}
	case mcp.Pause:
		c = &pauseCmd{nodes(in.OnNodes)}
	case mcp.Unpause:
		c = &unpauseCmd{nodes(in.OnNodes)}
	case mcp.Kill:
		c = &killCmd{nodes(in.OnNodes), cmp.Or(in.Signal, "KILL")}
	case mcp.Crash:
		c = &crashCmd{target: where, seeded: seeded{in.Seed}, Nodes: in.Nodes, How: cmp.Or(in.How, "halt")}
	case mcp.Partition:
		c = &partitionCmd{
			target: where, lasting: lasting{seeded: seeded{in.Seed}, For: times.parse("for", in.For), NoWait: !in.Wait},
			Groups: in.Groups, Isolate: in.Isolate, Halves: in.Halves, Majority: in.Majority, Minority: in.Minority, Bridge: in.Bridge,
			Ring: in.Ring, OneWay: in.OneWay, Random: in.Random, Kind: cmp.Or(in.Kind, "drop"), Hard: in.Hard,
		}
	case mcp.Blip:
		c = &blipCmd{target: where, Groups: in.Groups, For: times.parse("refuse", in.Refuse), NoWait: in.NoWait}
	case mcp.Slow:
		c = &slowCmd{
			target: where, For: times.parse("for", in.For), Links: in.Links, Loss: in.Loss, Rate: in.Rate, Latency: times.parse("latency", in.Latency),
			Jitter: times.parse("jitter", in.Jitter), Duplicate: in.Duplicate, Corrupt: in.Corrupt, Reorder: in.Reorder,
		}
	case mcp.DNS:
		c = &dnsCmd{faulty: faulted(in.OnNodes, in.Until), None: in.None, Hide: in.Hide, Stale: in.Stale}
	case mcp.Squeeze:
		c = &squeezeCmd{faulty: faulted(in.OnNodes, in.Until), Memory: in.Memory, CPUs: in.CPUs, Disk: in.Disk}
	case mcp.Clock:
		c = &clockCmd{faulty: faulted(in.OnNodes, in.Until), Bump: times.parse("bump", in.Bump), Drift: in.Drift, Strobe: times.parse("strobe", in.Strobe)}
	case mcp.Heal:
		c = &healCmd{target: where, IDs: in.IDs, NoWait: in.NoWait}
	}
	if c == nil {
		return nil, fmt.Errorf("no command does %T", in)
	}
	return c, times.err
}

// durations parses durations, and keeps the first error.
type durations struct{ err error }

func (d *durations) parse(name, text string) time.Duration {
	if text == "" {
		return 0
	}
	t, err := time.ParseDuration(text)
	if err != nil && d.err == nil {
		d.err = usagef(name+": 30s", "%s: %q is not a duration", name, text)
	}
	return t
}

// clustersCmd lists clusters in brief.
type clustersCmd struct{ only string }

// clusterBrief is one cluster, in brief.
type clusterBrief struct {
	Cluster    string                     `json:"cluster"`
	Ready      bool                       `json:"ready"`
	Supervised bool                       `json:"supervised"`
	Source     string                     `json:"source,omitempty"`
	Nodes      map[orchestrator.State]int `json:"nodes"` // how many are in each state
	Faults     int                        `json:"faults"`
}

// Run lists clusters.
func (c *clustersCmd) Run(ctx context.Context, a *app) error {
	eng, err := a.engine(ctx)
	if err != nil {
		return err
	}
	defer eng.Close()
	all, err := discovery.List(ctx, eng)
	if err != nil {
		return err
	}
	briefs := []clusterBrief{}
	for _, st := range all {
		if c.only != "" && st.Cluster != c.only {
			continue
		}
		st = statusOf(ctx, st)
		b := clusterBrief{st.Cluster, st.Ready, st.Supervised, st.Source, map[orchestrator.State]int{}, len(st.Faults)}
		for _, n := range st.Nodes {
			b.Nodes[n.State]++
		}
		briefs = append(briefs, b)
	}
	return a.answer(briefs, func(o *output) error { return writeBriefs(o, briefs) })
}

// writeBriefs writes a line for each cluster.
func writeBriefs(w io.Writer, all []clusterBrief) error {
	if len(all) == 0 {
		_, err := fmt.Fprintln(w, "no cluster is up; start one: beamyard up")
		return err
	}
	for _, b := range all {
		state := "not ready"
		switch {
		case !b.Supervised:
			state = "unsupervised: no process restarts what crashes (beamyard supervise " + b.Cluster + ")"
		case b.Ready:
			state = "ready"
		}
		var nodes []string
		for _, s := range sortedKeys(b.Nodes) {
			nodes = append(nodes, fmt.Sprintf("%d %s", b.Nodes[s], s))
		}
		if _, err := fmt.Fprintf(w, "%s: %s; nodes: %s; %s in force\n", b.Cluster, state, cmp.Or(strings.Join(nodes, ", "), "none"), plural(b.Faults, "fault")); err != nil {
			return err
		}
	}
	return nil
}
