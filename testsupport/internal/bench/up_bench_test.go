//go:build bench

package bench_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/discovery"
	"github.com/beamyard/beamyard/orchestrator/parking"
	"github.com/beamyard/beamyard/testsupport"
	"github.com/beamyard/beamyard/testsupport/internal/bench"
)

const (
	untilPort  = "bare Docker client: ports answer"
	untilServe = "bare Docker client: applications answer"
	untilMesh  = "bare Docker client: applications answer, then connected"
	untilMix   = "bare Docker client, `mix run`: applications answer"
	withTC     = "testcontainers-go, then connected"
)

// ups races Beamyard against the floor and the other tools, by the number of nodes.
func (s *session) ups(t *testing.T) {
	grace := s.grace(t)
	var composers []composer
	if !*quick {
		composers = s.composers(t)
	}
	for _, nodes := range numbers(t) {
		few := nodes == 3 && !*quick
		floor := func(t *testing.T) map[string]float64 {
			f := s.raise(t, s.model, nodes)
			return map[string]float64{"ports": f.listening.Seconds(), "serving": f.serving.Seconds(), "mesh": f.connect(t), "removed": f.raze(t) + grace}
		}
		ours := func(t *testing.T) map[string]float64 {
			idle := ticks(t, "self")
			began := time.Now()
			r := s.up(t, nodes, nil)
			got := map[string]float64{"up": time.Since(began).Seconds(), "supervisor": ticks(t, "self") - idle, "boot": s.bootCost(t, r)}
			got["down"] = r.down()
			return got
		}
		contenders := []contender{floor, ours}
		if nodes == 3 {
			contenders = append(contenders, s.start(nodes), s.parked(t, nodes))
		}
		if few {
			contenders = append(contenders, func(t *testing.T) map[string]float64 {
				f := s.raise(t, s.model.byMix(), nodes)
				f.raze(t)
				return map[string]float64{"mix": f.serving.Seconds()}
			}, func(t *testing.T) map[string]float64 {
				began := time.Now()
				r := s.up(t, nodes, func(spec *orchestrator.Spec) { spec.Boot = orchestrator.BootMix })
				got := map[string]float64{"boot: mix": time.Since(began).Seconds(), "node boots mix": s.bootCost(t, r)}
				r.down()
				return got
			})
		}
		if !*quick {
			for _, c := range composers {
				if c.command != nil {
					contenders = append(contenders, c.contend(s, nodes))
				}
			}
			if nodes <= 10 {
				contenders = append(contenders, s.testContainers(nodes))
			}
		}
		got := race(t, rounds(pairs(nodes), 6), contenders...)
		row := func(key, what, ours, by, beside string) {
			s.add(t, bench.Row{Key: key, What: what, Nodes: nodes, Unit: bench.Seconds, Ours: got[ours], By: by, Beside: beside, Theirs: got[by]})
		}
		const up, start, down = "`up` to a proven full mesh", "`testsupport.Start` to a proven full mesh", "`down`"
		row("up", up, "up", "ports", untilPort)
		row("up", up, "up", "serving", untilServe)
		row("up", up, "up", "mesh", untilMesh)
		if few {
			row("up", up, "up", "mix", untilMix)
			row("up", up, "up", "boot: mix", "Beamyard with `boot: mix`")
		}
		if !*quick {
			for _, c := range composers {
				beside := c.name + ", then connected"
				if c.command == nil {
					s.add(t, bench.Row{Key: "up", What: up, Nodes: nodes, Unit: bench.Seconds, By: c.by, Beside: beside, Why: c.why})
					continue
				}
				row("up", up, "up", c.by, beside)
			}
			if nodes <= 10 {
				row("up", up, "up", "testcontainers", withTC)
			}
		}
		if nodes == 3 {
			row("start", start, "start", "serving", untilServe)
			row("start-parked", start+", parked before", "parked", "start", "`testsupport.Start`, nothing parked")
		}
		if few {
			row("start", start, "start", "testcontainers", withTC)
		}
		row("down", down, "down", "removed", fmt.Sprintf("forced removal, and one VM's graceful stop (%s)", bench.Seconds.Text(grace)))
		s.add(t, bench.Row{Key: "up-supervisor", What: "processor time of the supervisor during `up`", Nodes: nodes, Unit: bench.Processor, Ours: got["supervisor"]})
		s.add(t, bench.Row{Key: "up-node", What: "processor time of one node's container until all are Ready", Nodes: nodes, Unit: bench.Processor, Ours: got["boot"]})
		if few {
			s.add(t, bench.Row{
				Key: "up-node", What: "the same", Nodes: nodes, Unit: bench.Processor, Ours: got["boot"],
				By: "boot: mix", Beside: "with `boot: mix`", Theirs: got["node boots mix"],
			})
		}
	}
}

// numbers are the numbers of nodes of -sizes.
func numbers(t *testing.T) (of []int) {
	t.Helper()
	for size := range strings.SplitSeq(*sizes, ",") {
		nodes, err := strconv.Atoi(size)
		if err != nil || nodes < 1 || nodes > 100 {
			t.Fatalf("-sizes %s: want numbers up to 100, as 3,10", *sizes)
		}
		of = append(of, nodes)
	}
	if *quick {
		of = of[:1]
	}
	return of
}

// pairs is the number of rounds: more where one takes less time.
func pairs(nodes int) int {
	switch {
	case nodes <= 3:
		return 7
	case nodes <= 10:
		return 5
	}
	return 3
}

// grace is how long one VM takes to stop.
func (s *session) grace(t *testing.T) float64 {
	t.Helper()
	r := s.up(t, 1, nil)
	took := seconds(t, func() error { return r.Stop(t.Context(), "n1") })
	r.down()
	return took
}

// start times testsupport.
func (s *session) start(nodes int) contender {
	return func(t *testing.T) map[string]float64 {
		t.Helper()
		began := time.Now()
		c, err := testsupport.Run(t.Context(), demo, testsupport.WithNodes(nodes))
		took := time.Since(began)
		testsupport.CleanupCluster(t, c)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Terminate(t.Context()); err != nil {
			t.Fatal(err)
		}
		return map[string]float64{"start": took.Seconds()}
	}
}

// parked times testsupport with a cluster that was parked. Nothing is parked while others are
// measured.
func (s *session) parked(t *testing.T, nodes int) contender {
	t.Helper()
	dir := t.TempDir()
	warm := func() (cold func()) {
		was := os.Getenv("XDG_RUNTIME_DIR")
		err := errors.Join(os.Setenv("XDG_RUNTIME_DIR", dir), os.Setenv(parking.Variable, "1")) //nolint:usetesting // only for this contender
		if err != nil {
			t.Fatal(err)
		}
		return func() { _ = errors.Join(os.Setenv("XDG_RUNTIME_DIR", was), os.Unsetenv(parking.Variable)) } //nolint:usetesting // as above
	}
	t.Cleanup(func() {
		defer warm()()
		ctx := context.WithoutCancel(t.Context())
		if info, err := s.eng.Info(ctx); err == nil {
			parking.Evict(ctx, info, "")
		}
	})
	isParked := func(t *testing.T) error {
		t.Helper()
		found, err := discovery.All(t.Context(), s.eng)
		if err == nil && !slices.ContainsFunc(found, func(f discovery.Cluster) bool { return f.Parked && len(f.Nodes) == nodes }) {
			err = errors.New("nothing is parked")
		}
		return err
	}
	await := func(t *testing.T) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := until(ctx, func() error { return isParked(t) }); err != nil {
			t.Fatal(err)
		}
	}
	return func(t *testing.T) map[string]float64 {
		t.Helper()
		defer warm()()
		if isParked(t) != nil {
			s.start(nodes)(t)
			await(t)
		}
		took := s.start(nodes)(t)["start"]
		await(t)
		return map[string]float64{"parked": took}
	}
}

// shared times the use of a cluster that another test has started.
func (s *session) shared(t *testing.T) {
	const nodes = 3
	var warm []float64
	for i := range 22 {
		t.Run("use", func(t *testing.T) {
			began := time.Now()
			testsupport.Shared(t, "bench", demo, testsupport.WithNodes(nodes))
			if i > 0 { // the first one starts it
				warm = append(warm, time.Since(began).Seconds())
			}
		})
	}
	s.add(t, bench.Row{Key: "shared", What: "`testsupport.Shared`, when another test has started it", Nodes: nodes, Unit: bench.Seconds, Ours: warm})
}
