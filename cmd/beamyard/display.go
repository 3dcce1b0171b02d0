package main

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/beamyard/beamyard/orchestrator"
)

// display is the progress display of a starting cluster: its current phase, and each node's
// state with the time since it began. Pure: events and the time go in, lines come out.
type display struct {
	phase string
	since time.Time
	nodes []displayNode
}

type displayNode struct {
	name         string
	state        orchestrator.State
	begun, ended time.Time // of the way to Ready
}

// apply handles an event, and returns the line of a finished phase.
func (b *display) apply(e orchestrator.Event) (over string) {
	switch e.Kind {
	case orchestrator.EventPhase:
		if b.phase != "" {
			over = b.line("✓", b.phase, e.Time.Sub(b.since))
		}
		b.phase, b.since = e.Text, e.Time
	case orchestrator.EventState:
		n := b.node(e.Node, e.Time)
		n.state, n.ended = e.State, time.Time{}
		if e.State == orchestrator.Ready || e.State.Final() {
			n.ended = e.Time
		}
	case orchestrator.EventNote, orchestrator.EventFinding, orchestrator.EventFault, orchestrator.EventSync, orchestrator.EventUpgrade:
		over = "  " + e.Text
	case orchestrator.EventExit, orchestrator.EventMesh: // shown by the state event that accompanies it
	}
	return over
}

func (b *display) node(name string, now time.Time) *displayNode {
	for i := range b.nodes {
		if b.nodes[i].name == name {
			return &b.nodes[i]
		}
	}
	b.nodes = append(b.nodes, displayNode{name: name, begun: now})
	return &b.nodes[len(b.nodes)-1]
}

// lines draws at most height lines of at most width columns. The final drawing has no running
// timer.
func (b *display) lines(now time.Time, last bool, width, height int, color func(string) string) []string {
	if b.phase == "" {
		return nil
	}
	mark := "…"
	if last {
		mark = "✓"
		for _, n := range b.nodes {
			if n.state != orchestrator.Ready {
				mark = "·"
			}
		}
	}
	all := []string{b.line(mark, b.phase, now.Sub(b.since))}
	longest := 0
	for _, n := range b.nodes {
		longest = max(longest, len(n.name))
	}
	for i, n := range b.nodes {
		if len(all) == height-1 && i < len(b.nodes)-1 {
			all = append(all, fmt.Sprintf("    … and %s more", plural(len(b.nodes)-i, "node")))
			break
		}
		code := "36"
		mark = "  …"
		switch n.state {
		case orchestrator.Ready:
			mark, code = "  ✓", "32"
		case orchestrator.Failed:
			mark, code = "  ✗", "31"
		case orchestrator.BackingOff, orchestrator.Degraded, orchestrator.Unreachable:
			mark, code = "  !", "33"
		case orchestrator.Pending, orchestrator.Creating, orchestrator.Starting, orchestrator.Running,
			orchestrator.Stopping, orchestrator.Stopped, orchestrator.Completed:
		}
		took := now.Sub(n.begun)
		if !n.ended.IsZero() {
			took = n.ended.Sub(n.begun)
		}
		text := fmt.Sprintf("%-*s  %s", longest, n.name, n.state)
		all = append(all, color(code)+clip(b.line(mark, text, took), width)+color("0"))
	}
	all[0] = clip(all[0], width)
	return all
}

// line formats "✓ text      1.2s".
func (b *display) line(mark, text string, took time.Duration) string {
	left := mark + " " + text
	pad := max(1, 48-utf8.RuneCountInString(left))
	return fmt.Sprintf("%s%s%5.1fs", left, strings.Repeat(" ", pad), took.Seconds())
}

// clip cuts a text so that a terminal of that width does not wrap it: a line that takes two
// rows would be redrawn at the wrong place.
func clip(text string, width int) string {
	if utf8.RuneCountInString(text) <= width {
		return text
	}
	return string([]rune(text)[:max(0, width-1)]) + "…"
}
