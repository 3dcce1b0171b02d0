package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/beamyard/beamyard/cmd/beamyard/internal/show"
	"github.com/beamyard/beamyard/images"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/secrets"
)

type inspectCmd struct {
	target
	Node string `arg:"" complete:"node" help:"The node: n1, or demo/n1."`
}

// nodeDetails is a node's status with details of its cluster and its spec.
type nodeDetails struct {
	Cluster    string `json:"cluster"`
	Supervised bool   `json:"supervised"`
	orchestrator.NodeStatus
	Image  string `json:"image"`
	Source string `json:"source,omitempty"`
	App    string `json:"app,omitempty"`
	// Boot says how a Mix project starts: "direct", or "mix run", with the reason if the
	// project cannot start directly. "" for what is not a Mix project, or has a command.
	Boot string `json:"boot,omitempty"`
	// Versions are the releases that the node runs; nil if it does not answer.
	Versions *nodeVersions `json:"versions,omitempty"`
	Network  string        `json:"network"`
	Subnet   string        `json:"subnet,omitempty"`
	// Env are the spec's variables, which override Beamyard's own; secrets are masked.
	Env map[string]string `json:"env"`
}

// Run shows one node.
func (c *inspectCmd) Run(ctx context.Context, a *app) error {
	r, err := c.connect(ctx, a, "inspect", []string{c.Node})
	if err != nil {
		return err
	}
	defer r.close()
	cluster := r.cluster
	found, err := r.find(ctx, a)
	if err != nil {
		return err
	}
	st := found.Status
	nodes, err := r.choose(ctx, a, "inspect", found)
	if err != nil {
		return err
	}
	name, err := theOne("inspect", c.Node, nodes)
	if err != nil {
		return err
	}
	node, ok := st.Node(name)
	if !ok {
		return orchestrator.WithHint(fmt.Errorf("%w: %s", orchestrator.ErrNoNode, name), "cluster %s has %s", cluster, nodeNames(st.Nodes))
	}
	d := nodeDetails{
		Cluster: cluster, Supervised: st.Supervised, NodeStatus: node,
		Image: st.Image, Source: st.Source, App: found.Spec.App, Network: st.Network,
		Env: shownEnv(found.Spec, node.Name),
	}
	if own, known := found.Spec.NodeOf(node.Name); known { // which may differ from the cluster's
		d.Image, d.App = cmp.Or(own.Image, d.Image), cmp.Or(own.App, d.App)
		d.Boot = bootText(found.Spec, own)
	}
	if r.eng != nil && node.State.Running() {
		d.Versions = a.versions(ctx, r.eng, found, name)
	}
	if st.Subnet.IsValid() {
		d.Subnet = st.Subnet.String()
	}
	printed := d
	printed.Findings = orchestrator.PrintedFindings(d.Findings)
	return a.answer(printed, func(o *output) error { return writeTable(o, o.color, d.rows(a)) })
}

// bootText says how a node of a Mix project starts.
func bootText(s orchestrator.Spec, n orchestrator.NodeSpec) string {
	command, entrypoint := cmp.Or(len(n.Command), len(s.Command)), cmp.Or(len(n.Entrypoint), len(s.Entrypoint))
	switch {
	case n.ImageBoot == "" || command > 0 || entrypoint > 0 || s.RunsRelease(n):
		return ""
	case s.Boot == orchestrator.BootMix:
		return "mix run (boot: mix)"
	case n.ImageBoot == images.BootDirect:
		return n.ImageBoot
	}
	return "mix run: " + n.ImageBoot
}

// shownEnv returns the environment that the spec gives a node, with the values of secrets
// masked, also where other values have them.
func shownEnv(s orchestrator.Spec, node string) map[string]string {
	env := map[string]string{}
	maps.Copy(env, s.Env)
	for _, n := range s.Nodes {
		if n.Name == node {
			maps.Copy(env, n.Env)
		}
	}
	clean := secrets.Redactor(s).Replace
	for key, value := range env {
		if secrets.Secret(s, key) {
			env[key] = "********"
		} else {
			env[key] = clean(value)
		}
	}
	return env
}

// followed names the finding that a finding follows from.
func followed(f orchestrator.Finding) string {
	if f.SymptomOf == nil {
		return ""
	}
	if f.SymptomOf.Node == "" || f.SymptomOf.Node == f.Node {
		return fmt.Sprintf(" (follows from %s)", f.SymptomOf.Code)
	}
	return fmt.Sprintf(" (follows from %s of %s)", f.SymptomOf.Code, f.SymptomOf.Node)
}

func (d nodeDetails) rows(a *app) [][]cell {
	var rows [][]cell
	add := func(key, value string) {
		for line := range strings.Lines(value) { // a value may have several lines
			rows = append(rows, []cell{{key, "1"}, {strings.TrimRight(line, "\n"), ""}})
			key = ""
		}
	}
	add("node", d.Node)
	add("host", d.On)
	state := stateCell(orchestrator.Status{Supervised: d.Supervised}, d.NodeStatus, a.now())
	rows = append(rows, []cell{{"state", "1"}, state})
	add("reason", d.Reason)
	for _, f := range d.Findings {
		add("why", f.String()+followed(f))
		add("", f.Evidence)
		for _, solution := range f.Solutions {
			add("try", solution.Hint().String())
		}
	}
	add("url", d.URL)
	add("http", servingText(d.NodeStatus))
	add("ports", portsText(d.Ports))
	add("ip", ipText(d.NodeStatus))
	add("peers", strings.Join(d.Peers, ", "))
	if !d.StartedAt.IsZero() {
		add("started", d.StartedAt.Local().Format("2006-01-02 15:04:05"))
	}
	add("uptime", show.Uptime(d.NodeStatus, a.now()))
	if d.Supervised { // restarts are counted only by a supervisor
		add("runs", fmt.Sprintf("%d, %s after crashes", d.Incarnation, plural(d.RestartCount, "restart")))
	}
	if d.LastExit != nil {
		add("last exit", d.LastExit.String())
		add("exit reason", d.LastExit.Reason)
		add("slogan", d.LastExit.Slogan)
		add("crash dump", d.LastExit.Dump)
	}
	if d.DroppedLines > 0 {
		add("output", fmt.Sprintf("%d lines are no longer kept (output_lines)", d.DroppedLines))
	}
	add("container", d.Container)
	add("id", d.ContainerID)
	add("image", d.Image)
	add("source", d.Source)
	add("app", d.App)
	add("boot", d.Boot)
	if d.Versions != nil {
		add("versions", d.Versions.runs())
		if len(d.Peers) > 0 {
			add("dist flags", d.Versions.differs())
		}
	}
	add("network", strings.TrimSpace(d.Network+" "+d.Subnet))
	for _, key := range slices.Sorted(maps.Keys(d.Env)) {
		add("env", key+"="+d.Env[key])
	}
	return rows
}
