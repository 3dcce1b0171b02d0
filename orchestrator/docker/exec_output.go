package docker

import (
	"bytes"
	"fmt"
	"io"
)

// This file is the output of a command in a container, in which engines also write
// words of their own.

// refusals begin what an engine of API 1.41 writes into the output of a command
// that it cannot run; newer ones answer so.
var refusals = []string{"OCI runtime exec failed: ", "unable to find user "}

// output is one stream of a command: it holds back what may be the engine's words,
// and marks the errors of w, which are not the stream's.
type output struct {
	w     io.Writer // nil: dropped
	begun bool
	held  string
}

func (o *output) Write(b []byte) (int, error) {
	if !o.begun {
		o.begun = true
		for _, words := range refusals {
			if bytes.HasPrefix(b, []byte(words)) {
				o.held = string(b)
				return len(b), nil
			}
		}
	}
	if err := o.flush(); err != nil {
		return 0, err
	}
	return o.pass(b)
}

// flush gives out what was the command's own after all.
func (o *output) flush() error {
	held := o.held
	o.held = ""
	_, err := o.pass([]byte(held))
	return err
}

func (o *output) pass(b []byte) (int, error) {
	if o.w == nil || len(b) == 0 {
		return len(b), nil
	}
	n, err := o.w.Write(b)
	if err != nil {
		err = &writeError{fmt.Errorf("write the command's output: %w", err)}
	}
	return n, err
}

type writeError struct{ err error }

func (e *writeError) Error() string { return e.err.Error() }
func (e *writeError) Unwrap() error { return e.err }
