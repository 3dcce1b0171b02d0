package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/config"
	"github.com/beamyard/beamyard/orchestrator/docker"
	"github.com/beamyard/beamyard/orchestrator/doctor"
)

type doctorCmd struct {
	File string `short:"f" placeholder:"beamyard.yml" complete:"files" help:"Settings, of which hosts, pool, host_port and max_nodes count; a beamyard.yml in this folder is found by itself."`
	hostsFlag
}

func (doctorCmd) Help() string {
	return `One line for each check: ✓ passed, ! a warning, ✗ must be fixed before a cluster
can start, ? unknown; below it the command that helps.

It starts a short-lived helper container, made of this program, to see what nodes
would see. Only the image of that container stays; nothing else is changed.
Warnings do not fail: the exit code is 5 only when no cluster can run, because
there is no engine or it starts no container.

With several hosts, it examines these: each engine, its place in the swarm, its
clock, and what passes from each host to each other one: the swarm's ports, and a
message of 1 MiB over an overlay network, which it makes for that and removes. More
of one host: DOCKER_HOST=ADDRESS beamyard doctor.`
}

// Run examines this machine and its engine.
func (c *doctorCmd) Run(ctx context.Context, a *app) error {
	opts, specs, err := c.options()
	if err != nil {
		return err
	}
	if len(specs) > 0 {
		return c.hosts(ctx, a, opts, specs)
	}
	if eng, err := docker.New(docker.Options{}); err != nil {
		opts.NoEngine = err
	} else {
		defer eng.Close()
		opts.Engine = eng
	}
	return a.printExamination(ctx, doctor.Examine(ctx, opts))
}

// hosts examines several machines.
func (c *doctorCmd) hosts(ctx context.Context, a *app, opts doctor.Options, specs map[string]orchestrator.HostSpec) error {
	all := open(specs)
	defer all.Close()
	hosts := map[string]doctor.Host{}
	for name, m := range all {
		hosts[name] = doctor.Host{Problem: m.problem}
		if m.Engine != nil {
			hosts[name] = doctor.Host{Engine: m.Engine}
		}
	}
	return a.printExamination(ctx, doctor.ExamineHosts(ctx, doctor.HostOptions{Hosts: hosts, Pool: opts.Pool}))
}

// printExamination prints a report, and returns an error if no cluster can run.
func (a *app) printExamination(ctx context.Context, report doctor.Report) error {
	if ctx.Err() != nil {
		return errInterrupted // the examination is incomplete
	}
	if a.json {
		if err := a.printJSON(report); err != nil {
			return err
		}
		return report.Err()
	}
	width := 0
	if a.out.terminal {
		width = a.out.width()
	}
	if err := printReport(a.out, a.out.color, width, report); err != nil {
		return err
	}
	return report.Err()
}

// options returns the doctor's options from the flags and settings, and the hosts.
func (c *doctorCmd) options() (doctor.Options, map[string]orchestrator.HostSpec, error) {
	file := c.File
	if file == "" && exists(config.Name) {
		file = config.Name
	}
	spec := orchestrator.Spec{}
	if file != "" {
		var err error
		if spec, err = config.Read(file); err != nil {
			return doctor.Options{}, nil, err
		}
	}
	hosts, err := c.over(spec.Hosts)
	return doctor.Options{Pool: spec.Pool, HostPort: spec.HostPort, Nodes: max(spec.MaxNodes, 0)}, hosts, err
}

// printReport writes the list and, if clusters can run, a summary; otherwise the returned error
// says what prevents them. Texts are wrapped to the given number of terminal columns; 0 leaves
// them whole, for readers that process lines. Remedies are never wrapped, so that a command can
// be copied in one piece.
func printReport(w io.Writer, color func(string) string, columns int, r doctor.Report) error {
	title := 0
	for _, c := range r.Checks {
		title = max(title, utf8.RuneCountInString(c.Title))
	}
	indent := strings.Repeat(" ", title+4)
	room := 0
	if columns > title+4+20 {
		room = columns - title - 4
	}
	var b strings.Builder
	for _, c := range r.Checks {
		sign, code := sign(c.State)
		pad := strings.Repeat(" ", title-utf8.RuneCountInString(c.Title))
		text := strings.Join(wrap(c.Text, room), "\n"+indent)
		fmt.Fprintf(&b, "%s%s%s %s%s  %s\n", color(code), sign, color("0"), c.Title, pad, text)
		for line := range strings.Lines(c.Remedy) {
			fmt.Fprintf(&b, "%s%s→ %s%s\n", indent, color("36"), strings.TrimRight(line, "\n"), color("0"))
		}
	}
	if r.Usable {
		fmt.Fprintf(&b, "\n%s\n", lastWord(r))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// wrap breaks a text between words; a word longer than a line stays whole. If room is 0, it
// does not break.
func wrap(text string, room int) []string {
	lines := []string{""}
	for _, word := range strings.Fields(text) {
		last := &lines[len(lines)-1]
		switch {
		case *last == "":
			*last = word
		case room <= 0 || utf8.RuneCountInString(*last)+1+utf8.RuneCountInString(word) <= room:
			*last += " " + word
		default:
			lines = append(lines, word)
		}
	}
	return lines
}

func sign(s doctor.State) (sign, color string) {
	switch s {
	case doctor.OK:
		return "✓", "32"
	case doctor.Warning:
		return "!", "33"
	case doctor.Failed:
		return "✗", "31"
	case doctor.Unknown:
		return "?", "2"
	}
	return " ", ""
}

// lastWord summarizes the report of a machine that can run clusters.
func lastWord(r doctor.Report) string {
	failures, warnings, unknown := r.Count(doctor.Failed), r.Count(doctor.Warning), r.Count(doctor.Unknown)
	var notes []string
	for _, n := range []struct {
		count int
		noun  string
	}{{failures, "failure"}, {warnings, "warning"}} {
		if n.count > 0 {
			notes = append(notes, plural(n.count, n.noun))
		}
	}
	if unknown > 0 {
		notes = append(notes, fmt.Sprintf("%d unknown", unknown))
	}
	switch {
	case failures > 0:
		return "not ready: " + strings.Join(notes, ", ") + "; fix what is marked ✗ first"
	case len(notes) > 0:
		return "usable, " + strings.Join(notes, ", ") + ": beamyard up"
	}
	return "ready: beamyard up"
}
