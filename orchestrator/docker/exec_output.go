package docker

import (
	"bytes"
	"fmt"
	"io"
)

// This file handles the output of a command in a container, into which engines also write
// messages of their own.

// refusals begin the text that an engine of API 1.41 writes into the output of a command that
// it cannot run; newer engines return an error.
var refusals = []string{"OCI runtime exec failed: ", "unable to find user "}

// output is one stream of a command. It holds back text that may be the engine's message, and
// marks the errors of w to distinguish them from the stream's.
type output struct {
	w     io.Writer // nil: the output is dropped
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

// flush writes the text that was held back and is the command's own.
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
