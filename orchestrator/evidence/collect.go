package evidence

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/beamyard/beamyard/orchestrator"
)

// Supervised is a cluster that somebody supervises, in this process or another:
// the part of [orchestrator.Controller] that tells.
type Supervised interface {
	Status(ctx context.Context) (orchestrator.Status, error)
	Events(ctx context.Context, after uint64, follow bool, fn func(orchestrator.Event) error) error
	Journal(ctx context.Context) ([]orchestrator.JournalEntry, error)
	Logs(ctx context.Context, q orchestrator.LogQuery, fn func(orchestrator.Line) error) error
}

// Source says where evidence comes from. Whatever is missing of it is left out,
// and the bundle says so.
type Source struct {
	// Spec of the cluster; only its Name is needed where the engine's labels have
	// the rest. Its secrets are masked.
	Spec orchestrator.Spec
	// Cause is why it failed; nil for a bundle that somebody asked for.
	Cause error
	// Cluster answers for it. Nil: nobody does, or it does not exist yet.
	Cluster Supervised
	// Engine that it runs on. Nil: it does not answer.
	Engine orchestrator.Engine
	// Health looks at the nodes: a report that is kept as JSON, and the matrix of
	// who sees whom as text. Nil: the matrix is made of the nodes' status.
	Health func(ctx context.Context) (report any, matrix string, err error)
	// By is who collects: "beamyard 0.3.0".
	By string
}

const (
	// askTime bounds each question to the supervisor or the engine: where one
	// hangs, the others are still asked.
	askTime = 5 * time.Second
	// statusTime bounds the first of them. A supervisor has the answer at hand: one
	// that needs longer hangs.
	statusTime = 2 * time.Second
	// maxDump is how much of a crash dump is kept. One of an idle Elixir node has
	// 4 MB.
	maxDump = 64 << 20
)

// Collect asks for everything that is known, until ctx ends: then it returns
// what it has. It never fails; see [Bundle].Missing. Close the bundle when done.
func Collect(ctx context.Context, src Source) *Bundle {
	c := &collector{Source: src, b: newBundle(src.Spec.Name, time.Now())}
	c.mask = newMask(src.Spec)
	if !c.askSupervisor(ctx) {
		c.askLabels(ctx)
	}
	c.tellSpec()
	c.tellCause()
	c.tellStatus()
	c.tellOutput()
	c.tellEngine(ctx)
	c.tellNodes(ctx)
	c.tellHealth(ctx)
	c.text("timeline.txt", Timeline(c.events, c.journal, c.lines))
	c.tellReader()
	return c.b
}

// collector is a collection on its way.
type collector struct {
	Source
	mask *mask
	b    *Bundle

	answers bool // Cluster does
	status  *orchestrator.Status
	events  []orchestrator.Event
	journal []orchestrator.JournalEntry
	lines   []orchestrator.Line
}

// part runs one question under its own deadline.
func (c *collector) part(ctx context.Context, name string, ask func(ctx context.Context) error) bool {
	asking, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	err := ask(asking)
	if err == nil && asking.Err() != nil {
		err = asking.Err() // streams end without an error then
	}
	if err != nil {
		c.miss(name, err)
	}
	return err == nil
}

func (c *collector) miss(name string, err error) {
	reason := c.mask.string(err.Error())
	if errors.Is(err, context.DeadlineExceeded) {
		reason = "no answer in time (" + reason + ")"
	}
	c.b.miss(Missing{Part: name, Reason: reason})
}

func (c *collector) text(name, text string) { c.b.add(name, []byte(c.mask.string(text))) }

func (c *collector) json(name string, v any) { c.b.add(name, c.mask.json(encode(v, "  "))) }

// askSupervisor asks whoever answers for the cluster. One that does not even
// tell its status is left alone, and the engine asked in its place.
func (c *collector) askSupervisor(ctx context.Context) bool {
	if c.Cluster == nil {
		return false
	}
	var st orchestrator.Status
	if !c.part(ctx, "what the supervisor knows", func(ctx context.Context) (err error) {
		ctx, cancel := context.WithTimeout(ctx, statusTime)
		defer cancel()
		st, err = c.Cluster.Status(ctx)
		return err
	}) {
		return false
	}
	c.answers, c.status = true, &st
	c.part(ctx, "events.jsonl", func(ctx context.Context) error {
		return c.Cluster.Events(ctx, 0, false, func(e orchestrator.Event) error {
			e.Text = c.mask.string(e.Text)
			c.events = append(c.events, e)
			return nil
		})
	})
	c.part(ctx, "the journal (engine events, requests and nodedowns of timeline.txt)", func(ctx context.Context) (err error) {
		c.journal, err = c.Cluster.Journal(ctx)
		for i, j := range c.journal {
			c.journal[i].Text = c.mask.string(j.Text)
		}
		return err
	})
	c.part(ctx, "the nodes' output", func(ctx context.Context) error {
		return c.Cluster.Logs(ctx, orchestrator.LogQuery{}, c.takeLine)
	})
	return true
}

func (c *collector) takeLine(l orchestrator.Line) error {
	l.Text = c.mask.string(l.Text)
	c.lines = append(c.lines, l)
	return nil
}

// askLabels finds what there is without a supervisor.
func (c *collector) askLabels(ctx context.Context) {
	if c.Engine == nil {
		return
	}
	var found orchestrator.Found
	var none error
	if !c.part(ctx, "what the engine has of the cluster", func(ctx context.Context) (err error) {
		found, err = orchestrator.Find(ctx, c.Engine, c.Spec.Name)
		if errors.Is(err, orchestrator.ErrNoCluster) {
			none, err = err, nil
		}
		return err
	}) || none != nil {
		return
	}
	c.mask = newMask(c.Spec, found.Spec)
	c.status = &found.Status
	if len(c.Spec.Nodes) == 0 {
		c.Spec = found.Spec
	}
	c.part(ctx, "the nodes' output", func(ctx context.Context) error {
		return orchestrator.ReadLogs(ctx, c.Engine, c.Spec.Name, orchestrator.LogQuery{}, c.takeLine)
	})
	c.keptEvents(ctx, found.Created)
}

// keptEvents reads the events that the engine itself still has: the last 256 of
// everything that runs on it. It tells them at once, and then waits for more.
func (c *collector) keptEvents(ctx context.Context, since time.Time) {
	const quiet, longest = 300 * time.Millisecond, 3 * time.Second
	reading, cancel := context.WithTimeout(ctx, longest)
	defer cancel()
	idle := time.AfterFunc(longest, cancel)
	defer idle.Stop()
	err := c.Engine.Events(reading, since, map[string]string{orchestrator.LabelCluster: c.Spec.Name},
		func() { idle.Reset(quiet) },
		func(e orchestrator.ContainerEvent) {
			idle.Reset(quiet)
			c.journal = append(c.journal, orchestrator.EngineEntry(e))
		})
	if reading.Err() == nil {
		c.miss("the engine's events of timeline.txt", err)
	}
}

// tellNodes looks at every container.
func (c *collector) tellNodes(ctx context.Context) {
	if c.status == nil {
		return
	}
	var looks errgroup.Group
	looks.SetLimit(4)
	for _, n := range c.status.Nodes {
		looks.Go(func() error { c.tellNode(ctx, n); return nil })
	}
	_ = looks.Wait() // what they could not find is noted
}

func (c *collector) tellNode(ctx context.Context, n orchestrator.NodeStatus) {
	dir := "nodes/" + n.Name + "/"
	seen := inspection{Status: n}
	if c.Engine != nil && n.ContainerID != "" {
		c.part(ctx, "the engine's view of "+n.Name, func(ctx context.Context) error {
			container, err := c.Engine.InspectContainer(ctx, n.ContainerID)
			if err == nil {
				seen.Engine = engineView(container)
			}
			return err
		})
		c.tellDump(ctx, n, dir+"erl_crash.dump")
	}
	c.json(dir+"inspect.json", seen)
}

// tellDump copies the crash dump that a node's container has, if it has one.
func (c *collector) tellDump(ctx context.Context, n orchestrator.NodeStatus, name string) {
	content, modified, err := c.Engine.OpenFile(ctx, n.ContainerID, orchestrator.DumpPath(c.Spec, n.Name))
	if errors.Is(err, orchestrator.ErrNotFound) {
		return
	}
	if err == nil && len(c.Spec.Nodes) == 0 {
		content.Close()
		err = errors.New("its cluster's spec is gone with the network, and with it what must be masked")
	}
	if err == nil {
		defer content.Close()
		err = c.b.spool(name, modified, func(w io.Writer) error {
			more, err := c.mask.copy(w, content, maxDump)
			if err == nil && more {
				_, err = fmt.Fprintf(w, "\n[cut here: the dump is longer than %d MiB]\n", maxDump>>20)
			}
			return err
		})
	}
	if err != nil {
		c.miss(name, err)
	}
}

func (c *collector) tellHealth(ctx context.Context) {
	matrix := ""
	if c.Health != nil {
		c.part(ctx, "health.json", func(ctx context.Context) error {
			report, text, err := c.Health(ctx)
			if err == nil {
				c.json("health.json", report)
				matrix = text
			}
			return err
		})
	}
	if matrix == "" && c.answers { // without a supervisor nobody asked them
		matrix = matrixText(c.status.Nodes)
	}
	if matrix != "" {
		c.text("matrix.txt", matrix)
	}
}

// tellCause is the error as the command line prints it, and its findings.
func (c *collector) tellCause() {
	if c.Cause == nil {
		return
	}
	var b strings.Builder
	fmt.Fprintf(&b, "error: %v\n", c.Cause)
	var h orchestrator.Hinter
	if errors.As(c.Cause, &h) {
		for line := range strings.Lines(h.Hint()) {
			fmt.Fprintf(&b, "hint: %s\n", strings.TrimRight(line, "\n"))
		}
	}
	c.text("error.txt", b.String())
}
