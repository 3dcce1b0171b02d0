package cluster_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/cluster"
	"github.com/beamyard/beamyard/orchestrator/discovery"
)

// engineHistory returns the events of the in-memory engine, as "n1 start".
func (w *world) engineHistory(ctx context.Context) []string {
	var told []string
	ctx, cancel := context.WithTimeout(ctx, time.Millisecond)
	defer cancel()
	_ = w.eng.Events(ctx, time.Unix(0, 0), nil, func() {}, func(e orchestrator.ContainerEvent) {
		told = append(told, e.Labels[orchestrator.LabelNode]+" "+e.Action)
	}) // ends with the timeout
	return told
}

// OnFailure is called while all containers of the failed cluster still exist.
func TestOnFailureIsCalledBeforeNodesStop(t *testing.T) {
	for name, edit := range map[string]func(*orchestrator.Spec){
		"it does not form": func(s *orchestrator.Spec) { s.ReadyTimeout, s.App = 3*time.Second, "another" },
		"a node fails for good": func(s *orchestrator.Spec) {
			s.OnFailed, s.Restart.Mode = orchestrator.FailedStopCluster, orchestrator.RestartNo
		},
		"what is left is kept": func(s *orchestrator.Spec) {
			s.OnFailed, s.Restart.Mode, s.KeepOnFailure = orchestrator.FailedStopCluster, orchestrator.RestartNo, true
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				w.vms.program = crashing
				looks := 0
				var during []string
				w.run(edit, cluster.Options{OnFailure: func(ctx context.Context, c *cluster.Cluster, cause error) {
					looks++
					if !errors.Is(cause, orchestrator.ErrNotReady) && !errors.Is(cause, orchestrator.ErrNodeFailed) {
						t.Errorf("the cause is %v", cause)
					}
					time.Sleep(5 * time.Second) // a hook that takes long
					during = w.engineHistory(ctx)
					st, err := c.Status(ctx)
					if n, _ := st.Node("n1"); err != nil || n.State != orchestrator.Starting && n.State != orchestrator.Ready {
						t.Errorf("n1 is %s, %v", n.State, err)
					}
					var lines []string
					if err := c.Logs(ctx, orchestrator.LogQuery{Nodes: []string{"n1"}}, func(l orchestrator.Line) error {
						lines = append(lines, l.Text)
						return nil
					}); err != nil || !slices.Contains(lines, "run 1 boots") {
						t.Errorf("n1 printed %q, %v", lines, err)
					}
				}})
				err := <-w.result
				if looks != 1 {
					t.Errorf("OnFailure was called %d times", looks)
				}
				if strings.Contains(fmt.Sprint(during), "n1 kill") || slices.Contains(during, "n3 destroy") {
					t.Errorf("before OnFailure returned: %v", during)
				}
				if after := w.engineHistory(t.Context()); !slices.Contains(after, "n1 kill") {
					t.Errorf("n1 was never stopped: %v", after)
				}
				if err == nil || strings.Count(err.Error(), "run 1 boots") > 3 {
					t.Errorf("a node's lines are in the error more than once: %v", err)
				}
				if _, err := discovery.Remove(t.Context(), w.eng, "shop", time.Second); err != nil && !errors.Is(err, orchestrator.ErrNoCluster) {
					t.Error(err)
				}
			})
		})
	}
}

// A hook that does not return delays the end for a limited time.
func TestOnFailureIsBounded(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.run(func(s *orchestrator.Spec) { s.ReadyTimeout, s.App = time.Second, "another" }, cluster.Options{
			OnFailure: func(ctx context.Context, _ *cluster.Cluster, _ error) { <-ctx.Done() },
		})
		began := time.Now()
		err := w.fails()
		if took := time.Since(began); !errors.Is(err, orchestrator.ErrNotReady) || took < 16*time.Second || took > 20*time.Second {
			t.Errorf("after %s: %v", took, err)
		}
	})
}

// Ctrl-C while the hook runs ends it. Ctrl-C before a failure does not call it.
func TestAnInterruptedOnFailure(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.run(func(s *orchestrator.Spec) { s.ReadyTimeout, s.App = time.Second, "another" }, cluster.Options{
			OnFailure: func(ctx context.Context, _ *cluster.Cluster, _ error) { w.cancel(); <-ctx.Done() },
		})
		began := time.Now()
		_ = w.fails()
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("took %s", took)
		}
	})
	for _, after := range []time.Duration{0, time.Millisecond, 100 * time.Millisecond, 310 * time.Millisecond} {
		bubble(t, func(t *testing.T, w *world) {
			w.run(nil, cluster.Options{OnFailure: func(_ context.Context, _ *cluster.Cluster, cause error) {
				t.Errorf("cancelled after %s, but OnFailure was called for: %v", after, cause)
			}})
			time.Sleep(after)
			w.cancel()
			<-w.result
			if left := w.eng.Left(); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

// The hook is also called for failures of the preparation.
func TestOnFailureIsCalledForAnEarlyFailure(t *testing.T) {
	for name, set := range map[string]func(*world){
		"no engine": func(w *world) { w.eng.FailNext("Info", orchestrator.ErrEngineUnreachable) },
		"no subnet": func(w *world) { w.eng.FailNext("CreateNetwork", orchestrator.ErrAddressPool) },
		"no events": func(w *world) {
			w.eng.FailNext("Events", slices.Repeat([]error{errors.New("broken")}, 1000)...)
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				set(w)
				var causes []error
				w.run(nil, cluster.Options{OnFailure: func(_ context.Context, _ *cluster.Cluster, cause error) {
					causes = append(causes, cause)
				}})
				err := w.fails()
				if len(causes) != 1 || !errors.Is(err, causes[0]) {
					t.Errorf("OnFailure got %v, and Run returned %v", causes, err)
				}
			})
		})
	}
}

// The journal has the engine's events and the users' requests, in words.
func TestTheJournalOfACluster(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.up(func(s *orchestrator.Spec) { s.Nodes = orchestrator.NodeNames(1) })
		if err := w.Kill(t.Context(), "USR1", "n1"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Millisecond) // its event has arrived
		if err := w.Restart(t.Context(), "n1"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Millisecond)
		w.cancel()
		<-w.result
		entries, err := w.Journal(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var told []string
		for _, e := range entries {
			told = append(told, strings.TrimSpace(fmt.Sprintf("%s %s: %s", e.Source, e.Node, e.Text)))
			if e.Time.IsZero() || e.Time.Location() != time.UTC {
				t.Errorf("%+v is not in UTC", e)
			}
		}
		if last := len(told) - 1; told[last] == "engine n1: destroy" {
			told = told[:last] // the cluster may have ended before the engine says so
		}
		want := []string{
			"engine n1: create", "engine n1: start",
			"user n1: kill with SIGUSR1", "engine n1: kill (signal 10)",
			"user n1: restart", "engine n1: kill (signal 15)", "engine n1: die (exit 0)", "engine n1: stop", "engine n1: start",
			"user : interrupted: down", "engine n1: kill (signal 15)", "engine n1: die (exit 0)", "engine n1: stop",
		}
		if diff := cmp.Diff(want, told); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

func TestTheJournalTellsOfARemoval(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.up(nil)
		w.eng.ExternalRemove(w.container("n1"))
		time.Sleep(time.Millisecond) // its events have arrived
		entries, err := w.Journal(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(entries, func(e orchestrator.JournalEntry) bool {
			return e.Source == orchestrator.FromEngine && e.Node == "n1" && e.Text == "destroy"
		}) {
			t.Errorf("no removal of n1 in %+v", entries)
		}
		w.end()
	})
}
