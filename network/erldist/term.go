package erldist

import (
	"bytes"
	"strings"
	"unicode/utf8"
)

// Erlang terms have these Go types, in both directions:
//
//	integer              int64, or *big.Int if it does not fit
//	float                float64
//	atom                 Atom (true, false and nil too)
//	binary               []byte
//	bitstring            BitString
//	list, charlist       List; a charlist is a List of int64 (see Text)
//	improper list        ImproperList
//	tuple                Tuple
//	map, struct          Map
//	pid, reference, port Pid, Ref, Port
//	fun M:F/A            ExtFun
//	other funs           Fun, opaque
//
// For convenience, Encode also accepts every Go integer and float type, string (a binary, as an
// Elixir string is), bool and nil (the atoms), and []any (a list).
//
// Charlists are not distinguished from lists because the wire format does not distinguish them:
// [1, 2] and "\1\2" are both STRING_EXT.
type (
	// Atom is the text of an atom, UTF-8, at most 255 characters. Elixir's module Foo is
	// Atom("Elixir.Foo").
	Atom string

	// Tuple is {A, B, …}.
	Tuple []any

	// List is a proper list; nil is [].
	List []any

	// ImproperList is [Elems… | Tail]; Tail is not a list.
	ImproperList struct {
		Elems []any
		Tail  any
	}

	// Map holds the pairs of a map in the order received. It is a slice because any term
	// can be a key, and Go's maps accept only comparable keys.
	Map []Pair

	// Pair is Key => Value.
	Pair struct{ Key, Value any }

	// BitString is a bitstring that is not a binary. Only the Bits (1–7) most significant
	// bits of its last byte are used.
	BitString struct {
		Bytes []byte
		Bits  int
	}

	// Pid identifies a process on Node. It is comparable. Creation distinguishes
	// incarnations of a node name.
	Pid struct {
		Node       Atom
		ID, Serial uint32
		Creation   uint32
	}

	// Ref is a reference made on Node: Len words of Words. It is comparable.
	Ref struct {
		Node     Atom
		Creation uint32
		Words    [5]uint32
		Len      int
	}

	// Port identifies a port on Node. It is comparable.
	Port struct {
		Node     Atom
		ID       uint64
		Creation uint32
	}

	// ExtFun is fun Module:Function/Arity, Elixir's &Mod.fun/arity.
	ExtFun struct {
		Module, Function Atom
		Arity            int
	}

	// Fun is a closure. It can be inspected and sent back, but not called.
	Fun struct {
		Module Atom
		Arity  int // without the free variables
		raw    string
	}
)

// Get returns the value for key, compared as with =:=. The key may be any term that
// Encode accepts: m.Get("k") finds <<"k">>.
func (m Map) Get(key any) (any, bool) {
	if a, ok := key.(Atom); ok { // the usual case, without encoding
		for _, p := range m {
			if p.Key == any(a) {
				return p.Value, true
			}
		}
		return nil, false
	}
	for _, p := range m {
		if Equal(p.Key, key) {
			return p.Value, true
		}
	}
	return nil, false
}

// Equal is Erlang's =:= for all terms that Encode accepts. A term that Encode rejects
// equals nothing.
func Equal(a, b any) bool {
	x, errX := Encode(a)
	y, errY := Encode(b)
	return errX == nil && errY == nil && bytes.Equal(x, y)
}

// Text returns the text of a term: a binary, a charlist, any mix of the two (iolist,
// chardata), or the name of an atom. Integers are code points. It returns false for any
// other term, and for a list with a number outside Unicode.
func Text(term any) (string, bool) {
	switch t := term.(type) {
	case Atom:
		return string(t), true
	case string:
		return t, true
	}
	var b strings.Builder
	ok := chardata(&b, term, false)
	return b.String(), ok
}

// chardata flattens unicode:chardata() or, if latin1 is set, unicode:latin1_chardata().
func chardata(b *strings.Builder, term any, latin1 bool) bool {
	switch t := term.(type) {
	case []byte:
		if latin1 {
			for _, c := range t {
				b.WriteRune(rune(c))
			}
			return true
		}
		b.Write(t)
		return true
	case int64:
		if t < 0 || t > utf8.MaxRune || !utf8.ValidRune(rune(t)) {
			return false
		}
		b.WriteRune(rune(t))
		return true
	case List:
		for _, e := range t {
			if !chardata(b, e, latin1) {
				return false
			}
		}
		return true
	case ImproperList: // ["a" | <<"b">>] is chardata
		return chardata(b, List(t.Elems), latin1) && chardata(b, t.Tail, latin1)
	}
	return false
}
