package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/config"
)

// A combination that fails does not end the others, unless they would fail in the same way, its
// cluster is kept, or the command is interrupted. The exit code is the highest.
func TestCombinationsRunOneAfterTheOther(t *testing.T) {
	up := fmt.Errorf("%w: shop", orchestrator.ErrClusterExists)
	for name, tt := range map[string]struct {
		errs      [3]error
		keep      bool
		interrupt int // the combination that is interrupted, from 1
		want      string
		code      int
	}{
		"all pass":          {want: "passed passed passed", code: 0},
		"the worst counts":  {errs: [3]error{&exited{code: 2}, &exited{code: 7}, nil}, want: "failed failed passed", code: 7},
		"a node fails":      {errs: [3]error{orchestrator.ErrNodeFailed}, want: "failed passed passed", code: exitNodeFailed},
		"a command's own 5": {errs: [3]error{&exited{code: exitUnsupported}}, want: "failed passed passed", code: exitUnsupported},
		"no engine":         {errs: [3]error{nil, orchestrator.ErrEngineUnreachable}, want: "passed failed not run", code: exitUnsupported},
		"the name is taken": {errs: [3]error{up}, want: "failed not run not run", code: exitError},
		"it is kept":        {errs: [3]error{nil, &exited{code: 1}}, keep: true, want: "passed failed not run", code: 1},
		"interrupted":       {interrupt: 2, want: "passed interrupted not run", code: exitInterrupted},
		"a command that ends an interruption by its own code": {errs: [3]error{nil, &exited{code: 9}}, interrupt: 2, want: "passed interrupted not run", code: 9},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			var out, errs bytes.Buffer
			a := testApp(newOutput(&out), newOutput(&errs), time.Unix(0, 0))
			var all []config.Combination
			for i := range 3 {
				all = append(all, config.Combination{Values: []config.MatrixValue{{Key: "nodes", Text: fmt.Sprint(i + 1)}}, Spec: orchestrator.Spec{Warm: i}})
			}
			c := &oneShot{upFlags: upFlags{KeepFailed: tt.keep}}
			results := c.combinations(ctx, a, all, func(_ context.Context, s orchestrator.Spec) error {
				if s.Warm+1 == tt.interrupt {
					cancel(errInterrupted)
				}
				return tt.errs[s.Warm]
			})
			var got []string
			for _, r := range results {
				got = append(got, r.Result)
			}
			if strings.Join(got, " ") != tt.want {
				t.Errorf("%s, want %s\n%s", strings.Join(got, " "), tt.want, &errs)
			}
			err := worstOf(results)
			if code := exitCode(err); code != tt.code || err != nil && !silent(err) {
				t.Errorf("exit code %d, want %d; %v", code, tt.code, err)
			}
		})
	}
}

// The table has a line for each combination. Control codes of a file do not reach the terminal.
func TestMatrixTable(t *testing.T) {
	code := 7
	results := []combinationResult{
		{Values: []config.MatrixValue{{Key: "base_image", Text: "bookworm"}, {Key: "nodes", Text: "3"}}, Result: combinationFailed, ExitCode: &code, Seconds: 12.345},
		{Values: []config.MatrixValue{{Key: "domain", Text: "a\x1b[31m"}}, Result: combinationNotRun},
	}
	var out, errs bytes.Buffer
	a := testApp(newOutput(&out), newOutput(&errs), time.Time{})
	err := a.printMatrix(results)
	want := "COMBINATION                  RESULT   EXIT  TIME\n" +
		"base_image=bookworm nodes=3  failed   7     12.3s\n" +
		"domain=a\\x1b[31m             not run  -     -\n"
	if err != nil || errs.String() != want || out.Len() > 0 {
		t.Errorf("%v\n%s\nwant\n%s", errors.Join(err), &errs, want)
	}
}
