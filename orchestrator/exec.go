package orchestrator

import (
	"context"
	"errors"
)

// ExecLimit is how many bytes of each stream an [ExecResult] holds.
const ExecLimit = 64 << 10

// ExecResult is the result of a command in a container.
type ExecResult struct {
	// ExitCode of the command. An engine also returns 126 and 127 for a command that
	// cannot be run or does not exist, with its error text in Stderr.
	ExitCode int    `json:"exit_code"`
	Stdout   string `json:"stdout,omitempty"` // the first 64 KiB
	Stderr   string `json:"stderr,omitempty"` // the first 64 KiB
}

// ExecOutput keeps the first [ExecLimit] bytes written to it and discards the rest, so
// that a command with endless output uses no more memory and is not blocked. It is not
// safe for concurrent use.
type ExecOutput struct{ kept []byte }

// Write always succeeds.
func (o *ExecOutput) Write(b []byte) (int, error) {
	o.kept = append(o.kept, b[:min(len(b), ExecLimit-len(o.kept))]...)
	return len(b), nil
}

func (o *ExecOutput) String() string { return string(o.kept) }

// Command runs a command in a container until it exits, as the container's user, and
// returns the beginning of its output; see [Streams].Exec. A command that the container
// lacks results in the exit code 126 or 127, not in an error.
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
