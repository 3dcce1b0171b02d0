package testsupport

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/beamyard/beamyard/orchestrator/cluster"
	"github.com/beamyard/beamyard/orchestrator/evidence"
	"github.com/beamyard/beamyard/orchestrator/secrets"
	"github.com/beamyard/beamyard/testsupport/internal/artifact"
)

// evidenceTime limits the collection of evidence.
const evidenceTime = 15 * time.Second

// report logs the cluster's problems to a failed test, once.
func (c *Cluster) report(tb testing.TB) {
	tb.Helper()
	c.mu.Lock()
	told := c.reported[tb.Name()]
	c.reported[tb.Name()] = true
	over := c.over
	c.mu.Unlock()
	if told || over {
		return
	}
	if c.Evidence() == "" {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(tb.Context()), evidenceTime)
		defer cancel()
		c.collect(ctx, tb, nil)
	}
	tb.Logf("%s", c.account())
}

// account describes the cluster of a failed test.
func (c *Cluster) account() string {
	st := c.Status()
	clean := secrets.Redactor(c.Spec()).Replace
	c.mu.Lock()
	broken := maps.Clone(c.broken)
	c.mu.Unlock()
	var b strings.Builder
	fmt.Fprintf(&b, "cluster %s when the test failed:\n", c.name)
	for _, n := range st.Nodes {
		if by := broken["down "+n.Name]; by != "" && !n.State.Running() { // the cause is known
			fmt.Fprintf(&b, "%s is %s: %s took it down\n", n.Name, n.State, by)
			continue
		}
		fmt.Fprintf(&b, "%s is %s%s\n", n.Name, n.State, because(clean(n.Reason)))
		for _, f := range n.Findings {
			fmt.Fprintf(&b, "  %s\n", clean(f.String()))
			for _, s := range f.Solutions {
				fmt.Fprintf(&b, "    %s\n", clean(s.Hint().Render(goCall)))
			}
		}
	}
	for _, n := range st.Nodes {
		if lines := c.Output(n.Name).excerpt(excerptLines); len(lines) > 0 {
			fmt.Fprintf(&b, "the last lines of %s:%s\n", n.Name, excerpt(lines))
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.evidence != "" {
		fmt.Fprintf(&b, "evidence: %s\n", c.evidence)
	}
	return strings.TrimRight(b.String(), "\n")
}

// failed saves the evidence of a cluster that did not start, before anything is removed.
func (c *Cluster) failed(ctx context.Context, _ *cluster.Cluster, cause error) {
	ctx, cancel := context.WithTimeout(ctx, evidenceTime)
	defer cancel()
	c.collect(ctx, c.test(), cause)
}

// test returns the test whose log is used, or nil if no test uses the cluster.
func (c *Cluster) test() testing.TB {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.tb
}

// collect saves evidence. If that fails, the error takes the place of the path.
func (c *Cluster) collect(ctx context.Context, tb testing.TB, cause error) {
	bundle := evidence.Collect(ctx, evidence.Source{
		Spec: c.core.Spec(), Cause: cause, Cluster: c.core, Engine: c.session.eng, By: "beamyard testsupport",
	})
	defer func() { _ = bundle.Close() }() // Leave has reported write errors
	path, err := bundle.Leave(artifact.Dir(tb))
	if err != nil {
		path = fmt.Sprintf("could not be kept: %v", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.evidence = path
}

// Evidence returns the folder with the evidence of a failed start or test: the spec,
// events, output, crash dumps, and the nodes' reports, without secrets. It is "" if
// nothing failed.
func (c *Cluster) Evidence() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.evidence
}

// keep keeps a cluster, and logs how to inspect it. It reports whether there is anything to
// keep.
func (c *Cluster) keep(tb testing.TB) bool {
	tb.Helper()
	if c.Status().NetworkID == "" {
		return false
	}
	c.mu.Lock()
	c.kept = true
	c.mu.Unlock()
	tb.Logf(`%[2]s=1: cluster %[1]s is kept
look at it:  beamyard ps %[1]s; beamyard logs -c %[1]s; beamyard rpc %[1]s/n1 'Node.list()'
keep it up:  beamyard supervise %[1]s
remove it:   beamyard down %[1]s`, c.name, keepVariable)
	return true
}
