package main

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/beamyard/beamyard/images"
)

// steps turns the output of a build into one line for each of its steps. It keeps the rest in
// case the build fails. Pure: text and the time go in, lines come out.
type steps struct {
	open    []byte   // a line without a newline yet
	all     []string // all output, up to keptBuild lines
	current string   // "step 3/7: RUN mix deps.get"; "" between builds
	begun   time.Time
	cached  bool // the engine had the step in its cache
}

// keptBuild limits how many lines of a build's output are kept.
const keptBuild = 5000

// buildStep matches the first line of a step, in the engine's builds and in ours.
var buildStep = regexp.MustCompile(`^Step (\d+/\d+) : (.*)`)

// ofImages matches the line before each build if there are several.
var ofImages = regexp.MustCompile(`^image \d+ of \d+, for `)

// write accepts output, and returns the lines to show.
func (s *steps) write(text []byte, now time.Time) (lines []stepLine) {
	s.open = append(s.open, text...)
	for {
		line, rest, ended := bytes.Cut(s.open, []byte("\n"))
		if !ended {
			return lines
		}
		s.open = rest
		lines = append(lines, s.line(uncoloured(string(line)), now)...)
	}
}

// stepLine is a line to show. A step has a duration.
type stepLine struct {
	text string
	step bool
	took time.Duration
}

func (s *steps) line(line string, now time.Time) (lines []stepLine) {
	m := buildStep.FindStringSubmatch(line)
	switch {
	case m != nil:
		lines = s.end(now)
		s.current, s.begun = fmt.Sprintf("step %s: %s", m[1], m[2]), now
	case strings.HasPrefix(line, "Successfully built ") && s.current != "":
		lines = s.end(now)
	case strings.HasPrefix(line, "Successfully tagged ") && len(s.all) > 0:
	case ofImages.MatchString(line): // our own builds do not report that they are done
		return append(s.end(now), stepLine{text: line})
	case s.current == "":
		return []stepLine{{text: line}}
	case line == " ---> Using cache":
		s.cached = true
	}
	if s.all = append(s.all, line); len(s.all) > 2*keptBuild {
		s.all = append([]string(nil), s.all[len(s.all)-keptBuild:]...)
	}
	return lines
}

// end ends the current step.
func (s *steps) end(now time.Time) []stepLine {
	text, cached, took := s.current, s.cached, now.Sub(s.begun)
	s.current, s.cached = "", false
	const noticed = 50 * time.Millisecond // FROM takes no time, and does not mention a cache
	if text == "" || cached || took < noticed {
		return nil
	}
	return []stepLine{{text: shortStep(text), step: true, took: took}}
}

// rest returns the kept output, including the incomplete line, without the lines at its end that
// the error of the build repeats.
func (s *steps) rest(err error) string {
	lines := s.all
	if len(s.open) > 0 {
		lines = append(lines[:len(lines):len(lines)], uncoloured(string(s.open)))
	}
	s.all, s.open, s.current = nil, nil, ""
	if failed := (*images.BuildError)(nil); errors.As(err, &failed) {
		lines = withoutEnd(lines, failed.Lines)
	}
	if len(lines) == 0 {
		return ""
	}
	return strings.Join(lines[max(0, len(lines)-keptBuild):], "\n") + "\n"
}

// withoutEnd returns lines without those at its end that are repeated elsewhere, where empty lines
// and those of the engine are left out.
func withoutEnd(lines, repeated []string) []string {
	end, left := len(lines), len(repeated)
	for i := len(lines) - 1; i >= 0 && left > 0; i-- {
		line := strings.TrimRight(lines[i], " \r")
		switch {
		case line == repeated[left-1]:
			end, left = i, left-1
		case line != "" && !images.OfEngine(line):
			return lines[:end]
		}
	}
	return lines[:end]
}

// shortStep limits the length of a step's text.
func shortStep(text string) string {
	const most = 90
	if utf8.RuneCountInString(text) <= most {
		return text
	}
	return string([]rune(text)[:most-1]) + "…"
}
