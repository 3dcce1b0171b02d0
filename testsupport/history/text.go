package history

import (
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/beamyard/beamyard/testsupport/internal/artifact"
)

// This file writes operations and faults as text.

// listed is how many operations an error lists.
const listed = 10

// text describes an operation and its outcome: "read x, answer 3".
func (o Operation) text() string {
	what := fmt.Sprint(o.Input)
	switch o.Outcome {
	case OK:
		switch o.Input.(type) {
		case Write, Enqueue, Add:
			return what + ", acknowledged"
		}
		return fmt.Sprintf("%s, answer %v", what, o.Output)
	case Failed:
		return fmt.Sprintf("%s, failed (%v)", what, o.Err)
	case Unknown:
		if o.Return.IsZero() {
			return what + ", never finished"
		}
		return fmt.Sprintf("%s, unknown (%v)", what, o.Err)
	}
	return what
}

// account writes operations and faults. Its times count from the first operation, and faults
// have the numbers that they have in the picture.
type account struct {
	span
	faults []Fault // those that were in force at some time of the history
}

func accountOf(ops []Operation, faults []Fault) account {
	var a account
	for _, op := range ops {
		if a.begin.IsZero() || op.Call.Before(a.begin) {
			a.begin = op.Call
		}
		for _, at := range []time.Time{op.Call, op.Return} {
			if at.After(a.end) {
				a.end = at
			}
		}
	}
	for _, f := range faults {
		if a.meets(f) {
			a.faults = append(a.faults, f)
		}
	}
	return a
}

// span is a time with its first and its last moment.
type span struct{ begin, end time.Time }

// meets reports whether a fault was in force at some moment of the span.
func (s span) meets(f Fault) bool {
	return !f.Begin.After(s.end) && (f.End.IsZero() || !f.End.Before(s.begin))
}

// at writes a moment: "+1.204s".
func (a account) at(moment time.Time) string {
	d := moment.Sub(a.begin).Round(time.Millisecond)
	if d < 0 {
		return d.String()
	}
	return "+" + d.String()
}

// met returns the numbers of the faults that were in force during an operation, from 1.
func (a account) met(op Operation) []int {
	lasted := span{op.Call, op.Return}
	if op.Outcome == Unknown {
		lasted.end = a.end
	}
	var numbers []int
	for i, f := range a.faults {
		if lasted.meets(f) {
			numbers = append(numbers, i+1)
		}
	}
	return numbers
}

// lasted writes how long a fault was in force: "from +1.2s to +9.3s".
func (a account) lasted(f Fault) string {
	if f.End.IsZero() {
		return "since " + a.at(f.Begin)
	}
	return "from " + a.at(f.Begin) + " to " + a.at(f.End)
}

// line describes an operation with its client, its time, and the faults it met.
func (a account) line(op Operation) string {
	text := fmt.Sprintf("%s  client %s: %s", a.at(op.Call), op.Client, op.text())
	if !op.Return.IsZero() {
		text += fmt.Sprintf(", after %v", op.Return.Sub(op.Call).Round(time.Microsecond))
	}
	for i, number := range a.met(op) {
		if i == 0 {
			text += ", fault"
		}
		text += fmt.Sprintf(" %d", number)
	}
	return text
}

// list writes one line for each of the first operations.
func (a account) list(to io.Writer, ops []Operation) {
	for i, op := range ops {
		if i == listed {
			fmt.Fprintf(to, "  … and %d more\n", len(ops)-listed)
			return
		}
		fmt.Fprintf(to, "  %s\n", a.line(op))
	}
}

// legend explains the numbers and the times.
func (a account) legend() string {
	var b strings.Builder
	for i, f := range a.faults {
		fmt.Fprintf(&b, "fault %d: %s, %s\n", i+1, f.What, a.lasted(f))
	}
	fmt.Fprintf(&b, "+0s is %s", a.begin.Format("15:04:05.000"))
	return b.String()
}

// save writes a file into the folder of the test's evidence, and returns its path.
func save(tb testing.TB, write func(io.Writer) error) (path string, err error) {
	dir := artifact.Dir(tb)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	name := strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return r
		}
		return '-'
	}, tb.Name())
	file, err := os.CreateTemp(dir, name+"-history-*.html")
	if err != nil {
		return "", err
	}
	err = write(file)
	if closed := file.Close(); err == nil {
		err = closed
	}
	return file.Name(), err
}
