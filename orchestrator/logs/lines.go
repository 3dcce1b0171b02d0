package logs

import (
	"bytes"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
)

// maxLine is how many bytes are kept of one line; the rest is dropped.
const maxLine = 256 << 10

// record is one line as the engine kept it.
type record struct {
	stream orchestrator.Stream
	time   time.Time // of its first part; zero for the engine's own text
	text   string
	cut    bool
}

// lineReader joins the parts of an engine's output to lines.
//
// A line continues as long as its time is the same. A line that a container left incomplete
// when it died is not joined to the first line of its next run, which follows in the same
// log with another time.
//
// A line ends in "\n" or "\r\n", as for [bufio.ScanLines]; every other byte is kept,
// including NUL and invalid UTF-8. Memory is bounded by maxLine for each stream.
type lineReader struct {
	r     orchestrator.LogReader
	lines [len(streams)]openLine

	line  *openLine // of the current part
	chunk []byte    // the rest of that part
}

// openLine is a line whose newline has not arrived.
type openLine struct {
	stream orchestrator.Stream
	open   bool
	time   time.Time
	text   []byte
	cut    bool
}

func newLineReader(r orchestrator.LogReader) *lineReader {
	l := &lineReader{r: r}
	for i, stream := range streams {
		l.lines[i].stream = stream
	}
	return l
}

// next returns the next line. The error is that of the [orchestrator.LogReader].
func (l *lineReader) next() (record, error) {
	for {
		if len(l.chunk) == 0 {
			part, err := l.r.Next()
			if err != nil {
				return record{}, err
			}
			l.line, l.chunk = &l.lines[indexOfStream(part.Stream)], part.Text
			ended := l.line.open && !l.line.time.Equal(part.Time)
			var complete record
			if ended {
				complete = l.line.take()
			}
			l.line.time = part.Time
			if ended {
				return complete, nil
			}
			continue
		}
		end := bytes.IndexByte(l.chunk, '\n')
		if end < 0 {
			l.line.add(l.chunk)
			l.chunk = nil
			continue
		}
		part := l.chunk[:end]
		l.chunk = l.chunk[end+1:]
		return l.line.end(part), nil
	}
}

// rest returns the lines left without a newline. Call it at the end of a run: after a
// broken stream they will be read again, from their start.
func (l *lineReader) rest() []record {
	var left []record
	for i := range l.lines {
		if l.lines[i].open {
			left = append(left, l.lines[i].take())
		}
	}
	return left
}

func (l *openLine) add(part []byte) {
	l.open = true
	if room := maxLine - len(l.text); len(part) > room {
		part, l.cut = part[:room], true
	}
	l.text = append(l.text, part...)
}

// end adds the last part, without its newline, and returns the line.
func (l *openLine) end(part []byte) record {
	if l.open {
		l.add(part)
		if !l.cut {
			l.text = bytes.TrimSuffix(l.text, []byte{'\r'})
		}
		return l.take()
	}
	part = bytes.TrimSuffix(part, []byte{'\r'})
	return record{stream: l.stream, time: l.time, text: string(part)}
}

func (l *openLine) take() record {
	r := record{stream: l.stream, time: l.time, text: string(l.text), cut: l.cut}
	l.open, l.text, l.cut = false, l.text[:0], false
	return r
}
