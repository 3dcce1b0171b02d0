// Package frames reads the output of a container in the Docker Engine's framing.
//
//	GET /containers/{id}/logs ──► frames ──► orchestrator.LogPart
//
// # Threads
//
// None. A [Reader] belongs to one goroutine.
package frames

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
)

const (
	// maxSize limits a frame. The engine sends at most 16 KiB and a timestamp: a larger frame
	// is not in its framing.
	maxSize = 16 << 20

	// bufferSize holds the largest frame that the engine sends, so that a frame is read in
	// place.
	bufferSize = 32 << 10
)

// streams are the streams by their number in a header, minus one.
var streams = [...]orchestrator.Stream{orchestrator.Stdout, orchestrator.Stderr, orchestrator.StreamSystem}

// Reader converts the engine's multiplexed output with timestamps into parts of lines (the
// format of GET /containers/{id}/attach, with a timestamp in each payload):
//
//	1|2|3  0 0 0  length, big-endian │ 2026-01-02T15:04:05.123456789Z text…\n
//
// A frame holds at most 16 KiB of text. A longer line is sent as several frames, each with
// the timestamp of the first, and only the last ends in a newline (measured on 20.10).
// Memory is bounded by the buffer, whatever lengths the frames claim.
type Reader struct {
	body io.Closer
	r    *bufio.Reader

	stream orchestrator.Stream // of the current frame
	at     time.Time
	held   int // bytes of r to discard before the next read
	left   int // bytes of the frame that were not returned yet
}

var _ orchestrator.LogReader = (*Reader)(nil)

// NewReader returns a reader of a response's body, which it closes.
func NewReader(body io.ReadCloser) *Reader {
	return &Reader{body: body, r: bufio.NewReaderSize(body, bufferSize)}
}

// Close closes the body.
func (f *Reader) Close() error { return f.body.Close() }

// Next implements [orchestrator.LogReader]. A part is a frame's text, or as much of it as
// the buffer holds.
func (f *Reader) Next() (orchestrator.LogPart, error) {
	if _, err := f.r.Discard(f.held); err != nil {
		return orchestrator.LogPart{}, err
	}
	f.held = 0
	if f.left > 0 {
		text, err := f.fill(0)
		return orchestrator.LogPart{Stream: f.stream, Time: f.at, Text: text}, err
	}
	header, err := f.r.Peek(8)
	if err != nil {
		if errors.Is(err, io.EOF) && len(header) > 0 {
			err = io.ErrUnexpectedEOF
		}
		return orchestrator.LogPart{}, err
	}
	kind, size := header[0], binary.BigEndian.Uint32(header[4:])
	switch {
	case kind < 1 || int(kind) > len(streams) || header[1]|header[2]|header[3] != 0:
		return orchestrator.LogPart{}, &orchestrator.LogError{Reason: fmt.Sprintf("a frame begins with % x", header)}
	case size > maxSize:
		return orchestrator.LogPart{}, &orchestrator.LogError{Reason: fmt.Sprintf("a frame of %d bytes", size)}
	}
	f.stream, f.left = streams[kind-1], int(size)
	text, err := f.fill(8)
	if err != nil {
		return orchestrator.LogPart{}, err
	}
	at, n, stamped := parseStamp(text)
	if !stamped && f.stream != orchestrator.StreamSystem { // the engine does not timestamp its own text
		return orchestrator.LogPart{}, &orchestrator.LogError{Reason: fmt.Sprintf("a frame without a time: %.40q", text)}
	}
	f.at = at
	return orchestrator.LogPart{Stream: f.stream, Time: at, Text: text[n:]}, nil
}

// fill reads as much of the frame as fits into the buffer after skip bytes.
func (f *Reader) fill(skip int) ([]byte, error) {
	want := min(skip+f.left, bufferSize)
	b, err := f.r.Peek(want)
	if err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	f.held = want
	f.left -= len(b) - skip
	return b[skip:], nil
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
