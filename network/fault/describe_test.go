package fault

import (
	"testing"
	"time"
)

func TestFaultString(t *testing.T) {
	t.Parallel()
	there, back := Pair{"n1", "n2"}, Pair{"n2", "n1"}
	for want, f := range map[string]Fault{
		"partition n1 | the rest, drop":                     Isolate("n1"),
		"partition n1 n2 | n3, drop":                        Halves([]string{"n1", "n2", "n3"}),
		"partition n1 | the rest, reset, from the host too": {Kind: KindPartition, Groups: [][]string{{"n1"}}, How: Reset, Hard: true},
		"cut n1→n2, drop":                                   OneWay(there),
		"cut n1-n2 n1→n3, drop":                             OneWay(there, Pair{"n1", "n3"}, back),
		"link n1-n2, loss 5%":                               Link(Quality{Loss: 5}, there, back),
		"link n1→n2, loss 0.5% rate 1000bit/s latency 50ms": Link(Quality{Loss: 0.5, Shaping: Shaping{Rate: 1000, Latency: 50 * time.Millisecond}}, there),
		"link n1-*, duplicate 1% corrupt 2% reorder 3%":     Link(Quality{Shaping: Shaping{Duplicate: 1, Corrupt: 2, Reorder: 3}}, Pair{"n1", Everyone}, Pair{Everyone, "n1"}),
	} {
		if got := f.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestEnded(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for _, tc := range []struct {
		end  time.Time
		want bool
	}{{time.Time{}, false}, {now.Add(time.Second), false}, {now, true}, {now.Add(-time.Second), true}} {
		if got := (Fault{Begin: now.Add(time.Minute), End: tc.end}).Ended(now); got != tc.want {
			t.Errorf("end %s: %t", tc.end, got)
		}
	}
}
