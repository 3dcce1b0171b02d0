package logs

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/beamyard/beamyard/orchestrator"
)

func (r *ring) texts() []string {
	var texts []string
	for seq := r.first; seq < r.next; seq++ {
		texts = append(texts, fmt.Sprintf("%d %s", seq, r.at(seq).text))
	}
	return texts
}

func TestRingKeepsTheLastLinesWithinItsBounds(t *testing.T) {
	for _, tt := range []struct {
		name       string
		max, limit int
		sizes      []int
		want       []string
	}{
		{"nothing", 3, 10, nil, nil},
		{"not full", 3, 10, []int{1, 2}, []string{"1 x", "2 xx"}},
		{"full", 3, 10, []int{1, 2, 3}, []string{"1 x", "2 xx", "3 xxx"}},
		{"over", 3, 10, []int{1, 2, 3, 4, 1}, []string{"3 xxx", "4 xxxx", "5 x"}},
		{"too many bytes", 3, 10, []int{4, 5, 6}, []string{"3 xxxxxx"}},
		{"bytes before lines", 3, 10, []int{9, 9, 1, 0, 0}, []string{"3 x", "4 ", "5 "}},
		{"a line over the limit is kept alone", 3, 5, []int{1, 1, 7}, []string{"3 xxxxxxx"}},
		{"and goes with the next", 3, 5, []int{7, 1}, []string{"2 x"}},
		{"one line", 1, 5, []int{1, 2, 3}, []string{"3 xxx"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := ring{max: tt.max, limit: tt.limit, first: 1, next: 1}
			for _, n := range tt.sizes {
				r.append(entry{text: strings.Repeat("x", n)})
			}
			if diff := cmp.Diff(tt.want, r.texts()); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestRingIsASuffixOfItsInput(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := ring{max: rapid.IntRange(1, 8).Draw(t, "max"), limit: rapid.IntRange(1, 40).Draw(t, "limit"), first: 1, next: 1}
		var all []string
		for i, n := range rapid.SliceOfN(rapid.IntRange(0, 20), 0, 50).Draw(t, "sizes") {
			text := strings.Repeat("x", n)
			r.append(entry{text: text})
			all = append(all, fmt.Sprintf("%d %s", i+1, text))
			kept := r.texts()
			if diff := cmp.Diff(all[len(all)-len(kept):], kept); diff != "" {
				t.Fatalf("-want +got:\n%s", diff)
			}
			size := 0
			for i := range r.slots {
				size += len(r.slots[i].text)
			}
			if len(kept) == 0 || len(r.slots) > r.max || size != r.size || (size > r.limit && len(kept) > 1) {
				t.Fatalf("%d lines kept, %d slots, %d bytes kept, %d counted", len(kept), len(r.slots), size, r.size)
			}
		}
	})
}

func TestAppendAllocatesNothing(t *testing.T) {
	out := newOutput("n1", 100)
	out.watch(make(chan struct{}, 1)) // a follower that never reads
	line := strings.Repeat("x", 100)
	for range 100 {
		out.Append(orchestrator.Stdout, 1, epoch, line, false)
	}
	if n := testing.AllocsPerRun(1000, func() { out.Append(orchestrator.Stdout, 1, epoch, line, false) }); n != 0 {
		t.Errorf("%v allocations for a line", n)
	}
}

// BenchmarkRingAppend appends to a node's output, including its lock and order.
func BenchmarkRingAppend(b *testing.B) {
	line := strings.Repeat("x", 100)
	for _, followers := range []int{0, 1} {
		b.Run(fmt.Sprintf("followers=%d", followers), func(b *testing.B) {
			out := newOutput("n1", 1000)
			for range followers {
				out.watch(make(chan struct{}, 1)) // never reads
			}
			now := time.Now()
			b.ReportAllocs()
			for b.Loop() {
				out.Append(orchestrator.Stdout, 1, now, line, false)
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "lines/s")
		})
	}
}
