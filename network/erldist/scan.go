package erldist

import (
	"fmt"
	"math"
	"math/big"
	"reflect"
	"strings"
)

// Scan stores a term, as returned by [Decode] and [Conn.Call], in the Go value that into points
// to:
//
//	any, and the types of this package   the term itself
//	string                               a binary, a charlist or chardata, an atom's name
//	[]byte                               a binary
//	bool                                 the atoms true and false
//	integers, *big.Int                   an integer that fits
//	floats                               a float or an integer
//	a slice                              a list; [] too
//	an array [n]T                        a tuple or a list of n elements
//	map[K]V                              a map, or a list of pairs such as a keyword list
//	a struct                             a map, a keyword list, or a tuple with as many elements as fields
//	a pointer                            nil for the atoms nil and undefined, else what it points to
//
// A field of a struct matches the key (an atom or a binary) in its tag `erl:"key"`, or else its
// own name, regardless of case and underscores: StartedAt matches started_at. Keys without a
// field are ignored, and fields without a key are unchanged. A tuple fills the exported fields
// in order.
//
// The error names the value that did not fit, and its position. into may then be partly filled.
func Scan(term, into any) error {
	v := reflect.ValueOf(into)
	if v.Kind() != reflect.Pointer || v.IsNil() {
		return fmt.Errorf("scan a term into %T: it is not a pointer to a value", into)
	}
	return scan(term, v.Elem(), "")
}

// misfit reports that a term does not fit into a type, with its position ("[2].name").
func misfit(term any, t reflect.Type, at string) error {
	if at != "" {
		at = " at " + at
	}
	return fmt.Errorf("%s does not fit into a %s%s", Format(term), t, at)
}

func scan(term any, v reflect.Value, at string) error {
	if own, ok := v.Addr().Interface().(**big.Int); ok {
		return scanBig(term, own, at)
	}
	if given := reflect.ValueOf(term); given.IsValid() && given.Type().AssignableTo(v.Type()) {
		v.Set(given)
		return nil
	}
	switch v.Kind() {
	case reflect.Pointer:
		if term == any(Atom("nil")) || term == any(Atom("undefined")) {
			v.SetZero()
			return nil
		}
		to := reflect.New(v.Type().Elem())
		if err := scan(term, to.Elem(), at); err != nil {
			return err
		}
		v.Set(to)
		return nil
	case reflect.String:
		_, char := term.(int64) // an integer is chardata only inside a list
		if text, ok := Text(term); ok && !char {
			v.SetString(text)
			return nil
		}
	case reflect.Bool:
		if term == any(Atom("true")) || term == any(Atom("false")) {
			v.SetBool(term == any(Atom("true")))
			return nil
		}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		if n, ok := term.(int64); ok && !v.OverflowInt(n) {
			v.SetInt(n)
			return nil
		}
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		if n, ok := unsigned(term); ok && !v.OverflowUint(n) {
			v.SetUint(n)
			return nil
		}
	case reflect.Float32, reflect.Float64:
		if f, ok := float(term); ok && (!v.OverflowFloat(f) || math.IsInf(f, 0)) {
			v.SetFloat(f)
			return nil
		}
	case reflect.Slice:
		if elems, ok := term.(List); ok {
			v.Set(reflect.MakeSlice(v.Type(), len(elems), len(elems)))
			return scanEach(elems, v, at)
		}
	case reflect.Array:
		if elems, ok := sequence(term); ok && len(elems) == v.Len() {
			return scanEach(elems, v, at)
		}
	case reflect.Map:
		if pairs, ok := pairsOf(term); ok {
			return scanMap(pairs, v, at)
		}
	case reflect.Struct:
		return scanStruct(term, v, at)
	case reflect.Invalid, reflect.Complex64, reflect.Complex128, reflect.Chan, reflect.Func, reflect.Interface, reflect.UnsafePointer:
	}
	return misfit(term, v.Type(), at)
}

func scanBig(term any, into **big.Int, at string) error {
	switch n := term.(type) {
	case int64:
		*into = big.NewInt(n)
	case *big.Int:
		*into = n
	default:
		return misfit(term, reflect.TypeFor[*big.Int](), at)
	}
	return nil
}

func unsigned(term any) (uint64, bool) {
	switch n := term.(type) {
	case int64:
		return uint64(n), n >= 0
	case *big.Int:
		return n.Uint64(), n.IsUint64()
	}
	return 0, false
}

func float(term any) (float64, bool) {
	switch n := term.(type) {
	case float64:
		return n, true
	case int64:
		return float64(n), true
	case *big.Int:
		f, _ := new(big.Float).SetInt(n).Float64()
		return f, !math.IsInf(f, 0)
	}
	return 0, false
}

// sequence returns the elements of a tuple or a list.
func sequence(term any) ([]any, bool) {
	switch t := term.(type) {
	case Tuple:
		return t, true
	case List:
		return t, true
	}
	return nil, false
}

// pairsOf returns the pairs of a map, or of a list of pairs.
func pairsOf(term any) (Map, bool) {
	switch t := term.(type) {
	case Map:
		return t, true
	case List:
		pairs := make(Map, 0, len(t))
		for _, e := range t {
			pair, ok := e.(Tuple)
			if !ok || len(pair) != 2 {
				return nil, false
			}
			pairs = append(pairs, Pair{pair[0], pair[1]})
		}
		return pairs, true
	}
	return nil, false
}

func scanEach(elems []any, v reflect.Value, at string) error {
	for i, e := range elems {
		if err := scan(e, v.Index(i), fmt.Sprintf("%s[%d]", at, i)); err != nil {
			return err
		}
	}
	return nil
}

func scanMap(pairs Map, v reflect.Value, at string) error {
	m := reflect.MakeMapWithSize(v.Type(), len(pairs))
	for _, p := range pairs {
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		here := at + "[" + Format(p.Key) + "]"
		if err := scan(p.Key, key, here); err != nil {
			return err
		}
		if !key.Comparable() { // a map with keys of type any, and a list as a key
			return misfit(p.Key, v.Type().Key(), here)
		}
		if err := scan(p.Value, value, here); err != nil {
			return err
		}
		if !m.MapIndex(key).IsValid() { // the first pair of a keyword list wins: Keyword.get/2
			m.SetMapIndex(key, value)
		}
	}
	v.Set(m)
	return nil
}

func scanStruct(term any, v reflect.Value, at string) error {
	fields := exported(v.Type())
	if t, ok := term.(Tuple); ok && len(t) == len(fields) {
		for i, f := range fields {
			if err := scan(t[i], v.FieldByIndex(f.Index), at+"."+f.Name); err != nil {
				return err
			}
		}
		return nil
	}
	pairs, ok := pairsOf(term)
	if !ok {
		return misfit(term, v.Type(), at)
	}
	for _, f := range fields {
		for _, p := range pairs {
			key, isName := keyName(p.Key)
			if !isName || !named(f, key) {
				continue
			}
			if err := scan(p.Value, v.FieldByIndex(f.Index), at+"."+f.Name); err != nil {
				return err
			}
			break
		}
	}
	return nil
}

func exported(t reflect.Type) []reflect.StructField {
	var fields []reflect.StructField
	for i := range t.NumField() {
		if f := t.Field(i); f.IsExported() {
			fields = append(fields, f)
		}
	}
	return fields
}

func keyName(key any) (string, bool) {
	switch k := key.(type) {
	case Atom:
		return string(k), true
	case []byte:
		return string(k), true
	}
	return "", false
}

func named(f reflect.StructField, key string) bool {
	if tag := f.Tag.Get("erl"); tag != "" {
		return tag == key
	}
	return strings.EqualFold(f.Name, strings.ReplaceAll(key, "_", ""))
}
