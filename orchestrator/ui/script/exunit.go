package script

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/beamyard/beamyard/network/fault"
	"github.com/beamyard/beamyard/orchestrator"
)

// ExUnit returns what was done as a test module in Elixir, for `beamyard test`; see package suite.
func ExUnit(c Cluster, journal []orchestrator.JournalEntry) string {
	all := steps(journal)
	names := variables(all)
	for id, name := range names {
		names[id] = strings.ToLower(name)
	}
	var body strings.Builder
	for _, s := range all {
		if s.after > 0 {
			fmt.Fprintf(&body, "    Process.sleep(%s)\n", underscored(s.after.Milliseconds()))
		}
		fmt.Fprintf(&body, "    %s\n", exStep(s, names))
	}
	return fmt.Sprintf(`defmodule WhatWasDoneTest do
  use Beamyard.Case

  # Does to the cluster of a test what was done to %s.
  @tag nodes: %d, faults: true, timeout: :infinity
  test "what was done" do
%s    # Check here what must hold.
  end
end
`, c.Spec.Name, len(c.Spec.Nodes), body.String())
}

func exStep(s step, names map[string]string) string {
	call := func(function string) string { return fmt.Sprintf("Beamyard.%s(%s)", function, exQuote(s.node)) }
	switch s.verb {
	case note:
		return "# " + oneLine(s.text)
	case crash:
		return call("crash")
	case stop:
		return call("stop")
	case start:
		return call("start")
	case restart:
		return call("restart")
	case pause:
		return call("pause")
	case unpause:
		return call("unpause")
	case inject:
		text, ok := exInject(s.fault)
		if !ok {
			return "# " + oneLine(s.fault.String()) + " (ExUnit has no function for it)"
		}
		if s.used {
			return names[s.fault.ID] + " = " + text
		}
		return text
	case heal:
		if _, ok := exInject(s.fault); !ok {
			return "# healed: " + oneLine(s.fault.String())
		}
		return "Beamyard.heal(" + names[s.fault.ID] + ")"
	}
	return ""
}

// exInject returns the call, if there is a function for the fault.
func exInject(f fault.Fault) (string, bool) {
	var options []string
	add := func(name, value string) {
		if value != "" && value != "0" {
			options = append(options, name+": "+value)
		}
	}
	finish := func(function, what string) (string, bool) {
		return fmt.Sprintf("Beamyard.%s(%s)", function, strings.Join(append([]string{what}, options...), ", ")), true
	}
	switch f.Kind {
	case fault.KindPartition:
		var groups []string
		for _, g := range f.Groups {
			groups = append(groups, exList(g))
		}
		if f.How != "" && f.How != fault.Drop {
			add("how", ":"+string(f.How))
		}
		if f.Hard {
			add("hard", "true")
		}
		return finish("partition", "["+strings.Join(groups, ", ")+"]")
	case fault.KindLink:
		links, ok := exLinks(f.Pairs)
		if !ok {
			return "", false
		}
		q := f.Quality
		add("loss", float(q.Loss))
		add("rate", underscored(int64(q.Rate)))
		add("latency", milliseconds(q.Latency))
		add("jitter", milliseconds(q.Jitter))
		add("duplicate", float(q.Duplicate))
		add("corrupt", float(q.Corrupt))
		add("reorder", float(q.Reorder))
		return finish("slow", links)
	case fault.KindDNS:
		add("answers", ":"+string(f.DNS.Answers))
		if len(f.DNS.Peers) > 0 {
			add("peers", exList(f.DNS.Peers))
		}
		return finish("dns", exList(f.Nodes))
	case fault.KindClock:
		add("bump", milliseconds(f.Clock.Bump))
		add("drift", float(f.Clock.Drift))
		add("strobe", milliseconds(f.Clock.Strobe))
		return finish("clock", exList(f.Nodes))
	case fault.KindSqueeze:
		add("memory", underscored(f.Limits.Memory))
		add("cpus", float(f.Limits.CPUs))
		if len(f.Limits.Full) > 0 {
			add("full", exList(f.Limits.Full))
		}
		return finish("squeeze", exList(f.Nodes))
	case fault.KindCut:
	}
	return "", false
}

// exLinks writes directions as {from, to}, and both directions of a node to everyone as the node.
func exLinks(pairs []fault.Pair) (string, bool) {
	everyone := map[string]int{}
	var links []string
	for _, p := range pairs {
		switch {
		case p.From == fault.Everyone && p.To == fault.Everyone:
			return "", false
		case p.From == fault.Everyone || p.To == fault.Everyone:
			node := strings.TrimPrefix(p.From+p.To, fault.Everyone)
			node = strings.TrimSuffix(node, fault.Everyone)
			if everyone[node]++; everyone[node] == 1 {
				links = append(links, exQuote(node))
			}
		default:
			links = append(links, "{"+exQuote(p.From)+", "+exQuote(p.To)+"}")
		}
	}
	for _, directions := range everyone {
		if directions != 2 {
			return "", false
		}
	}
	return "[" + strings.Join(links, ", ") + "]", true
}

func exList(texts []string) string {
	quoted := make([]string, len(texts))
	for i, t := range texts {
		quoted[i] = exQuote(t)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

// exQuote writes a string of Elixir.
func exQuote(text string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "#{", `\#{`, "\n", `\n`).Replace(text) + `"`
}

// milliseconds writes a time; "" for none. What is shorter than a millisecond is one.
func milliseconds(d time.Duration) string {
	switch ms := d.Milliseconds(); {
	case d == 0:
		return ""
	case ms == 0:
		return "1"
	case ms < 0:
		return "-" + underscored(-ms)
	default:
		return underscored(ms)
	}
}

// underscored writes a number as mix format does: 10_000.
func underscored(n int64) string {
	text := strconv.FormatInt(n, 10)
	if len(text) < 6 {
		return text
	}
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "_" + text[i:]
	}
	return text
}
