package testsupport

import (
	"fmt"
	"testing"
	"time"
)

func TestFaultLog(t *testing.T) {
	t.Parallel()
	at := func(s int) time.Time { return time.Unix(int64(s), 0) }
	var l faultLog
	l.begin("down n1", "crash n1", at(3))
	l.begin("fault f1", "partition n1 | the rest, drop", at(1))
	l.end(at(4), "down n1", "cut n1 n2")
	l.again("down n1", at(6))
	l.again("down n2", at(6)) // was never down
	l.passed("blip", at(2), at(5))
	l.end(at(7), "down n1")
	text := ""
	for _, f := range l.all() {
		end := "now"
		if !f.End.IsZero() {
			end = fmt.Sprint(f.End.Unix())
		}
		text += fmt.Sprintf("%d-%s %s\n", f.Begin.Unix(), end, f.What)
	}
	if want := "1-now partition n1 | the rest, drop\n2-5 blip\n3-4 crash n1\n6-7 crash n1\n"; text != want {
		t.Errorf("%s\nwant\n%s", text, want)
	}
	l.forget()
	if left := l.all(); len(left) > 0 {
		t.Error(left)
	}
}
