package testsupport_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/upgrade"
	"github.com/beamyard/beamyard/testsupport"
	"github.com/beamyard/beamyard/testsupport/history"
)

// TestUpgradeLosesNoAcknowledgedWrite upgrades a cluster under load, node by node, and goes back
// under load, on OTP 25 as a project and on OTP 27 as a release.
func TestUpgradeLosesNoAcknowledgedWrite(t *testing.T) {
	t.Parallel()
	for _, otp := range []struct {
		name, base string
		release    bool
	}{{"otp25", "bookworm", false}, {"otp27", "trixie", true}} {
		t.Run(otp.name, func(t *testing.T) {
			t.Parallel()
			project := filepath.Join(t.TempDir(), "shop")
			if err := os.CopyFS(project, os.DirFS(demo)); err != nil {
				t.Fatal(err)
			}
			c := testsupport.Start(t, project, testsupport.WithNodes(3), testsupport.WithSpec(func(s *orchestrator.Spec) {
				s.BaseImage, s.Release = otp.base, otp.release
			}))
			before := map[string]orchestrator.NodeStatus{}
			for _, n := range c.Nodes() {
				before[n.Short()] = n.Status()
			}
			answers := func(want string) {
				t.Helper()
				for _, n := range c.Nodes() {
					body, err := c.Controller().Eval(t.Context(), n.Short(), `Demo.Router.handle("GET", "/health", %{}).body`, orchestrator.EvalOptions{})
					if err != nil || !bytes.Contains([]byte(body), []byte(want)) {
						t.Errorf("%s answers %s, %v; want %s", n, body, err, want)
					}
				}
			}
			answers("ok")
			change(t, filepath.Join(project, "lib/demo/router.ex"), `status: "ok"`, `status: "fine"`)

			h := history.New(c)
			stop := load(t, c, h)
			began := time.Now()
			report := c.Upgrade(t, upgrade.Options{})
			h.Fault("upgrade", began, time.Now())
			t.Log(report.Line())
			answers("fine")
			began = time.Now()
			report = c.Rollback(t)
			h.Fault("rollback", began, time.Now())
			t.Log(report.Line())
			stop()
			answers("ok")

			for _, n := range c.Nodes() {
				st, was := n.Status(), before[n.Short()]
				if st.IP != was.IP || st.URL != was.URL || st.Container != was.Container || st.ContainerID == was.ContainerID || st.State != orchestrator.Ready {
					t.Errorf("%s was %+v and is %+v", n, was, st)
				}
			}
			history.Converges(t, 10*time.Second, testsupport.Each[int](c, "Demo.Counter", "value"), c)
			final, err := testsupport.RPC[int](t.Context(), c.Node("n1"), "Demo.Counter", "value")
			if err != nil {
				t.Fatal(err)
			}
			h.NothingLost(t, history.Sum(final))
			acknowledged := 0
			for _, op := range h.Operations() {
				if op.Outcome == history.OK {
					acknowledged++
				}
			}
			if acknowledged < 100 {
				t.Errorf("only %d writes were acknowledged", acknowledged)
			}
			t.Logf("%d writes acknowledged of %d", acknowledged, len(h.Operations()))
		})
	}
}

// load adds on each node in turn, one client for each, until stop is called.
func load(t *testing.T, c *testsupport.Cluster, h *history.History) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	var clients sync.WaitGroup
	for _, n := range c.Nodes() {
		clients.Go(func() {
			tick := time.NewTicker(10 * time.Millisecond)
			defer tick.Stop()
			for {
				select {
				case <-ctx.Done():
					return
				case <-tick.C:
				}
				limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
				_, _ = history.Do(h, n.Short(), history.Add{Value: 1}, func() (int, error) {
					return testsupport.RPC[int](limited, n, "Demo.Counter", "add", 1)
				}) // the history has the outcome
				cancel()
			}
		})
	}
	return func() {
		cancel()
		clients.Wait()
	}
}

func change(t *testing.T, path, from, to string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	changed := bytes.Replace(text, []byte(from), []byte(to), 1)
	if bytes.Equal(text, changed) {
		t.Fatalf("%s has no %s", path, from)
	}
	if err := os.WriteFile(path, changed, 0o644); err != nil {
		t.Fatal(err)
	}
}
