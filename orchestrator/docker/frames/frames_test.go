package frames

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/beamyard/beamyard/orchestrator"
)

// rawFrame encodes one frame as Docker does.
func rawFrame(stream byte, payload string) []byte {
	b := make([]byte, 8, 8+len(payload))
	b[0] = stream
	binary.BigEndian.PutUint32(b[4:], uint32(len(payload)))
	return append(b, payload...)
}

// readAll reads all parts and returns their texts.
func readAll(r io.Reader) (texts []string, err error) {
	reader := NewReader(io.NopCloser(r))
	for {
		part, err := reader.Next()
		if err != nil {
			return texts, err
		}
		texts = append(texts, string(part.Stream)+" "+string(part.Text))
	}
}

func TestMalformedFrames(t *testing.T) {
	whole := rawFrame(1, "2026-03-01T00:00:01.000000000Z abc\n")
	for _, tt := range []struct {
		name, input, want string
	}{
		{"a terminal's output", "** (Mix) hello", "a frame begins with 2a 2a 20 28"},
		{"stdin", "\x00\x00\x00\x00\x00\x00\x00\x01a", "a frame begins with 00"},
		{"stream 4", "\x04\x00\x00\x00\x00\x00\x00\x01a", "a frame begins with 04"},
		{"bytes that are not 0", "\x01\x00\x07\x00\x00\x00\x00\x01a", "a frame begins with 01 00 07"},
		{"4 GiB", "\x01\x00\x00\x00\xff\xff\xff\xff", "a frame of 4294967295 bytes"},
		{"no stamp", string(rawFrame(1, "hello world\n")), `a frame without a time: "hello world\n"`},
		{"no space", string(rawFrame(1, "2026-03-01T01:00:01Z")), "a frame without a time"},
		{"the 31st of February", string(rawFrame(1, "2026-02-31T01:00:01.000000000Z a\n")), "a frame without a time"},
		{"month 13", string(rawFrame(1, "2026-13-01T01:00:01.000000000Z a\n")), "a frame without a time"},
		{"an empty frame", string(rawFrame(2, "")), "a frame without a time"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := readAll(strings.NewReader(tt.input))
			var malformed *orchestrator.LogError
			if !errors.As(err, &malformed) || !strings.Contains(malformed.Reason, tt.want) {
				t.Errorf("got %v, want a LogError with %q", err, tt.want)
			}
		})
	}
	for n := 1; n < len(whole); n++ {
		if _, err := readAll(bytes.NewReader(whole[:n])); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("the first %d bytes of a frame: %v, want %v", n, err, io.ErrUnexpectedEOF)
		}
	}
	broken := errors.New("connection reset")
	if _, err := readAll(io.MultiReader(bytes.NewReader(whole), iotest.ErrReader(broken))); !errors.Is(err, broken) {
		t.Errorf("got %v, want the reader's error", err)
	}
}

// FuzzReader passes arbitrary bytes to the reader, which must not return more text than
// it got.
func FuzzReader(f *testing.F) {
	f.Add(append(rawFrame(1, "2026-03-01T00:00:01.000000000Z a\n"), rawFrame(2, "2026-03-01T00:00:02.5Z b")...))
	f.Add(rawFrame(3, "Error grabbing logs: x\n"))
	f.Add([]byte("\x01\x00\x00\x00\xff\xff\xff\xff2026-03-01T01:00:01.000000000Z "))
	f.Fuzz(func(t *testing.T, data []byte) {
		texts, err := readAll(bytes.NewReader(data))
		size := 0
		for _, text := range texts {
			size += len(text) - len("stdout ")
		}
		var malformed *orchestrator.LogError
		if size > len(data) || !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.As(err, &malformed) {
			t.Fatalf("%d bytes of text from %d, ended by %v", size, len(data), err)
		}
	})
}
