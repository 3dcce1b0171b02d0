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

// app is what every command is given.
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

// engine opens the container engine. Whether it answers is seen by the first
// call: [orchestrator.Engine].Info, made here, has the errors that tell an
// unreachable engine from a forbidden one.
// One that accepts and then says nothing is unreachable, too.
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

// say writes a remark to stderr.
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

// encodeJSON ends with a newline and leaves <, > and & as they are: it is read
// in terminals, not in web pages.
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

// output is stdout or stderr: safe for several goroutines, and aware of what
// it is.
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
	// https://no-color.org: any value but the empty one.
	o.colors = o.terminal && os.Getenv("NO_COLOR") == ""
	return o
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.w.Write(p)
}

// width of the terminal in columns, 80 where there is none.
func (o *output) width() int {
	if o.fd >= 0 {
		if w, _, err := term.GetSize(o.fd); err == nil && w > 0 {
			return w
		}
	}
	return 80
}

// height is how many lines can be redrawn in place, 23 where there is no terminal.
func (o *output) height() int {
	if o.fd >= 0 {
		if _, h, err := term.GetSize(o.fd); err == nil && h > 3 {
			return h - 1
		}
	}
	return 23
}

// color is the escape sequence of ECMA-48 SGR for code, "" where colours are
// not wanted.
func (o *output) color(code string) string {
	if !o.colors {
		return ""
	}
	return "\x1b[" + code + "m"
}

// plural is "1 node", "3 nodes".
func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// nodeNames of a cluster, for a sentence.
func nodeNames(nodes []orchestrator.NodeStatus) string {
	names := make([]string, len(nodes))
	for i, n := range nodes {
		names[i] = n.Name
	}
	return strings.Join(names, ", ")
}
