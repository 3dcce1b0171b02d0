package history

import (
	"errors"
	"slices"
	"sync"
	"time"
)

// History is a record of operations. Its zero value is an empty history without faults. Its
// methods are safe for concurrent use.
type History struct {
	logs []FaultLog

	mu     sync.Mutex
	ops    []Operation
	faults []Fault
}

// New returns an empty history. The checks name the faults that the logs report.
func New(logs ...FaultLog) *History { return &History{logs: logs} }

// Fault is something that was broken on purpose.
type Fault struct {
	What  string    // "partition n1 | the rest, drop"
	Begin time.Time // from when on it may have had an effect
	End   time.Time // when everything was seen to work again; zero if that has not happened
}

// FaultLog knows the faults of a test. *testsupport.Cluster implements it, and so does
// [History].
type FaultLog interface {
	// Faults returns all faults until now, in the order of their begin.
	Faults() []Fault
}

var _ FaultLog = (*History)(nil)

// Fault notes a fault that no log knows. A zero end means that it is still in force.
func (h *History) Fault(what string, begin, end time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.faults = append(h.faults, Fault{what, begin, end})
}

// Faults implements [FaultLog]: it returns the faults of the logs, and those that were noted.
func (h *History) Faults() []Fault {
	h.mu.Lock()
	all := slices.Clone(h.faults)
	h.mu.Unlock()
	return merge(all, h.logs)
}

// merge adds the faults of logs to others, in the order of their begin.
func merge(all []Fault, logs []FaultLog) []Fault {
	for _, log := range logs {
		all = append(all, log.Faults()...)
	}
	slices.SortStableFunc(all, func(a, b Fault) int { return a.Begin.Compare(b.Begin) })
	return all
}

// Outcome says what a client knows about an operation.
type Outcome int

// The outcomes.
const (
	Unknown Outcome = iota // it may have happened, or may happen later
	OK                     // it happened between its call and its return
	Failed                 // it certainly did not happen
)

// String returns "unknown", "ok" or "failed".
func (o Outcome) String() string {
	switch o {
	case Unknown:
		return "unknown"
	case OK:
		return "ok"
	case Failed:
		return "failed"
	}
	return "no outcome"
}

// Operation is one operation of a client.
type Operation struct {
	Client  string
	Input   any // what was asked, such as [Write] or [Add]
	Outcome Outcome
	Output  any   // the answer of an operation that is ok
	Err     error // why it failed, or is unknown
	Call    time.Time
	Return  time.Time // zero if the operation was never finished
}

// Operations returns the operations until now, in the order of their calls.
func (h *History) Operations() []Operation {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.ops)
}

// Op is an operation that a client has begun.
type Op struct {
	history *History
	at      int // its place in the history
}

// Invoke records that a client begins an operation. The operation is unknown until one of
// the methods of the result reports its outcome. Only the first report counts, so that a
// deferred Unknown covers every early return.
func (h *History) Invoke(client string, input any) *Op {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ops = append(h.ops, Operation{Client: client, Input: input, Call: time.Now()})
	return &Op{h, len(h.ops) - 1}
}

// OK reports that the operation happened, with its answer; nil if there is none.
func (o *Op) OK(output any) { o.finish(OK, output, nil) }

// Failed reports that the operation certainly did not happen.
func (o *Op) Failed(err error) { o.finish(Failed, nil, err) }

// Unknown reports that the operation may have happened, or may happen later: a timeout, a
// nodedown, a lost connection.
func (o *Op) Unknown(err error) { o.finish(Unknown, nil, err) }

func (o *Op) finish(outcome Outcome, output any, err error) {
	o.history.mu.Lock()
	defer o.history.mu.Unlock()
	if op := &o.history.ops[o.at]; op.Return.IsZero() {
		op.Outcome, op.Output, op.Err, op.Return = outcome, output, err, time.Now()
	}
}

// ErrFailed marks errors of operations that certainly did not happen; see [Do].
var ErrFailed = errors.New("the operation did not happen")

// Do records an operation around a function, and returns what the function returns. Without
// an error the operation is ok. With an error that wraps [ErrFailed] it failed. With any
// other error, and if the function does not return, it is unknown: most errors do not tell
// whether a request had an effect before they occurred.
func Do[Output any](h *History, client string, input any, do func() (Output, error)) (Output, error) {
	op := h.Invoke(client, input)
	output, err := do()
	switch {
	case err == nil:
		op.OK(output)
	case errors.Is(err, ErrFailed):
		op.Failed(err)
	default:
		op.Unknown(err)
	}
	return output, err
}
