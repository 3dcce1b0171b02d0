package history

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// Final is what was read at the end, after all faults were healed: [Elements] or [Sum].
type Final interface {
	// lost compares it with the operations of a history whose input is an [Add].
	lost(adds []Operation, a account) error
}

// Elements is the final read of a set: each [Add] adds its value as an element.
func Elements[T any](final []T) Final {
	there := elements{}
	for _, v := range final {
		there[element(v)] = true
	}
	return there
}

// Sum is the final read of a counter: each [Add] adds its value, an integer.
func Sum[N ~int | ~int64 | ~uint64](final N) Final { return sum(final) }

// NothingLost checks the final read of a set or of a counter against each [Add]: what was
// acknowledged is there, and what failed is not. What has an unknown outcome may be there.
// Elements that no operation added are not judged.
func (h *History) NothingLost(tb testing.TB, final Final) {
	tb.Helper()
	if err := nothingLost(h.Operations(), h.Faults(), final); err != nil {
		tb.Errorf("%v", err)
	}
}

func nothingLost(ops []Operation, faults []Fault, final Final) error {
	var adds []Operation
	acknowledged := 0
	for _, op := range ops {
		if _, is := op.Input.(Add); !is {
			continue
		}
		if op.Outcome == OK {
			acknowledged++
		}
		adds = append(adds, op)
	}
	if acknowledged == 0 {
		return fmt.Errorf("%w: of %d operations, none is an Add that is ok", errNothing, len(ops))
	}
	return final.lost(adds, accountOf(ops, faults))
}

// elements are the elements of a set, as text that tells them apart.
type elements map[string]bool

func element(v any) string { return fmt.Sprintf("%#v", plain(v)) }

func (there elements) lost(adds []Operation, a account) error {
	mayBe := elements{}
	var lost, revived []Operation
	acknowledged := 0
	for _, op := range adds {
		name := element(op.Input.(Add).Value)
		if op.Outcome == Failed {
			continue
		}
		mayBe[name] = true
		if op.Outcome == OK {
			acknowledged++
			if !there[name] {
				lost = append(lost, op)
			}
		}
	}
	for _, op := range adds {
		if name := element(op.Input.(Add).Value); there[name] && !mayBe[name] {
			revived = append(revived, op)
		}
	}
	if len(lost)+len(revived) == 0 {
		return nil
	}
	var b strings.Builder
	if len(lost) > 0 {
		fmt.Fprintf(&b, "%d of %d acknowledged writes are lost:\n", len(lost), acknowledged)
		a.list(&b, lost)
	}
	if len(revived) > 0 {
		fmt.Fprintf(&b, "writes that failed are there, %d:\n", len(revived))
		a.list(&b, revived)
	}
	b.WriteString(a.legend())
	return errors.New(b.String())
}

// sum is the value of a counter.
type sum int64

func (final sum) lost(adds []Operation, a account) error {
	var acknowledged, least, most int64
	var during []Operation // acknowledged while a fault was in force
	for _, op := range adds {
		by, is := plain(op.Input.(Add).Value).(int64)
		if !is {
			return fmt.Errorf("client %s: %v: a counter adds integers", op.Client, op.Input)
		}
		switch op.Outcome {
		case OK:
			acknowledged += by
			if len(a.met(op)) > 0 {
				during = append(during, op)
			}
		case Unknown:
			least += min(by, 0)
			most += max(by, 0)
		case Failed:
		}
	}
	least, most = acknowledged+least, acknowledged+most
	if int64(final) >= least && int64(final) <= most {
		return nil
	}
	var b strings.Builder
	fmt.Fprintf(&b, "the sum is %d, and %d was acknowledged", final, acknowledged)
	if int64(final) < least {
		fmt.Fprintf(&b, ": at least %d is lost\n", least-int64(final))
	} else {
		fmt.Fprintf(&b, ", and with all of unknown outcome %d: at least %d was never added\n", most, int64(final)-most)
	}
	if len(during) > 0 {
		b.WriteString("acknowledged while a fault was in force:\n")
		a.list(&b, during)
	}
	b.WriteString(a.legend())
	return errors.New(b.String())
}
