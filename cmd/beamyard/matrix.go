package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/config"
	"github.com/beamyard/beamyard/orchestrator/parking"
	"github.com/beamyard/beamyard/orchestrator/validation"
)

// combinationResult is how one combination of a matrix ended, in JSON and in the table.
type combinationResult struct {
	Values   []config.MatrixValue `json:"values"`
	Result   string               `json:"result"`              // passed, failed, interrupted or not run
	ExitCode *int                 `json:"exit_code,omitempty"` // nil: not run
	Seconds  float64              `json:"seconds"`
}

// matrixReport is the answer in JSON of a command that ran a matrix.
type matrixReport struct {
	Matrix []combinationResult `json:"matrix"`
}

const (
	combinationPassed      = "passed"
	combinationFailed      = "failed"
	combinationInterrupted = "interrupted"
	combinationNotRun      = "not run"
)

// each calls one with the spec that the flags and the file ask for, or with that of each
// combination of the file's matrix, one after the other. A spec has n nodes if nothing gives a
// number, and a name that is not given gets the ending. fixed are keys that the command decides.
//
// A combination that fails does not end the others, unless they would fail in the same way, or its
// cluster is kept. The error has the highest exit code of all.
func (c *oneShot) each(ctx context.Context, a *app, n int, ending string, fixed []string, one func(context.Context, orchestrator.Spec) error) error {
	all, err := config.Matrix(c.What, c.File)
	if err != nil {
		return err
	}
	all, replaced := config.Without(all, c.given()...)
	all, without := config.Without(all, fixed...)
	if len(replaced) > 0 {
		a.say("the command line decides about these keys of the matrix: %s", strings.Join(replaced, ", "))
	}
	if len(without) > 0 {
		a.say("these keys of the matrix have no effect here: %s", strings.Join(without, ", "))
	}
	if len(all) == 0 || len(all) == 1 && len(all[0].Values) == 0 {
		spec, err := c.specOf(n, ending)
		if err != nil {
			return err
		}
		return one(ctx, spec)
	}
	if c.Reuse {
		return usagef("leave --reuse out, or let flags decide about the keys of the matrix: -n 3, --base trixie",
			"--reuse: one cluster cannot be that of %s of the matrix", plural(len(all), "combination"))
	}
	for i := range all { // before the first one takes its time
		if all[i].Spec, err = c.settled(all[i].Spec, n, ending); err == nil {
			err = validation.Check(all[i].Spec)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", all[i], err)
		}
	}
	c.inMatrix = true
	if parking.Wanted(all[0].Spec) > 0 {
		a.say("warm is not used with a matrix: no cluster is prepared in advance")
	}
	results := c.combinations(ctx, a, all, one)
	if err := a.printMatrix(results); err != nil {
		return err
	}
	return worstOf(results)
}

// combinations runs each combination, and prints its error when it has ended.
func (c *oneShot) combinations(ctx context.Context, a *app, all []config.Combination, one func(context.Context, orchestrator.Spec) error) []combinationResult {
	results := make([]combinationResult, len(all))
	over := false
	for i, combination := range all {
		results[i] = combinationResult{Values: combination.Values, Result: combinationNotRun}
		if over {
			continue
		}
		a.say("── %d of %d: %s ──", i+1, len(all), combination)
		began := a.now()
		err := one(ctx, combination.Spec)
		code := a.fail(ctx, err)
		results[i].ended(code, ctx.Err() != nil, a.now().Sub(began))
		over = ctx.Err() != nil || endsMatrix(err) || code != exitOK && c.KeepFailed
	}
	return results
}

// ended notes how a combination ended.
func (r *combinationResult) ended(code int, interrupted bool, took time.Duration) {
	r.ExitCode, r.Seconds = &code, took.Round(time.Millisecond).Seconds()
	switch {
	case interrupted:
		r.Result = combinationInterrupted
	case code == exitOK:
		r.Result = combinationPassed
	default:
		r.Result = combinationFailed
	}
}

// endsMatrix reports whether the next combination would fail in the same way: there is no usable
// engine, or the name is taken.
func endsMatrix(err error) bool {
	var program *exited
	return !errors.As(err, &program) && (exitCode(err) == exitUnsupported || errors.Is(err, orchestrator.ErrClusterExists))
}

// worstOf returns an error with the highest exit code, which has been reported; nil if all passed,
// or were interrupted without another code.
func worstOf(results []combinationResult) error {
	worst := exitOK
	for _, r := range results {
		if r.ExitCode != nil {
			worst = max(worst, *r.ExitCode)
		}
	}
	if worst == exitOK {
		return nil
	}
	return &exited{code: worst}
}

// printMatrix prints the results: as a table on stderr, because stdout has the output of what ran,
// or as a last line of JSON on stdout.
func (a *app) printMatrix(results []combinationResult) error {
	if a.json {
		return a.printJSONLine(matrixReport{results})
	}
	rows := [][]cell{{{"COMBINATION", "1"}, {"RESULT", "1"}, {"EXIT", "1"}, {"TIME", "1"}}}
	colors := map[string]string{combinationPassed: "32", combinationFailed: "31"}
	for _, r := range results {
		code, took := "-", "-"
		if r.ExitCode != nil {
			code, took = fmt.Sprint(*r.ExitCode), fmt.Sprintf("%.1fs", r.Seconds)
		}
		rows = append(rows, []cell{{config.Combination{Values: r.Values}.String(), ""}, {r.Result, colors[r.Result]}, {code, ""}, {took, ""}})
	}
	return writeTable(a.err, a.err.color, rows)
}

// given returns the keys of beamyard.yml about which the command line decides.
func (c *upFlags) given() []string {
	var keys []string
	for key, given := range map[string]bool{
		"nodes": c.Nodes != nil, "base_image": c.Base != "", "dockerfile": c.Dockerfile != "", "ready_timeout": c.WaitTimeout != 0,
		"keep_on_failure": c.KeepFailed, "keep_dumps": c.KeepDumps != "", "hosts": c.Hosts != "",
		"source": c.What != "" && c.File != "", "image": c.What != "" && c.File != "",
		"mix_env": slices.ContainsFunc(c.Env, func(kv string) bool { return kv == "MIX_ENV" || strings.HasPrefix(kv, "MIX_ENV=") }),
	} {
		if given {
			keys = append(keys, key)
		}
	}
	switch info, err := os.Stat(c.What); { // a mix.exs or a Dockerfile can be named, see config.Of
	case err != nil || !info.Mode().IsRegular():
	case filepath.Base(c.What) == "mix.exs":
		keys = append(keys, "dockerfile", "target", "args")
	case !slices.Contains([]string{".yml", ".yaml"}, filepath.Ext(c.What)):
		keys = append(keys, "dockerfile")
	}
	return keys
}

// sayMatrix says that a command does not run the combinations of a file's matrix.
func (a *app) sayMatrix(what, file string) {
	if all, err := config.Matrix(what, file); err == nil && len(all) > 0 { // an error is reported where the spec is read
		a.say("the matrix of %s is for beamyard run and beamyard test; this command uses the file without it", config.Name)
	}
}
