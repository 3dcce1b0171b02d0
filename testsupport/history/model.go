package history

import (
	"fmt"
	"math"
	"reflect"
	"slices"
)

// Model says what a correct system without concurrency would answer. [Register] and [Queue]
// are ready-made. Values are compared as Go's reflect.DeepEqual does, except that integers
// are equal regardless of their type, and []byte and string with the same bytes.
type Model struct {
	// Name in errors: "register".
	Name string

	// Key returns what an operation works on. Operations on different keys are judged
	// separately, which makes the search much faster. An error means that the model does
	// not know such an operation, or such an answer.
	Key func(Operation) (string, error)

	// ReadOnly reports whether an input has no effect. If its outcome is unknown, it is left
	// out. Nil means that every input has an effect.
	ReadOnly func(input any) bool

	// Init returns the state of each key at first.
	Init func() any

	// Step reports whether an operation can happen in a state, and returns the state after
	// it. It must not change the given state. Operations that failed are left out. One whose
	// outcome is unknown has no answer, and the model says what happens if it takes effect.
	Step func(state any, op Operation) (next any, ok bool)
}

// Read reads a register. Its answer is the value.
type Read struct{ Key string }

// Write sets a register. Its answer does not matter.
type Write struct {
	Key   string
	Value any
}

// CAS compares a register with Old, and sets it to New if it is equal. Its answer is a bool:
// whether it was set.
type CAS struct {
	Key      string
	Old, New any
}

// Enqueue adds a value at the end of a queue. The value is not nil. Its answer does not
// matter.
type Enqueue struct {
	Queue string
	Value any
}

// Dequeue removes the first value of a queue. Its answer is the value, or nil if the queue
// was empty.
type Dequeue struct{ Queue string }

// Add adds a value to a set, or a number to a counter; see [History.NothingLost].
type Add struct{ Value any }

// String returns "read x".
func (r Read) String() string { return "read " + r.Key }

// String returns "write x = 3".
func (w Write) String() string { return fmt.Sprintf("write %s = %v", w.Key, w.Value) }

// String returns "cas x: 3 → 4".
func (c CAS) String() string { return fmt.Sprintf("cas %s: %v → %v", c.Key, c.Old, c.New) }

// String returns "enqueue q: 3".
func (e Enqueue) String() string { return fmt.Sprintf("enqueue %s: %v", e.Queue, e.Value) }

// String returns "dequeue q".
func (d Dequeue) String() string { return "dequeue " + d.Queue }

// String returns "add 3".
func (a Add) String() string { return fmt.Sprintf("add %v", a.Value) }

// Register is the model of registers, one for each key, with [Read], [Write] and [CAS]. Each
// holds initial at first.
func Register(initial any) Model {
	return Model{
		Name: "register",
		Key: func(op Operation) (string, error) {
			switch in := op.Input.(type) {
			case Read:
				return in.Key, nil
			case Write:
				return in.Key, nil
			case CAS:
				if _, is := op.Output.(bool); op.Outcome == OK && !is {
					return "", fmt.Errorf("the answer to %s is %#v, and must be a bool", in, op.Output)
				}
				return in.Key, nil
			}
			return "", fmt.Errorf("%#v is not an operation on a register", op.Input)
		},
		ReadOnly: func(input any) bool { _, is := input.(Read); return is },
		Init:     func() any { return plain(initial) },
		Step:     stepRegister,
	}
}

func stepRegister(state any, op Operation) (next any, ok bool) {
	switch in := op.Input.(type) {
	case Read:
		return state, same(state, op.Output)
	case Write:
		return plain(in.Value), true
	case CAS:
		equal := same(state, in.Old)
		if op.Outcome == OK && op.Output != equal {
			return state, false
		}
		if equal {
			return plain(in.New), true
		}
		return state, true
	}
	return state, false
}

// Queue is the model of first-in-first-out queues, one for each name, with [Enqueue] and
// [Dequeue]. Each is empty at first.
func Queue() Model {
	return Model{
		Name: "queue",
		Key: func(op Operation) (string, error) {
			switch in := op.Input.(type) {
			case Enqueue:
				if in.Value == nil {
					return "", fmt.Errorf("%s: nil stands for an empty queue", in)
				}
				return in.Queue, nil
			case Dequeue:
				return in.Queue, nil
			}
			return "", fmt.Errorf("%#v is not an operation on a queue", op.Input)
		},
		Init: func() any { return []any{} },
		Step: stepQueue,
	}
}

func stepQueue(state any, op Operation) (next any, ok bool) {
	values, _ := state.([]any)
	switch in := op.Input.(type) {
	case Enqueue:
		return append(slices.Clone(values), plain(in.Value)), true
	case Dequeue:
		if len(values) == 0 {
			return state, op.Outcome != OK || op.Output == nil
		}
		return values[1:], op.Outcome != OK || same(values[0], op.Output)
	}
	return state, false
}

// same compares values, regardless of how Go represents them.
func same(a, b any) bool { return reflect.DeepEqual(plain(a), plain(b)) }

// plain returns an int64 for any integer that fits, and a string for bytes: a decoded term and
// a Go literal of the same value then have the same type.
func plain(v any) any {
	switch r := reflect.ValueOf(v); {
	case !r.IsValid():
	case r.CanInt():
		return r.Int()
	case r.CanUint() && r.Uint() <= math.MaxInt64:
		return int64(r.Uint())
	default:
		if bytes, is := v.([]byte); is {
			return string(bytes)
		}
	}
	return v
}
