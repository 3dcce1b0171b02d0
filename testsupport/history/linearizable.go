package history

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
)

// searchTime is the default time limit of [History.Linearizable].
const searchTime = 10 * time.Second

// Linearizable checks that one order of all operations explains every answer: each operation
// takes effect at one moment between its call and its return, and one whose outcome is
// unknown at some moment after its call, or never.
//
// If there is no such order, it reports the operations that fit nowhere, and draws a picture
// of the history with the faults: an HTML file in the folder of the test's evidence, see
// package testsupport. The search can take exponential time in the number of concurrent
// operations, those of unknown outcome above all. It may take as long as within (one value,
// default 10 s). An undecided search is not a pass: the error says so.
func (h *History) Linearizable(tb testing.TB, m Model, within ...time.Duration) {
	tb.Helper()
	limit := searchTime
	if len(within) > 0 {
		limit = within[0]
	}
	ops := h.Operations()
	err := linearizable(ops, m, limit)
	if err == nil {
		return
	}
	text := err.Error()
	var broken *violation
	if errors.As(err, &broken) {
		a := accountOf(ops, h.Faults())
		text = broken.explain(a)
		path, err := save(tb, func(to io.Writer) error { return broken.draw(to, a) })
		if err != nil {
			path = fmt.Sprintf("could not be kept: %v", err)
		}
		text += "\npicture: " + path
	}
	tb.Errorf("%s", text)
}

var (
	errNothing   = errors.New("nothing was checked")
	errUndecided = errors.New("undecided")
)

// violation is a key whose operations no order explains.
type violation struct {
	model  Model
	key    string
	ops    []Operation // those on the key that were judged
	fit    []int       // the order of some of them that explains the most answers
	search porcupine.LinearizationInfo
}

func (v *violation) Error() string {
	return fmt.Sprintf("%s %s is not linearizable: no order of its %d operations explains the answers", v.model.Name, v.key, len(v.ops))
}

// linearizable judges each key on its own. The error is a *violation, or wraps errNothing or
// errUndecided, or says what the model does not know.
func linearizable(ops []Operation, m Model, within time.Duration) error {
	keys := map[string][]Operation{}
	acknowledged := 0
	for _, op := range ops {
		key, err := m.Key(op)
		if err != nil {
			return fmt.Errorf("model %s: client %s: %w", m.Name, op.Client, err)
		}
		if op.Outcome == Failed || op.Outcome == Unknown && m.ReadOnly != nil && m.ReadOnly(op.Input) {
			continue
		}
		if op.Outcome == OK {
			acknowledged++
		}
		keys[key] = append(keys[key], op)
	}
	if acknowledged == 0 {
		return fmt.Errorf("%w: none of %d operations on a %s is ok", errNothing, len(ops), m.Name)
	}
	var undecided []string
	end, origin := time.Now().Add(within), accountOf(ops, nil).begin
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		left := time.Until(end)
		result, search := porcupine.Unknown, porcupine.LinearizationInfo{}
		if left > 0 { // porcupine takes 0 for no limit
			result, search = porcupine.CheckOperationsVerbose(porcupineModel(m), porcupineOperations(keys[key], origin), left)
		}
		switch result {
		case porcupine.Ok:
		case porcupine.Unknown:
			undecided = append(undecided, fmt.Sprintf("%s with %d operations", key, len(keys[key])))
		case porcupine.Illegal:
			return &violation{m, key, keys[key], furthest(search.PartialLinearizations()[0], keys[key]), search}
		}
	}
	if len(undecided) > 0 {
		return fmt.Errorf("%w within %v whether these are linearizable, which is not a pass: %s %s; record fewer operations on a key at once, or allow more time",
			errUndecided, within, m.Name, strings.Join(undecided, "; "))
	}
	return nil
}

// furthest returns the order that explains the most answers, and of several the first in lexical
// order. What is unknown at its end explains nothing, and is cut off.
func furthest(orders [][]int, ops []Operation) []int {
	var best []int
	answers := 0
	for _, o := range orders {
		for len(o) > 0 && ops[o[len(o)-1]].Outcome != OK {
			o = o[:len(o)-1]
		}
		n := 0
		for _, i := range o {
			if ops[i].Outcome == OK {
				n++
			}
		}
		if n > answers || n == answers && slices.Compare(o, best) < 0 {
			best, answers = o, n
		}
	}
	return best
}

// porcupineModel translates a model. The input of an operation there is the whole [Operation].
func porcupineModel(m Model) porcupine.Model {
	return porcupine.Model{
		Init: m.Init,
		Step: func(state, input, _ any) (bool, any) {
			op, _ := input.(Operation)
			next, ok := m.Step(state, op)
			return ok, next
		},
		Equal: reflect.DeepEqual,
		DescribeOperation: func(input, _ any) string {
			op, _ := input.(Operation)
			return op.Client + ": " + op.text()
		},
		DescribeState: func(state any) string { return fmt.Sprint(state) },
	}
}

// porcupineOperations translates the operations on one key; times count from the origin. What is
// unknown returns after everything else.
func porcupineOperations(ops []Operation, origin time.Time) []porcupine.Operation {
	rows := rows(ops)
	all := make([]porcupine.Operation, len(ops))
	for i, op := range ops {
		all[i] = porcupine.Operation{ClientId: rows[i], Input: op, Call: int64(op.Call.Sub(origin)), Return: math.MaxInt64}
		if op.Outcome == OK {
			all[i].Return = int64(op.Return.Sub(origin))
		}
	}
	return all
}

// rows assigns a row of the picture to each operation. A client goes on in a new row after an
// operation whose outcome is unknown, because that one lasts until the end.
func rows(ops []Operation) []int {
	type row struct {
		client string
		until  time.Time
		full   bool
	}
	var used []row
	assigned := make([]int, len(ops))
	for i, op := range ops {
		at := slices.IndexFunc(used, func(r row) bool { return r.client == op.Client && !r.full && r.until.Before(op.Call) })
		if at < 0 {
			at = len(used)
			used = append(used, row{})
		}
		used[at] = row{op.Client, op.Return, op.Outcome != OK}
		assigned[i] = at
	}
	return assigned
}

// explain says where the search ended, and which operations fit nowhere.
func (v *violation) explain(a account) string {
	state := v.model.Init()
	for _, i := range v.fit {
		state, _ = v.model.Step(state, v.ops[i])
	}
	var b strings.Builder
	fmt.Fprintln(&b, v)
	if n := len(v.fit); n == 0 {
		fmt.Fprintf(&b, "at first it holds %v, and none of these can be next:\n", state)
	} else {
		fmt.Fprintf(&b, "after %d of them, the last of which is\n  %s\nit holds %v, and none of these can be next:\n", n, a.line(v.ops[v.fit[n-1]]), state)
	}
	a.list(&b, v.next())
	b.WriteString(a.legend())
	return b.String()
}

// next returns the operations one of which would have to come next: those that are ok and
// were called before any that is left returned. The one that returned first comes first.
func (v *violation) next() []Operation {
	var left []Operation
	for i, op := range v.ops {
		if op.Outcome == OK && !slices.Contains(v.fit, i) {
			left = append(left, op)
		}
	}
	slices.SortStableFunc(left, func(a, b Operation) int { return a.Return.Compare(b.Return) })
	return slices.DeleteFunc(left, func(op Operation) bool { return op.Call.After(left[0].Return) })
}

// draw writes the picture as an HTML page.
func (v *violation) draw(to io.Writer, a account) error {
	var notes []porcupine.Annotation
	for i, f := range a.faults {
		end := f.End
		if end.IsZero() {
			end = a.end
		}
		notes = append(notes, porcupine.Annotation{
			Tag: fmt.Sprintf("fault %d", i+1), Description: f.What, Details: a.lasted(f), BackgroundColor: "#ffd0d0",
			Start: int64(f.Begin.Sub(a.begin)), End: int64(end.Sub(a.begin)),
		})
	}
	v.search.AddAnnotations(notes)
	return porcupine.Visualize(porcupineModel(v.model), v.search, to)
}
