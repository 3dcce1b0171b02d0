package contract

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"time"
)

// parts reads a log: "stdout text" for each part, with its time.
func (s *suite) parts(id string, since time.Time, follow bool) (lines []string, times []time.Time) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.ctx(), patience)
	defer cancel()
	body, err := s.eng.Logs(ctx, id, since, follow)
	s.must(err)
	defer body.Close()
	for {
		part, err := body.Next()
		if errors.Is(err, io.EOF) {
			return lines, times
		} else if err != nil {
			s.t.Fatalf("read the output: %v", err)
		}
		lines = append(lines, string(part.Stream)+" "+string(part.Text))
		times = append(times, part.Time)
	}
}

func (s *suite) output(id string) []string {
	s.t.Helper()
	lines, _ := s.parts(id, time.Time{}, false)
	return lines
}

func (s *suite) testLogs() {
	id := s.run("print", "3")
	s.exited(id)
	lines, times := s.parts(id, time.Time{}, false)
	slices.Sort(lines)
	want := []string{"stderr stderr 1\n", "stderr stderr 2\n", "stderr stderr 3\n", "stdout stdout 1\n", "stdout stdout 2\n", "stdout stdout 3\n"}
	if !slices.Equal(lines, want) {
		s.t.Errorf("lines %q", lines)
	}
	if age := time.Since(times[0]); age < -time.Minute || age > time.Minute {
		s.t.Errorf("time %s", times[0])
	}
}

func (s *suite) testFollow() {
	id := s.create(nil, "wait")
	if lines, _ := s.parts(id, time.Time{}, true); len(lines) != 0 { // it does not run: the stream ends at once
		s.t.Errorf("before the start: %q", lines)
	}
	s.must(s.eng.StartContainer(s.ctx(), id))
	done := make(chan []string, 1)
	go func() { lines, _ := s.parts(id, time.Time{}, true); done <- lines }()
	s.waiting(id)
	select {
	case lines := <-done:
		s.t.Errorf("ended before the exit with %q", lines)
	default:
	}
	s.must(s.eng.StopContainer(s.ctx(), id, 10*time.Second))
	select {
	case lines := <-done:
		if !slices.Equal(lines, []string{"stdout waiting\n"}) {
			s.t.Errorf("followed %q", lines)
		}
	case <-time.After(patience):
		s.t.Error("does not end with the container")
	}
}

func (s *suite) testSince() {
	id := s.run("print", "1")
	s.exited(id)
	s.must(s.eng.StartContainer(s.ctx(), id))
	s.eventually("the second run has printed", func() bool { return len(s.output(id)) == 4 })
	_, times := s.parts(id, time.Time{}, false)
	lines, _ := s.parts(id, times[2], false)
	if len(lines) != 2 { // inclusive: both lines of the second run
		s.t.Errorf("since the second run: %q", lines)
	}
}

func (s *suite) testLongLine() {
	id := s.run("long", "40000")
	s.exited(id)
	lines := s.output(id)
	whole := ""
	for i, part := range lines {
		text := strings.TrimPrefix(part, "stdout ")
		if strings.HasSuffix(text, "\n") != (i == len(lines)-1) {
			s.t.Errorf("part %d of %d ends wrongly", i, len(lines))
		}
		whole += text
	}
	if len(lines) < 3 || whole != strings.Repeat("x", 40000)+"\n" {
		s.t.Errorf("%d parts, %d bytes", len(lines), len(whole))
	}
}
