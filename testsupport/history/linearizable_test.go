package history

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// origin is when the histories of these tests begin.
var origin = time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC)

func ms(n int) time.Time { return origin.Add(time.Duration(n) * time.Millisecond) }

var errLost = errors.New("connection lost")

func ok(client string, call, end int, input, output any) Operation {
	return Operation{Client: client, Input: input, Outcome: OK, Output: output, Call: ms(call), Return: ms(end)}
}

func failed(client string, call, end int, input any) Operation {
	return Operation{Client: client, Input: input, Outcome: Failed, Err: ErrFailed, Call: ms(call), Return: ms(end)}
}

func unknown(client string, call, end int, input any) Operation {
	return Operation{Client: client, Input: input, Outcome: Unknown, Err: errLost, Call: ms(call), Return: ms(end)}
}

func TestLinearizable(t *testing.T) {
	t.Parallel()
	x := func(v any) Write { return Write{"x", v} }
	read := Read{"x"}
	for _, test := range []struct {
		name  string
		model Model
		ops   []Operation
		want  string // part of the error; "" for none
	}{
		{"one after the other", Register(0), []Operation{ok("a", 0, 1, read, 0), ok("a", 2, 3, x(1), nil), ok("b", 4, 5, read, 1)}, ""},
		{"a stale read", Register(0), []Operation{ok("a", 0, 1, x(1), nil), ok("b", 2, 3, read, 0)}, "register x is not linearizable: no order of its 2 operations"},
		{"a read of what was never written", Register(0), []Operation{ok("a", 0, 1, read, 7)}, "not linearizable"},
		{"a read during a write gives either", Register(0), []Operation{ok("a", 0, 9, x(1), nil), ok("b", 1, 2, read, 0), ok("b", 3, 4, read, 1)}, ""},
		{"the new value, and then the old one", Register(0), []Operation{ok("a", 0, 9, x(1), nil), ok("b", 1, 2, read, 1), ok("b", 3, 4, read, 0)}, "not linearizable"},
		{"a call at the moment of a return is concurrent", Register(0), []Operation{ok("a", 0, 2, x(1), nil), ok("b", 2, 3, read, 0)}, ""},
		{"a write that failed is not read", Register(0), []Operation{failed("a", 0, 1, x(1)), ok("b", 2, 3, read, 1)}, "not linearizable"},
		{"a write that failed", Register(0), []Operation{failed("a", 0, 1, x(1)), ok("b", 2, 3, read, 0)}, ""},
		{"an unknown write that happened", Register(0), []Operation{unknown("a", 0, 1, x(1)), ok("b", 2, 3, read, 1)}, ""},
		{"an unknown write that did not", Register(0), []Operation{unknown("a", 0, 1, x(1)), ok("b", 2, 3, read, 0)}, ""},
		{"an unknown write that happens late", Register(0), []Operation{unknown("a", 0, 1, x(1)), ok("b", 2, 3, read, 0), ok("b", 4, 5, read, 1)}, ""},
		{"an unknown write that is undone", Register(0), []Operation{unknown("a", 0, 1, x(1)), ok("b", 2, 3, read, 1), ok("b", 4, 5, read, 0)}, "not linearizable"},
		{"an unknown write before its call", Register(0), []Operation{ok("b", 0, 1, read, 1), unknown("a", 2, 3, x(1))}, "not linearizable"},
		{"an unknown read says nothing", Register(0), []Operation{ok("a", 0, 1, x(1), nil), unknown("b", 2, 3, read)}, ""},
		{"keys are separate", Register(0), []Operation{ok("a", 0, 1, x(1), nil), ok("a", 2, 3, Read{"y"}, 0)}, ""},
		{"the key is named", Register(0), []Operation{ok("a", 0, 1, x(1), nil), ok("a", 2, 3, Read{"y"}, 1)}, "register y"},
		{"integers of any type are equal", Register(int8(0)), []Operation{ok("a", 0, 1, x(uint64(7)), nil), ok("b", 2, 3, read, int64(7))}, ""},
		{"bytes and text are equal", Register(nil), []Operation{ok("b", 0, 1, read, nil), ok("a", 2, 3, x("seven"), nil), ok("b", 4, 5, read, []byte("seven"))}, ""},

		{"cas", Register(0), []Operation{ok("a", 0, 1, CAS{"x", 0, 1}, true), ok("b", 2, 3, CAS{"x", 0, 2}, false), ok("a", 4, 5, read, 1)}, ""},
		{"two cas of one value", Register(0), []Operation{ok("a", 0, 9, CAS{"x", 0, 1}, true), ok("b", 0, 9, CAS{"x", 0, 2}, true)}, "not linearizable"},
		{"a cas that finds no difference", Register(0), []Operation{ok("a", 0, 1, CAS{"x", 0, 1}, false)}, "not linearizable"},
		{"an unknown cas that happened", Register(0), []Operation{unknown("a", 0, 1, CAS{"x", 0, 1}), ok("b", 2, 3, read, 1)}, ""},
		{"an unknown cas that did not", Register(0), []Operation{unknown("a", 0, 1, CAS{"x", 0, 1}), ok("b", 2, 3, read, 0)}, ""},
		{"the answer to a cas is no bool", Register(0), []Operation{ok("a", 0, 1, CAS{"x", 0, 1}, "yes")}, `model register: client a: the answer to cas x: 0 → 1 is "yes", and must be a bool`},

		{"a queue", Queue(), []Operation{ok("a", 0, 1, Enqueue{"q", 1}, nil), ok("a", 2, 3, Enqueue{"q", 2}, nil), ok("b", 4, 5, Dequeue{"q"}, 1), ok("b", 6, 7, Dequeue{"q"}, 2), ok("b", 8, 9, Dequeue{"q"}, nil)}, ""},
		{"out of order", Queue(), []Operation{ok("a", 0, 1, Enqueue{"q", 1}, nil), ok("a", 2, 3, Enqueue{"q", 2}, nil), ok("b", 4, 5, Dequeue{"q"}, 2)}, "queue q is not linearizable"},
		{"delivered twice", Queue(), []Operation{ok("a", 0, 1, Enqueue{"q", 1}, nil), ok("b", 2, 9, Dequeue{"q"}, 1), ok("c", 2, 9, Dequeue{"q"}, 1)}, "not linearizable"},
		{"lost", Queue(), []Operation{ok("a", 0, 1, Enqueue{"q", 1}, nil), ok("b", 2, 3, Dequeue{"q"}, nil)}, "not linearizable"},
		{"taken by an unknown dequeue", Queue(), []Operation{ok("a", 0, 1, Enqueue{"q", 1}, nil), unknown("b", 2, 3, Dequeue{"q"}), ok("c", 4, 5, Dequeue{"q"}, nil)}, ""},
		{"not taken by an unknown dequeue", Queue(), []Operation{ok("a", 0, 1, Enqueue{"q", 1}, nil), unknown("b", 2, 3, Dequeue{"q"}), ok("c", 4, 5, Dequeue{"q"}, 1)}, ""},
		{"nil is no value", Queue(), []Operation{ok("a", 0, 1, Enqueue{"q", nil}, nil)}, "nil stands for an empty queue"},

		{"nothing", Register(0), nil, "nothing was checked: none of 0 operations"},
		{"nothing that is ok", Register(0), []Operation{unknown("a", 0, 1, x(1)), failed("a", 0, 1, x(1))}, "nothing was checked: none of 2 operations on a register is ok"},
		{"of another model", Register(0), []Operation{ok("a", 0, 1, Dequeue{"q"}, nil)}, "model register: client a: history.Dequeue{"},
		{"of another model, too", Queue(), []Operation{ok("a", 0, 1, read, nil)}, "is not an operation on a queue"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			err := linearizable(test.ops, test.model, searchTime)
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("%v, want %q", err, test.want)
			}
		})
	}
}

// An undecided search is not a pass.
func TestUndecided(t *testing.T) {
	t.Parallel()
	ops := []Operation{ok("a", 0, 1, Write{"x", 1}, nil)}
	for _, within := range []time.Duration{0, time.Millisecond} {
		m := Register(0)
		step := m.Step
		m.Step = func(state any, op Operation) (any, bool) {
			<-time.After(20 * time.Millisecond) // a search that takes long
			return step(state, op)
		}
		err := linearizable(ops, m, within)
		if !errors.Is(err, errUndecided) || !strings.Contains(err.Error(), "which is not a pass: register x with 1 operations") {
			t.Errorf("within %v: %v", within, err)
		}
	}
	// A violation that is found counts, whatever is undecided beside it.
	m := Register(0)
	if err := linearizable(append(ops, ok("a", 2, 3, Read{"x"}, 0)), m, time.Minute); errors.Is(err, errUndecided) || err == nil {
		t.Error(err)
	}
}

// randomOperations draws a short history on one register. Most of them are not linearizable.
func randomOperations(t *rapid.T) []Operation {
	var ops []Operation
	for i := range rapid.IntRange(1, 5).Draw(t, "count") {
		call := rapid.IntRange(0, 8).Draw(t, "call")
		op := Operation{Client: fmt.Sprint(i), Call: ms(call), Return: ms(call + rapid.IntRange(0, 6).Draw(t, "took"))}
		value := rapid.IntRange(0, 2)
		op.Outcome = rapid.SampledFrom([]Outcome{OK, OK, OK, Unknown, Failed}).Draw(t, "outcome")
		switch rapid.SampledFrom([]string{"read", "write", "cas"}).Draw(t, "input") {
		case "read":
			op.Input, op.Output = Read{"x"}, value.Draw(t, "output")
		case "write":
			op.Input = Write{"x", value.Draw(t, "value")}
		case "cas":
			op.Input, op.Output = CAS{"x", value.Draw(t, "old"), value.Draw(t, "new")}, rapid.Bool().Draw(t, "output")
		}
		ops = append(ops, op)
	}
	return ops
}

// ordered reports whether some order of the operations explains the answers, by trying all: a
// second way to say what Linearizable promises.
func ordered(state int, left []Operation) bool {
	if !slices.ContainsFunc(left, func(op Operation) bool { return op.Outcome == OK }) {
		return true // unknown operations may never happen
	}
	for i, op := range left {
		if slices.ContainsFunc(left, func(o Operation) bool { return o.Outcome == OK && o.Return.Before(op.Call) }) {
			continue // another one has to come first
		}
		next, fits := state, true
		switch in := op.Input.(type) {
		case Read:
			fits = op.Outcome == Unknown || op.Output == state
		case Write:
			next, _ = in.Value.(int)
		case CAS:
			fits = op.Outcome == Unknown || op.Output == (in.Old == state)
			if in.Old == state {
				next, _ = in.New.(int)
			}
		}
		if fits && ordered(next, slices.Delete(slices.Clone(left), i, i+1)) {
			return true
		}
	}
	return false
}

func TestLinearizableAgreesWithAllOrders(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		ops := randomOperations(t)
		err := linearizable(ops, Register(0), time.Minute)
		if errors.Is(err, errNothing) {
			t.Skip("nothing is ok")
		}
		judged := slices.DeleteFunc(slices.Clone(ops), func(op Operation) bool { return op.Outcome == Failed })
		if want := ordered(0, judged); want != (err == nil) {
			t.Fatalf("%v, and an order exists: %t", err, want)
		}
		var broken *violation
		if errors.As(err, &broken) {
			if text := broken.explain(accountOf(ops, nil)); len(broken.next()) == 0 || !strings.Contains(text, broken.next()[0].Client) {
				t.Fatalf("nothing is named: %s", text)
			}
		}
	})
}

// report is a test that collects what a check reports.
type report struct {
	testing.TB
	text string
}

// Errorf implements testing.TB.
func (r *report) Errorf(format string, args ...any) { r.text += fmt.Sprintf(format, args...) }

func TestLinearizableReports(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("BEAMYARD_EXPORT_DIR", dir)
	log := New()
	log.Fault("partition n1 | the rest, drop", ms(1500), time.Time{})
	log.Fault("crash n2", ms(-200), ms(1300))
	log.Fault("of another test", ms(-300), ms(-250))
	h := New(log)
	h.ops = []Operation{
		ok("n1", 0, 1, Write{"x", 1}, nil),
		ok("n1", 1200, 1210, Write{"x", 2}, nil),
		ok("n2", 1230, 1310, Read{"x"}, 2),
		unknown("n3", 1400, 1600, Write{"x", 3}),
		{Client: "n4", Input: Write{"x", 4}, Call: ms(1800)},
		ok("n2", 2000, 2005, Read{"x"}, 1),
		ok("n2", 2001, 2009, Read{"x"}, 1),
		ok("n2", 2006, 2012, Read{"x"}, 1),
	}
	r := &report{TB: t}
	h.Linearizable(r, Register(nil))
	text, path, found := strings.Cut(r.text, "\npicture: ")
	want := `register x is not linearizable: no order of its 8 operations explains the answers
after 3 of them, the last of which is
  +1.23s  client n2: read x, answer 2, after 80ms, fault 1
it holds 2, and none of these can be next:
  +2s  client n2: read x, answer 1, after 5ms, fault 2
  +2.001s  client n2: read x, answer 1, after 8ms, fault 2
fault 1: crash n2, from -200ms to +1.3s
fault 2: partition n1 | the rest, drop, since +1.5s
+0s is 15:04:05.000`
	if text != want {
		t.Errorf("%s\nwant\n%s", text, want)
	}
	picture, err := os.ReadFile(path)
	if !found || err != nil || !strings.HasPrefix(path, dir+"/TestLinearizableReports-history-") {
		t.Fatalf("%q: %v", path, err)
	}
	for _, part := range []string{"<html", "n3: write x = 3, unknown (connection lost)", "n4: write x = 4, never finished", "n2: read x, answer 1", "partition n1 | the rest, drop", `"fault 2"`} {
		if !strings.Contains(string(picture), part) {
			t.Errorf("the picture has no %q", part)
		}
	}
	r.text = ""
	h.ops = h.ops[:5]
	h.Linearizable(r, Register(nil))
	if r.text != "" {
		t.Error(r.text)
	}
	h.Linearizable(r, Register(nil), -time.Second)
	if !strings.HasPrefix(r.text, "undecided within -1s") {
		t.Error(r.text)
	}
	t.Setenv("BEAMYARD_EXPORT_DIR", os.DevNull)
	r.text = ""
	h.ops = append(h.ops, ok("n2", 2000, 2005, Read{"x"}, 1))
	h.Linearizable(r, Register(nil))
	if !strings.Contains(r.text, "picture: could not be kept: ") {
		t.Error(r.text)
	}
}

func TestRows(t *testing.T) {
	t.Parallel()
	got := rows([]Operation{
		ok("a", 0, 5, nil, nil), ok("b", 1, 2, nil, nil), unknown("b", 3, 4, nil), ok("b", 5, 9, nil, nil), ok("a", 6, 7, nil, nil), ok("b", 8, 9, nil, nil),
	})
	if want := []int{0, 1, 1, 2, 0, 3}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
