package main

import (
	"context"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/ask"
	"github.com/beamyard/beamyard/orchestrator/discovery"
	"github.com/beamyard/beamyard/orchestrator/secrets"
	choice "github.com/beamyard/beamyard/orchestrator/target"
)

// seeded is the flag of the commands that break something.
type seeded struct {
	Seed *uint64 `placeholder:"N" help:"Seed of the random choices: the same seed makes the same choices. (Default: a new one, which is printed.)"`
}

// seed returns the seed, and draws one if none is given.
func (s *seeded) seed() uint64 {
	if s.Seed == nil {
		drawn := uint64(rand.Uint32()) // short enough to be typed again
		s.Seed = &drawn
	}
	return *s.Seed
}

// tell returns the seed, and prints one that was drawn.
func (s *seeded) tell(a *app) uint64 {
	if s.Seed == nil {
		a.say("seed %d", s.seed())
	}
	return s.seed()
}

// nodeChooser selects the nodes that a command line names, and reports what it chose.
type nodeChooser struct {
	choice.Chooser
	app     *app
	command string
	status  func(context.Context) (orchestrator.Status, ask.Evaluator, func()) // asked at the first target with an @
	seeded  *seeded                                                            // nil: the command has no such flag
	asked   bool
	told    int // choices that are reported
}

// chooser selects nodes of a cluster on an engine.
func (a *app) chooser(eng orchestrator.Engine, command string, spec orchestrator.Spec, s *seeded) *nodeChooser {
	return &nodeChooser{Chooser: choice.Chooser{Spec: spec}, app: a, command: command, seeded: s, status: func(ctx context.Context) (orchestrator.Status, ask.Evaluator, func()) {
		r := &connection{cluster: spec.Name}
		if r.dial(ctx) == nil {
			return r.status, r.client, r.hangUp
		}
		found, _ := discovery.Find(ctx, eng, spec.Name) // what is not known is in no choice
		return found.Status, discovery.Control(eng, spec.Name), func() {}
	}}
}

// nodes returns the short names of the nodes that targets mean: see package target. It reports
// what the targets with an @ mean.
func (c *nodeChooser) nodes(ctx context.Context, written ...string) ([]string, error) {
	var targets []string
	for _, w := range written {
		_, name := nodeRef(strings.TrimSpace(w))
		targets = append(targets, name)
	}
	if !c.asked && slices.ContainsFunc(targets, func(t string) bool { return strings.HasPrefix(t, "@") }) {
		c.asked = true
		st, evaluator, hangUp := c.status(ctx)
		defer hangUp()
		c.What, c.Among = candidates(c.command, st)
		c.Leader = func(expression string) (string, error) {
			return choice.Leader(st, expression, choice.Ask(ctx, evaluator, st, expression), secrets.Redactor(c.Spec).Replace)
		}
		if c.seeded != nil {
			c.Seed = c.seeded.seed()
		} else {
			c.Seed = rand.Uint64()
		}
	}
	nodes, err := c.Nodes(targets...)
	for _, made := range c.Choices()[c.told:] {
		switch {
		case made.Target == "@all":
		case made.Random && c.seeded != nil:
			c.app.say("%s (seed %d)", made, c.Seed)
		default:
			c.app.say("%s", made)
		}
	}
	c.told = len(c.Choices())
	return nodes, err
}

// candidates returns the nodes from which a command chooses at random, and what they are.
func candidates(command string, st orchestrator.Status) (what string, nodes []string) {
	what, fits := "running", func(n orchestrator.NodeStatus) bool { return n.State.Running() }
	switch command {
	case "start":
		what, fits = "down", func(n orchestrator.NodeStatus) bool { return !n.State.Running() }
	case "unpause":
		what, fits = "paused", func(n orchestrator.NodeStatus) bool { return n.Paused }
	case "pause":
		what, fits = "running", func(n orchestrator.NodeStatus) bool { return n.State.Running() && !n.Paused }
	}
	nodes = []string{}
	for _, n := range st.Nodes {
		if fits(n) {
			nodes = append(nodes, n.Name)
		}
	}
	return what, nodes
}

// choose selects the nodes that a connection's command names.
func (r *connection) choose(ctx context.Context, a *app, command string, found discovery.Cluster) ([]string, error) {
	c := &nodeChooser{Chooser: choice.Chooser{Spec: found.Spec}, app: a, command: command, status: func(context.Context) (orchestrator.Status, ask.Evaluator, func()) {
		return found.Status, r.controller(r.eng), func() {}
	}}
	return c.nodes(ctx, r.nodes...)
}
