package ui

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/beamyard/beamyard/network/fault"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/faults"
	"github.com/beamyard/beamyard/orchestrator/hint"
)

// This file decides what a button does, and which command does the same. It is pure.

// request is the body of an action. Which fields count depends on the action.
type request struct {
	Nodes   []string   `json:"nodes"`
	Groups  [][]string `json:"groups"`
	Kind    string     `json:"kind"`  // how a partition cuts: drop, reset, disconnect
	For     string     `json:"for"`   // "10s"; "": until it is healed
	Pairs   []string   `json:"pairs"` // "n1:n2"; of slow also "n1", all its links
	Latency string     `json:"latency"`
	Loss    string     `json:"loss"`
	Rate    string     `json:"rate"`
	IDs     []string   `json:"ids"` // of faults; none: all
}

// action is the name of what a button does.
type action string

const (
	actKill      action = "kill"
	actStop      action = "stop"
	actStart     action = "start"
	actRestart   action = "restart"
	actPause     action = "pause"
	actUnpause   action = "unpause"
	actPartition action = "partition"
	actBlip      action = "blip"
	actSlow      action = "slow"
	actHeal      action = "heal"
	actSync      action = "sync"
	actTakeOver  action = "take-over"
)

// actions are all of them.
var actions = []action{actKill, actStop, actStart, actRestart, actPause, actUnpause, actPartition, actBlip, actSlow, actHeal, actSync, actTakeOver}

// plan is what a button does.
type plan struct {
	command string // that does the same
	nodes   []string
	fault   fault.Fault   // of partition and slow
	pairs   []fault.Pair  // of blip
	lasts   time.Duration // 0: until it is healed
	ids     []string
}

// planOf returns what an action does in a cluster of this spec. A request that makes no sense is an
// error, which matches [orchestrator.ErrNoNode] if it names a node that does not exist.
func planOf(spec orchestrator.Spec, a action, r request) (plan, error) {
	if !slices.Contains(actions, a) {
		return plan{}, fmt.Errorf("there is no action %q", a)
	}
	p := plan{}
	words := []string{"beamyard", string(a), "-c", spec.Name}
	add := func(flag, value string) {
		if value != "" {
			words = append(words, flag, hint.Quote(value))
		}
	}
	if r.For != "" {
		var err error
		if p.lasts, err = time.ParseDuration(r.For); err != nil || p.lasts <= 0 {
			return p, fmt.Errorf("%q is not a time like 10s or 2m", r.For)
		}
	}
	for _, name := range slices.Concat(append(slices.Clone(r.Groups), r.Nodes)...) {
		if !slices.Contains(names(spec), name) {
			return p, spec.NoNode(name)
		}
	}
	switch a {
	case actKill, actStop, actStart, actRestart, actPause, actUnpause:
		if len(r.Nodes) == 0 {
			return p, errors.New("choose at least one node")
		}
		p.nodes, words = r.Nodes, append(words, r.Nodes...)
	case actPartition:
		if len(r.Groups) == 0 {
			return p, errors.New("choose the nodes of at least one group")
		}
		p.fault = fault.Partition(r.Groups...)
		if r.Kind != "" {
			p.fault.How = fault.How(r.Kind)
		} else {
			p.fault.How = fault.Drop
		}
		words = append(words, groupWords(r.Groups)...)
		if r.Kind != "" && r.Kind != string(fault.Drop) {
			add("--kind", r.Kind)
		}
		add("--for", r.For)
		if err := p.fault.Validate(names(spec)); err != nil {
			return p, err
		}
	case actBlip:
		if p.lasts > faults.MaxBlip {
			return p, fmt.Errorf("a blip lasts %s at most: choose a partition with resets", faults.MaxBlip)
		}
		var err error
		switch {
		case len(r.Pairs) > 0 && len(r.Groups) > 0:
			return p, errors.New("choose groups, or pairs")
		case len(r.Pairs) > 0:
			if p.pairs, err = pairsOf(spec, r.Pairs, false); err != nil {
				return p, err
			}
			for _, pair := range r.Pairs {
				add("--pairs", pair)
			}
		case len(r.Groups) > 0:
			p.pairs = fault.Partition(r.Groups...).Cuts(names(spec))
			words = append(words, groupWords(r.Groups)...)
		default:
			p.pairs = fault.Isolate(names(spec)...).Cuts(names(spec))
		}
		add("--for", r.For)
	case actSlow:
		if err := p.slow(spec, r); err != nil {
			return p, err
		}
		words = append(words, slices.Concat(r.Pairs, r.Nodes)...)
		add("--latency", r.Latency)
		add("--loss", r.Loss)
		add("--rate", r.Rate)
		add("--for", r.For)
	case actHeal:
		for _, id := range r.IDs {
			if id == "" || strings.Trim(id, "abcdefghijklmnopqrstuvwxyz0123456789") != "" {
				return p, fmt.Errorf("%q is not the ID of a fault", id)
			}
		}
		p.ids, words = r.IDs, append(words, r.IDs...)
	case actSync:
		p.nodes, words = r.Nodes, append(words, r.Nodes...)
	case actTakeOver:
		words = []string{hint.Supervise.On(spec.Name).String()}
	}
	p.command = strings.Join(words, " ")
	return p, nil
}

// slow reads what links become.
func (p *plan) slow(spec orchestrator.Spec, r request) error {
	links := slices.Concat(r.Pairs, r.Nodes)
	if len(links) == 0 {
		return errors.New("choose at least one node, or one link")
	}
	directions, err := pairsOf(spec, links, true)
	if err != nil {
		return err
	}
	var q fault.Quality
	if r.Latency != "" {
		if q.Latency, err = time.ParseDuration(r.Latency); err != nil {
			return fmt.Errorf("%q is not a time like 50ms", r.Latency)
		}
	}
	if q.Loss, err = fault.ParsePercent(r.Loss); err != nil {
		return err
	}
	if q.Rate, err = fault.ParseRate(r.Rate); err != nil {
		return err
	}
	p.fault = fault.Link(q, directions...)
	return p.fault.Validate(names(spec))
}

// groupWords returns groups as arguments of commands.
func groupWords(groups [][]string) []string {
	var words []string
	for _, g := range groups {
		words = append(words, strings.Join(g, ","))
	}
	return words
}

// pairsOf reads "n1:n2". With everyone, "n1" means all links of n1.
func pairsOf(spec orchestrator.Spec, written []string, everyone bool) ([]fault.Pair, error) {
	var all []fault.Pair
	for _, text := range written {
		from, to, pair := strings.Cut(text, ":")
		for _, name := range []string{from, to} {
			if (pair || name == from) && !slices.Contains(names(spec), name) {
				return nil, spec.NoNode(name)
			}
		}
		switch {
		case pair && from == to:
			return nil, fmt.Errorf("%s: a link needs two nodes", text)
		case pair:
			all = append(all, fault.Pair{From: from, To: to})
		case everyone:
			all = append(all, fault.Pair{From: from, To: fault.Everyone}, fault.Pair{From: fault.Everyone, To: from})
		default:
			return nil, fmt.Errorf("%q is not a pair like n1:n2", text)
		}
	}
	return all, nil
}
