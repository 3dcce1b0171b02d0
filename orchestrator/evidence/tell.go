package evidence

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/secrets"
)

// This file formats what was collected as text, tables and JSON.

// tellSpec adds the spec without its secrets.
func (c *collector) tellSpec() {
	s := c.Spec.Defaulted()
	s.Cookie = secrets.Masked
	if s.Distribution.TLS.AuthorityKey != "" {
		s.Distribution.TLS.AuthorityKey = secrets.Masked
	}
	s.Env = shownEnv(s, s.Env)
	s.Nodes = slices.Clone(s.Nodes)
	for i, n := range s.Nodes {
		s.Nodes[i].Env = shownEnv(s, n.Env)
	}
	c.json("spec.json", s)
}

func shownEnv(s orchestrator.Spec, env map[string]string) map[string]string {
	env = maps.Clone(env)
	for key := range env {
		if secrets.Secret(s, key) {
			env[key] = secrets.Masked
		}
	}
	return env
}

// tellStatus adds the state of the cluster, and its history.
func (c *collector) tellStatus() {
	if c.events != nil {
		var b bytes.Buffer
		for _, e := range c.events {
			b.Write(encode(e, ""))
		}
		c.b.add("events.jsonl", c.mask.JSON(b.Bytes()))
	}
	if c.status == nil {
		return
	}
	c.json("status.json", c.status.Printed())
	c.text("ps.txt", psText(*c.status))
	c.json("findings.json", orchestrator.PrintedFindings(c.findings()))
}

// findings returns the findings of all nodes, and those of the cause, each once.
func (c *collector) findings() []orchestrator.Finding {
	all := []orchestrator.Finding{}
	seen := map[string]bool{}
	add := func(findings []orchestrator.Finding) {
		for _, f := range findings {
			if key := f.Node + "\x00" + string(f.Code) + "\x00" + f.Problem; !seen[key] {
				seen[key] = true
				all = append(all, f)
			}
		}
	}
	var failed *orchestrator.ClusterError
	if errors.As(c.Cause, &failed) {
		for _, p := range failed.Problems {
			add(p.Findings)
		}
	}
	for _, n := range c.status.Nodes {
		add(n.Findings)
	}
	return all
}

// psText is the table of the nodes, with the full reason of each.
func psText(st orchestrator.Status) string {
	var b strings.Builder
	if !st.Supervised {
		b.WriteString("it has no supervisor: states are what the engine reports\n\n")
	}
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	hosts := slices.ContainsFunc(st.Nodes, func(n orchestrator.NodeStatus) bool { return n.On != "" })
	on := func(text string) string { // a column of clusters over several machines only
		if !hosts {
			return ""
		}
		return cmp.Or(text, "-") + "\t"
	}
	fmt.Fprintln(w, "NODE\t"+on("HOST")+"STATE\tRUNS\tRESTARTS\tSTARTED (UTC)\tSTOPPED (UTC)\tURL\tIP\tCONTAINER")
	for _, n := range st.Nodes {
		ip := "-"
		if n.IP.IsValid() {
			ip = n.IP.String()
		}
		url := n.URL
		if url == "" {
			url = "-"
		}
		runs, restarts := strconv.Itoa(n.Incarnation), strconv.Itoa(n.RestartCount)
		if !st.Supervised { // only a supervisor counts them
			runs, restarts = "-", "-"
		}
		fmt.Fprintf(w, "%s\t%s%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", n.Name, on(n.On), n.State, runs, restarts,
			clock(n.StartedAt), clock(n.StoppedAt), url, ip, n.Container)
	}
	_ = w.Flush() // into memory
	for _, n := range st.Nodes {
		if n.Reason != "" {
			fmt.Fprintf(&b, "\n%s: %s", n.Name, n.Reason)
		}
		if e := n.LastExit; e != nil {
			fmt.Fprintf(&b, "\n%s: last exit: %s", n.Name, e)
			if e.Slogan != "" {
				fmt.Fprintf(&b, "; slogan: %s", e.Slogan)
			}
		}
	}
	return strings.TrimRight(b.String(), "\n") + "\n"
}

func clock(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format("2006-01-02 15:04:05")
}

// matrixText shows which nodes each node saw when its supervisor last asked it.
func matrixText(nodes []orchestrator.NodeStatus) string {
	var b strings.Builder
	b.WriteString("x: the node of the row was connected to the node of the column; .: it was not\n\n")
	w := tabwriter.NewWriter(&b, 0, 0, 1, ' ', 0)
	for _, n := range nodes {
		fmt.Fprintf(w, "\t%s", n.Name)
	}
	fmt.Fprintln(w)
	for _, n := range nodes {
		fmt.Fprint(w, n.Name)
		for _, p := range nodes {
			mark := "."
			switch {
			case p.Name == n.Name:
				mark = "-"
			case slices.Contains(n.Peers, p.Name):
				mark = "x"
			}
			fmt.Fprintf(w, "\t%s", mark)
		}
		fmt.Fprintln(w)
	}
	_ = w.Flush() // into memory
	return b.String()
}

// tellOutput adds the lines of each stream of each node. Boundaries between runs appear at
// their position in both.
func (c *collector) tellOutput() {
	if c.status == nil || !c.answers && !c.maskable() {
		return
	}
	for _, n := range c.status.Nodes {
		for _, stream := range []orchestrator.Stream{orchestrator.Stdout, orchestrator.Stderr} {
			c.text("nodes/"+n.Name+"/"+string(stream)+".log", streamText(c.lines, n.Name, stream))
		}
	}
}

func streamText(lines []orchestrator.Line, node string, stream orchestrator.Stream) string {
	var b strings.Builder
	run := 0
	for _, l := range lines {
		if l.Node != node || (l.Stream != stream && l.Stream != orchestrator.StreamSystem) {
			continue
		}
		if l.Run != run {
			run = l.Run
			fmt.Fprintf(&b, "── run %d ──\n", run)
		}
		b.WriteString(l.Time.UTC().Format("2006-01-02T15:04:05.000000Z "))
		b.WriteString(l.Text)
		if l.Cut {
			b.WriteString(" … (cut: longer than 256 KiB)")
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// tellEngine adds the engine's own data. The offset of its clock matters to readers of the
// timeline.
func (c *collector) tellEngine(ctx context.Context) {
	if c.Engine == nil {
		c.miss("engine.json", errors.New("no engine answered"))
		return
	}
	c.part(ctx, "engine.json", func(ctx context.Context) error {
		asked := time.Now()
		info, err := c.Engine.Info(ctx)
		if err != nil {
			return err
		}
		told := time.Now()
		c.ahead = info.Time.Sub(asked.Add(told.Sub(asked) / 2))
		c.json("engine.json", struct {
			ID         string    `json:"id"`
			Version    string    `json:"version"`
			APIVersion string    `json:"api_version"`
			Endpoint   string    `json:"endpoint"`
			Local      bool      `json:"local"`
			Host       string    `json:"host"`
			CPUs       int       `json:"cpus"`
			MTU        string    `json:"mtu,omitempty"`
			Time       time.Time `json:"time"`
			OurTime    time.Time `json:"our_time"`
		}{info.ID, info.Version, info.APIVersion, info.Endpoint, info.Local, info.Host, info.CPUs, info.MTU, info.Time.UTC(), told.UTC()})
		return nil
	})
}
