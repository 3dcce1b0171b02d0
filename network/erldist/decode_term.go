package erldist

import (
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// term decodes one term after its version byte. Its result is meaningless after an error.
func (d *decoder) term() any {
	if d.depth == 0 {
		d.tooBig("nested too deep")
		return nil
	}
	d.depth--
	defer func() { d.depth++ }()

	switch tag := d.u8(); tag {
	case tagSmallInteger:
		return int64(d.u8())
	case tagInteger:
		return int64(int32(d.u32()))
	case tagSmallBig:
		return d.big(d.u8())
	case tagLargeBig:
		return d.big(d.u32())
	case tagNewFloat:
		return d.finite(math.Float64frombits(d.uint(8)))
	case tagFloat:
		text, _, _ := strings.Cut(string(d.take(31)), "\x00")
		f, err := strconv.ParseFloat(text, 64)
		if err != nil {
			d.malformed("float %q", text)
		}
		return d.finite(f)
	case tagAtomUTF8, tagSmallAtomUTF8, tagAtom, tagSmallAtom, tagAtomCacheRef:
		return d.atomBody(tag)
	case tagNil:
		return List(nil)
	case tagString:
		raw := d.take(d.u16())
		l := make(List, len(raw))
		for i, c := range raw {
			l[i] = int64(c)
		}
		return l
	case tagList:
		return d.list()
	case tagSmallTuple:
		return Tuple(d.terms(d.u8()))
	case tagLargeTuple:
		return Tuple(d.terms(d.u32()))
	case tagMap:
		return d.mapBody()
	case tagBinary:
		return append([]byte{}, d.take(d.u32())...)
	case tagBitBinary:
		return d.bitBinary()
	case tagPid, tagNewPid:
		p := Pid{Node: d.atom(), ID: uint32(d.u32()), Serial: uint32(d.u32())}
		p.Creation = d.creation(tag == tagNewPid)
		return p
	case tagPort, tagNewPort:
		p := Port{Node: d.atom(), ID: uint64(d.u32())}
		p.Creation = d.creation(tag == tagNewPort)
		return p
	case tagV4Port:
		return Port{Node: d.atom(), ID: d.uint(8), Creation: uint32(d.u32())}
	case tagReference:
		r := Ref{Node: d.atom(), Len: 1}
		r.Words[0] = uint32(d.u32())
		r.Creation = d.creation(false)
		return r
	case tagNewReference, tagNewerRef:
		return d.ref(tag == tagNewerRef)
	case tagExport:
		f := ExtFun{Module: d.atom(), Function: d.atom()}
		if t := d.u8(); d.err == nil && t != tagSmallInteger {
			d.malformed("arity with tag %d", t)
		}
		f.Arity = d.u8()
		return f
	case tagNewFun:
		return d.fun()
	case tagFun:
		d.malformed("FUN_EXT was removed in OTP 23")
	case tagLocal:
		d.malformed("LOCAL_EXT is readable only by the node that wrote it")
	default:
		d.malformed("unknown tag %d", tag) // after an error: the first one is kept
	}
	return nil
}

func (d *decoder) finite(f float64) float64 {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		d.malformed("float %v", f)
	}
	return f
}

// terms decodes n terms. Each takes at least one byte: a length beyond the remaining bytes is
// invalid, which is detected before memory is allocated.
func (d *decoder) terms(n int) []any {
	if n > len(d.buf) {
		d.malformed("%d terms in %d bytes", n, len(d.buf))
		return nil
	}
	out := make([]any, n)
	for i := range out {
		if out[i] = d.term(); d.err != nil {
			return nil
		}
	}
	return out
}

// list loops over tails that are lists themselves, so that they add no depth.
func (d *decoder) list() any {
	var elems []any
	for d.err == nil {
		if more := d.terms(d.u32()); elems == nil {
			elems = more
		} else {
			elems = append(elems, more...)
		}
		if len(d.buf) > 0 && d.buf[0] == tagList {
			d.take(1)
			continue
		}
		switch tail := d.term().(type) {
		case List:
			return List(append(elems, tail...))
		default:
			if len(elems) == 0 { // as in OTP: without elements the list is its tail
				return tail
			}
			return ImproperList{Elems: elems, Tail: tail}
		}
	}
	return nil
}

func (d *decoder) mapBody() any {
	n := d.u32()
	if n > len(d.buf)/2 {
		d.malformed("%d pairs in %d bytes", n, len(d.buf))
		return nil
	}
	m := make(Map, n)
	for i := range m {
		m[i] = Pair{d.term(), d.term()}
		if d.err != nil {
			return nil
		}
	}
	return m
}

func (d *decoder) atom() Atom { return d.atomBody(d.u8()) }

func (d *decoder) atomBody(tag int) Atom {
	var raw []byte
	switch tag {
	case tagAtomUTF8, tagAtom:
		raw = d.take(d.u16())
	case tagSmallAtomUTF8, tagSmallAtom:
		raw = d.take(d.u8())
	case tagAtomCacheRef:
		d.malformed("atom cache reference, though no cache was agreed")
	default:
		d.malformed("tag %d where an atom belongs", tag)
	}
	if tag == tagAtom || tag == tagSmallAtom { // Latin-1
		runes := make([]rune, len(raw))
		for i, c := range raw {
			runes[i] = rune(c)
		}
		raw = []byte(string(runes))
	}
	if !utf8.Valid(raw) || utf8.RuneCount(raw) > maxAtomChars {
		d.malformed("an atom is UTF-8 of at most 255 characters")
	}
	return Atom(raw)
}

func (d *decoder) big(n int) any {
	sign := d.u8()
	digits := slices.Clone(d.take(n))
	if d.err == nil && sign > 1 {
		d.malformed("sign %d", sign)
	}
	slices.Reverse(digits)
	v := new(big.Int).SetBytes(digits)
	if sign == 1 {
		v.Neg(v)
	}
	if v.IsInt64() {
		return v.Int64()
	}
	return v
}

func (d *decoder) bitBinary() any {
	n, bits := d.u32(), d.u8()
	raw := append([]byte{}, d.take(n)...)
	if d.err != nil {
		return nil
	}
	if bits > 8 || (bits == 0) != (n == 0) { // OTP makes the same check
		d.malformed("%d bits in the last of %d bytes", bits, n)
		return nil
	}
	if bits == 0 || bits == 8 {
		return raw
	}
	raw[n-1] &= 0xff << (8 - bits)
	return BitString{Bytes: raw, Bits: bits}
}

// creation is 32 bits, one byte in the formats before OTP 19.
func (d *decoder) creation(wide bool) uint32 {
	if wide {
		return uint32(d.u32())
	}
	return uint32(d.u8())
}

func (d *decoder) ref(wide bool) any {
	r := Ref{Len: d.u16()}
	if d.err == nil && (r.Len < 1 || r.Len > len(r.Words)) {
		d.malformed("reference of %d words", r.Len)
	}
	if d.err != nil {
		return nil
	}
	r.Node = d.atom()
	r.Creation = d.creation(wide)
	for i := range r.Words[:r.Len] {
		r.Words[i] = uint32(d.u32())
	}
	return r
}

// fun checks a NEW_FUN_EXT up to its last free variable and keeps its bytes.
func (d *decoder) fun() any {
	whole := d.buf
	size := d.u32()
	f := Fun{Arity: d.u8()}
	d.take(16 + 4) // uniq, index
	free := d.u32()
	f.Module = d.atom()
	d.funs++
	d.term() // old index
	d.term() // old uniq
	d.term() // pid
	d.terms(free)
	d.funs--
	used := len(whole) - len(d.buf)
	if d.err == nil && used != size {
		d.malformed("fun of %d bytes announces %d", used, size)
	}
	if d.err != nil {
		return nil
	}
	if d.funs == 0 { // the bytes of an outer fun include this one's: no copy per level
		f.raw = string([]byte{tagNewFun}) + string(whole[:size])
	}
	return f
}
