package erldist

import (
	"bytes"
	"compress/zlib"
	"errors"
	"fmt"
	"io"
)

// Limits bound the cost of a decoded term. Memory use stays within a small constant
// (about 40, reached by nested empty tuples) times Bytes.
type Limits struct {
	Depth int // maximum nesting of terms; zero = 1000
	Bytes int // size in the external format, after decompression; zero = 64 MiB
}

func (l Limits) filled() Limits {
	if l.Depth <= 0 {
		l.Depth = 1000
	}
	if l.Bytes <= 0 {
		l.Bytes = 64 << 20
	}
	return l
}

// Errors of the decoder.
var (
	ErrMalformed = errors.New("malformed term")
	ErrTooBig    = errors.New("term exceeds the limit")
)

// Decode reads one term, which starts with the version byte and must fill data, under the
// default [Limits]. The result shares no memory with data. Errors are [ErrMalformed] and
// [ErrTooBig].
func Decode(data []byte) (any, error) { return DecodeWith(data, Limits{}) }

// DecodeWith is like [Decode] with other limits.
func DecodeWith(data []byte, limits Limits) (any, error) {
	term, rest, err := decodePrefix(data, limits.filled())
	if err == nil && len(rest) > 0 {
		err = fmt.Errorf("decode term: %w: %d bytes after its end", ErrMalformed, len(rest))
	}
	if err != nil {
		return nil, err
	}
	return term, nil
}

// decodePrefix decodes one versioned term and returns the bytes that follow it.
func decodePrefix(data []byte, limits Limits) (_ any, rest []byte, err error) {
	d := &decoder{buf: data, depth: limits.Depth}
	if len(data) > limits.Bytes {
		d.tooBig("%d bytes, limit %d", len(data), limits.Bytes)
	}
	if v := d.u8(); d.err == nil && v != tagVersion {
		d.malformed("version %d instead of 131", v)
	}
	var term any
	if len(d.buf) > 0 && d.buf[0] == tagCompressed {
		term = d.inflate(limits.Bytes)
	} else {
		term = d.term()
	}
	if d.err != nil {
		return nil, nil, fmt.Errorf("decode term: %w", d.err)
	}
	return term, d.buf, nil
}

// decoder consumes buf. The first error is kept and empties buf, so that every later read
// yields zeros and every loop, bounded by the length of buf, ends.
type decoder struct {
	buf   []byte
	depth int // remaining levels of nesting
	funs  int // current nesting of funs
	err   error
}

func (d *decoder) fail(err error) {
	if d.err == nil {
		d.err = err
	}
	d.buf = nil
}

func (d *decoder) malformed(format string, args ...any) {
	d.fail(fmt.Errorf("%w: "+format, append([]any{ErrMalformed}, args...)...))
}

func (d *decoder) tooBig(format string, args ...any) {
	d.fail(fmt.Errorf("%w: "+format, append([]any{ErrTooBig}, args...)...))
}

// take returns the next n bytes, or nil after an error.
func (d *decoder) take(n int) []byte {
	if n < 0 || n > len(d.buf) {
		d.malformed("%d bytes wanted, %d left", n, len(d.buf))
		return nil
	}
	b := d.buf[:n]
	d.buf = d.buf[n:]
	return b
}

func (d *decoder) uint(n int) (v uint64) {
	for _, c := range d.take(n) {
		v = v<<8 | uint64(c)
	}
	return v
}

func (d *decoder) u8() int  { return int(d.uint(1)) }
func (d *decoder) u16() int { return int(d.uint(2)) }
func (d *decoder) u32() int { return int(d.uint(4)) } // 64 bits on every platform that runs an engine

// inflate decodes a compressed term; only a whole term may be compressed.
func (d *decoder) inflate(limit int) any {
	d.take(1)
	size := d.u32()
	if size > limit {
		d.tooBig("%d bytes uncompressed, limit %d", size, limit)
	}
	if d.err != nil {
		return nil
	}
	src := bytes.NewReader(d.buf) // an io.ByteReader: zlib does not read past its end
	z, err := zlib.NewReader(src)
	if err != nil {
		d.malformed("compressed: %v", err)
		return nil
	}
	// One byte more than announced detects a stream that is longer. The buffer grows with the
	// data that arrives, so a false size costs little.
	out, err := io.ReadAll(io.LimitReader(z, int64(size)+1))
	if err != nil || len(out) != size {
		d.malformed("compressed: %d bytes instead of %d (%v)", len(out), size, err)
		return nil
	}
	inner := &decoder{buf: out, depth: d.depth}
	term := inner.term()
	if inner.err == nil && len(inner.buf) > 0 {
		inner.malformed("%d bytes after a compressed term", len(inner.buf))
	}
	if inner.err != nil {
		d.fail(inner.err)
		return nil
	}
	d.take(len(d.buf) - src.Len())
	return term
}
