package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/docker"
	"golang.org/x/term"
)

// app is passed to every command.
type app struct {
	in     io.Reader
	out    *output // the answer
	err    *output // everything else
	json   bool
	rest   []string        // what follows "--", for the commands that run another one
	second <-chan struct{} // closed by the second Ctrl-C
	now    func() time.Time

	engineTime time.Duration // bounds one question to the engine; see engineTime
}

func newApp(stdin io.Reader, stdout, stderr io.Writer, second <-chan struct{}) *app {
	return &app{in: stdin, out: newOutput(stdout), err: newOutput(stderr), second: second, now: time.Now, engineTime: engineTime}
}

// engine opens the container engine and asks it for its info, which distinguishes an
// unreachable engine from a forbidden one: see [orchestrator.Engine].Info. An engine that
// accepts a connection and does not answer counts as unreachable.
func (a *app) engine(ctx context.Context) (*docker.Engine, error) {
	eng, err := docker.New(docker.Options{})
	if err != nil {
		return nil, err
	}
	if err := a.answers(ctx, eng); err != nil {
		eng.Close()
		return nil, err
	}
	return eng, nil
}

// say writes a message to stderr.
func (a *app) say(format string, args ...any) { fmt.Fprintf(a.err, format+"\n", printables(args)...) }

// printJSON writes one value, indented, to stdout.
func (a *app) printJSON(v any) error {
	data, err := encodeJSON(v, "  ")
	if err != nil {
		return err
	}
	_, err = a.out.Write(data)
	return err
}

// printJSONLine writes one value as one line to stdout.
func (a *app) printJSONLine(v any) error {
	data, err := encodeJSON(v, "")
	if err != nil {
		return err
	}
	_, err = a.out.Write(data)
	return err
}

// encodeJSON ends the text with a newline and does not escape <, > and &: the output is read in
// terminals, not in web pages.
func encodeJSON(v any, indent string) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", indent)
	if err := enc.Encode(v); err != nil {
		return nil, fmt.Errorf("encode answer: %w", err)
	}
	return b.Bytes(), nil
}

// output is stdout or stderr. It is safe for concurrent use and knows whether it is a terminal.
type output struct {
	mu       sync.Mutex
	w        io.Writer
	fd       int
	terminal bool
	colors   bool
}

func newOutput(w io.Writer) *output {
	o := &output{w: w, fd: -1}
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		o.fd, o.terminal = int(f.Fd()), os.Getenv("TERM") != "dumb"
	}
	// https://no-color.org: any value except the empty one.
	o.colors = o.terminal && os.Getenv("NO_COLOR") == ""
	return o
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.w.Write(p)
}

// width is the width of the terminal in columns, or 80 without a terminal.
func (o *output) width() int {
	if o.fd >= 0 {
		if w, _, err := term.GetSize(o.fd); err == nil && w > 0 {
			return w
		}
	}
	return 80
}

// height is the number of lines that can be redrawn in place, or 23 without a terminal.
func (o *output) height() int {
	if o.fd >= 0 {
		if _, h, err := term.GetSize(o.fd); err == nil && h > 3 {
			return h - 1
		}
	}
	return 23
}

// color returns the escape sequence of ECMA-48 SGR for code, or "" if colours are off.
func (o *output) color(code string) string {
	if !o.colors {
		return ""
	}
	return "\x1b[" + code + "m"
}

// plural returns "1 node", "3 nodes".
func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// nodeNames returns the names of nodes as part of a sentence.
func nodeNames(nodes []orchestrator.NodeStatus) string {
	names := make([]string, len(nodes))
	for i, n := range nodes {
		names[i] = n.Name
	}
	return strings.Join(names, ", ")
}
