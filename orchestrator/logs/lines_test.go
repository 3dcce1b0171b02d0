package logs

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/beamyard/beamyard/orchestrator/docker/frames"
)

// frame encodes one frame as Docker does.
func frame(stream byte, at time.Time, text string) []byte {
	return rawFrame(stream, at.UTC().Format("2006-01-02T15:04:05.000000000Z07:00")+" "+text)
}

func rawFrame(stream byte, payload string) []byte {
	b := make([]byte, 8, 8+len(payload))
	b[0] = stream
	binary.BigEndian.PutUint32(b[4:], uint32(len(payload)))
	return append(b, payload...)
}

// String returns a short form: the stream, the seconds, the text or its length, and "~"
// if it was cut.
func (r record) String() string {
	text := fmt.Sprintf("%q", r.text)
	if len(r.text) > 100 {
		text = fmt.Sprintf("%d bytes", len(r.text))
	}
	if r.cut {
		text += "~"
	}
	return fmt.Sprintf("%s %s %s", r.stream, r.time.Format("05.000"), text)
}

func readRecords(r io.Reader) (lines, rest []record, err error) {
	f := newLineReader(frames.NewReader(io.NopCloser(r)))
	for {
		rec, err := f.next()
		if err != nil {
			return lines, f.rest(), err
		}
		lines = append(lines, rec)
	}
}

func readFrames(r io.Reader) (got []string, err error) {
	lines, rest, err := readRecords(r)
	for _, rec := range lines {
		got = append(got, rec.String())
	}
	for _, rec := range rest {
		got = append(got, "rest "+rec.String())
	}
	return got, err
}

var epoch = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

func at(seconds float64) time.Time {
	return epoch.Add(time.Duration(seconds * float64(time.Second))).Round(time.Microsecond)
}

func repeat(n int, b []byte) []byte { return bytes.Repeat(b, n) }

func TestFramesBecomeLines(t *testing.T) {
	part := strings.Repeat("x", 16<<10)
	for _, tt := range []struct {
		name   string
		frames [][]byte
		want   []string
	}{
		{"nothing", nil, nil},
		{"two lines", [][]byte{frame(1, at(1), "a\n"), frame(1, at(2), "b\n")}, []string{`stdout 01.000 "a"`, `stdout 02.000 "b"`}},
		{"an empty line", [][]byte{frame(2, at(1), "\n")}, []string{`stderr 01.000 ""`}},
		{"a carriage return", [][]byte{frame(1, at(1), "a\rb\r\r\n"), frame(1, at(1), "c\r"), frame(1, at(1), "\n")}, []string{`stdout 01.000 "a\rb\r"`, `stdout 01.000 "c"`}},
		{"NUL and broken UTF-8", [][]byte{frame(1, at(1), "a\x00\xff\xc3\n")}, []string{`stdout 01.000 "a\x00\xff\xc3"`}},
		{"40 KB", [][]byte{frame(1, at(1), part), frame(1, at(1), part), frame(1, at(1), part[:7232]+"\n"), frame(1, at(2), "b\n")}, []string{`stdout 01.000 40000 bytes`, `stdout 02.000 "b"`}},
		{"parts of both streams in turn", [][]byte{frame(1, at(1), "a"), frame(2, at(1.001), "x"), frame(1, at(1), "b\n"), frame(2, at(1.001), "y\n")}, []string{`stdout 01.000 "ab"`, `stderr 01.001 "xy"`}},
		{"as long as is kept", [][]byte{repeat(16, frame(1, at(1), part)), frame(1, at(1), "\n")}, []string{`stdout 01.000 262144 bytes`}},
		{"1 MB, cut", [][]byte{repeat(61, frame(1, at(1), part)), frame(1, at(1), "end\n"), frame(1, at(2), "b\n")}, []string{`stdout 01.000 262144 bytes~`, `stdout 02.000 "b"`}},
		{"cut behind a carriage return", [][]byte{repeat(15, frame(1, at(1), part)), frame(1, at(1), part[1:]+"\r"), frame(1, at(1), "x\n")}, []string{`stdout 01.000 262144 bytes~`}},
		{"1 MB without a newline", [][]byte{repeat(61, frame(1, at(1), part))}, []string{`rest stdout 01.000 262144 bytes~`}},
		{"1 MB in one frame", [][]byte{rawFrame(1, at(1).Format(time.RFC3339Nano)+" "+strings.Repeat(part, 61)+"\nb\n")}, []string{`stdout 01.000 262144 bytes~`, `stdout 01.000 "b"`}},
		{"no newline at the end", [][]byte{frame(1, at(1), "a\n"), frame(1, at(2), "> "), frame(2, at(3), "y")}, []string{`stdout 01.000 "a"`, `rest stdout 02.000 "> "`, `rest stderr 03.000 "y"`}},
		{"a run that ended without a newline", [][]byte{frame(1, at(1), "> "), frame(1, at(2), "b\n")}, []string{`stdout 01.000 "> "`, `stdout 02.000 "b"`}},
		{"an empty payload", [][]byte{frame(1, at(1), ""), frame(1, at(2), "b\n")}, []string{`stdout 02.000 "b"`}},
		{"the engine's own text", [][]byte{rawFrame(3, "Error grabbing logs: EOF\n\n")}, []string{`system 00.000 "Error grabbing logs: EOF"`, `system 00.000 ""`}},
		{"other stamps", [][]byte{rawFrame(1, "2026-03-01T01:00:01.5+01:00 a\n"), rawFrame(1, "2026-02-28T23:59:59-00:01 b\n"), rawFrame(2, "2024-02-29T00:00:03Z c\n")}, []string{`stdout 01.500 "a"`, `stdout 59.000 "b"`, `stderr 03.000 "c"`}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := bytes.Join(tt.frames, nil)
			for name, r := range map[string]io.Reader{"whole": bytes.NewReader(b), "halves": iotest.HalfReader(bytes.NewReader(b))} {
				got, err := readFrames(r)
				if diff := cmp.Diff(tt.want, got); diff != "" || !errors.Is(err, io.EOF) {
					t.Errorf("read in %s, ended by %v (-want +got):\n%s", name, err, diff)
				}
			}
		})
	}
}

// FuzzFrames passes arbitrary bytes to the reader, which must keep its bounds, and the
// same bytes as a node's output, in frames of arbitrary parts, which must be read as the
// same lines.
func FuzzFrames(f *testing.F) {
	f.Add(append(frame(1, at(1), "a\n"), frame(2, at(2), "b")...), []byte{3, 200})
	f.Add([]byte("a\r\n\nb\x00\xff\nno newline"), []byte{1})
	f.Add(rawFrame(3, "Error grabbing logs: x\n"), []byte{})
	f.Add([]byte("\x01\x00\x00\x00\xff\xff\xff\xff2026-03-01T01:00:01.000000000Z "), []byte{9, 0, 1})
	f.Fuzz(func(t *testing.T, data, sizes []byte) {
		lines, rest, _ := readRecords(bytes.NewReader(data))
		size := 0
		for _, rec := range append(lines, rest...) {
			size += len(rec.text)
			if len(rec.text) > maxLine || strings.ContainsRune(rec.text, '\n') {
				t.Fatalf("not a line: %v", rec)
			}
		}
		if size > len(data) {
			t.Fatalf("%d bytes of text from %d bytes", size, len(data))
		}
		if len(data) > maxLine {
			return // a line might be cut
		}

		var want, wantRest []record
		var encoded []byte
		parts := 0
		for i, line := range bytes.SplitAfter(data, []byte{'\n'}) {
			stream, stamp := byte(1+i%2), at(float64(i)/1e3)
			rec := record{stream: streams[stream-1], time: stamp, text: string(line)}
			if text, whole := strings.CutSuffix(rec.text, "\n"); whole {
				rec.text = strings.TrimSuffix(text, "\r")
				want = append(want, rec)
			} else if text != "" {
				wantRest = append(wantRest, rec)
			}
			for len(line) > 0 {
				part := len(line)
				if len(sizes) > 0 {
					part = min(part, 1+int(sizes[parts%len(sizes)]))
					parts++
				}
				encoded = append(encoded, frame(stream, stamp, string(line[:part]))...)
				line = line[part:]
			}
		}
		got, gotRest, err := readRecords(bytes.NewReader(encoded))
		diff := cmp.Diff([][]record{want, wantRest}, [][]record{got, gotRest}, cmp.AllowUnexported(record{}))
		if diff != "" || !errors.Is(err, io.EOF) {
			t.Fatalf("ended by %v (-want +got):\n%s", err, diff)
		}
	})
}

func BenchmarkFrames(b *testing.B) {
	const lines = 10_000
	input := repeat(lines, frame(1, at(1), strings.Repeat("x", 99)+"\n"))
	b.SetBytes(int64(len(input)))
	b.ReportAllocs()
	for b.Loop() {
		reader := newLineReader(frames.NewReader(io.NopCloser(bytes.NewReader(input))))
		for {
			if _, err := reader.next(); err != nil {
				break
			}
		}
	}
	b.ReportMetric(float64(lines)*float64(b.N)/b.Elapsed().Seconds(), "lines/s")
}
