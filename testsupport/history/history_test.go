package history

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestOutcomes(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		finish func(*Op)
		want   string
	}{
		{"ok", func(o *Op) { o.OK(7) }, "ok 7 <nil> true"},
		{"failed", func(o *Op) { o.Failed(ErrFailed) }, "failed <nil> the operation did not happen true"},
		{"unknown", func(o *Op) { o.Unknown(errLost) }, "unknown <nil> connection lost true"},
		{"never finished", func(*Op) {}, "unknown <nil> <nil> false"},
		{"the first report counts", func(o *Op) { o.Unknown(errLost); o.OK(7); o.Failed(nil) }, "unknown <nil> connection lost true"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var h History
			test.finish(h.Invoke("a", Read{"x"}))
			op := h.Operations()[0]
			if got := fmt.Sprint(op.Outcome, op.Output, op.Err, !op.Return.IsZero()); got != test.want || op.Client != "a" || op.Return.Before(op.Call) == !op.Return.IsZero() {
				t.Errorf("%s, want %s: %+v", got, test.want, op)
			}
		})
	}
}

func TestDo(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		err  error
		want Outcome
	}{
		{nil, OK}, {errLost, Unknown}, {context.DeadlineExceeded, Unknown}, {fmt.Errorf("no majority: %w", ErrFailed), Failed},
	} {
		h := New()
		v, err := Do(h, "a", Read{"x"}, func() (int, error) { return 7, test.err })
		if op := h.Operations()[0]; v != 7 || !errors.Is(err, test.err) || op.Outcome != test.want || (test.err == nil) != (op.Output == any(7)) {
			t.Errorf("%v: %d, %v, %+v", test.err, v, err, op)
		}
	}
	// A function that ends its goroutine leaves an unknown outcome.
	h := New()
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() { _ = recover() }()
		_, _ = Do(h, "a", Read{"x"}, func() (int, error) { panic("this ends it") })
	}()
	<-done
	if op := h.Operations()[0]; op.Outcome != Unknown || !op.Return.IsZero() {
		t.Errorf("%+v", op)
	}
}

func TestConcurrentClients(t *testing.T) {
	t.Parallel()
	h := New()
	var clients sync.WaitGroup
	var register struct {
		sync.Mutex
		value int
	}
	for i := range 8 {
		clients.Go(func() {
			client := fmt.Sprint(i)
			for n := range 50 {
				_, _ = Do(h, client, Write{"x", i*100 + n}, func() (any, error) {
					register.Lock()
					defer register.Unlock()
					register.value = i*100 + n
					return nil, nil
				})
				_, _ = Do(h, client, Read{"x"}, func() (int, error) {
					register.Lock()
					defer register.Unlock()
					return register.value, nil
				})
				h.Faults()
			}
		})
	}
	clients.Wait()
	if n := len(h.Operations()); n != 800 {
		t.Errorf("%d operations", n)
	}
	h.Linearizable(t, Register(0))
}

func TestNothingLost(t *testing.T) {
	t.Parallel()
	add := func(v any) Add { return Add{v} }
	cut := []Fault{{"partition n1 | the rest, drop", ms(5), ms(9)}}
	for _, test := range []struct {
		name  string
		ops   []Operation
		final Final
		want  string
	}{
		{"all there", []Operation{ok("a", 0, 1, add(1), nil), ok("b", 0, 1, add(2), nil)}, Elements([]int64{2, 1}), ""},
		{"one is lost", []Operation{ok("a", 0, 1, add(1), nil), ok("b", 6, 7, add(2), true)}, Elements([]int{1}),
			"1 of 2 acknowledged writes are lost:\n  +6ms  client b: add 2, acknowledged, after 1ms, fault 1\nfault 1: partition n1 | the rest, drop, from +5ms to +9ms\n+0s is 15:04:05.000"},
		{"unknown writes may be there or not", []Operation{ok("a", 0, 1, add(1), nil), unknown("b", 0, 1, add(2)), unknown("b", 0, 1, add(3))}, Elements([]int{1, 3}), ""},
		{"a failed write is there", []Operation{ok("a", 0, 1, add("x"), nil), failed("b", 2, 3, add("y"))}, Elements([]string{"x", "y"}),
			"writes that failed are there, 1:\n  +2ms  client b: add y, failed (the operation did not happen), after 1ms\n+0s is 15:04:05.000"},
		{"a failed write that is tried again", []Operation{failed("b", 2, 3, add("y")), ok("b", 4, 5, add("y"), nil)}, Elements([]string{"y"}), ""},
		{"what was there before", []Operation{ok("a", 0, 1, add(1), nil)}, Elements([]int{0, 1}), ""},
		{"text is no number", []Operation{ok("a", 0, 1, add(1), nil)}, Elements([]string{"1"}), "1 of 1 acknowledged"},
		{"nothing", []Operation{unknown("a", 0, 1, add(1))}, Elements([]int{1}), "nothing was checked: of 1 operations, none is an Add that is ok"},
		{"other operations", []Operation{ok("a", 0, 1, Write{"x", 1}, nil)}, Elements([]int{1}), "nothing was checked"},

		{"a sum", []Operation{ok("a", 0, 1, add(1), nil), ok("b", 0, 1, add(-3), nil), failed("b", 0, 1, add(100))}, Sum(-2), ""},
		{"unknown additions count or not", []Operation{ok("a", 0, 1, add(1), nil), unknown("b", 0, 1, add(2)), unknown("b", 0, 1, add(-4))}, Sum(-3), ""},
		{"a sum that is too small", []Operation{ok("a", 0, 1, add(3), nil), ok("a", 6, 7, add(2), nil)}, Sum(3),
			"the sum is 3, and 5 was acknowledged: at least 2 is lost\nacknowledged while a fault was in force:\n  +6ms  client a: add 2, acknowledged, after 1ms, fault 1\n"},
		{"a sum that is too large", []Operation{ok("a", 0, 1, add(3), nil), unknown("a", 2, 3, add(2))}, Sum(6),
			"the sum is 6, and 3 was acknowledged, and with all of unknown outcome 5: at least 1 was never added\n+0s"},
		{"a sum of text", []Operation{ok("a", 0, 1, add("x"), nil)}, Sum(6), "client a: add x: a counter adds integers"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			err := nothingLost(test.ops, cut, test.final)
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("%v, want %q", err, test.want)
			}
			h := &History{ops: test.ops}
			r := &report{TB: t}
			if h.NothingLost(r, test.final); (r.text == "") != (err == nil) {
				t.Errorf("reported: %s", r.text)
			}
		})
	}
}

func TestLongListsAreCut(t *testing.T) {
	t.Parallel()
	var ops []Operation
	for i := range 12 {
		ops = append(ops, ok("a", i, i+1, Add{i}, nil))
	}
	err := nothingLost(ops, nil, Elements([]int{}))
	if text := fmt.Sprint(err); !strings.Contains(text, "add 9,") || strings.Contains(text, "add 10,") || !strings.Contains(text, "  … and 2 more\n") {
		t.Error(text)
	}
}

// answers is a view that gives one value after the other, and then the last again.
func answers[T any](values ...T) func(context.Context) (T, error) {
	return func(context.Context) (T, error) {
		v := values[0]
		if len(values) > 1 {
			values = values[1:]
		}
		return v, nil
	}
}

func silent[T any](ctx context.Context) (T, error) {
	var none T
	<-ctx.Done()
	return none, ctx.Err()
}

func TestUnique(t *testing.T) {
	t.Parallel()
	type holders = map[string][]string
	none, one, other := holders{}, holders{"leader": {"pid1"}}, holders{"leader": {"pid2"}}
	for _, test := range []struct {
		name  string
		views Views[holders]
		want  string
	}{
		{"one", Views[holders]{"n1": answers(one), "n2": answers(one), "n3": answers(none)}, ""},
		{"two", Views[holders]{"n1": answers(one), "n2": answers(other), "n3": answers(other)},
			"within 5s: 1 of 1 names have more than one holder:\n  leader: pid1 (seen by n1), pid2 (seen by n2, n3)\nfault: blip, begun 7s ago, healed 6s ago\nfault: crash n1, begun 6s ago, still in force"},
		{"two on one node", Views[holders]{"n1": answers(holders{"a": {"x"}, "b": {"x", "y", "x"}})}, "1 of 2 names have more than one holder:\n  b: x (seen by n1), y (seen by n1)"},
		{"two at first", Views[holders]{"n1": answers(one, one, one, none), "n2": answers(other)}, ""},
		{"a node without an answer", Views[holders]{"n1": answers(one), "n2": silent[holders]}, "within 5s: n2 does not answer: context deadline exceeded"},
		{"no names", Views[holders]{"n1": answers(none), "n2": answers(none)}, "nothing was checked: no node sees a holder"},
		{"no views", nil, "nothing was checked: there are no views"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r, h := &report{TB: t}, New()
				h.Fault("crash n1", time.Now().Add(-time.Second), time.Time{})
				h.Fault("blip", time.Now().Add(-2*time.Second), time.Now().Add(-time.Second))
				Unique(r, 5*time.Second, test.views, h)
				if test.want == "" && r.text != "" || !strings.Contains(r.text, test.want) {
					t.Errorf("%s, want %q", r.text, test.want)
				}
			})
		})
	}
}

func TestConverges(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		views Views[[]int]
		want  string
	}{
		{"at once", Views[[]int]{"n1": answers([]int{1}), "n2": answers([]int{1})}, ""},
		{"later", Views[[]int]{"n1": answers([]int{1}), "n2": answers(nil, nil, []int{2}, []int{1})}, ""},
		{"never", Views[[]int]{"n3": answers([]int{1}), "n2": answers([]int{2}), "n1": answers([]int{1})}, "within 1s: the nodes do not agree:\n  n1, n3: [1]\n  n2: [2]"},
		{"not at last", Views[[]int]{"n1": answers([]int{1}), "n2": func(ctx context.Context) ([]int, error) { return nil, errLost }}, "within 1s: n2 does not answer: connection lost"},
		{"long values", Views[[]int]{"n1": answers(make([]int, 300)), "n2": answers([]int{})}, "0 0…\n  n2: []"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r, began := &report{TB: t}, time.Now()
				Converges(r, time.Second, test.views)
				if test.want == "" && r.text != "" || !strings.Contains(r.text, test.want) {
					t.Errorf("%s, want %q", r.text, test.want)
				}
				if took := time.Since(began); test.want != "" && took != time.Second {
					t.Errorf("it took %v", took)
				}
			})
		})
	}
}
