package erldist

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/big"
	"reflect"
	"slices"
	"unicode/utf8"
)

// Encode encodes term in the external term format, with its version byte. Equal terms
// give equal bytes: maps are sorted by their encoded keys, and numbers, lists and atoms
// use their shortest form, as in OTP.
//
// Errors: a Go type that has no term (the error names it), NaN and infinities, an atom
// that is too long or not UTF-8, a map with a duplicate key (a node would drop the
// connection).
func Encode(term any) ([]byte, error) { return appendTerm([]byte{tagVersion}, term) }

func appendTerm(b []byte, term any) ([]byte, error) {
	switch t := term.(type) {
	case nil:
		return appendAtom(b, "nil")
	case bool:
		if t {
			return appendAtom(b, "true")
		}
		return appendAtom(b, "false")
	case Atom:
		return appendAtom(b, t)
	case int64:
		return appendInt(b, t), nil
	case *big.Int:
		return appendBig(b, t)
	case float64:
		return appendFloat(b, t)
	case string:
		b = append32(append(b, tagBinary), len(t))
		return append(b, t...), nil
	case []byte:
		b = append32(append(b, tagBinary), len(t))
		return append(b, t...), nil
	case BitString:
		if len(t.Bytes) == 0 || t.Bits < 1 || t.Bits > 7 {
			return nil, errors.New("encode term: a BitString needs a byte, and 1 to 7 bits of its last")
		}
		b = append32(append(b, tagBitBinary), len(t.Bytes))
		b = append(append(b, byte(t.Bits)), t.Bytes...)
		b[len(b)-1] &= 0xff << (8 - t.Bits)
		return b, nil
	case Tuple:
		if len(t) < 256 {
			b = append(b, tagSmallTuple, byte(len(t)))
		} else {
			b = append32(append(b, tagLargeTuple), len(t))
		}
		return appendAll(b, t)
	case List:
		return appendList(b, t)
	case []any:
		return appendList(b, t)
	case ImproperList:
		if len(t.Elems) > 0 {
			b = append32(append(b, tagList), len(t.Elems))
		}
		b, err := appendAll(b, t.Elems)
		if err != nil {
			return nil, err
		}
		return appendTerm(b, t.Tail)
	case Map:
		return appendMap(b, t)
	case Pid:
		b, err := appendAtom(append(b, tagNewPid), t.Node)
		b = binary.BigEndian.AppendUint32(b, t.ID)
		b = binary.BigEndian.AppendUint32(b, t.Serial)
		return binary.BigEndian.AppendUint32(b, t.Creation), err
	case Ref:
		return appendRef(b, t)
	case Port:
		b, err := appendAtom(append(b, tagV4Port), t.Node)
		b = binary.BigEndian.AppendUint64(b, t.ID)
		return binary.BigEndian.AppendUint32(b, t.Creation), err
	case ExtFun:
		if t.Arity < 0 || t.Arity > 255 {
			return nil, fmt.Errorf("encode term: function arity %d is not in 0–255", t.Arity)
		}
		b, err := appendAtom(append(b, tagExport), t.Module)
		if err != nil {
			return nil, err
		}
		b, err = appendAtom(b, t.Function)
		return append(b, tagSmallInteger, byte(t.Arity)), err
	case Fun:
		if t.raw == "" {
			return nil, errors.New("encode term: a Fun that was not decoded cannot be sent")
		}
		return append(b, t.raw...), nil
	case encoded:
		return append(b, t...), nil
	}
	v := reflect.ValueOf(term)
	switch {
	case v.CanInt():
		return appendInt(b, v.Int()), nil
	case v.CanUint():
		return appendUint(b, v.Uint()), nil
	case v.CanFloat():
		return appendFloat(b, v.Float())
	}
	return nil, fmt.Errorf("encode term: no Erlang term for Go type %T", term)
}

func append32(b []byte, n int) []byte { return binary.BigEndian.AppendUint32(b, uint32(n)) }

func appendAll(b []byte, terms []any) (_ []byte, err error) {
	for _, e := range terms {
		if b, err = appendTerm(b, e); err != nil {
			return nil, err
		}
	}
	return b, nil
}

func appendAtom(b []byte, a Atom) ([]byte, error) {
	if !utf8.ValidString(string(a)) || utf8.RuneCountInString(string(a)) > maxAtomChars {
		return nil, errors.New("encode term: an atom is UTF-8 of at most 255 characters")
	}
	if len(a) < 256 {
		b = append(b, tagSmallAtomUTF8, byte(len(a)))
	} else {
		b = binary.BigEndian.AppendUint16(append(b, tagAtomUTF8), uint16(len(a)))
	}
	return append(b, a...), nil
}

func appendInt(b []byte, n int64) []byte {
	switch {
	case n >= 0 && n < 256:
		return append(b, tagSmallInteger, byte(n))
	case n >= math.MinInt32 && n <= math.MaxInt32:
		return binary.BigEndian.AppendUint32(append(b, tagInteger), uint32(n))
	case n < 0:
		return appendMagnitude(b, 1, uint64(-n)) // -MinInt64 wraps to 1<<63, which is correct
	}
	return appendMagnitude(b, 0, uint64(n))
}

func appendUint(b []byte, n uint64) []byte {
	if n <= math.MaxInt64 {
		return appendInt(b, int64(n))
	}
	return appendMagnitude(b, 0, n)
}

func appendMagnitude(b []byte, sign byte, n uint64) []byte {
	b = append(b, tagSmallBig, 0, sign)
	start := len(b)
	for ; n > 0; n >>= 8 {
		b = append(b, byte(n))
	}
	b[start-2] = byte(len(b) - start)
	return b
}

func appendBig(b []byte, n *big.Int) ([]byte, error) {
	if n == nil {
		return nil, errors.New("encode term: nil *big.Int")
	}
	if n.IsInt64() {
		return appendInt(b, n.Int64()), nil
	}
	digits := n.Bytes()
	slices.Reverse(digits)
	if len(digits) < 256 {
		b = append(b, tagSmallBig, byte(len(digits)))
	} else {
		b = append32(append(b, tagLargeBig), len(digits))
	}
	sign := byte(0)
	if n.Sign() < 0 {
		sign = 1
	}
	return append(append(b, sign), digits...), nil
}

func appendFloat(b []byte, f float64) ([]byte, error) {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return nil, fmt.Errorf("encode term: Erlang has no float %v", f)
	}
	return binary.BigEndian.AppendUint64(append(b, tagNewFloat), math.Float64bits(f)), nil
}

// appendList writes short lists of bytes as STRING_EXT, as OTP does: 1 byte per element instead
// of 2.
func appendList(b []byte, l []any) ([]byte, error) {
	if len(l) == 0 {
		return append(b, tagNil), nil
	}
	if s, ok := appendString(b, l); ok {
		return s, nil
	}
	b, err := appendAll(append32(append(b, tagList), len(l)), l)
	return append(b, tagNil), err
}

func appendString(b []byte, l []any) ([]byte, bool) {
	if len(l) > math.MaxUint16 {
		return nil, false
	}
	b = binary.BigEndian.AppendUint16(append(b, tagString), uint16(len(l)))
	for _, e := range l {
		n, ok := e.(int64)
		if i, isInt := e.(int); isInt {
			n, ok = int64(i), true
		}
		if !ok || n < 0 || n > 255 {
			return nil, false
		}
		b = append(b, byte(n))
	}
	return b, true
}

func appendMap(b []byte, m Map) ([]byte, error) {
	type entry struct{ key, pair []byte }
	entries := make([]entry, 0, len(m))
	for _, p := range m {
		key, err := appendTerm(nil, p.Key)
		if err != nil {
			return nil, err
		}
		pair, err := appendTerm(key, p.Value)
		if err != nil {
			return nil, err
		}
		entries = append(entries, entry{pair[:len(key)], pair})
	}
	slices.SortFunc(entries, func(x, y entry) int { return bytes.Compare(x.key, y.key) })
	b = append32(append(b, tagMap), len(m))
	for i, e := range entries {
		if i > 0 && bytes.Equal(e.key, entries[i-1].key) {
			return nil, errDuplicateKey
		}
		b = append(b, e.pair...)
	}
	return b, nil
}

var errDuplicateKey = errors.New("encode term: a map holds a key twice")

func appendRef(b []byte, r Ref) ([]byte, error) {
	if r.Len < 1 || r.Len > len(r.Words) {
		return nil, fmt.Errorf("encode term: a Ref has 1–5 words, not %d", r.Len)
	}
	b, err := appendAtom(append(b, tagNewerRef, 0, byte(r.Len)), r.Node)
	b = binary.BigEndian.AppendUint32(b, r.Creation)
	for _, w := range r.Words[:r.Len] {
		b = binary.BigEndian.AppendUint32(b, w)
	}
	return b, err
}
