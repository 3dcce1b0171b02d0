package faults

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/beamyard/beamyard/network/fault"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/hint"
)

// helperVariable makes a program a helper. Its value is the request.
const helperVariable = "BEAMYARD_FAULT_HELPER"

// init makes a helper of any program that links this package, before its main function runs: a
// command, a test binary, or a program of somebody who uses the library.
func init() {
	if text, helps := os.LookupEnv(helperVariable); helps {
		if err := help(text, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
}

// request is what a helper has to do in its network namespace.
type request struct {
	Rules *fault.Rules `json:"rules,omitempty"` // to be in force from now on; nil: they stay
	Reset []netip.Addr `json:"reset,omitempty"` // peers to which connections are reset
	At    time.Time    `json:"at,omitzero"`     // when to do it; zero: at once
	// Ends is when the rules of a blip end. They end as much later as the helper is late.
	Ends time.Time `json:"ends,omitzero"`

	// Members are the nodes of a helper that works for several.
	Members []member `json:"members,omitempty"`

	// Helpers that stay after their answer.
	Resolve []fault.Answer `json:"resolve,omitempty"`
	Keep    *keep          `json:"keep,omitempty"`
}

// answer is one line of JSON, which the helper prints.
type answer struct {
	Rules       string `json:"rules"` // read back from the kernel
	Reset       int    `json:"reset"` // how many connections were reset
	Stays       bool   `json:"stays,omitempty"`
	Error       string `json:"error,omitempty"`
	Unsupported bool   `json:"unsupported,omitempty"` // the kernel lacks something

	Members []answer `json:"members,omitempty"` // of the request's members, in their order
}

func (a *answer) fail(err error) {
	if err != nil {
		a.Error, a.Unsupported = err.Error(), errors.Is(err, errors.ErrUnsupported)
	}
}

// help does what a request says, in the network namespace of the calling process, and writes the
// answer. It needs CAP_NET_ADMIN there.
func help(text string, w io.Writer) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var r request
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		return fmt.Errorf("read the request: %w", err)
	}
	r.wait()
	var a answer
	said := false
	say := func(stays bool) {
		a.Stays, said = stays, true
		_ = json.NewEncoder(w).Encode(a) // nobody reads it if it fails
	}
	var err error
	switch {
	case r.Members != nil:
		a.Members = helpMembers(r.Members)
	case r.Resolve != nil:
		err = fault.Resolve(untilLast(r.Resolve), r.Resolve, func() { say(true) })
	case r.Keep != nil:
		if err = enter(); err == nil {
			err = r.Keep.run(say)
		}
	default:
		err = r.do(&a)
	}
	if said {
		return err
	}
	a.fail(err)
	say(false)
	return nil
}

// untilLast returns a context that ends with the last of the answers.
func untilLast(answers []fault.Answer) context.Context {
	var last time.Time
	for _, a := range answers {
		if a.Until.IsZero() {
			return context.Background()
		}
		if a.Until.After(last) {
			last = a.Until
		}
	}
	ctx, cancel := context.WithDeadline(context.Background(), last)
	context.AfterFunc(ctx, cancel)
	return ctx
}

// wait waits until it is time to do it.
func (r *request) wait() {
	late := time.Since(r.At)
	switch {
	case r.At.IsZero():
	case late < 0:
		time.Sleep(-late)
	case r.Rules != nil && !r.Ends.IsZero():
		for i, c := range r.Rules.Cuts {
			if c.Until.Equal(r.Ends) {
				r.Rules.Cuts[i].Until = c.Until.Add(late)
			}
		}
	}
}

func (r request) do(a *answer) error {
	if len(r.Reset) > 0 {
		reset, err := fault.ResetConnections(r.Reset...)
		if a.Reset = reset; err != nil {
			return err
		}
	}
	if r.Rules == nil {
		return nil
	}
	if err := fault.Apply(*r.Rules); err != nil {
		return err
	}
	now, err := fault.Read()
	a.Rules = now.String()
	return err
}

// readAnswer waits for the answer of a helper.
func readAnswer(ctx context.Context, eng orchestrator.Streams, id string) (answer, error) {
	logs, err := eng.Logs(ctx, id, time.Time{}, true)
	if err != nil {
		return answer{}, fmt.Errorf("read the helper's output: %w", err)
	}
	defer logs.Close()
	var said []byte
	for len(said) < 1<<20 {
		part, err := logs.Next()
		if err != nil {
			break // its end: what it printed until then counts
		}
		said = append(said, part.Text...)
		if bytes.HasSuffix(said, []byte("\n")) {
			break
		}
	}
	var a answer
	switch err := json.Unmarshal(said, &a); {
	case ctx.Err() != nil:
		return answer{}, ctx.Err()
	case err != nil:
		return answer{}, fmt.Errorf("the helper did not answer; it printed %q", said)
	case a.Unsupported:
		return answer{}, orchestrator.WithHint(fmt.Errorf("%w: %s", orchestrator.ErrFaultUnsupported, strings.ReplaceAll(a.Error, "\n", "; ")),
			"see what the kernel of the engine's machine can do, and the modules to load: %s", hint.Doctor.With())
	case a.Error != "":
		return answer{}, errors.New(a.Error)
	}
	return a, nil
}
