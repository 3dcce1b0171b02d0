package browser

import (
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/performance"
	"github.com/chromedp/chromedp"

	"github.com/beamyard/beamyard/orchestrator"
)

// What the page promises. A slow machine may take gross times as long: only that fails.
const (
	mostBytes  = 150 << 10              // of all files together, as they are
	firstPaint = 200 * time.Millisecond // on loopback
	frame      = 16 * time.Millisecond  // of the processor in a frame, while a thousand lines a second arrive
	mostLines  = 5000                   // in the page
	gross      = 3
)

func TestTheFilesAreSmall(t *testing.T) {
	files, err := os.ReadDir("../page")
	if err != nil {
		t.Fatal(err)
	}
	var sum int64
	for _, f := range files {
		info, err := f.Info()
		if err != nil {
			t.Fatal(err)
		}
		sum += info.Size()
	}
	t.Logf("%d files of %d bytes", len(files), sum)
	if sum > mostBytes {
		t.Errorf("the page is %d bytes, want at most %d", sum, mostBytes)
	}
}

func testFirstPaint(t *testing.T, browser *chrome) {
	s := serve(t, lively(newWorld("demo", 3, time.Minute)))
	b := newTab(t, browser, wide, high)
	b.open(s)
	const paint = `performance.getEntriesByName("first-contentful-paint")[0]?.startTime`
	b.until(paint + ` > 0`)
	cold := get[float64](b, paint)
	b.open(s)
	b.until(paint + ` > 0`)
	warm := get[float64](b, paint)
	t.Logf("first contentful paint after %.0f ms, again after %.0f ms", cold, warm)
	if best := min(cold, warm); best > gross*float64(firstPaint.Milliseconds()) {
		t.Errorf("the first paint took %.0f ms, want %v", best, firstPaint)
	}
}

// meter counts the page's script of each frame: what messages and the frame itself take.
const meter = `(() => {
	const m = (window.meter = { frames: [], long: 0, script: 0 });
	const timed = (f) => function (...args) {
		const began = performance.now();
		try { return f.apply(this, args); } finally { m.script += performance.now() - began; }
	};
	const listen = EventSource.prototype.addEventListener;
	EventSource.prototype.addEventListener = function (type, f, o) { return listen.call(this, type, timed(f), o); };
	const ask = window.requestAnimationFrame;
	window.requestAnimationFrame = (f) => ask.call(window, (at) => {
		timed(f)(at);
		m.frames.push(m.script);
		m.script = 0;
	});
	new PerformanceObserver((list) => (m.long += list.getEntries().length)).observe({ type: "long-animation-frame" });
})()`

func testFlood(t *testing.T, browser *chrome) {
	w := lively(newWorld("fifty", 50, 4*time.Minute))
	s := serve(t, w)
	b := newTab(t, browser, wide, high)
	b.before(meter)
	flood(w, 0, mostLines)
	b.open(s)
	b.until(`document.querySelectorAll("#matrix tbody td").length === 2500`)
	b.until(shownLines + `.length >= 4800`)
	b.run(chromedp.ScrollIntoView(chromedp.CSS("#logs")), chromedp.Evaluate[chromedp.Void](`meter.frames.length = 0; meter.long = 0`))

	call(b, performance.Enable, performance.EnableParams{TimeDomain: performance.EnableTimeDomainThreadTicks})
	before := b.work()

	const batch, batches = 100, 40 // a thousand lines a second, for four seconds
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for i := range batches {
		flood(w, mostLines+i*batch, batch)
		switch i {
		case 10:
			w.crash("n7")
		case 20:
			w.ready("n7")
		}
		<-tick.C
	}
	last := fmt.Sprintf("[info] request %d took 12 ms", mostLines+batch*batches-1)
	b.until(fmt.Sprintf(`%s.at(-1) === %q`, shownLines, last))
	if n := get[int](b, `document.querySelectorAll("#lines .line").length`); n > mostLines {
		t.Errorf("the page holds %d lines, want at most %d", n, mostLines)
	}
	if get[bool](b, `(() => { const l = document.querySelector("#lines"); return l.scrollHeight - l.scrollTop - l.clientHeight > 30 })()`) {
		t.Error("the logs do not follow")
	}
	b.shot("flood")
	frames := get[[]float64](b, `meter.frames`)
	long := get[int](b, `meter.long`)
	work := b.work() - before
	t.Logf("%.1f ms of the processor in a frame, on average: script, style and layout", work*1000/float64(len(frames)))
	slices.Sort(frames)
	part := func(p float64) float64 { return frames[int(p*float64(len(frames)-1))] }
	t.Logf("%d frames: script %.1f ms in the middle, %.1f ms of 95 %%, %.1f ms at most; %d long frames", len(frames), part(0.5), part(0.95), part(1), long)
	// What other processes of a busy machine take does not count.
	if average := work * 1000 / float64(len(frames)); average > gross*float64(frame.Milliseconds()) {
		t.Errorf("a frame takes %.1f ms of the processor, want %v", average, frame)
	}
}

// work is the processor's time that the page's script, style and layout took, in seconds. It does
// not count what other processes took meanwhile.
func (b *tab) work() float64 {
	b.t.Helper()
	var sum float64
	for _, m := range call(b, performance.GetMetrics, cdp.Empty{}).Metrics {
		switch m.Name {
		case "ScriptDuration", "LayoutDuration", "RecalcStyleDuration":
			sum += m.Value
		}
	}
	return sum
}

// flood makes all nodes print lines.
func flood(w *world, from, n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var lines []orchestrator.Line
	now := time.Now()
	for i := from; i < from+n; i++ {
		node := w.status.Nodes[i%len(w.status.Nodes)].Name
		w.seqs[node]++
		lines = append(lines, orchestrator.Line{Node: node, Stream: orchestrator.Stdout, Seq: w.seqs[node], Run: 1, Time: now, Text: fmt.Sprintf("[info] request %d took 12 ms", i)})
	}
	w.print(lines)
}
