package main

import (
	"context"
	"fmt"
	"hash/fnv"
	"strconv"
	"strings"
	"time"

	"github.com/alecthomas/kong"
	"github.com/beamyard/beamyard/cmd/beamyard/internal/show"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/discovery"
)

type logsCmd struct {
	target
	Nodes      []string `arg:"" optional:"" name:"node" complete:"node" help:"Only these nodes, or the nodes of a role."`
	Follow     bool     `short:"f" help:"Follow log output."`
	Tail       tail     `default:"50" placeholder:"N" help:"The last N lines of each node and stream, or \"all\" (${default})."`
	Stream     string   `enum:"stdout,stderr," default:"" placeholder:"stdout|stderr" help:"Only this stream."`
	Since      since    `placeholder:"TIME" help:"Show lines since a time: 5m (ago), or 2026-01-31T12:00:00Z."`
	SinceRest  bool     `name:"since-restart" help:"Only the current run of each node, or its last one."`
	RunNo      int      `name:"run" placeholder:"N" help:"Only the N-th run (see runs in beamyard inspect)."`
	Grep       string   `placeholder:"RE" help:"Only lines that match this regular expression; --tail counts them."`
	Timestamps bool     `short:"t" help:"Show timestamps."`
}

func (logsCmd) Help() string {
	return `Includes what a node printed before its restarts. --json prints a line of JSON for
each line.

Examples:
  beamyard logs                      the last 50 lines of each node
  beamyard logs n1 n2 -f --tail 0    only what is new
  beamyard logs --stream stderr --since 10m
  beamyard logs n2 --since-restart --grep 'error|warn'`
}

// Run prints logs.
func (c *logsCmd) Run(ctx context.Context, a *app) error {
	if c.RunNo < 0 {
		return usagef("beamyard logs n1 --run 2", "--run %d: runs are counted from 1", c.RunNo)
	}
	eng, err := a.engine(ctx)
	if err != nil {
		return err
	}
	defer eng.Close()
	cluster, nodes, err := c.resolve(ctx, a, eng, "logs", c.Nodes, nil)
	if err != nil {
		return err
	}
	found, err := discovery.Find(ctx, eng, cluster)
	if err != nil {
		return err
	}
	q := orchestrator.LogQuery{
		Nodes: nodes, Stream: orchestrator.Stream(c.Stream), Tail: int(c.Tail),
		Since: c.Since.before(a.now()), Follow: c.Follow,
		SinceRestart: c.SinceRest, Run: c.RunNo, Grep: c.Grep,
	}
	printer := newLinePrinter(a, found.Nodes, c.Timestamps)
	controller, done, err := controllerOf(ctx, eng, cluster)
	if err != nil {
		return err
	}
	defer done()
	if hosts := show.Hosts(found.Nodes); hosts != "" {
		a.say("%s", strings.TrimSpace(hosts))
	}
	return controller.Logs(ctx, q, printer.print)
}

// linePrinter writes a node's lines prefixed with its name: "n1  | text".
type linePrinter struct {
	a          *app
	width      int
	timestamps bool
}

func newLinePrinter(a *app, nodes []orchestrator.NodeStatus, timestamps bool) *linePrinter {
	p := &linePrinter{a: a, timestamps: timestamps}
	for _, n := range nodes {
		p.width = max(p.width, len(n.Name))
	}
	return p
}

func (p *linePrinter) print(l orchestrator.Line) error {
	o := p.a.out
	if p.a.json {
		if err := p.a.printJSONLine(l); err != nil || p.a.words == nil {
			return err
		}
		o, l.Text = p.a.words, uncoloured(l.Text) // an assistant is no terminal, and shows it on one
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s%-*s |%s ", o.color(nodeColor(l.Node)), p.width, l.Node, o.color("0"))
	if p.timestamps {
		b.WriteString(l.Time.Local().Format("2006-01-02T15:04:05.000Z07:00 "))
	}
	if l.Stream == orchestrator.StreamSystem {
		b.WriteString(o.color("2") + l.Text + o.color("0"))
	} else {
		b.WriteString(l.Text)
	}
	if l.Cut {
		b.WriteString(" … (cut: longer than 256 KiB)")
	}
	if o.colors && strings.Contains(l.Text, "\x1b") {
		b.WriteString("\x1b[0m") // a colour that a node left on must not affect other nodes
	}
	b.WriteByte('\n')
	_, err := o.Write([]byte(b.String()))
	return err
}

// palette holds colours that are readable on light and on dark backgrounds; red is reserved for
// errors.
var palette = []string{"36", "33", "32", "35", "34", "96", "93", "92", "95", "94"}

// nodeColor returns the colour of a node, the same in every command. n1, n2, … follow each
// other through the palette; other names are spread over it.
func nodeColor(name string) string {
	if i, err := strconv.Atoi(strings.TrimLeft(name, "abcdefghijklmnopqrstuvwxyz-")); err == nil && i > 0 {
		return palette[(i-1)%len(palette)]
	}
	h := fnv.New32a()
	h.Write([]byte(name))
	return palette[int(h.Sum32()%uint32(len(palette)))]
}

// tail is a number of lines, as in [orchestrator.LogQuery], where 0 means all.
type tail int

// Decode implements kong.MapperValue.
func (t *tail) Decode(ctx *kong.DecodeContext) error {
	var text string
	if err := ctx.Scan.PopValueInto("lines", &text); err != nil {
		return err
	}
	n, err := strconv.Atoi(text)
	switch {
	case text == "all":
		*t = 0
	case err != nil || n < 0:
		return fmt.Errorf("%q is neither a number of lines nor \"all\"", text)
	case n == 0:
		*t = -1
	default:
		*t = tail(n)
	}
	return nil
}

// since is a point in time, or a duration before now.
type since struct {
	at  time.Time
	ago time.Duration
}

// Decode implements kong.MapperValue.
func (s *since) Decode(ctx *kong.DecodeContext) error {
	var text string
	if err := ctx.Scan.PopValueInto("time", &text); err != nil {
		return err
	}
	var err error
	*s, err = sinceOf(text)
	return err
}

// sinceOf parses a time, or a duration before now.
func sinceOf(text string) (since, error) {
	if ago, err := time.ParseDuration(text); err == nil && ago >= 0 {
		return since{ago: ago}, nil
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02"} {
		if at, err := time.ParseInLocation(layout, text, time.Local); err == nil {
			return since{at: at}, nil
		}
	}
	return since{}, fmt.Errorf("%q is neither a duration (5m, 1h30m) nor a time (2026-01-31T12:00:00Z)", text)
}

func (s since) before(now time.Time) time.Time {
	if s.ago > 0 {
		return now.Add(-s.ago)
	}
	return s.at
}
