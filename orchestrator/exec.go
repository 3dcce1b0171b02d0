package orchestrator

import (
	"context"
	"errors"
)

// ExecLimit is how much of each stream an [ExecResult] holds, in bytes.
const ExecLimit = 64 << 10

// ExecResult is the outcome of a command in a container.
type ExecResult struct {
	// ExitCode of the command. 126 and 127 are also what an engine says of one
	// that cannot be run or is not there, with its words in Stderr.
	ExitCode int    `json:"exit_code"`
	Stdout   string `json:"stdout,omitempty"` // the first 64 KiB
	Stderr   string `json:"stderr,omitempty"` // the first 64 KiB
}

// ExecOutput keeps the first [ExecLimit] bytes that are written to it and drops
// the rest, so that a command that prints without end costs no memory and is
// not held up. It is not safe for concurrent use.
type ExecOutput struct{ kept []byte }

// Write never fails.
func (o *ExecOutput) Write(b []byte) (int, error) {
	o.kept = append(o.kept, b[:min(len(b), ExecLimit-len(o.kept))]...)
	return len(b), nil
}

func (o *ExecOutput) String() string { return string(o.kept) }

// Command runs a command in a container to its end, as the container's user, and
// keeps the first of what it prints; see [Streams].Exec. One that the container
// lacks is an exit code, 126 or 127, and no error.
func Command(ctx context.Context, eng Streams, id string, command []string) (ExecResult, error) {
	var stdout, stderr ExecOutput
	code, err := eng.Exec(ctx, id, ExecSpec{Command: command, Stdout: &stdout, Stderr: &stderr})
	switch {
	case errors.Is(err, ErrCannotStart):
		return ExecResult{ExitCode: code, Stderr: err.Error()}, nil
	case err != nil:
		return ExecResult{}, err
	}
	return ExecResult{ExitCode: code, Stdout: stdout.String(), Stderr: stderr.String()}, nil
}
