package cluster_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/discovery"
	"github.com/beamyard/beamyard/orchestrator/enginetest"
)

// suiteWorld returns a function that runs a suite, played by program, in a Ready cluster.
func suiteWorld(w *world, program enginetest.Program) (run func(context.Context, discovery.Suite) (lines []string, code int, err error)) {
	w.eng.Program = func(c orchestrator.ContainerSpec) enginetest.Program {
		if c.Labels[orchestrator.LabelHelper] != "" {
			return program
		}
		return w.vms.boot
	}
	w.up(nil)
	return func(ctx context.Context, s discovery.Suite) (lines []string, code int, err error) {
		found, err := discovery.Find(context.WithoutCancel(ctx), w.eng, "shop")
		if err != nil {
			w.t.Fatal(err)
		}
		s.Image = "shop:1"
		fn := s.Output
		s.Output = func(l orchestrator.Line) error {
			lines = append(lines, fmt.Sprintf("%s %s", l.Stream, l.Text))
			if fn != nil {
				return fn(l)
			}
			return nil
		}
		code, err = discovery.RunSuite(ctx, w.eng, found, s)
		return lines, code, err
	}
}

func helpers(w *world) int {
	found, err := discovery.Find(context.WithoutCancel(w.t.Context()), w.eng, "shop")
	if err != nil {
		w.t.Fatal(err)
	}
	return len(found.Helpers)
}

func TestSuite(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		var seen orchestrator.ContainerSpec
		run := suiteWorld(w, func(_ context.Context, p *enginetest.Process) int {
			seen = p.Spec
			fmt.Fprintln(p.Stdout, "1 test, 1 failure")
			fmt.Fprintln(p.Stderr, "warning: x")
			fmt.Fprint(p.Stdout, "seed 7") // its last line, without a newline
			return 2
		})
		cookie := w.Spec().Cookie
		for _, keep := range []bool{false, true, false} { // the third run finds the container that the second one left
			lines, code, err := run(t.Context(), discovery.Suite{Args: []string{"--seed", "7"}, Colors: true, Keep: keep})
			slices.Sort(lines)
			if said := strings.Join(lines, "; "); err != nil || code != 2 || said != "stderr warning: x; stdout 1 test, 1 failure; stdout seed 7" {
				t.Errorf("exit %d, %v, said %s", code, err, said)
			}
			if left := helpers(w); left != map[bool]int{true: 1}[keep] {
				t.Errorf("keep %t leaves %d containers", keep, left)
			}
		}
		w.ready() // the cluster is unchanged
		if want := []string{"-S", "mix", "test", "--seed", "7"}; !slices.Equal(seen.Command[len(seen.Command)-5:], want) || seen.Command[1] != "app@test.shop.test" {
			t.Errorf("command %q", seen.Command)
		}
		if text := fmt.Sprint(seen.Command, seen.Entrypoint); strings.Contains(text, cookie) || !strings.Contains(text, "ansi_enabled") {
			t.Errorf("the command is %s", text)
		}
		for _, want := range []string{
			"BEAMYARD_CLUSTER=shop", "BEAMYARD_NODES=n1,n2,n3", "BEAMYARD_NODE_NAMES=app@n1.shop.test,app@n2.shop.test,app@n3.shop.test",
			"BEAMYARD_URLS=http://n1.shop.test:4000,http://n2.shop.test:4000,http://n3.shop.test:4000", "MIX_ENV=test", "ERLANG_COOKIE=" + cookie, "ERL_AFLAGS=",
		} {
			if !slices.Contains(seen.Env, want) {
				t.Errorf("no %s in %q", want, seen.Env)
			}
		}
		if err := w.Down(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// A cancelled suite leaves nothing behind, and a running suite is not disturbed by a
// second one.
func TestACancelledSuite(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		run := suiteWorld(w, enginetest.UntilStopped)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() {
			_, _, err := run(ctx, discovery.Suite{})
			ended <- err
		}()
		time.Sleep(time.Second)
		if _, _, err := run(t.Context(), discovery.Suite{}); !errors.Is(err, orchestrator.ErrNameTaken) {
			t.Errorf("a second suite at the same time: %v", err)
		}
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) || helpers(w) != 0 {
			t.Errorf("cancelled: %v, %d containers", err, helpers(w))
		}
		if err := w.Down(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestSuiteWhoseOutputFails(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		run := suiteWorld(w, func(ctx context.Context, p *enginetest.Process) int {
			fmt.Fprintln(p.Stdout, "one")
			return enginetest.UntilStopped(ctx, p)
		})
		broken := errors.New("broken pipe")
		if _, _, err := run(t.Context(), discovery.Suite{Output: func(orchestrator.Line) error { return broken }}); !errors.Is(err, broken) || helpers(w) != 0 {
			t.Errorf("%v, %d containers", err, helpers(w))
		}
		if err := w.Down(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// A suite is attached to the nodes' external networks, for example that of a database.
func TestSuiteInAnExternalNetwork(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.shared()
		var aliases []string
		w.eng.Program = func(c orchestrator.ContainerSpec) enginetest.Program {
			if c.Labels[orchestrator.LabelHelper] == "" {
				return w.vms.boot
			}
			return func(context.Context, *enginetest.Process) int {
				aliases = w.eng.Aliases(c.Name, "a-shared")
				return 0
			}
		}
		w.up(func(s *orchestrator.Spec) { s.Networks = map[string][]string{"a-shared": {"web"}} })
		run := func() (int, error) {
			found, err := discovery.Find(t.Context(), w.eng, "shop")
			if err != nil {
				t.Fatal(err)
			}
			return discovery.RunSuite(t.Context(), w.eng, found, discovery.Suite{Image: "shop:1"})
		}
		if code, err := run(); err != nil || code != 0 || !slices.Equal(aliases, []string{"test.shop.test"}) {
			t.Errorf("exit %d, %v, on the other network as %q", code, err, aliases)
		}
		w.eng.FailNext("ConnectNetwork", orchestrator.ErrNotFound)
		if _, err := run(); !errors.Is(err, orchestrator.ErrNotFound) || helpers(w) != 0 {
			t.Errorf("without the network: %v, %d containers", err, helpers(w))
		}
		if err := w.Down(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// An engine's refusal is reported, and leaves nothing behind.
func TestSuiteThatCannotStart(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		run := suiteWorld(w, func(context.Context, *enginetest.Process) int { return 0 })
		w.eng.FailNext("StartContainer", orchestrator.ErrUlimit)
		if _, code, err := run(t.Context(), discovery.Suite{}); err != nil || code != 0 {
			t.Errorf("with a limit that is refused once: %d, %v", code, err)
		}
		w.eng.FailNext("StartContainer", orchestrator.ErrNoInit)
		if _, code, err := run(t.Context(), discovery.Suite{}); err != nil || code != 0 {
			t.Errorf("without an init: %d, %v", code, err)
		}
		w.eng.FailNext("StartContainer", orchestrator.ErrCannotStart)
		if _, _, err := run(t.Context(), discovery.Suite{}); !errors.Is(err, orchestrator.ErrCannotStart) || helpers(w) != 0 {
			t.Errorf("%v, %d containers", err, helpers(w))
		}
		if err := w.Down(t.Context()); err != nil {
			t.Error(err)
		}
	})
}
