package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
	"golang.org/x/term"
)

// app is passed to every command.
type app struct {
	in     io.Reader
	out    *output // the answer
	err    *output // everything else
	json   bool
	words  *output         // where an answer goes for people when its JSON goes to out, for an assistant; otherwise nil
	rest   []string        // what follows "--", for the commands that run another one
	second <-chan struct{} // closed by the second Ctrl-C
	now    func() time.Time

	engineTime time.Duration // bounds one question to the engine; see engineTime
}

func newApp(stdin io.Reader, stdout, stderr io.Writer, second <-chan struct{}) *app {
	return &app{in: stdin, out: newOutput(stdout), err: newOutput(stderr), second: second, now: time.Now, engineTime: engineTime}
}

// say writes a message to stderr.
func (a *app) say(format string, args ...any) { fmt.Fprintf(a.err, format+"\n", printables(args)...) }

// answer prints an answer: as JSON, for people, or in both forms.
func (a *app) answer(value any, text func(*output) error) error {
	if a.json {
		if err := a.printJSON(value); err != nil || a.words == nil {
			return err
		}
		return text(a.words)
	}
	return text(a.out)
}

// people is where the parts of an answer for people are written as they come.
func (a *app) people() io.Writer {
	switch {
	case !a.json:
		return a.out
	case a.words != nil:
		return a.words
	}
	return io.Discard
}

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
