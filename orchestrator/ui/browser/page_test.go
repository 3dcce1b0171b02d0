package browser

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/google/go-cmp/cmp"

	"github.com/beamyard/beamyard/network/fault"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/health"
	"github.com/beamyard/beamyard/orchestrator/hint"
)

// wide is the size of a laptop's window, narrow that of a phone.
const (
	wide, high   = 1280, 800
	narrow, tall = 390, 844
)

// TestPage tests what the page does, each in a tab of its own of one browser.
func TestPage(t *testing.T) {
	browser := start(t)
	for _, test := range []struct {
		name string
		run  func(*testing.T, *chrome)
	}{
		{"a kill is seen in the matrix, and comes back", testKill},
		{"a partition is drawn, and healed by the button", testPartition},
		{"a check that failed is told, and a node that failed has the command that starts it", testFailed},
		{"each state of a pair has a shape of its own", testShapes},
		{"nodes are dragged from side to side", testDrag},
		{"lines are filtered", testFilter},
		{"paused lines wait", testPause},
		{"a broken stream goes on without gap or repeat", testResume},
		{"a server that answers something else is asked again", testDeaf},
		{"another supervisor begins anew", testReboot},
		{"a cluster that is gone is not forgotten", testGone},
		{"a page of which a file broke off is loaded again", testBrokenFile},
		{"lines stay text", testHostileLines},
		{"a click in the timeline moves the logs there", testTimeline},
		{"a phone scrolls down only", testPhone},
		{"dark, light, or as the system", testDark},
		{"keys", testKeys},
		{"every control has a name", testNames},
		{"text can be read in both themes", testContrast},
		{"read-only changes nothing", testReadOnly},
		{"without a supervisor there is a way to get one", testUnsupervised},
		{"what was done is copied as a test", testScript},
		{"an error says what to type", testError},
		{"the overview", testOverview},
		{"the looks", testLooks},
		{"the first paint", testFirstPaint},
		{"50 nodes and a thousand lines a second", testFlood},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, browser) })
	}
}

// demo is a Ready cluster of three nodes in a tab.
func demo(t *testing.T, browser *chrome) (*tab, *stub, *world) {
	t.Helper()
	w := lively(newWorld("demo", 3, 4*time.Minute))
	s := serve(t, w)
	b := newTab(t, browser, wide, high)
	b.open(s)
	return b, s, w
}

func testKill(t *testing.T, browser *chrome) {
	b, s, w := demo(t, browser)
	b.until(cellState("n1", "n2") + ` === "connected"`)
	b.until(`document.querySelector("#verdict").dataset.tone === "ok"`)

	b.click(`tr[data-node="n2"] input`)
	b.until(`document.querySelector("#act-form .command code").textContent === "beamyard kill -c demo n2"`)
	b.click(`#act-form button[type="submit"]`)
	b.until(cellState("n1", "n2") + ` === "missing"`)
	b.until(cellState("n2", "n1") + ` === "unknown"`)
	b.until(`document.querySelector('tr[data-node="n2"] .state').textContent === "backing off"`)
	b.until(`/^1\/5, next in [1-6]s$/.test(document.querySelector('tr[data-node="n2"] .n-restarts').textContent)`)
	b.until(`document.querySelector("#verdict").textContent.includes("n2 is down: crashed, will be restarted")`)
	b.until(`document.querySelector("#runs").textContent.includes("n2 got SIGKILL")`)
	b.until(`document.title.startsWith("degraded: demo")`)
	b.shot("killed")

	w.ready("n2")
	b.until(cellState("n1", "n2") + ` === "connected"`)
	b.until(cellState("n2", "n1") + ` === "connected"`)
	b.until(`document.querySelector("#verdict").dataset.tone === "ok"`)
	b.until(`/n2 crashed at [0-9:]+: killed \(exit 137\)/.test(document.querySelector("#verdict").textContent)`)
	w.stop("n3")
	b.until(`document.querySelector("#verdict").textContent.includes("n3 is stopped") && document.querySelector("#verdict code").textContent === "beamyard start -c demo n3"`)
	if got, want := s.asked(), []request{{Action: "kill", Nodes: []string{"n2"}}}; !reflect.DeepEqual(got, want) {
		t.Errorf("the page asked for %+v, want %+v", got, want)
	}
}

// focusOn is a script that gives an element the focus.
func focusOn(selector string) string {
	return fmt.Sprintf(`document.querySelector(%q).focus()`, selector)
}

// act chooses an action.
func (b *tab) act(name string) {
	b.t.Helper()
	b.do(fmt.Sprintf(`document.querySelector('input[name="action"][value=%q]').click()`, name))
}

func testFailed(t *testing.T, browser *chrome) {
	b, s, w := demo(t, browser)
	w.change(func(time.Time) { n := w.node("n3"); n.URL, n.Serving = "", orchestrator.ServingLoopback })
	b.until(`document.querySelector('tr[data-node="n3"] .n-url').textContent === "loopback only"`)
	report := orchestrator.HealthReport{Report: health.Report{Cluster: "demo", Time: time.Now(), Checks: []health.Check{
		{Group: health.Operations, Name: "HTTP port 4000", Node: "n3", State: health.Failed, Means: "n3 listens on 127.0.0.1:4000 only", Suggestion: hint.Text("have it listen on 0.0.0.0")},
	}}}
	s.say("health", report.Printed())
	b.until(`document.querySelector("#verdict").dataset.tone === "warn" && document.querySelector("#verdict").textContent.includes("n3 listens on 127.0.0.1:4000 only")`)
	b.until(`document.querySelector("#verdict .steps").textContent.includes("have it listen on 0.0.0.0")`)
	w.change(func(now time.Time) {
		n := w.node("n2")
		n.State, n.StoppedAt, n.Reason = orchestrator.Failed, now, "killed (exit 137); not restarted: the restart policy is \"no\""
		n.Findings = []orchestrator.Finding{{Code: "killed", Node: "n2", Problem: "n2 was killed by SIGKILL", Solutions: []orchestrator.Solution{{Text: hint.Text("see the events around it"), Do: hint.Text("beamyard events -c demo")}}}}
	})
	b.until(`[...document.querySelectorAll("#verdict code")].some((c) => c.textContent === "beamyard start -c demo n2")`)
}

func testPartition(t *testing.T, browser *chrome) {
	b, s, _ := demo(t, browser)
	b.act("partition")
	b.until(`document.querySelector("#act-form .command code").textContent === "beamyard partition -c demo n1 n2,n3"`)

	// By keys and by presses: n1 goes to the other side, n2 comes.
	b.do(focusOn(`.chip[data-node="n1"]`))
	b.press(kb.ArrowRight)
	b.until(`document.querySelector("#act-form button[type=submit]").disabled`)
	b.click(`.chip[data-node="n2"]`)
	b.set(`select[name="kind"]`, "reset")
	b.until(`document.querySelector("#act-form .command code").textContent === "beamyard partition -c demo n2 n1,n3 --kind reset"`)
	b.click(`#act-form button[type="submit"]`)

	b.until(cellState("n1", "n2") + ` === "cut"`)
	b.until(cellState("n2", "n3") + ` === "cut"`)
	b.until(cellState("n1", "n3") + ` === "connected"`)
	b.until(`document.querySelector("#verdict").textContent.includes("Partitioned on purpose: n2  |  n1 and n3")`)
	b.until(`document.querySelector("#faults").textContent.includes("partition n2 | n1 n3, reset")`)
	b.do(focusOn(`#matrix td[aria-label^="n1 sees n2:"]`))
	b.until(`/^n1 → n2: cut by a fault since .* Cut by f1pl2d\.$/.test(document.querySelector("#mesh-detail").textContent)`)
	b.shot("partitioned")

	b.click(`#heal-all`)
	b.until(cellState("n1", "n2") + ` === "connected"`)
	b.until(`document.querySelector("#faults").hidden && document.querySelector("#heal-all").disabled`)
	b.until(`document.querySelector("#runs").textContent.includes("every pair is connected again")`)
	b.until(`document.querySelectorAll("#chart .fault-bar.past").length === 1`)
	want := []request{
		{Action: "partition", Groups: [][]string{{"n2"}, {"n1", "n3"}}, Kind: "reset"},
		{Action: "heal", IDs: []string{}},
	}
	if diff := cmp.Diff(want, s.asked()); diff != "" {
		t.Errorf("the page asked for something else (-want +got):\n%s", diff)
	}
}

func testShapes(t *testing.T, browser *chrome) {
	w := newWorld("demo", 4, time.Minute)
	w.seen[pair{"n1", "n2"}] = seenAs{"hidden", "connected, but hidden: erlang:nodes/0 does not have it"}
	w.seen[pair{"n1", "n3"}] = seenAs{"one-sided", "n1 sees n3, but n3 does not see n1"}
	w.seen[pair{"n3", "n1"}] = seenAs{"missing", ""}
	w.seen[pair{"n2", "n3"}] = seenAs{"collateral", "global dropped the connection so that partitions do not overlap: f1 cuts other pairs"}
	w.pause("n4", true)
	w.inject(fault.Fault{Kind: fault.KindCut, Pairs: []fault.Pair{{From: "n2", To: "n1"}}})
	b := newTab(t, browser, wide, high)
	b.open(serve(t, w))
	b.until(cellState("n2", "n3") + ` === "collateral"`)
	for _, cell := range []struct{ from, to, state, says string }{
		{"n1", "n2", "cut", "n1 → n2: cut by a fault"}, // the fault is what matters
		{"n1", "n3", "one-sided", "n1 → n3: one-sided"},
		{"n3", "n1", "missing", "n3 → n1: not connected"},
		{"n2", "n3", "collateral", "n2 → n3: cut by global"},
		{"n4", "n1", "unknown", "n4 → n1: unknown"},
		{"n3", "n2", "connected", "n3 → n2: connected since"},
	} {
		b.until(cellState(cell.from, cell.to) + fmt.Sprintf(` === %q`, cell.state))
		b.do(focusOn(fmt.Sprintf(`#matrix td[aria-label^="%s sees %s:"]`, cell.from, cell.to)))
		b.until(fmt.Sprintf(`document.querySelector("#mesh-detail").textContent.startsWith(%q)`, cell.says))
	}
	b.shot("shapes", "#mesh")
	const shapes = `[...document.querySelectorAll("#legend .glyph path")].map(p => p.getAttribute("d") + p.getAttribute("class"))`
	if n, different := get[int](b, shapes+`.length`), get[int](b, `new Set(`+shapes+`).size`); n != 7 || different != n {
		t.Errorf("%d states have %d shapes", n, different)
	}
	if legend, want := get[string](b, `document.querySelector("#legend").textContent`), "connected4not connected1one-sided1"; !strings.HasPrefix(legend, want) {
		t.Errorf("the legend is %q, want a count: %q", legend, want)
	}
}

func testDrag(t *testing.T, browser *chrome) {
	b, _, _ := demo(t, browser)
	b.act("partition")
	b.until(`document.querySelector(".group").textContent.includes("n1")`)
	b.run(chromedp.ScrollIntoView(chromedp.CSS("#act-form")), chromedp.DragAndDrop(chromedp.CSS(`.chip[data-node="n3"]`), chromedp.CSS(`.group`)))
	b.until(`document.querySelector("#act-form .command code").textContent === "beamyard partition -c demo n1,n3 n2"`)
}

// shownLines are the texts of the lines that the page shows.
const shownLines = `[...document.querySelectorAll("#lines .said")].map(s => s.textContent)`

// search writes into the filter.
func (b *tab) search(pattern string) {
	b.t.Helper()
	b.set("#logs-find", pattern)
}

func testFilter(t *testing.T, browser *chrome) {
	w := newWorld("demo", 3, time.Minute)
	s := serve(t, w)
	w.says("n1", orchestrator.Stdout, "GET /counter 200", "GET /health 200", "POST /counter 500")
	w.says("n2", orchestrator.Stderr, "boom: counter")
	w.drops("n2", 7)
	b := newTab(t, browser, wide, high)
	b.open(s)
	b.until(shownLines + `.length === 4 && document.querySelector("#lines .gap").textContent.startsWith("7 lines of n2 dropped")`)

	b.search(`COUNTER (200|500)`)
	b.until(shownLines + `.length === 0`)
	b.search(`counter (200|500)`) // small letters match any case
	b.until(shownLines + `.join() === "GET /counter 200,POST /counter 500" && document.querySelectorAll("#lines mark").length === 2`)
	b.until(`document.querySelector("#logs-note").textContent === "3 of 5 lines · 2 match"`)
	if got, want := get[string](b, `document.querySelector("#logs-save").getAttribute("href")`), "/c/demo/logs.txt?grep=%28%3Fi%29counter+%28200%7C500%29"; got != want {
		t.Errorf("the download is %s, want %s", got, want)
	}
	w.says("n3", orchestrator.Stdout, "nothing of that kind", "PUT /counter 200")
	b.until(shownLines + `.at(-1) === "PUT /counter 200" && ` + shownLines + `.length === 3`)
	b.shot("filtered", "#logs")

	b.click("#logs-only") // a highlight, and no filter
	b.until(shownLines + `.length === 6 && document.querySelectorAll("#lines mark").length === 3`)
	b.click("#logs-only")
	b.search(`counter (`)
	b.until(`document.querySelector("#logs-note").textContent.startsWith("not a regular expression") && document.querySelector("#logs-find").hasAttribute("aria-invalid")`)
	b.search("")
	b.until(shownLines + `.length === 6`)
	b.set("#logs-node", "n2")
	b.until(shownLines + `.join() === "boom: counter"`)
}

func testPause(t *testing.T, browser *chrome) {
	b, _, w := demo(t, browser)
	before := get[int](b, shownLines+`.length`)
	b.click("#logs-pause")
	w.says("n1", orchestrator.Stdout, "while it is paused")
	b.until(`document.querySelector("#logs-note").textContent.endsWith("paused, 1 new")`)
	if after := get[int](b, shownLines+`.length`); after != before {
		t.Errorf("%d lines are shown while paused, want %d", after, before)
	}
	b.click("#logs-pause")
	b.until(shownLines + `.at(-1) === "while it is paused"`)
}

// numbered makes a node print lines from to to.
func numbered(w *world, from, to int) (texts []string) {
	for i := from; i <= to; i++ {
		texts = append(texts, fmt.Sprintf("line %d", i))
	}
	w.says("n1", orchestrator.Stdout, texts...)
	return texts
}

// sameLines waits for the last line, and compares all.
func (b *tab) sameLines(want []string) {
	b.t.Helper()
	b.until(fmt.Sprintf(`%s.at(-1) === %q`, shownLines, want[len(want)-1]))
	if diff := cmp.Diff(want, get[[]string](b, shownLines)); diff != "" {
		b.t.Errorf("the page shows other lines (-want +got):\n%s", diff)
	}
}

const away = `!document.querySelector("#away").hidden`

func testResume(t *testing.T, browser *chrome) {
	w := newWorld("demo", 3, time.Minute)
	s := serve(t, w)
	b := newTab(t, browser, wide, high)
	all := numbered(w, 1, 40)
	b.open(s)
	all = append(all, numbered(w, 41, 80)...)
	b.sameLines(all)
	for i := range 2 { // twice: the second time it resumes from a message that it got after it resumed
		s.down()
		b.until(away + ` && /^Not connected since \d\d:\d\d:\d\d/.test(document.querySelector("#away-title").textContent)`)
		if i == 0 {
			b.shot("away")
		}
		all = append(all, numbered(w, 100*i+81, 100*i+180)...)
		if i == 0 {
			w.crash("n3")
		}
		s.up(t)
		b.until(`document.querySelector("#away").hidden`)
		b.sameLines(all)
	}
	b.until(cellState("n1", "n3") + ` === "missing"`)
	if n := get[int](b, `document.querySelectorAll("#chart .mark[aria-label*='n3 ended']").length`); n != 1 {
		t.Errorf("the end of n3 is drawn %d times", n)
	}
}

func testDeaf(t *testing.T, browser *chrome) {
	w := newWorld("demo", 3, time.Minute)
	s := serve(t, w)
	b := newTab(t, browser, wide, high)
	all := numbered(w, 1, 10)
	b.open(s)
	b.sameLines(all)
	s.mu.Lock()
	s.deaf = true
	s.mu.Unlock()
	s.down()
	s.up(t)
	b.until(away)
	all = append(all, numbered(w, 11, 20)...)
	s.mu.Lock()
	s.deaf = false
	s.mu.Unlock()
	b.until(`document.querySelector("#away").hidden`)
	b.sameLines(all)
}

func testReboot(t *testing.T, browser *chrome) {
	w := newWorld("demo", 3, time.Minute)
	s := serve(t, w)
	b := newTab(t, browser, wide, high)
	all := numbered(w, 1, 10)
	b.open(s)
	b.sameLines(all)
	s.down()
	b.until(away)
	s.mu.Lock()
	s.boot, s.log = "b2", nil
	s.mu.Unlock()
	all = append(all, numbered(w, 11, 20)...)
	s.up(t)
	b.sameLines(all)
	all = append(all, numbered(w, 21, 22)...)
	b.sameLines(all)
	if n := get[int](b, `document.querySelectorAll("tr.node").length`); n != 3 {
		t.Errorf("%d nodes are shown after another server took over, want 3", n)
	}
}

func testGone(t *testing.T, browser *chrome) {
	b, s, w := demo(t, browser)
	s.say("gone", map[string]string{"why": "its supervisor ended; start it again: beamyard up demo"})
	b.until(away + ` && document.querySelector("#away").textContent.includes("its supervisor ended")`)
	w.change(func(time.Time) {})
	b.until(`document.querySelector("#away").hidden`)
}

func testBrokenFile(t *testing.T, browser *chrome) {
	s := serve(t, newWorld("demo", 3, time.Minute))
	s.breaks = 2
	b := newTab(t, browser, wide, high)
	b.open(s)
	if s.mu.Lock(); s.breaks > 0 {
		t.Errorf("%d breaks are left", s.breaks)
	}
	s.mu.Unlock()
}

func testHostileLines(t *testing.T, browser *chrome) {
	w := newWorld("demo", 3, time.Minute)
	s := serve(t, w)
	lines := []string{
		`<script>window.pwned = 1</script>`, `<img src=x onerror="window.pwned = 2">`, `</span></div><h1>not a heading</h1>`,
		`&lt;b&gt; stays as it is &amp; "quoted"`, `javascript:alert(1)`, strings.Repeat("long ", 1000),
	}
	w.says("n1", orchestrator.Stdout, lines...)
	w.says("n1", orchestrator.Stdout, "\x1b[31mred\x1b[0m")
	w.change(func(time.Time) {
		n := w.node("n2")
		n.State, n.Reason = orchestrator.Failed, lines[1]
		n.Findings = []orchestrator.Finding{{Code: "x", Node: "n2", Problem: lines[0], Evidence: lines[1]}}
		w.state("n2", orchestrator.Failed, lines[1])
	})
	b := newTab(t, browser, wide, high)
	b.open(s)
	b.until(shownLines + `.length === 7`)
	got := get[[]string](b, shownLines)
	want := append([]string{}, lines...)
	want[5] = want[5][:2000] + " … 3,000 more characters"
	want = append(want, "red")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("lines are not what they were (-want +got):\n%s", diff)
	}
	b.search("img|script") // marks are made of text, too
	b.until(`document.querySelectorAll("#lines mark").length > 3`)
	b.click("#timeline-list")
	b.until(`document.querySelector("#happenings").textContent.includes("onerror")`)
	if get[bool](b, `"pwned" in window || document.querySelectorAll("#lines img, #lines script, #lines h1, #verdict img, #nodes img, #timeline img").length > 0`) {
		t.Error("a line became part of the page")
	}
}

func testTimeline(t *testing.T, browser *chrome) {
	w := lively(newWorld("demo", 3, time.Minute))
	w.past(time.Second)
	w.crash("n2")
	w.past(20 * time.Second)
	w.happened(orchestrator.Event{Kind: orchestrator.EventSync, Text: "synced Demo.Router on n1 n2 n3"})
	s := serve(t, w)
	numbered(w, 1, 300)
	w.past(20 * time.Second)
	b := newTab(t, browser, wide, high)
	b.open(s)
	b.until(`document.querySelectorAll("#chart .mark").length >= 3`)
	// The sign of the crash: the logs go to the first line after it, and stay there.
	b.do(`document.querySelector("#chart .mark[aria-label*='n2 ended']").dispatchEvent(new MouseEvent("click", {bubbles: true}))`)
	b.until(`document.querySelector("#lines .found .said")?.textContent === "line 1"`)
	b.until(`!document.querySelector("#logs-down").hidden`)
	w.says("n1", orchestrator.Stdout, "a new line")
	b.until(shownLines + `.at(-1) === "a new line"`)
	if get[bool](b, `(() => { const l = document.querySelector("#lines"); return l.scrollHeight - l.scrollTop - l.clientHeight < 100 })()`) {
		t.Error("the logs follow new lines although a user went to older ones")
	}
	b.click("#logs-down")
	b.until(`document.querySelector("#logs-down").hidden`)

	b.click("#timeline-list")
	b.until(`[...document.querySelectorAll("#happenings li")].some(li => li.textContent.includes("n1 saw nodedown n2 (connection_closed)"))`)
	b.until(`[...document.querySelectorAll("#happenings li")].some(li => li.querySelector(".happening-kind").textContent === "sync" && li.textContent.includes("synced Demo.Router"))`)
	b.shot("timeline-list", "#timeline")
}

func testPhone(t *testing.T, browser *chrome) {
	for name, world := range looks {
		t.Run(name, func(t *testing.T) {
			b := newTab(t, browser, narrow, tall)
			b.open(serve(t, world()))
			b.act("partition")
			b.until(`document.querySelectorAll(".chip").length > 0`)
			b.click("tr.node .disclose")
			const widest = `Math.max(document.documentElement.scrollWidth, document.body.scrollWidth)`
			if w := get[int](b, widest); w > narrow {
				t.Errorf("the page is %d pixels wide: %s", w, get[string](b, `[...document.querySelectorAll("body *")].filter(e => e.getBoundingClientRect().right > innerWidth + 1 && e.getBoundingClientRect().width < innerWidth).slice(0, 5).map(e => e.outerHTML.slice(0, 90)).join("\n")`))
			}
			b.click("#timeline-list")
			b.act("slow")
			b.until(`document.querySelector("#act-form").textContent.includes("Latency")`)
			if w := get[int](b, widest); w > narrow {
				t.Errorf("with other forms the page is %d pixels wide", w)
			}
		})
	}
}

func testDark(t *testing.T, browser *chrome) {
	b, _, _ := demo(t, browser)
	const ground = `(() => { const c = document.createElement("canvas").getContext("2d"); c.fillStyle = getComputedStyle(document.body).backgroundColor; c.fillRect(0, 0, 1, 1); return c.getImageData(0, 0, 1, 1).data[1] })()`
	b.prefers("dark")
	b.until(ground + ` < 40`)
	b.prefers("light")
	b.until(ground + ` > 220`)
	b.click("#theme") // light, whatever the system says
	b.prefers("dark")
	b.until(ground + ` > 220`)
	b.click("#theme") // dark
	b.prefers("light")
	b.until(ground + ` < 40 && document.querySelector("#theme").getAttribute("aria-label") === "Theme: dark"`)
	b.run(chromedp.Reload())
	b.until(`document.querySelectorAll("tr.node").length === 3 && ` + ground + ` < 40`)
	b.click("#theme") // as the system
	b.until(ground + ` > 220`)
}

func testKeys(t *testing.T, browser *chrome) {
	b, _, _ := demo(t, browser)
	focus := func(id string) string { return fmt.Sprintf(`document.activeElement.id === %q`, id) }
	b.press("/")
	b.until(focus("logs-find") + ` && document.querySelector("#logs-find").value === ""`)
	b.write("counter?p") // keys of the page are letters here
	b.until(`document.querySelector("#logs-find").value === "counter?p" && !document.querySelector("dialog[open]")`)
	b.press(kb.Escape)
	b.until(`document.querySelector("#logs-find").value === ""`)
	b.press(kb.Escape)
	b.until(`!(` + focus("logs-find") + `)`)
	b.press("?")
	b.until(`document.querySelector("#keys").open`)
	b.shot("keys")
	b.press("/") // not behind a dialog
	b.press(kb.Escape)
	b.until(`!document.querySelector("#keys").open && !(` + focus("logs-find") + `)`)
	b.press("p")
	b.until(`document.querySelector("#logs-pause").getAttribute("aria-pressed") === "true"`)
	b.press("p")
	b.until(`document.querySelector("#logs-pause").getAttribute("aria-pressed") === "false"`)

	b.do(focusOn(`#matrix td[tabindex="0"]`))
	at := func(from, to string) string {
		return fmt.Sprintf(`document.activeElement.getAttribute("aria-label")?.startsWith("%s sees %s")`, from, to)
	}
	b.until(at("n1", "n2"))
	b.press(kb.ArrowDown)
	b.press(kb.ArrowDown)
	b.until(at("n3", "n2"))
	b.press(kb.ArrowLeft)
	b.until(at("n3", "n1") + ` && document.querySelectorAll('#matrix td[tabindex="0"]').length === 1`)
	b.press(kb.Enter) // all about n3
	b.until(`document.activeElement.matches('tr[data-node="n3"] .disclose[aria-expanded="true"]')`)

	// Tab reaches the rest, and the focus is seen.
	b.do(`document.activeElement.blur(); scrollTo(0, 0)`)
	seen := map[string]bool{}
	for range 120 {
		b.press(kb.Tab)
		where := get[string](b, `(() => {
			const e = document.activeElement;
			if (e === document.body) return "";
			const shows = [e, e.nextElementSibling, e.querySelector?.(".mark-ground")].filter(Boolean).some((x) => {
				const s = getComputedStyle(x);
				return s.outlineStyle !== "none" || s.strokeWidth === "4px";
			});
			return (shows ? "" : "unseen: ") + (e.id || e.getAttribute("aria-label") || e.value || e.textContent);
		})()`)
		if strings.HasPrefix(where, "unseen") {
			t.Errorf("the focus cannot be seen: %s", where)
		}
		if seen[where] && where == "logs-save" {
			break
		}
		seen[where] = true
	}
	for _, id := range []string{"theme", "help", "nodes-all", "nodes-weak", "kill", "export", "as-go", "as-exunit", "timeline-span", "timeline-list", "logs-find", "logs-only", "logs-pause", "logs-save", "lines", "logs-node", "logs-stream", "Act on n1"} {
		if !seen[id] {
			t.Errorf("Tab does not reach %q", id)
		}
	}
}

// roles are those of controls, which assistive technology names to their users.
var roles = map[string]bool{
	"button": true, "link": true, "textbox": true, "searchbox": true, "checkbox": true, "radio": true, "combobox": true, "listbox": true,
	"gridcell": true, "grid": true, "group": false, "dialog": true, "switch": true, "slider": true, "log": true, "radiogroup": true, "DisclosureTriangle": true,
}

func testNames(t *testing.T, browser *chrome) {
	for name, world := range looks {
		if name == "many" {
			continue // the same controls, 2,500 times
		}
		t.Run(name, func(t *testing.T) {
			b := newTab(t, browser, wide, high)
			s := serve(t, world())
			b.open(s)
			for _, action := range []string{"kill", "partition", "slow", "blip", "heal", "sync"} {
				b.act(action)
				counted := 0
				for _, n := range call(b, accessibility.GetFullAXTree, accessibility.GetFullAXTreeParams{}).Nodes {
					if n.Ignored || n.Role == nil || !roles[text(n.Role)] {
						continue
					}
					counted++
					if strings.TrimSpace(text(n.Name)) == "" {
						t.Errorf("%s: a %s has no name: %s", action, text(n.Role), text(n.Description))
					}
				}
				if counted < 30 {
					t.Errorf("%s: only %d controls are in the accessibility tree", action, counted)
				}
			}
		})
	}
}

// text is what a value of the accessibility tree says.
func text(v *accessibility.Value) string {
	if v == nil {
		return ""
	}
	return strings.Trim(string(v.Value), `"`)
}

func testReadOnly(t *testing.T, browser *chrome) {
	w := lively(newWorld("demo", 3, time.Minute))
	w.inject(fault.Fault{Kind: fault.KindPartition, Groups: [][]string{{"n2"}}})
	s := serve(t, w)
	s.hello.ReadOnly = true
	b := newTab(t, browser, wide, high)
	b.open(s)
	b.until(`!document.querySelector("#read-only").hidden && document.querySelector("#heal-all").disabled`)
	b.click(`tr[data-node="n2"] input`)
	b.until(`document.querySelector("#act-form .command code").textContent === "beamyard kill -c demo n2"`)
	b.do(`document.querySelector("#act-form").requestSubmit()`)
	if !get[bool](b, `document.querySelector("#act-form button[type=submit]").disabled && [...document.querySelectorAll("#faults button")].every(b => b.disabled)`) {
		t.Error("a read-only page has buttons that can be pressed")
	}
	b.shot("read-only", "#actions")
	if asked := s.asked(); len(asked) > 0 {
		t.Errorf("a read-only page asked for %+v", asked)
	}
}

func testUnsupervised(t *testing.T, browser *chrome) {
	w := newWorld("demo", 3, time.Minute)
	w.status.Supervised, w.status.Ready = false, false
	for i := range w.status.Nodes {
		w.status.Nodes[i].State = orchestrator.Running
	}
	s := serve(t, w)
	s.hello.TakeOver = "beamyard up demo --detach"
	b := newTab(t, browser, wide, high)
	b.open(s)
	b.until(`!document.querySelector("#unsupervised").hidden && document.querySelector("#take-over code").textContent === "beamyard up demo --detach"`)
	b.until(`document.querySelector("#verdict").textContent.includes("no supervisor proves")`)
	b.shot("unsupervised")
	w.change(func(now time.Time) {
		n := w.node("n2")
		n.State, n.StoppedAt, n.Reason = orchestrator.Stopped, now, "crashed (exit 1)"
		n.LastExit = &orchestrator.Exit{Class: orchestrator.ExitCrashed, Code: 1, At: now}
	})
	b.until(`document.querySelector("#verdict").textContent.includes("n2 is down: crashed, and nothing restarts it")`)
	b.until(`document.querySelector("#verdict code").textContent === "beamyard logs -c demo n2 --tail 50"`)
	b.click("#take-over button")
	b.until(`document.querySelector("#runs").textContent.includes("Done.")`)
	if got, want := s.asked(), []request{{Action: "take-over"}}; !reflect.DeepEqual(got, want) {
		t.Errorf("the page asked for %+v, want %+v", got, want)
	}
}

func testScript(t *testing.T, browser *chrome) {
	b, _, _ := demo(t, browser)
	b.click("#as-exunit")
	b.until(`document.querySelector("#script").open && document.querySelector("#script-text").textContent.includes("c.Crash(t, \"n2\") // exunit")`)
	b.until(`document.querySelector("#script-said").textContent === "Copied 4 lines to the clipboard."`)
	b.press(kb.Escape)
	b.until(`!document.querySelector("#script").open`)
	b.click("#as-go")
	b.until(`document.querySelector("#script-text").textContent.includes("// go")`)
}

func testError(t *testing.T, browser *chrome) {
	b, s, _ := demo(t, browser)
	b.act("partition")
	b.until(`document.querySelector("#act-form .command code").textContent.startsWith("beamyard partition")`)
	b.set(`input[name="for"]`, "never")
	b.until(`document.querySelector(".act-error").textContent === '"never" is not a time like 10s or 2m' && document.querySelector("#act-form button[type=submit]").disabled`)
	b.set(`input[name="for"]`, "10s")
	b.until(`document.querySelector(".act-error").textContent === "" && document.querySelector("#act-form .command code").textContent.endsWith("--for 10s")`)

	b.act("slow")
	b.until(`document.querySelector("#act-form .command code").textContent === "beamyard slow -c demo n1:n2 n2:n1 --loss 5% --for 10s"`)
	b.click(`#act-form button[type="submit"]`)
	b.until(`document.querySelector('#runs li[data-tone="bad"]')?.textContent.includes("this kernel has no netem Try: beamyard doctor")`)
	if n := len(s.asked()); n != 1 {
		t.Errorf("the page asked for %d actions, want 1", n)
	}
}

func testOverview(t *testing.T, browser *chrome) {
	w := newWorld("demo", 3, time.Minute)
	s := serve(t, w)
	b := newTab(t, browser, wide, high)
	b.visit(s.url("/"), s.url("/"))
	b.until(`document.querySelectorAll("#clusters li").length === 3`)
	b.until(`document.querySelector('a[href="/c/shop/"]').textContent.includes("port-in-use")`)
	b.shot("overview")
	w.crash("n2")
	b.until(`document.querySelector('a[href="/c/demo/"] .pill').textContent === "backing-off"`)
	b.click(`a[href="/c/demo/"]`)
	b.until(`document.querySelectorAll("tr.node").length === 3`)
}
