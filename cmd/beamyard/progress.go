package main

import (
	"bytes"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
)

// progress shows on stderr what `up` is doing. Writing to it shows the lines of an image's
// build. It is safe for concurrent use; it shows nothing after close.
type progress interface {
	io.Writer
	event(orchestrator.Event)
	// buildFailed shows the part of the build's output that was not shown, without the lines
	// that the error repeats.
	buildFailed(err error)
	close()
}

// newProgress returns the progress that --progress selects. "auto" draws if stderr is a
// terminal, and prints plain lines otherwise.
func newProgress(mode string, out *output, now func() time.Time) progress {
	switch {
	case mode == "json":
		return &jsonProgress{out: out, now: now}
	case mode == "tty", mode == "auto" && out.terminal:
		return newLive(out, now)
	}
	p := &plainProgress{out: out, start: now(), now: now}
	if mode == "auto" {
		p.steps = &steps{}
	}
	return p
}

// phase shows a step that is taken before there is a cluster that could report it.
func phase(p progress, now time.Time, format string, args ...any) {
	p.event(orchestrator.Event{Time: now, Kind: orchestrator.EventPhase, Text: fmt.Sprintf(format, args...)})
}

// plainProgress prints a line for each event, without control codes.
type plainProgress struct {
	out    *output
	start  time.Time
	now    func() time.Time
	steps  *steps // nil: the whole output of a build is shown
	rest   []byte
	mu     sync.Mutex
	closed bool
}

func (p *plainProgress) event(e orchestrator.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	// Pairs grow with the square of the nodes, and Ready implies all of them. The state event
	// that follows an exit reports it, with its consequence.
	if p.closed || e.Kind == orchestrator.EventMesh || e.Kind == orchestrator.EventExit {
		return
	}
	p.endStep(e.Time)
	fmt.Fprintf(p.out, "%6.1fs  %s\n", e.Time.Sub(p.start).Seconds(), printable(e.String()))
}

func (p *plainProgress) Write(text []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.steps != nil {
		now := p.now()
		p.show(p.steps.write(text, now), now)
		return len(text), nil
	}
	p.rest = append(p.rest, text...)
	for {
		line, rest, ended := bytes.Cut(p.rest, []byte("\n"))
		if !ended {
			return len(text), nil
		}
		p.rest = rest
		if _, err := fmt.Fprintln(p.out, uncoloured(string(line))); err != nil {
			return 0, err
		}
	}
}

// show prints the lines of a build: a step with the seconds that it took.
func (p *plainProgress) show(lines []stepLine, now time.Time) {
	for _, l := range lines {
		if l.step {
			fmt.Fprintf(p.out, "%6.1fs  %s (%.1fs)\n", now.Sub(p.start).Seconds(), l.text, l.took.Seconds())
		} else {
			fmt.Fprintln(p.out, l.text)
		}
	}
}

func (p *plainProgress) endStep(now time.Time) {
	if p.steps != nil {
		p.show(p.steps.end(now), now)
	}
}

func (p *plainProgress) buildFailed(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.steps != nil {
		fmt.Fprint(p.out, p.steps.rest(err))
	} else if len(p.rest) > 0 {
		fmt.Fprintln(p.out, uncoloured(string(p.rest)))
		p.rest = nil
	}
}

func (p *plainProgress) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closed {
		p.endStep(p.now())
	}
	p.closed = true
}

// jsonProgress prints one event per line. A build's lines are events of kind "build".
type jsonProgress struct {
	out    *output
	now    func() time.Time
	mu     sync.Mutex
	rest   []byte
	closed bool
}

func (p *jsonProgress) event(e orchestrator.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.print(e)
}

func (p *jsonProgress) print(e orchestrator.Event) {
	data, err := encodeJSON(e.Printed(), "")
	if err != nil || p.closed {
		return
	}
	_, _ = p.out.Write(data) // fails if stderr is closed: the work continues
}

func (p *jsonProgress) Write(text []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rest = append(p.rest, text...)
	for {
		line, rest, found := bytes.Cut(p.rest, []byte("\n"))
		if !found {
			return len(text), nil
		}
		p.rest = rest
		p.print(orchestrator.Event{Time: p.now(), Kind: "build", Text: uncoloured(string(line))})
	}
}

func (p *jsonProgress) buildFailed(error) {} // its lines are shown as they arrive

func (p *jsonProgress) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
}
