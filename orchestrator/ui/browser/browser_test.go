package browser

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp/kb"

	"github.com/chromedp/chromedp" // The one client of the DevTools protocol that brings no browser, no Node and no driver of its own.
)

// patience is how long a test waits for the page: a slow machine has many tests at once.
const patience = 30 * time.Second

// chromium finds the browser. Where there is none, the test fails in CI and is skipped elsewhere.
func chromium(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if file, err := exec.LookPath(name); err == nil {
			return file
		}
	}
	const missing = "the page is tested in a browser, and no Chromium is installed: .ci/prepare browser"
	if os.Getenv("CI") != "" {
		t.Fatal(missing)
	}
	t.Skip(missing)
	return ""
}

// chrome is a running browser.
type chrome struct{ ctx context.Context }

// start starts the one browser that the subtests of a test share.
func start(t *testing.T) *chrome {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(chromium(t)),
		chromedp.Flag("font-render-hinting", "none"), chromedp.Flag("force-prefers-reduced-motion", true))
	if os.Getuid() == 0 {
		options = append(options, chromedp.NoSandbox) // Chromium refuses its sandbox to root
	}
	// The browser's own child processes go with it, also where the test ends early.
	allocator, stop := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(stop)
	browser, end := chromedp.NewContext(allocator)
	t.Cleanup(end)
	if err := chromedp.Do(browser); err != nil {
		t.Fatalf("start Chromium: %v", err)
	}
	return &chrome{browser}
}

// tab is one page in a tab of its own.
type tab struct {
	t   *testing.T
	ctx context.Context
}

// newTab opens an empty tab of this size, in pixels, until the test ends. What a page reports as
// an error is an error of the test.
func newTab(t *testing.T, browser *chrome, width, height int64) *tab {
	t.Helper()
	ctx, end := chromedp.NewContext(browser.ctx)
	b := &tab{t, ctx}
	b.run(chromedp.EmulateViewport(width, height))
	// Chromium gives no frames to a tab in the background.
	call(b, emulation.SetFocusEmulationEnabled, emulation.SetFocusEmulationEnabledParams{Enabled: true})
	console, done := chromedp.Console(ctx), make(chan struct{})
	go func() {
		defer close(done)
		for m, err := range console {
			switch {
			case err != nil:
				return // the tab is closed
			case m.IsException(), m.Type == chromedp.ConsoleError && m.Source != "network":
				t.Errorf("the page reported: %s %s", m, m.URL)
			case m.Type == chromedp.ConsoleError:
				t.Logf("the network: %s %s", m, m.URL) // as tests that take a server away cause it
			}
		}
	}()
	t.Cleanup(func() {
		end()
		<-done
	})
	return b
}

// run runs steps, each of which has patience.
func (b *tab) run(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := b.patient()
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		b.t.Fatalf("the browser: %v\n%s", err, strings.ReplaceAll(b.words(), "\n", " · "))
	}
}

// patient returns a context for one action. The first action of a tab opens it, and the tab lives
// as long as the context of that one.
func (b *tab) patient() (context.Context, context.CancelFunc) {
	if chromedp.FromContext(b.ctx).Target == nil {
		return b.ctx, func() {}
	}
	return context.WithTimeout(b.ctx, patience)
}

// open goes to a page of the stub, and waits until it shows the cluster.
func (b *tab) open(s *stub) {
	b.t.Helper()
	b.visit(s.cluster(), s.cluster())
	b.until(`document.querySelectorAll("#matrix tbody td").length > 0 && document.querySelectorAll("tr.node").length > 0`)
}

// visit goes to an address, and waits until the page's script runs. If the network changes meanwhile
// (a container starts), Chromium breaks off what it loads, the page itself and the script that loads
// it again included: a person would then load it again, at the other address.
func (b *tab) visit(address, again string) {
	b.t.Helper()
	const tries = 4
	for try := range tries {
		ctx, cancel := b.patient()
		err := chromedp.Do(ctx, chromedp.Navigate(address))
		cancel()
		if err == nil && b.soon(`document.querySelector("h1")?.textContent !== ""`, patience/tries) {
			return
		}
		b.t.Logf("visit %d of %s: %v", try+1, address, err)
		address = again
	}
	b.t.Fatalf("the page at %s does not come up", again)
}

// before runs a script in the tab before the page's own.
func (b *tab) before(script string) {
	b.t.Helper()
	call(b, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: script})
}

// call sends a command of the protocol.
func call[P, R any](b *tab, command cdp.Command[P, R], params P) R {
	b.t.Helper()
	ctx, cancel := b.patient()
	defer cancel()
	r, err := chromedp.Call(ctx, command, params)
	if err != nil {
		b.t.Fatalf("the browser: %v", err)
	}
	return r
}

// get evaluates an expression.
func get[T any](b *tab, expression string) T {
	b.t.Helper()
	ctx, cancel := b.patient()
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		b.t.Fatalf("%s: %v", expression, err)
	}
	return v
}

// until waits for an expression to be true.
func (b *tab) until(expression string) {
	b.t.Helper()
	if !b.soon(expression, patience) {
		b.shot("failed")
		b.t.Fatalf("never true: %s\n%s", expression, strings.ReplaceAll(b.words(), "\n", " · "))
	}
}

// soon reports whether an expression becomes true in time. (chromedp.Poll compiles its own in the
// page, which the page's policy forbids.)
func (b *tab) soon(expression string, within time.Duration) bool {
	ctx, cancel := context.WithTimeout(b.ctx, within)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if yes, err := chromedp.Run(ctx, chromedp.Evaluate[bool]("!!("+expression+")")); err == nil && yes {
			return true
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return false
		}
	}
}

// words is what the page says at its top.
func (b *tab) words() string {
	ctx, cancel := context.WithTimeout(b.ctx, 5*time.Second)
	defer cancel()
	text, _ := chromedp.Run(ctx, chromedp.Evaluate[string](`document.body.innerText.slice(0, 1500)`))
	return text
}

// press presses one key, as a person would: "/", kb.Escape. (chromedp.KeyEvent sends the character
// apart from the key: what the page does with the key would not keep it from a field.)
func (b *tab) press(key string) {
	b.t.Helper()
	for _, k := range kb.Encode([]rune(key)[0]) {
		if k.Type == kb.KeyChar {
			continue
		}
		call(b, input.DispatchKeyEvent, *k)
	}
}

// write writes into what has the focus.
func (b *tab) write(text string) {
	b.t.Helper()
	b.run(chromedp.KeyEvent(text))
}

// set gives a field a value, as a choice or as words.
func (b *tab) set(selector, value string) {
	b.t.Helper()
	b.do(fmt.Sprintf(`{ const e = document.querySelector(%q); e.value = %q; e.dispatchEvent(new Event("input", { bubbles: true })); e.dispatchEvent(new Event("change", { bubbles: true })) }`, selector, value))
}

// do runs a script in the page.
func (b *tab) do(script string) {
	b.t.Helper()
	b.run(chromedp.Evaluate[chromedp.Void](script))
}

// click scrolls to an element and clicks it, once it can be hit. (chromedp.Click would first read
// the whole document, of which 50 nodes make a large one.)
func (b *tab) click(selector string) {
	b.t.Helper()
	place := fmt.Sprintf(`(() => {
		const e = document.querySelector(%q);
		e?.scrollIntoView({ block: "nearest" });
		const r = e?.getBoundingClientRect();
		const at = r && [r.x + r.width / 2, r.y + r.height / 2];
		return at && e.contains(document.elementFromPoint(...at)) && !e.disabled ? at : [];
	})()`, selector)
	b.until(place + `.length === 2`)
	at := get[[]float64](b, place)
	b.run(chromedp.MouseClickXY(at[0], at[1]))
}

// prefers lets the system prefer a theme: "dark" or "light".
func (b *tab) prefers(scheme string) {
	b.t.Helper()
	call(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}})
}

// folder is where screenshots go.
func folder(t *testing.T) string {
	t.Helper()
	dir := t.ArtifactDir()
	if export := os.Getenv("BEAMYARD_EXPORT_DIR"); export != "" {
		dir = filepath.Join(export, "ui")
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// shot keeps a screenshot of the window, or of the elements that selectors choose.
func (b *tab) shot(name string, selectors ...string) {
	b.t.Helper()
	keep := func(name string, action chromedp.Action[[]byte]) {
		ctx, cancel := context.WithTimeout(b.ctx, patience)
		defer cancel()
		png, err := chromedp.Run(ctx, action)
		if err != nil {
			b.t.Errorf("screenshot %s: %v", name, err)
			return
		}
		if err := os.WriteFile(filepath.Join(folder(b.t), name+".png"), png, 0o644); err != nil {
			b.t.Error(err)
		}
	}
	if len(selectors) == 0 {
		keep(name, chromedp.CaptureScreenshot())
	}
	for _, selector := range selectors {
		keep(fmt.Sprintf("%s-%s", name, strings.Trim(selector, "#.")), chromedp.Screenshot(chromedp.CSS(selector)))
	}
}

// full keeps a screenshot of the whole page, however long.
func (b *tab) full(name string) {
	b.t.Helper()
	ctx, cancel := b.patient()
	defer cancel()
	png, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
	if err != nil {
		b.t.Fatalf("screenshot %s: %v", name, err)
	}
	if err := os.WriteFile(filepath.Join(folder(b.t), name+".png"), png, 0o644); err != nil {
		b.t.Error(err)
	}
}

// cellState is an expression for what the matrix shows of a pair.
func cellState(from, to string) string {
	return fmt.Sprintf(`document.querySelector('#matrix td[aria-label^="%s sees %s:"]')?.dataset.state`, from, to)
}
