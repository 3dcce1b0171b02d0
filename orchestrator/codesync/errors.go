package codesync

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/beamyard/beamyard/orchestrator/hint"
)

// ErrNoProject means that the image has no Mix project in its working directory.
var ErrNoProject = errors.New("the image holds no Mix project")

// CompileError reports code that does not compile. No node was changed.
type CompileError struct{ Output string }

func (e *CompileError) Error() string {
	return "the code does not compile, no node was changed:\n" + strings.TrimRight(e.Output, "\n")
}

// ColdError reports a change that a running node cannot load. No node was changed.
type ColdError struct {
	Files   []string  // read only when Mix or a node starts
	Modules []string  // modules that run a function when they are loaded
	Next    hint.Hint // how to apply the change
}

func (e *ColdError) Error() string {
	var why []string
	if len(e.Files) > 0 {
		verb := "is"
		if len(e.Files) > 1 {
			verb = "are"
		}
		why = append(why, fmt.Sprintf("%s %s read when a node starts", strings.Join(e.Files, ", "), verb))
	}
	for _, m := range e.Modules {
		why = append(why, short(m)+" runs a function when it is loaded (a NIF)")
	}
	return "running nodes cannot take this change, and none was changed: " + strings.Join(why, "; ")
}

// Hint returns how to apply the change.
func (e *ColdError) Hint() hint.Hint { return e.Next }

// InUseError reports processes that still run code that has already been replaced:
// loading once more would kill them. No node was changed.
type InUseError struct {
	Processes []Process
	Next      hint.Hint // how to kill them
}

func (e *InUseError) Error() string {
	return "no node was changed: the VM keeps two versions of a module, and these processes still run the one before the last:" + lines(e.Processes)
}

// Hint returns how to kill them.
func (e *InUseError) Hint() hint.Hint { return e.Next }

// LostError reports that the compiler ended while this sync waited for its turn. It ends
// if the previous sync was interrupted and its compilation does not finish.
type LostError struct {
	Err  error
	Next hint.Hint
}

func (e *LostError) Error() string {
	return "no node was changed: the compiler ended before it was this sync's turn: " + e.Err.Error()
}

func (e *LostError) Unwrap() error { return e.Err }

// Hint returns how to start the compiler again.
func (e *LostError) Hint() hint.Hint { return e.Next }

// NodesError reports nodes that refused a step, or differ from the compiler after the
// sync.
type NodesError struct {
	Problems []string // "n1: …"
	Next     hint.Hint
}

func (e *NodesError) Error() string {
	return "not every node runs the new code:\n  " + strings.Join(e.Problems, "\n  ")
}

// Hint returns how to bring the nodes to the same code.
func (e *NodesError) Hint() hint.Hint { return e.Next }

// NoProjectError reports an image that has no Mix project in its working directory.
type NoProjectError struct{}

func (NoProjectError) Error() string {
	return "the cluster's image has no Mix project in its working folder: nothing can be compiled there, and no node was changed"
}

// Is reports that it is an [ErrNoProject].
func (NoProjectError) Is(target error) bool { return target == ErrNoProject }

// Hint returns how to get a Mix project into the image.
func (NoProjectError) Hint() hint.Hint {
	return hint.Newf("run the project itself, without dockerfile and image; or build the image again after each change: %s, then %s", hint.Down.With(), hint.Up.With())
}

// WriteError reports an image whose user may not write to its project.
type WriteError struct{ Text string }

func (e *WriteError) Error() string { return "the compiler " + e.Text }

// Hint returns what to change in the image.
func (e *WriteError) Hint() hint.Hint {
	return hint.Text("give the image's user its project: COPY --chown=USER . . in the Dockerfile")
}

// lines lists processes, one per line.
func lines(processes []Process) string {
	var b strings.Builder
	for i, p := range processes {
		if i == 10 {
			fmt.Fprintf(&b, "\n  and %d more", len(processes)-i)
			break
		}
		b.WriteString("\n  " + p.String())
	}
	return b.String()
}

// refusal returns why none of the nodes with these answers may be changed.
func refusal(o Options, root string, d delta, answers []answer) error {
	var inTheWay []Process
	onLoad, files := map[string]bool{}, map[string]bool{}
	for _, a := range answers {
		for _, p := range slices.Concat(a.lacks, a.there) {
			if rel, below := strings.CutPrefix(p, root+"/"); below && cold(rel) {
				files[rel] = true // left by a restart that was begun, and not completed
			}
		}
		inTheWay = append(inTheWay, a.inTheWay...)
		for _, l := range a.load {
			if d.modules[l.module].OnLoad {
				onLoad[l.module] = true
			}
		}
	}
	switch {
	case o.Restart != nil:
		return nil
	case len(onLoad) > 0 || len(files) > 0:
		return &ColdError{Files: slices.Sorted(maps.Keys(files)), Modules: slices.Sorted(maps.Keys(onLoad)), Next: syncRestart(o)}
	case len(inTheWay) > 0:
		return &InUseError{Processes: inTheWay, Next: hint.Newf("kill them and sync: %s", hint.SyncPurge.On(o.Cluster))}
	}
	return nil
}

// problems reports the nodes that are not in the expected state.
func problems(o Options, nodes []Node, outcomes []outcome) error {
	var all []string
	for i, n := range nodes {
		done := outcomes[i]
		for _, p := range slices.Sorted(maps.Keys(done.unwritten)) {
			all = append(all, fmt.Sprintf("%s: %s cannot be written: %s", n.Name, p, done.unwritten[p]))
		}
		for _, m := range slices.Sorted(maps.Keys(done.refused)) {
			all = append(all, fmt.Sprintf("%s: %s was not loaded: %s", n.Name, short(m), done.refused[m]))
		}
		if len(done.refused) > 0 {
			continue // so they differ for that reason
		}
		for _, m := range done.differ {
			all = append(all, fmt.Sprintf("%s: %s is not as it was compiled", n.Name, short(m)))
		}
	}
	if len(all) == 0 {
		return nil
	}
	return &NodesError{Problems: all, Next: syncRestart(o)}
}

// syncRestart returns the sync that restarts the nodes.
func syncRestart(o Options) hint.Hint { return hint.Of(hint.SyncRestart.On(o.Cluster, o.Named...)) }
