package logs

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
)

const (
	maxLine  = 256 << 10 // bytes kept of one line; the rest is dropped
	maxFrame = 16 << 20  // the engine sends at most 16 KiB and a timestamp: more is not its framing

	// Holds the largest frame that Docker sends, so that a frame is read in place.
	frameBuffer = 32 << 10
)

// FrameError says that output is not in the engine's multiplexed framing; that of a
// container with a terminal is not.
type FrameError struct{ Reason string }

func (e *FrameError) Error() string { return "malformed log stream: " + e.Reason }

// record is one line as the engine kept it.
type record struct {
	stream orchestrator.Stream
	time   time.Time // of its first frame; zero for the engine's own text
	text   string
	cut    bool
}

// frameReader converts the engine's multiplexed output with timestamps into lines (the
// format of GET /containers/{id}/attach, with a timestamp in each payload):
//
//	1|2|3  0 0 0  length, big-endian │ 2026-01-02T15:04:05.123456789Z text…\n
//
// A frame holds at most 16 KiB of text. A longer line is sent as several frames, each
// with the timestamp of the first, and only the last ends in a newline (measured on
// 20.10). So a line continues as long as its timestamp is the same. A line that a
// container left incomplete when it died is not joined to the first line of its next run,
// which follows in the same log with another timestamp.
//
// A line ends in "\n" or "\r\n", as for [bufio.ScanLines]; every other byte is kept,
// including NUL and invalid UTF-8. Memory is bounded by the buffer and maxLine for each
// stream, whatever lengths the frames claim.
type frameReader struct {
	r     *bufio.Reader
	lines [len(streams)]openLine // by stream: the header byte minus one

	line  *openLine // of the current frame
	chunk []byte    // its unread part in r's buffer
	held  int       // bytes of r to discard before the next read
	left  int       // bytes of the frame after chunk
}

// openLine is a line whose newline has not arrived.
type openLine struct {
	stream orchestrator.Stream
	open   bool
	time   time.Time
	text   []byte
	cut    bool
}

func newFrameReader(r io.Reader) *frameReader {
	return &frameReader{
		r:     bufio.NewReaderSize(r, frameBuffer),
		lines: [len(streams)]openLine{{stream: orchestrator.Stdout}, {stream: orchestrator.Stderr}, {stream: orchestrator.StreamSystem}},
	}
}

// next returns the next line. The error is io.EOF at the end of the stream between two
// frames, io.ErrUnexpectedEOF within a frame, a [FrameError], or the underlying reader's.
func (f *frameReader) next() (record, error) {
	for {
		if len(f.chunk) == 0 {
			if ended, ok, err := f.advance(); ok || err != nil {
				return ended, err
			}
			continue
		}
		end := bytes.IndexByte(f.chunk, '\n')
		if end < 0 {
			f.line.add(f.chunk)
			f.chunk = nil
			continue
		}
		part := f.chunk[:end]
		f.chunk = f.chunk[end+1:]
		return f.line.end(part), nil
	}
}

// rest returns the lines left without a newline. Call it at the end of a run: after a
// broken stream they will be read again, from their start.
func (f *frameReader) rest() []record {
	var left []record
	for i := range f.lines {
		if f.lines[i].open {
			left = append(left, f.lines[i].take())
		}
	}
	return left
}

// advance makes more of the current frame, or the next one, available in chunk. ended is
// a line without a newline that the new frame shows to be complete; ok reports whether
// there is one.
func (f *frameReader) advance() (ended record, ok bool, err error) {
	if _, err := f.r.Discard(f.held); err != nil {
		return record{}, false, err
	}
	f.held = 0
	if f.left > 0 {
		return record{}, false, f.fill(0)
	}
	header, err := f.r.Peek(8)
	if err != nil {
		if err == io.EOF && len(header) > 0 {
			err = io.ErrUnexpectedEOF
		}
		return record{}, false, err
	}
	kind, size := header[0], binary.BigEndian.Uint32(header[4:])
	switch {
	case kind < 1 || kind > 3 || header[1]|header[2]|header[3] != 0:
		return record{}, false, &FrameError{fmt.Sprintf("a frame begins with % x", header)}
	case size > maxFrame:
		return record{}, false, &FrameError{fmt.Sprintf("a frame of %d bytes", size)}
	}
	f.line, f.left = &f.lines[kind-1], int(size)
	if err := f.fill(8); err != nil {
		return record{}, false, err
	}
	stamp, n, stamped := parseStamp(f.chunk)
	if !stamped && f.line.stream != orchestrator.StreamSystem { // the engine does not timestamp its own text
		return record{}, false, &FrameError{fmt.Sprintf("a frame without a time: %.40q", f.chunk)}
	}
	f.chunk = f.chunk[n:]
	if f.line.open && !f.line.time.Equal(stamp) {
		ended, ok = f.line.take(), true
	}
	f.line.time = stamp
	return ended, ok, nil
}

// fill reads as much of the frame as fits into the buffer after skip bytes.
func (f *frameReader) fill(skip int) error {
	want := min(skip+f.left, frameBuffer)
	b, err := f.r.Peek(want)
	if err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return err
	}
	f.chunk, f.held = b[skip:], want
	f.left -= len(f.chunk)
	return nil
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

// parseStamp parses the time that b begins with, and returns the length of the time and
// its space. Docker always writes nine digits and Z, which is parsed by hand (in a
// quarter of the time of [time.Parse]); other engines may write any RFC 3339 time.
func parseStamp(b []byte) (t time.Time, n int, ok bool) {
	const layout = "0000-00-00T00:00:00.000000000Z "
	if len(b) >= len(layout) {
		var field [7]int // year, month, day, hour, minute, second, nanosecond
		at, fits := 0, true
		for i := range len(layout) {
			switch d := b[i] - '0'; {
			case layout[i] != '0':
				fits = fits && b[i] == layout[i]
				at++
			case d > 9:
				fits = false
			default:
				field[at] = field[at]*10 + int(d)
			}
			if !fits {
				break
			}
		}
		if fits && field[1] >= 1 && field[1] <= 12 && field[3] < 24 && field[4] < 60 && field[5] < 60 {
			t := time.Date(field[0], time.Month(field[1]), field[2], field[3], field[4], field[5], field[6], time.UTC)
			if t.Day() == field[2] { // otherwise a day that the month does not have
				return t, len(layout), true
			}
		}
	}
	space := bytes.IndexByte(b[:min(len(b), 40)], ' ')
	if space < 0 {
		return time.Time{}, 0, false
	}
	t, err := time.Parse(time.RFC3339Nano, string(b[:space]))
	if err != nil {
		return time.Time{}, 0, false
	}
	return t.UTC(), space + 1, true
}
