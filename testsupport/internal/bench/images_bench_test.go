//go:build bench

package bench_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/build"
	"github.com/beamyard/beamyard/testsupport/internal/bench"
)

// images times what a project costs before its first node starts: an unchanged one, one with a
// changed module, and the first sync, which starts the compiler's container.
func (s *session) images(t *testing.T) {
	for _, more := range []int{0, 300} {
		dir, write := project(t, more)
		spec := orchestrator.Spec{Name: "benchimage", Source: dir, BaseImage: "trixie", Nodes: orchestrator.NodeNames(3)}
		var image string
		prepare := func() (took, compile float64) {
			var c compileTime
			took = seconds(t, func() error {
				made, err := build.Prepare(t.Context(), s.eng, spec, &c)
				image = made.Image
				return err
			})
			return took, c.took.Seconds()
		}
		prepare()
		<-time.After(3 * time.Second) // a file that is too young may change within its time: it is read
		unchanged := race(t, rounds(21, 0), func(t *testing.T) map[string]float64 {
			before := image
			took, compile := prepare()
			if image != before || compile > 0 {
				t.Fatalf("an unchanged project became %s, which was %s", image, before)
			}
			return map[string]float64{"took": took}
		})
		changed := race(t, rounds(5, 0), func(t *testing.T) map[string]float64 {
			before := image
			write("bench", int(time.Now().UnixNano()%1e9))
			took, compile := prepare()
			if image == before || compile == 0 {
				t.Fatalf("a changed project became %s, which was %s; it compiled for %g s", image, before, compile)
			}
			s.removeImage(t, before)
			return map[string]float64{"took": took, "compile": compile}
		})
		modules := 0
		first := race(t, rounds(3, 0), func(t *testing.T) map[string]float64 {
			r := s.up(t, 3, func(spec *orchestrator.Spec) { spec.Source, spec.HTTPCheck = dir, "" })
			write("bench", int(time.Now().UnixNano()%1e9))
			began := time.Now()
			report, err := r.Sync(t.Context(), orchestrator.SyncOptions{})
			took := time.Since(began)
			if err != nil || len(report.Changed) != 1 {
				t.Fatalf("not synced: %+v, %v", report, err)
			}
			modules = report.Compared
			was := r.Snapshot().Image
			r.down()
			s.removeImage(t, was)
			return map[string]float64{"took": took.Seconds(), "compile": report.Compile.Seconds()}
		})
		row := func(key, what string, ours []float64, beside string, theirs []float64) {
			row := bench.Row{Key: key, What: fmt.Sprintf("%s, in a project of %d modules", what, modules), Nodes: 3, Unit: bench.Seconds, Ours: ours}
			if beside != "" {
				row.By, row.Beside, row.Theirs = "compile", beside, theirs
			}
			if more > 0 {
				row.Key += "-large"
			}
			s.add(t, row)
		}
		row("unchanged", "the image of an unchanged project is found", unchanged["took"], "", nil)
		row("changed", "the image of a changed module, without a node", changed["took"], "Mix starts, and compiles the project", changed["compile"])
		row("first-sync", "the first `sync`, of a changed module, proven", first["took"], "Mix compiles it", first["compile"])
	}
}

// compileTime reads the progress of a build: how long the step took in which Mix compiled, until it
// said that the application is made.
type compileTime struct {
	began time.Time
	took  time.Duration
}

func (c *compileTime) Write(p []byte) (int, error) {
	for line := range strings.Lines(string(p)) {
		switch {
		case strings.HasPrefix(line, "Step ") && strings.Contains(line, "RUN mix compile"):
			c.began = time.Now()
		case strings.HasPrefix(line, "Generated demo app"):
			c.took = time.Since(c.began)
		}
	}
	return len(p), nil
}
