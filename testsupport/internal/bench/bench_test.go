package bench

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func sample() Run {
	up := "`up` to a proven full mesh"
	return Run{
		Began: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), Took: 31 * time.Minute, Commit: "abc1234",
		Machine:  Machine{CPUs: 2, CPU: "EPYC", Memory: 24 << 30, Kernel: "6.1", Load: [2]float64{0.1, 2.25}},
		Engine:   Engine{Version: "20.10.24", Driver: "overlay2", Runtime: "runc", Cgroups: "2", Where: "on the machine"},
		Software: []string{"Compose 1.29.2"},
		Rows: []Row{
			{Key: "up", What: up, Nodes: 3, Unit: Seconds, Ours: []float64{1.5, 1.2, 1.8}, By: "ports", Beside: "floor", Theirs: []float64{1, 1, 2}},
			{Key: "up", What: up, Nodes: 3, Unit: Seconds, Ours: []float64{1.5, 1.2, 1.8}, By: "compose1", Beside: "Compose", Theirs: []float64{3, 3, 3}},
			{Key: "up", What: up, Nodes: 3, Unit: Seconds, By: "compose2", Beside: "Compose 2", Why: "it is not installed"},
			{Key: "sync", What: "`sync`", Nodes: 3, Unit: Seconds, Ours: []float64{0.14}, By: "compile", Beside: "floor: Mix", Theirs: []float64{0.09}},
			{Key: "up", What: up, Nodes: 50, Unit: Seconds, Ours: []float64{30}, By: "ports", Beside: "floor", Theirs: []float64{29}},
			{Key: "up", What: up, Nodes: 50, Unit: Seconds, Ours: []float64{30}, By: "compose1", Beside: "Compose", Theirs: []float64{50}},
			{Key: "rpc-rate", What: "RPCs", Nodes: 1, Unit: PerSecond, Ours: []float64{21_000, 20_000}},
			{Key: "rest-memory", What: "memory", Nodes: 10, Unit: Bytes, Ours: []float64{25.4e6}},
		},
	}
}

func TestATableShowsMediansAndTheSpreadOfThePairs(t *testing.T) {
	const want = `Measured 2026-03-01 12:00 UTC at abc1234, in one run of 31 minutes, on 2 processors (EPYC), 24 GiB, Linux 6.1, load average 0.1 before and 2.2 after. Docker Engine 20.10.24 on the machine: overlay2, runc, cgroup v2. Compose 1.29.2.

Times are medians. A ratio is the median over the pairs of a round, with the lowest and the highest; *n* is the number of rounds.

| what | nodes | Beamyard | beside it | | ratio | *n* |
|---|---|---|---|---|---|---|
| ‹up› to a proven full mesh | 3 | 1.50 s | 1.00 s | floor | 1.20 (0.90–1.50), + 200 ms | 3 |
|  | 3 | 1.50 s | 3.00 s | Compose | 0.50 (0.40–0.60) | 3 |
|  | 3 | | not measured: it is not installed | Compose 2 | | |
|  | 50 | 30.0 s | 29.0 s | floor | 1.03 (1.03–1.03) | 1 |
|  | 50 | 30.0 s | 50.0 s | Compose | 0.60 (0.60–0.60) | 1 |
| ‹sync› | 3 | 140 ms | 90 ms | floor: Mix | 1.56 (1.56–1.56), + 50 ms | 1 |
| RPCs | 1 | 20 thousand/s (20 thousand/s – 21 thousand/s) |  |  |  | 2 |
| memory | 10 | 25.4 MB |  |  |  | 1 |
`
	if diff := cmp.Diff(strings.NewReplacer("‹", "`", "›", "`").Replace(want), sample().Markdown()); diff != "" {
		t.Error(diff)
	}
}

func TestTheShortTableHasTheNamedRows(t *testing.T) {
	const want = "| | nodes | Beamyard | beside it | |\n|---|---|---|---|---|\n| `sync` | 3 | 140 ms | 90 ms | floor: Mix |\n| memory | 10 | 25.4 MB |  |  |\n"
	if diff := cmp.Diff(want, sample().Short("sync/3/compile", "rest-memory/10", "up/3/compose2")); diff != "" {
		t.Error(diff)
	}
}

func TestBenchstatReadsEachValueOnce(t *testing.T) {
	const want = `cpu: EPYC
engine: 20.10.24
storage: overlay2
BenchmarkUp/nodes=3/by=beamyard-2 1 1500000000 ns/op
BenchmarkUp/nodes=3/by=beamyard-2 1 1200000000 ns/op
BenchmarkUp/nodes=3/by=beamyard-2 1 1800000000 ns/op
BenchmarkUp/nodes=3/by=ports-2 1 1000000000 ns/op
BenchmarkUp/nodes=3/by=ports-2 1 1000000000 ns/op
BenchmarkUp/nodes=3/by=ports-2 1 2000000000 ns/op
BenchmarkUp/nodes=3/by=compose1-2 1 3000000000 ns/op
BenchmarkUp/nodes=3/by=compose1-2 1 3000000000 ns/op
BenchmarkUp/nodes=3/by=compose1-2 1 3000000000 ns/op
BenchmarkSync/nodes=3/by=beamyard-2 1 140000000 ns/op
BenchmarkSync/nodes=3/by=compile-2 1 90000000 ns/op
BenchmarkUp/nodes=50/by=beamyard-2 1 30000000000 ns/op
BenchmarkUp/nodes=50/by=ports-2 1 29000000000 ns/op
BenchmarkUp/nodes=50/by=compose1-2 1 50000000000 ns/op
BenchmarkRpcRate/nodes=1/by=beamyard-2 1 21000 ops/s
BenchmarkRpcRate/nodes=1/by=beamyard-2 1 20000 ops/s
BenchmarkRestMemory/nodes=10/by=beamyard-2 1 25400000 B
`
	if diff := cmp.Diff(want, sample().Benchstat()); diff != "" {
		t.Error(diff)
	}
}

func TestEnginesStandSideBySide(t *testing.T) {
	newer := sample()
	newer.Engine = Engine{Version: "28.5.2", Driver: "overlay2", Runtime: "runc", Cgroups: "2", Where: "in a container"}
	newer.Rows = []Row{
		{Key: "up", Nodes: 3, Unit: Seconds, Ours: []float64{1}, By: "ports", Theirs: []float64{0.5}},
		{Key: "rest-memory", Nodes: 10, Unit: Bytes, Why: "no supervisor"},
	}
	older := sample()
	older.Rows = append(older.Rows[:1:1], older.Rows[6:]...)
	const want = `2 processors (EPYC), 24 GiB, Linux 6.1; 2026-03-01 12:00 UTC, one engine after the other. Medians, with the lowest and the highest.

| what | nodes | 20.10.24 on the machine | 28.5.2 in a container |
|---|---|---|---|
| storage, runtime, cgroup | | overlay2, runc, v2 | overlay2, runc, v2 |
| ‹up› to a proven full mesh | 3 | 1.50 s (1.20 s – 1.80 s) | 1.00 s (1.00 s – 1.00 s) |
| ‹up› to a proven full mesh: floor | 3 | 1.00 s (1.00 s – 2.00 s) | 500 ms (500 ms – 500 ms) |
| RPCs | 1 | 20 thousand/s (20 thousand/s – 21 thousand/s) | – |
| memory | 10 | 25.4 MB (25.4 MB – 25.4 MB) | no supervisor |
`
	if diff := cmp.Diff(strings.NewReplacer("‹", "`", "›", "`").Replace(want), Engines([]Run{older, newer})); diff != "" {
		t.Error(diff)
	}
	if got := Engines(nil); got != "Not measured yet.\n" {
		t.Errorf("no runs: %q", got)
	}
}

func TestAPlotIsWellFormedAndShowsEachContender(t *testing.T) {
	run := sample()
	run.Rows[0].Beside, run.Rows[4].Beside = "a floor & <more>", "a floor & <more>"
	plot := run.Plot("up", "Seconds until all is up")
	dec := xml.NewDecoder(strings.NewReader(plot))
	for {
		if _, err := dec.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("%v:\n%s", err, plot)
		}
	}
	if n := strings.Count(plot, "<polyline"); n != 3 {
		t.Errorf("%d lines, want Beamyard, the floor and Compose 1", n)
	}
	for _, want := range []string{"30.0 s  Beamyard", "29.0 s  a floor &amp; &lt;more&gt;", "50.0 s  Compose<", "prefers-color-scheme: dark"} {
		if !strings.Contains(plot, want) {
			t.Errorf("no %q in\n%s", want, plot)
		}
	}
	if got := (Run{}).Plot("up", "empty"); !strings.HasSuffix(got, "</svg>\n") {
		t.Errorf("an empty run: %s", got)
	}
}

func TestLabelsStayApartAndInThePlot(t *testing.T) {
	lines := []line{{at: 64}, {at: 65}, {at: 200}, {at: 377}, {at: 378}}
	spread(lines, 64, 378)
	for i, want := range []float64{64, 84, 200, 358, 378} {
		if lines[i].at != want {
			t.Errorf("label %d is at %g, want %g", i, lines[i].at, want)
		}
	}
}

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		values []float64
		want   float64
	}{{nil, 0}, {[]float64{3}, 3}, {[]float64{4, 1}, 2.5}, {[]float64{9, 1, 4}, 4}} {
		if got := Median(c.values); got != c.want {
			t.Errorf("the median of %v is %g, want %g", c.values, got, c.want)
		}
	}
}

func TestValuesAreReadable(t *testing.T) {
	for _, c := range []struct {
		unit Unit
		v    float64
		want string
	}{
		{Seconds, 12.34, "12.3 s"},
		{Seconds, 9.996, "10.0 s"},
		{Seconds, 0.9996, "1.00 s"},
		{Seconds, 0.0832, "83 ms"},
		{Seconds, 0.0017, "1.7 ms"},
		{Seconds, 0.000048, "48 µs"},
		{Processor, 2.2, "2.20 s"},
		{Bytes, 3.1e6, "3.1 MB"},
		{PerSecond, 52.4e6, "52.4 million/s"},
		{PerSecond, 980, "980/s"},
		{Share, 0.0027, "0.27 %"},
		{Count, 683, "683"},
	} {
		if got := c.unit.Text(c.v); got != c.want {
			t.Errorf("%g %s: %q, want %q", c.v, c.unit, got, c.want)
		}
	}
}
