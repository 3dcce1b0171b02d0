package main

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
)

// redraw is how often timers are updated. They show tenths of a second.
const redraw = 100 * time.Millisecond

// Control codes of ECMA-48, and xterm's for the cursor.
const (
	hideCursor  = "\x1b[?25l"
	showCursor  = "\x1b[?25h"
	cursorUp    = "\x1b[%dA\r"
	eraseToEnd  = "\x1b[J"
	eraseToLine = "\x1b[K"
)

// live draws a board at the bottom of the terminal and redraws it in place. Finished phases and
// the output of a build scroll up above it.
type live struct {
	out  *output
	now  func() time.Time
	stop chan struct{}
	done chan struct{}

	mu      sync.Mutex
	display display
	drawn   int // lines on the screen
	steps   steps
	closed  bool
}

func newLive(out *output, now func() time.Time) *live {
	l := &live{out: out, now: now, stop: make(chan struct{}), done: make(chan struct{})}
	fmt.Fprint(out, hideCursor)
	go l.tick()
	return l
}

func (l *live) tick() {
	defer close(l.done)
	t := time.NewTicker(redraw)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			l.mu.Lock()
			l.draw("")
			l.mu.Unlock()
		case <-l.stop:
			return
		}
	}
}

func (l *live) event(e orchestrator.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return
	}
	over := l.shown(l.steps.end(e.Time))
	e = e.Printed()
	e.Text = printable(e.Text)
	if text := l.display.apply(e); text != "" {
		over += text + "\n"
	}
	l.draw(over)
}

// shown formats the lines of a build: a step with the seconds that it took.
func (l *live) shown(lines []stepLine) string {
	var b strings.Builder
	for _, line := range lines {
		text := line.text
		if line.step {
			text = fmt.Sprintf("  %s (%.1fs)", text, line.took.Seconds())
		}
		b.WriteString(text + "\n")
	}
	return b.String()
}

func (l *live) buildFailed(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if rest := l.steps.rest(err); rest != "" {
		l.draw(rest)
	}
}

// Write prints the output of a build above the board.
func (l *live) Write(text []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	shown := l.shown(l.steps.write(text, l.now()))
	if l.closed {
		_, err := io.WriteString(l.out, shown)
		return len(text), err
	}
	if shown != "" {
		l.draw(shown)
	}
	return len(text), nil
}

// draw prints above permanently and draws the board below it. It does so in one write, so that
// the screen never shows half a drawing.
func (l *live) draw(above string) {
	var b strings.Builder
	if l.drawn > 0 {
		fmt.Fprintf(&b, cursorUp, l.drawn)
	}
	if above != "" {
		b.WriteString(eraseToEnd + above)
	}
	lines := l.display.lines(l.now(), l.closed, l.out.width(), l.out.height(), l.out.color)
	for _, line := range lines {
		b.WriteString(line + eraseToLine + "\n")
	}
	if len(lines) < l.drawn && above == "" {
		b.WriteString(eraseToEnd)
	}
	l.drawn = len(lines)
	_, _ = l.out.Write([]byte(b.String())) // fails if the terminal is closed: the work continues
}

// close leaves the last drawing on the screen and restores the cursor.
func (l *live) close() {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return
	}
	if last := l.shown(l.steps.end(l.now())); last != "" {
		l.draw(last)
	}
	l.closed = true
	l.draw("")
	fmt.Fprint(l.out, showCursor)
	l.mu.Unlock()
	close(l.stop)
	<-l.done
}
