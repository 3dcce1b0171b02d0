package evidence

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/discovery"
)

// Supervised is a cluster with a supervisor, in this process or another: the part of
// [orchestrator.Controller] that only reads.
type Supervised interface {
	Status(ctx context.Context) (orchestrator.Status, error)
	Events(ctx context.Context, after uint64, follow bool, fn func(orchestrator.Event) error) error
	Journal(ctx context.Context) ([]orchestrator.JournalEntry, error)
	Logs(ctx context.Context, q orchestrator.LogQuery, fn func(orchestrator.Line) error) error
}

// Source says where evidence comes from. If a field is not set, its evidence is left out,
// and the bundle says so.
type Source struct {
	// Spec of the cluster; only its Name is needed if the engine's labels have the rest.
	// Its secrets are masked.
	Spec orchestrator.Spec
	// Cause is why the cluster failed; nil for a bundle made on request.
	Cause error
	// Cluster is the supervised cluster. Nil: it has no supervisor, or does not exist
	// yet.
	Cluster Supervised
	// Engine that the cluster runs on. Nil: the engine does not answer.
	Engine orchestrator.Engine
	// Health checks the nodes. It returns a report, which is stored as JSON, and the
	// matrix of which node sees which, as text. Nil: Cluster is asked, if it can report
	// health; without a Cluster, the nodes themselves.
	Health func(ctx context.Context) (report any, matrix string, err error)
	// By names the program that collects: "beamyard 0.3.0".
	By string
}

const (
	// askTime limits each request to the supervisor or the engine: if one hangs, the others are
	// still queried.
	askTime = 5 * time.Second
	// statusTime limits the first request. A supervisor has stored the answer: one that needs
	// longer hangs.
	statusTime = 2 * time.Second
	// readTime limits requests with large answers: an engine decodes about 300,000 lines in a
	// second, and ten dumps of 2.7 MB took 0.8 s.
	readTime = 30 * time.Second
	// maxDump is how much of a crash dump is kept. The dump of an idle Elixir node has 2.7 MB
	// (OTP 27).
	maxDump = 64 << 20
)

// Collect collects all evidence, until ctx ends: then it returns what it has. It never
// fails; see [Bundle].Missing. Close the bundle when done.
func Collect(ctx context.Context, src Source) *Bundle {
	c := &collector{Source: src, b: newBundle(src.Spec.Name, time.Now())}
	c.mask = newMask(src.Spec)
	c.maskCluster(ctx)
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

// collector is a collection in progress.
type collector struct {
	Source
	mask *mask
	b    *Bundle

	answers bool // Cluster answers
	status  *orchestrator.Status
	ahead   time.Duration // how far the engine's clock is ahead
	events  []orchestrator.Event
	journal []orchestrator.JournalEntry
	lines   []orchestrator.Line
}

// part runs one request with its own deadline.
func (c *collector) part(ctx context.Context, name string, ask func(ctx context.Context) error) bool {
	return c.partWithin(ctx, askTime, name, ask)
}

func (c *collector) partWithin(ctx context.Context, d time.Duration, name string, ask func(ctx context.Context) error) bool {
	asking, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	err := ask(asking)
	if err == nil && asking.Err() != nil {
		err = asking.Err() // streams then end without an error
	}
	if err != nil {
		c.miss(name, err)
	}
	return err == nil
}

func (c *collector) miss(name string, err error) {
	reason := c.mask.Text(err.Error())
	if errors.Is(err, context.DeadlineExceeded) {
		reason = "no answer in time (" + reason + ")"
	}
	c.b.miss(Missing{Part: name, Reason: reason})
}

func (c *collector) text(name, text string) { c.b.add(name, []byte(c.mask.Text(text))) }

func (c *collector) json(name string, v any) { c.b.add(name, c.mask.JSON(encode(v, "  "))) }

func (c *collector) tellHealth(ctx context.Context) {
	matrix := ""
	if ask := c.healthOf(); ask != nil {
		// A check of the user's own may hang, most likely when the report is needed most. A
		// supervisor in another process does not notice that the collection ends.
		d := min(max(askTime, discovery.HealthTime(c.Spec)), readTime)
		c.partWithin(ctx, d, "health.json", func(ctx context.Context) error {
			report, text, err := ask(ctx)
			if err == nil {
				c.json("health.json", report)
				matrix = text
			}
			return err
		})
	}
	if matrix == "" && c.answers { // without a supervisor nothing has asked the nodes
		matrix = matrixText(c.status.Nodes)
	}
	if matrix != "" {
		c.text("matrix.txt", matrix)
	}
}

// healthOf returns how to check the nodes, or nil if that is impossible.
func (c *collector) healthOf() func(ctx context.Context) (report any, matrix string, err error) {
	var ask func(context.Context) (orchestrator.HealthReport, error)
	reporter, can := c.Cluster.(interface {
		Health(ctx context.Context) (orchestrator.HealthReport, error)
	})
	switch {
	case c.Health != nil:
		return c.Health
	case c.answers && can:
		ask = reporter.Health
	case !c.answers && c.status != nil && len(c.status.Nodes) > 0 && c.Engine != nil:
		ask = func(ctx context.Context) (orchestrator.HealthReport, error) {
			return discovery.Health(ctx, c.Engine, c.Spec.Name)
		}
	default:
		return nil
	}
	return func(ctx context.Context) (any, string, error) {
		report, err := ask(ctx)
		return report.Printed(), report.Matrix.String(), err
	}
}

// tellCause adds the error as the command line prints it, and its findings.
func (c *collector) tellCause() {
	if c.Cause == nil {
		return
	}
	var b strings.Builder
	fmt.Fprintf(&b, "error: %v\n", c.Cause)
	for line := range strings.Lines(orchestrator.HintOf(c.Cause).String()) {
		fmt.Fprintf(&b, "hint: %s\n", strings.TrimRight(line, "\n"))
	}
	c.text("error.txt", b.String())
}
