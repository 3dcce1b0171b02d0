package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/beamyard/beamyard/network/fault"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/effects"
	choice "github.com/beamyard/beamyard/orchestrator/target"
)

// electing is the flag of the commands that report the next leader.
type electing struct {
	Leader string `placeholder:"EXPR" help:"Elixir that returns the leader, as in @leader:EXPR: a node, a pid, or {name, node}. Reports the time until the nodes name one again. (Default: that of a target @leader:EXPR.)"`
}

// leaderIn returns the expression of the flag, or of the first of these targets that has one.
func (e electing) leaderIn(targets []string) string {
	for _, t := range targets {
		for _, part := range choice.Split(t, ',') {
			if expression, names := strings.CutPrefix(strings.TrimSpace(part), "@leader:"); names && e.Leader == "" {
				return expression
			}
		}
	}
	return e.Leader
}

const (
	leaderTime   = 30 * time.Second       // for the nodes to name a leader
	leaderSteady = time.Second            // how long they must name it
	leaderPoll   = 100 * time.Millisecond // between two questions
)

// voters asks the nodes for their leader, while something is done to them.
type voters struct {
	cluster    orchestrator.Controller
	expression string
	names      []string // of all nodes
	before     effects.Vote
	stop       func() []effects.Vote
	began      time.Time
}

// watchLeader begins to ask. It returns nil without an expression.
func watchLeader(ctx context.Context, c orchestrator.Controller, expression string) *voters {
	if expression == "" {
		return nil
	}
	v := &voters{cluster: c, expression: expression}
	if st, err := c.Status(ctx); err == nil {
		for _, n := range st.Nodes {
			v.names = append(v.names, n.Name)
		}
	}
	v.before = effects.Vote{After: -1, Names: v.ask(ctx)}
	v.began = time.Now()
	v.stop = v.watch(ctx)
	return v
}

func (v *voters) ask(ctx context.Context) map[string]string {
	st, err := v.cluster.Status(ctx)
	if err != nil {
		return nil
	}
	return choice.Names(st, choice.Ask(ctx, v.cluster, st, v.expression))
}

// watch asks until it is stopped.
func (v *voters) watch(ctx context.Context) (stop func() []effects.Vote) {
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan []effects.Vote, 1) // the result is not always read
	go func() {
		var votes []effects.Vote
		for ctx.Err() == nil {
			at := time.Since(v.began)
			if names := v.ask(ctx); ctx.Err() == nil && len(names) > 0 {
				votes = append(votes, effects.Vote{After: at, Names: names})
			}
			_ = pauseFor(ctx, leaderPoll) // the loop ends with ctx
		}
		ended <- votes
	}()
	return func() []effects.Vote { cancel(); return <-ended }
}

// elected waits until the nodes that still see each other, or the largest group of those, name a
// leader, and reports the leaders that the nodes name. Faults are those in force.
func (v *voters) elected(ctx context.Context, a *app, faults ...fault.Fault) ([]effects.Elected, error) {
	if v == nil || len(v.names) == 0 {
		return nil, nil
	}
	sides := effects.Sides(v.names, faults...)
	votes := append([]effects.Vote{v.before}, v.stop()...)
	a.say("waiting for a leader, at most %s", leaderTime)
	for deadline := time.Now().Add(leaderTime); ; {
		now := time.Since(v.began)
		all := effects.Elections(votes, sides)
		if first := all[0]; first.Leader != "" && now-first.After >= leaderSteady || time.Now().After(deadline) {
			return all, a.printElected(all)
		}
		if err := pauseFor(ctx, leaderPoll); err != nil {
			return nil, err
		}
		at := time.Since(v.began)
		if names := v.ask(ctx); len(names) > 0 {
			votes = append(votes, effects.Vote{After: at, Names: names})
		}
	}
}

func (a *app) printElected(all []effects.Elected) error {
	leaders := 0
	for _, e := range all {
		if e.Leader != "" {
			leaders++
		}
		if err := a.tellElected("leader: " + e.String()); err != nil {
			return err
		}
	}
	if leaders > 1 {
		return a.tellElected(fmt.Sprintf("leader: there are %d at the same time", leaders))
	}
	return nil
}

// tellElected prints a line, beside the output of --json.
func (a *app) tellElected(line string) error {
	if a.json {
		a.say("%s", line)
		return nil
	}
	_, err := fmt.Fprintln(a.out, line)
	return err
}
