package browser

import (
	"fmt"
	"testing"
	"time"

	"github.com/beamyard/beamyard/network/fault"
	"github.com/beamyard/beamyard/orchestrator"
)

// panes are what screenshots are kept of, one by one.
var panes = []string{".top", "#verdict", "#mesh", "#nodes", "#timeline", "#logs", "#actions", "#evidence"}

// looks are clusters of all kinds.
var looks = map[string]func() *world{
	"healthy": func() *world { return lively(newWorld("demo", 3, 4*time.Minute)) },
	"failed": func() *world {
		w := lively(newWorld("shop", 3, 4*time.Minute))
		w.fails("n2")
		return w
	},
	"backing-off": func() *world {
		w := lively(newWorld("demo", 3, 4*time.Minute))
		w.crash("n2")
		return w
	},
	"partition": partitioned,
	"empty":     starting,
	"many": func() *world {
		w := lively(newWorld("fifty", 50, 4*time.Minute))
		w.fails("n17")
		w.inject(fault.Fault{Kind: fault.KindPartition, Groups: [][]string{{"n3", "n4", "n5", "n6"}}, How: fault.Drop})
		return w
	},
}

// testLooks keeps screenshots, for people.
func testLooks(t *testing.T, browser *chrome) {
	for name, world := range looks {
		t.Run(name, func(t *testing.T) {
			s := serve(t, world())
			b := newTab(t, browser, wide, high)
			b.open(s)
			for _, scheme := range []string{"dark", "light"} {
				b.prefers(scheme)
				b.until(`document.querySelector("#chart svg") && document.querySelector("#state").textContent !== "waiting"`)
				b.shot(name + "-" + scheme)
			}
			if name != "many" {
				b.shot(name, panes...)
			}
			const cut = `[...document.querySelectorAll(".nodes-scroll, .pane, .top-row")].filter(e => e.scrollWidth > e.clientWidth).map(e => e.className + e.id).join()`
			if over := get[string](b, cut); over != "" {
				t.Errorf("wider than its place: %s", over)
			}
			phone := newTab(t, browser, narrow, tall)
			phone.open(s)
			phone.full(name + "-phone")
		})
	}
}

// contrasts lists texts whose contrast with what is behind them is below what WCAG asks for:
// 4.5, or 3 for large ones.
const contrasts = `(() => {
	const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
	const rgba = (color) => {
		canvas.clearRect(0, 0, 1, 1);
		canvas.fillStyle = color;
		canvas.fillRect(0, 0, 1, 1);
		const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
		return [r, g, b, a / 255];
	};
	const over = (top, under) => top.slice(0, 3).map((c, i) => c * top[3] + under[i] * (1 - top[3]));
	const light = (c) => {
		const [r, g, b] = c.map((v) => ((v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
		return 0.2126 * r + 0.7152 * g + 0.0722 * b;
	};
	const behind = (e) => {
		const layers = [];
		for (; e; e = e.parentElement) layers.push(rgba(getComputedStyle(e).backgroundColor));
		return layers.reverse().reduce((under, top) => over(top, under), [255, 255, 255]);
	};
	const bad = new Set();
	const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
	while (walk.nextNode()) {
		const e = walk.currentNode.parentElement;
		if (!walk.currentNode.textContent.trim() || !e.checkVisibility() || e.closest(".hush, :disabled, svg, option, script, .skip")) continue;
		const style = getComputedStyle(e);
		const ground = behind(e);
		const [a, b] = [light(over(rgba(style.color), ground)), light(ground)].sort((x, y) => y - x);
		const ratio = (a + 0.05) / (b + 0.05);
		const large = parseFloat(style.fontSize) >= 18.66 && style.fontWeight >= 600;
		if (ratio < (large ? 3 : 4.5)) bad.add(ratio.toFixed(2) + " " + e.className + " " + e.tagName + ": " + walk.currentNode.textContent.trim().slice(0, 40));
	}
	return [...bad];
})()`

func testContrast(t *testing.T, browser *chrome) {
	for name, world := range looks {
		if name == "many" {
			continue // the same colours
		}
		b := newTab(t, browser, wide, high)
		b.open(serve(t, world()))
		for _, scheme := range []string{"light", "dark"} {
			b.prefers(scheme)
			for _, bad := range get[[]string](b, contrasts) {
				t.Errorf("%s, %s: %s", name, scheme, bad)
			}
		}
	}
}

// lively has measurements and output.
func lively(w *world) *world {
	w.samples()
	for i, n := range w.status.Nodes[:min(6, len(w.status.Nodes))] {
		w.says(n.Name, orchestrator.Stdout, "demo "+n.Node+" listening on 4000")
		w.says(n.Name, orchestrator.Stdout, fmt.Sprintf("[info] GET /counter Sent 200 in %dµs", 180+i*37), "[info] POST /counter Sent 200 in 412µs")
	}
	w.says("n2", orchestrator.Stderr, "[warning] the disk of the queue is 81 % full")
	return w
}

// partitioned is a demo cluster with a history: a crash, and then a partition by a user.
func partitioned() *world {
	w := lively(newWorld("demo", 3, time.Minute))
	w.past(70 * time.Second)
	w.asked("n2", "kill n2 (SIGKILL)")
	w.crash("n2")
	w.past(6 * time.Second)
	w.ready("n2")
	w.says("n2", orchestrator.StreamSystem, "── n2 restarted (exit 137, killed) ──")
	w.says("n2", orchestrator.Stdout, "demo app@n2.demo.test listening on 4000")
	w.past(50 * time.Second)
	w.asked("", "sync")
	w.past(30 * time.Second)
	w.inject(fault.Fault{Kind: fault.KindPartition, Groups: [][]string{{"n2"}}, How: fault.Reset, End: time.Now().Add(2*time.Minute + 38*time.Second)})
	w.says("n1", orchestrator.Stdout, "[warning] lost app@n2.demo.test: connection_closed")
	w.says("n3", orchestrator.Stdout, "[warning] lost app@n2.demo.test: connection_closed")
	w.says("n2", orchestrator.Stderr, "[error] no quorum: 1 of 3 nodes")
	w.past(18 * time.Second)
	return w
}

// starting is a cluster of which nothing is up yet.
func starting() *world {
	w := newWorld("demo", 3, time.Second)
	w.events = nil
	w.status.Ready = false
	for i := range w.status.Nodes {
		n := &w.status.Nodes[i]
		n.State, n.StartedAt, n.URL, n.Incarnation = orchestrator.Pending, time.Time{}, "", 0
	}
	return w
}
