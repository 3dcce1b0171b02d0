package testsupport

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/testcontainers/testcontainers-go"

	"github.com/beamyard/beamyard/orchestrator"
)

// Start calls [Run] and [CleanupCluster] for a test. It returns a proven cluster, or ends
// the test with the reason.
//
// If no engine answers, the test fails, because a build that passes without running
// anything proves nothing. With BEAMYARD_SKIP_WITHOUT_ENGINE=1 it is skipped with a
// message.
func Start(tb testing.TB, source string, opts ...testcontainers.ContainerCustomizer) *Cluster {
	tb.Helper()
	c, err := start(tb.Context(), tb, source, nameFor(tb), opts)
	CleanupCluster(tb, c)
	require(tb, "start a cluster of "+source, err)
	return c
}

// With runs fn with a cluster and returns when the cluster is removed, even if fn ends
// the test.
func With(tb testing.TB, source string, opts []testcontainers.ContainerCustomizer, fn func(c *Cluster)) {
	tb.Helper()
	c, err := start(tb.Context(), tb, source, nameFor(tb), opts)
	defer c.end(tb)
	require(tb, "start a cluster of "+source, err)
	fn(c)
}

// CleanupCluster registers the removal of the cluster at the end of the test. Call it
// right after [Run], before checking the error; a cluster that never started or no longer
// exists is fine.
//
// If the test failed, its log gets the problem of each node, the node's last lines, and
// the path of the evidence. With BEAMYARD_KEEP=1 the cluster stays, and the log says how
// to inspect it.
func CleanupCluster(tb testing.TB, c *Cluster) {
	tb.Helper()
	if c == nil {
		return
	}
	c.mu.Lock()
	if c.tb == nil {
		c.tb = tb
	}
	c.tests[tb.Name()] = true
	c.mu.Unlock()
	tb.Cleanup(func() { c.end(tb) })
}

// end reports the state of the cluster if the test failed, and removes the cluster unless it is
// to be kept.
func (c *Cluster) end(tb testing.TB) {
	tb.Helper()
	if c.core == nil {
		return
	}
	if tb.Failed() {
		c.report(tb)
		if keeping() && c.keep(tb) {
			return
		}
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(tb.Context()), terminateTime)
	defer cancel()
	if err := c.Terminate(ctx); err != nil {
		tb.Errorf("remove cluster %s: %s", c.name, hinted(err))
	}
}

// skipVariable makes tests that find no engine skip instead of fail.
const skipVariable = "BEAMYARD_SKIP_WITHOUT_ENGINE"

// require ends the test if there is an error.
func require(tb testing.TB, what string, err error) {
	tb.Helper()
	if err == nil {
		return
	}
	if errors.Is(err, orchestrator.ErrEngineUnreachable) && os.Getenv(skipVariable) == "1" {
		tb.Skipf("%s: %v (%s=1)", what, err, skipVariable)
	}
	tb.Fatalf("%s: %s", what, hinted(err))
}

// nameFor derives a cluster's name from its test: TestShop/Checkout gets shop-checkout-x7y2ab.
func nameFor(tb testing.TB) string { return unique(strings.TrimPrefix(tb.Name(), "Test")) }

// lines calls fn for each line that is written.
type lines struct {
	fn   func(string)
	rest string
}

func lineWriter(fn func(string)) io.Writer { return &lines{fn: fn} }

func (l *lines) Write(p []byte) (int, error) {
	l.rest += string(p)
	for {
		line, rest, ended := strings.Cut(l.rest, "\n")
		if !ended {
			return len(p), nil
		}
		l.fn(line)
		l.rest = rest
	}
}

func copyFile(to string, f testcontainers.ContainerFile) error {
	from := f.Reader
	if from == nil {
		file, err := os.Open(f.HostFilePath)
		if err != nil {
			return err
		}
		defer file.Close()
		from = file
	}
	mode := os.FileMode(f.FileMode).Perm()
	if mode == 0 {
		mode = 0o644
	}
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, from)
	return errors.Join(err, out.Chmod(mode), out.Close())
}
