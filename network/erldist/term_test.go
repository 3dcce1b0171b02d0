package erldist

import (
	"bytes"
	"compress/zlib"
	"encoding/hex"
	"errors"
	"math"
	"math/big"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var (
	cmpBig = cmp.Comparer(func(a, b *big.Int) bool { return a.Cmp(b) == 0 })
	cmpFun = cmp.AllowUnexported(Fun{})
)

func shl(n uint, sign int64) *big.Int { return new(big.Int).Lsh(big.NewInt(sign), n) }

func repeat(n int, term any) []any {
	out := make([]any, n)
	for i := range out {
		out[i] = term
	}
	return out
}

// These terms were encoded by OTP 25: term_to_binary(Term, [{minor_version, 2}]), the
// form of the distribution and of OTP 26. The last column is what OTP encodes after it
// has decoded the bytes, if that differs.
var recorded = []struct {
	erl   string
	hex   string
	term  any
	again string
}{
	{"0", "836100", int64(0), ""},
	{"255", "8361ff", int64(255), ""},
	{"256", "836200000100", int64(256), ""},
	{"-1", "8362ffffffff", int64(-1), ""},
	{"16#7fffffff", "83627fffffff", int64(math.MaxInt32), ""},
	{"-16#80000000", "836280000000", int64(math.MinInt32), ""},
	{"16#80000000", "836e040000000080", int64(math.MaxInt32 + 1), ""},
	{"-16#80000001", "836e040101000080", int64(math.MinInt32 - 1), ""},
	{"(1 bsl 63) - 1", "836e0800ffffffffffffff7f", int64(math.MaxInt64), ""},
	{"-(1 bsl 63)", "836e08010000000000000080", int64(math.MinInt64), ""},
	{"1 bsl 63", "836e08000000000000000080", shl(63, 1), ""},
	{"1 bsl 64", "836e0900000000000000000001", shl(64, 1), ""},
	{"-(1 bsl 64)", "836e0901000000000000000001", shl(64, -1), ""},
	{"1 bsl 2040", "836f0000010000" + strings.Repeat("00", 255) + "01", shl(2040, 1), ""},
	{"1.5", "83463ff8000000000000", 1.5, ""},
	{"-0.0", "83468000000000000000", math.Copysign(0, -1), ""},
	{"1.0e300", "83467e37e43c8800759c", 1e300, ""},
	{"1.5, minor_version 0", "8363312e3530303030303030303030303030303030303030652b30300000000000", 1.5, "83463ff8000000000000"},
	{"ok", "8377026f6b", Atom("ok"), ""},
	{"''", "837700", Atom(""), ""},
	{"'Elixir.Foo'", "83770a456c697869722e466f6f", Atom("Elixir.Foo"), ""},
	{"'к'", "837702d0ba", Atom("к"), ""},
	{"200 times к", "83760190" + strings.Repeat("d0ba", 200), Atom(strings.Repeat("к", 200)), ""},
	{"'å', ATOM_EXT", "83640001e5", Atom("å"), "837702c3a5"},
	{"'å', SMALL_ATOM_EXT", "837301e5", Atom("å"), "837702c3a5"},
	{"[]", "836a", List(nil), ""},
	{`"abc"`, "836b0003616263", List{int64('a'), int64('b'), int64('c')}, ""},
	{"[1,256]", "836c00000002610162000001006a", List{int64(1), int64(256)}, ""},
	{"[-1]", "836c0000000162ffffffff6a", List{int64(-1)}, ""},
	{"[a|b]", "836c00000001770161770162", ImproperList{[]any{Atom("a")}, Atom("b")}, ""},
	{"[[1],[2]]", "836c000000026b0001016b0001026a", List{List{int64(1)}, List{int64(2)}}, ""},
	{"nothing | 7", "836c000000006107", int64(7), "836107"},
	{"[1 | [256]]", "836c0000000161016c0000000162000001006a", List{int64(1), int64(256)}, "836c00000002610162000001006a"},
	{"[256 | [2]]", "836c0000000162000001006b000102", List{int64(256), int64(2)}, "836c00000002620000010061026a"},
	{"{}", "836800", Tuple{}, ""},
	{"{ok,{1}}", "83680277026f6b68016101", Tuple{Atom("ok"), Tuple{int64(1)}}, ""},
	{"256 times a", "836900000100" + strings.Repeat("770161", 256), Tuple(repeat(256, Atom("a"))), ""},
	{"#{}", "837400000000", Map{}, ""},
	{"#{a => 1}", "8374000000017701616101", Map{{Atom("a"), int64(1)}}, ""},
	// OTP has its own order of keys. Ours is that of their bytes.
	{"#{a => 1, <<k>> => []}", "83740000000277016161016d000000016b6a", Map{{Atom("a"), int64(1)}, {[]byte("k"), List(nil)}}, "8374000000026d000000016b6a7701616101"},
	{"<<>>", "836d00000000", []byte{}, ""},
	{"<<abc>>", "836d00000003616263", []byte("abc"), ""},
	{"<<5:3>>", "834d0000000103a0", BitString{[]byte{0xa0}, 3}, ""},
	{"<<1,5:3>>", "834d000000020301a0", BitString{[]byte{1, 0xa0}, 3}, ""},
	{"<<7:3>>, unclean", "834d0000000103ff", BitString{[]byte{0xe0}, 3}, "834d0000000103e0"},
	{"<<7>> as 8 bits", "834d000000010807", []byte{7}, "836d0000000107"},
	{"PID_EXT", "83677703614062000000070000000102", Pid{"a@b", 7, 1, 2}, "83587703614062000000070000000100000002"},
	{"NEW_PID_EXT", "83587703614062000000070000000100000102", Pid{"a@b", 7, 1, 258}, ""},
	// OTP encodes small ports as NEW_PORT_EXT. We always use V4_PORT_EXT, which V4_NC in
	// the handshake allows.
	{"PORT_EXT", "836677036140620000000702", Port{"a@b", 7, 2}, "837877036140620000000000000007" + "00000002"},
	{"NEW_PORT_EXT", "835977036140620000000700000102", Port{"a@b", 7, 258}, "83787703614062000000000000000700000102"},
	{"V4_PORT_EXT", "83787703614062010000000000000700000102", Port{"a@b", 1<<56 | 7, 258}, ""},
	{"REFERENCE_EXT", "836577036140620000000702", Ref{"a@b", 2, [5]uint32{7}, 1}, "835a000177036140620000000200000007"},
	{"NEW_REFERENCE_EXT", "83720003770361406202000000070000000800000009", Ref{"a@b", 2, [5]uint32{7, 8, 9}, 3}, "835a0003770361406200000002000000070000000800000009"},
	{"NEWER_REFERENCE_EXT", "835a00057703614062000001020000000700000008000000090000000a0000000b", Ref{"a@b", 258, [5]uint32{7, 8, 9, 10, 11}, 5}, ""},
	{"fun lists:map/2", "837177056c6973747377036d61706102", ExtFun{"lists", "map", 2}, ""},
	{"closure", closure, Fun{"adder", 1, unhex(closure)[1:]}, ""},
	{"100 times {a}, compressed", "83500000025e789ccb61606048c9604c61604c1c254749ea92590075937797", List(repeat(100, Tuple{Atom("a")})), "836c00000064" + strings.Repeat("6801770161", 100) + "6a"},
	{"binary, compressed", "835000000069789ccb6560604849a4030000ce7526b6", []byte(strings.Repeat("a", 100)), "836d00000064" + strings.Repeat("61", 100)},
	{"nested", "8368027701616c000000026101740000000177017868026d00000001794640040000000000006a",
		Tuple{Atom("a"), List{int64(1), Map{{Atom("x"), Tuple{[]byte("y"), 2.5}}}}}, ""},
}

// adder:f(5) of `f(X) -> fun(Y) -> X + Y end`: one free variable.
const closure = "83700000004701ebf4125a4e82224694e6f366610efcc400000000000000017705616464" +
	"6572610062075fa09258770b63403132372e302e302e3100000009000000006b044a0b6105"

func unhex(s string) string {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return string(b)
}

func TestRecordedTerms(t *testing.T) {
	for _, tt := range recorded {
		t.Run(tt.erl, func(t *testing.T) {
			got, err := Decode([]byte(unhex(tt.hex)))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.term, got, cmpBig, cmpFun); diff != "" {
				t.Errorf("decoded: %s", diff)
			}
			again, err := Encode(got)
			if err != nil {
				t.Fatal(err)
			}
			want := tt.hex
			if tt.again != "" {
				want = tt.again
			}
			if diff := cmp.Diff(want, hex.EncodeToString(again)); diff != "" {
				t.Errorf("encoded again: %s", diff)
			}
		})
	}
}

func TestTruncatedTermsAreMalformed(t *testing.T) {
	for _, tt := range recorded {
		data := []byte(unhex(tt.hex))
		for n := range data {
			if _, err := Decode(data[:n]); !errors.Is(err, ErrMalformed) {
				t.Errorf("%s cut after %d bytes: %v", tt.erl, n, err)
			}
		}
		if _, err := Decode(append(data, 106)); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s with an additional byte: %v", tt.erl, err)
		}
	}
}

func TestRefusedBytes(t *testing.T) {
	tests := []struct {
		name, hex string
		want      error
		text      string
	}{
		{"other version", "826a", ErrMalformed, "version 130"},
		{"atom cache", "835200", ErrMalformed, "no cache was agreed"},
		{"LOCAL_EXT", "8379", ErrMalformed, "only by the node"},
		{"FUN_EXT", "8375", ErrMalformed, "removed in OTP 23"},
		{"unknown tag", "8301", ErrMalformed, "unknown tag 1"},
		{"infinity", "83467ff0000000000000", ErrMalformed, "float"},
		{"no number", "8363" + strings.Repeat("78", 31), ErrMalformed, "float"},
		{"atom not UTF-8", "837701e5", ErrMalformed, "UTF-8"},
		{"atom of 256 characters", "83760100" + strings.Repeat("61", 256), ErrMalformed, "255"},
		{"9 bits in a byte", "834d000000010907", ErrMalformed, "9 bits"},
		{"no bits in a byte", "834d000000010007", ErrMalformed, "0 bits"},
		{"sign 2", "836e010205", ErrMalformed, "sign"},
		{"reference of 6 words", "835a0006770161", ErrMalformed, "6 words"},
		{"reference of no word", "835a000077016100000001", ErrMalformed, "0 words"},
		{"number as node", "8358610100000000", ErrMalformed, "where an atom belongs"},
		{"arity of 4 bytes", "83717701617701616200000001", ErrMalformed, "arity"},
		{"fun of another size", strings.Replace(closure, "8370000000", "8370010000", 1), ErrMalformed, "announces"},
		{"list of 4 G elements", "836cffffffff", ErrMalformed, "4294967295 terms"},
		{"tuple of 4 G elements", "8369ffffffff", ErrMalformed, "4294967295 terms"},
		{"map of 4 G pairs", "8374ffffffff", ErrMalformed, "4294967295 pairs"},
		{"binary of 4 GiB", "836dffffffff", ErrMalformed, "4294967295 bytes"},
		{"compressed to 4 GiB", "8350ffffffff789c", ErrTooBig, "uncompressed"},
		{"compressed, not zlib", "83500000000161", ErrMalformed, "compressed"},
		{"compressed, longer than announced", "835000000068789ccb6560604849a4030000ce7526b6", ErrMalformed, "instead of 104"},
		{"compressed within", "8368015000000001", ErrMalformed, "unknown tag 80"},
		{"too deep", "83" + strings.Repeat("6801", 1000) + "6a", ErrTooBig, "too deep"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Decode([]byte(unhex(tt.hex)))
			if !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.text) {
				t.Errorf("got %v, want %v with %q", err, tt.want, tt.text)
			}
		})
	}
}

func TestLimits(t *testing.T) {
	data, err := Encode(Tuple{Tuple{int64(1)}})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		limits Limits
		want   error
	}{{Limits{Depth: 3, Bytes: len(data)}, nil}, {Limits{Depth: 2}, ErrTooBig}, {Limits{Bytes: len(data) - 1}, ErrTooBig}} {
		if _, err := DecodeWith(data, tt.limits); !errors.Is(err, tt.want) {
			t.Errorf("%+v: got %v, want %v", tt.limits, err, tt.want)
		}
	}
	long, err := Encode(ImproperList{repeat(1, Atom("a")), ImproperList{repeat(1, Atom("b")), List(repeat(2000, Atom("c")))}})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := Decode(long); err != nil || len(got.(List)) != 2002 {
		t.Errorf("lists within tails: %v", err)
	}
}

// allocated returns how many bytes f allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

func TestLiesAreCheap(t *testing.T) {
	bomb := bytes.NewBufferString(unhex("835000000064"))
	z := zlib.NewWriter(bomb)
	z.Write(make([]byte, 32<<20))
	z.Close()

	fun := []byte{tagNil}
	for range 900 { // each is the free variable of the next
		body := append([]byte(unhex("01"+strings.Repeat("00", 20)+"00000001"+"77016d"+"6100"+"6100"+"587703614062000000070000000100000102")), fun...)
		fun = append(append32([]byte{tagNewFun}, len(body)+4), body...)
	}

	for name, tt := range map[string]struct {
		data []byte
		want error
	}{
		"32 MiB announced as 100 bytes": {bomb.Bytes(), ErrMalformed},
		"900 nested funs":               {append([]byte{tagVersion}, fun...), nil},
		"tuple of 4 G elements":         {[]byte(unhex("8369ffffffff")), ErrMalformed},
	} {
		if n := allocated(func() {
			if _, err := Decode(tt.data); !errors.Is(err, tt.want) {
				t.Errorf("%s: got %v, want %v", name, err, tt.want)
			}
		}); n > 4<<20 {
			t.Errorf("%s took %d bytes", name, n)
		}
	}
}

func TestEncodeConveniences(t *testing.T) {
	type port uint16
	for _, tt := range []struct{ in, want any }{
		{1, int64(1)}, {int8(-1), int64(-1)}, {uint8(200), int64(200)}, {uint64(math.MaxUint64), new(big.Int).SetUint64(math.MaxUint64)},
		{port(4369), int64(4369)}, {float32(1.5), 1.5}, {big.NewInt(7), int64(7)}, {"é", []byte("é")},
		{true, Atom("true")}, {false, Atom("false")}, {nil, Atom("nil")},
		{[]any{1, "a"}, List{int64(1), []byte("a")}}, {[]any{1, 2}, List{int64(1), int64(2)}}, {List{}, List(nil)},
		{List(repeat(70000, 1)), List(repeat(70000, int64(1)))},
	} {
		data, err := Encode(tt.in)
		if err != nil {
			t.Fatalf("%v: %v", tt.in, err)
		}
		got, err := Decode(data)
		if diff := cmp.Diff(tt.want, got, cmpBig); diff != "" || err != nil {
			t.Errorf("%T: %v %s", tt.in, err, diff)
		}
	}
}

func TestEncodeRefuses(t *testing.T) {
	for name, term := range map[string]any{
		"struct": struct{}{}, "channel": make(chan int), "NaN": math.NaN(), "infinity": math.Inf(1),
		"long atom": Atom(strings.Repeat("a", 256)), "atom not UTF-8": Atom("\xe5"), "nil big": (*big.Int)(nil),
		"duplicate key": Map{{"k", 1}, {[]byte("k"), 2}}, "empty bit string": BitString{Bits: 3}, "8 bits": BitString{[]byte{1}, 8},
		"ref without words": Ref{Node: "a@b"}, "fun made up": Fun{Module: "m"}, "arity": ExtFun{"m", "f", 256},
		"inside": Tuple{List{Map{{1, ImproperList{[]any{struct{}{}}, 1}}}}}, "map key": Map{{struct{}{}, 1}},
		"node": Pid{Node: "\xe5"}, "module": ExtFun{Module: "\xe5"}, "list": List{1, struct{}{}},
	} {
		if data, err := Encode(term); err == nil {
			t.Errorf("%s was encoded: %x", name, data)
		}
	}
}

func TestMapGet(t *testing.T) {
	m := Map{{Atom("a"), 1}, {[]byte("k"), 2}, {Tuple{int64(1), 1.0}, 3}, {Map{{Atom("x"), int64(1)}, {Atom("y"), int64(2)}}, 4}, {1.0, 5}}
	for _, tt := range []struct {
		key   any
		value any
	}{
		{Atom("a"), 1}, {"k", 2}, {[]byte("k"), 2}, {Tuple{1, 1.0}, 3}, {Map{{Atom("y"), 2}, {Atom("x"), 1}}, 4}, {1.0, 5},
		{Atom("k"), nil}, {1, nil}, {"a", nil}, {struct{}{}, nil},
	} {
		if got, ok := m.Get(tt.key); got != tt.value || ok != (tt.value != nil) {
			t.Errorf("Get(%v) = %v, %v; want %v", tt.key, got, ok, tt.value)
		}
	}
}

func TestText(t *testing.T) {
	for _, tt := range []struct {
		term any
		want string
		ok   bool
	}{
		{[]byte("é"), "é", true}, {"é", "é", true}, {Atom("ok"), "ok", true}, {List{int64(0x263a), []byte("a"), List{int64('b')}}, "☺ab", true},
		{List(nil), "", true}, {ImproperList{[]any{[]byte("a")}, []byte("b")}, "ab", true},
		{List{int64(-1)}, "", false}, {List{int64(0x110000)}, "", false}, {List{Atom("a")}, "", false}, {1.5, "", false}, {Tuple{}, "", false},
	} {
		got, ok := Text(tt.term)
		if ok != tt.ok || ok && got != tt.want {
			t.Errorf("Text(%v) = %q, %v", tt.term, got, ok)
		}
	}
}

func TestFormat(t *testing.T) {
	for _, tt := range []struct {
		term any
		want string
	}{
		{Atom("ok"), ":ok"}, {Atom("true"), "true"}, {Atom("nil"), "nil"}, {Atom("Elixir.Foo.Bar"), "Foo.Bar"}, {Atom("Elixir.foo"), `:"Elixir.foo"`},
		{Atom("a b"), `:"a b"`}, {Atom("empty?"), ":empty?"}, {Atom("++"), ":++"}, {Atom(""), `:""`}, {Atom("1a"), `:"1a"`},
		{int64(-5), "-5"}, {shl(70, 1), "1180591620717411303424"}, {shl(5000, 1), "#Integer<5001 bits>"},
		{1.0, "1.0"}, {1.5, "1.5"}, {1e300, "1.0e300"}, {1.5e-9, "1.5e-9"},
		{[]byte("a\"b\n#{"), `"a\"b\n\#{"`}, {[]byte{1, 255}, "<<1, 255>>"}, {"é", `"é"`}, {[]byte{}, `""`},
		{BitString{[]byte{1, 0xa0}, 3}, "<<1, 5::size(3)>>"}, {BitString{[]byte{0xa0}, 3}, "<<5::size(3)>>"}, {BitString{}, "<<?>>"},
		{Tuple{Atom("ok"), List{}}, "{:ok, []}"}, {List{int64(1), int64(256)}, "[1, 256]"}, {List{int64('h'), int64('i')}, `~c"hi"`},
		{List{Tuple{Atom("a"), int64(1)}, Tuple{Atom("b"), nil}}, "[a: 1, b: nil]"}, {[]any{Atom("x")}, "[:x]"},
		{ImproperList{[]any{int64(1)}, Atom("b")}, "[1 | :b]"},
		{Map{{Atom("a"), true}, {[]byte("k"), int64(2)}}, `%{a: true, "k" => 2}`},
		{Map{{Atom("__struct__"), Atom("Elixir.Range")}, {Atom("first"), int64(1)}}, "%Range{first: 1}"},
		{Map{{Atom("__struct__"), Atom("Elixir.KeyError")}, {Atom("__exception__"), true}, {Atom("key"), Atom("b")}}, "%KeyError{key: :b}"},
		{Pid{"a@b", 7, 1, 2}, "#PID<a@b.7.1>"}, {Ref{"a@b", 2, [5]uint32{7, 8}, 2}, "#Reference<a@b.7.8>"}, {Port{"a@b", 7, 2}, "#Port<a@b.7>"},
		{ExtFun{"lists", "map", 2}, "&:lists.map/2"}, {ExtFun{"Elixir.String", "upcase", 1}, "&String.upcase/1"}, {Fun{Module: "m", Arity: 1}, "#Function<:m/1>"},
		{List(repeat(51, Atom("a"))), "[" + strings.Repeat(":a, ", 50) + "...]"},
		{[]byte(strings.Repeat("é", 3000)), `"` + strings.Repeat("é", 2048) + `" <> ...`},
		{make([]byte, 51), "<<" + strings.Repeat("0, ", 50) + "...>>"},
	} {
		if got := Format(tt.term); got != tt.want {
			t.Errorf("got  %s\nwant %s", got, tt.want)
		}
	}
	wide := any(List(repeat(50, Atom("abc"))))
	for range 5 {
		wide = List(repeat(50, wide))
	}
	if got := Format(wide); len(got) > 2*formatTotal {
		t.Errorf("50^6 atoms are printed in %d bytes", len(got))
	}
}

// FuzzDecode checks that every decoded term can be encoded, and then decodes to the same.
func FuzzDecode(f *testing.F) {
	for _, tt := range recorded {
		f.Add([]byte(unhex(tt.hex)))
	}
	limits := Limits{Depth: 100, Bytes: 1 << 20}
	f.Fuzz(func(t *testing.T, data []byte) {
		term, err := DecodeWith(data, limits)
		if err != nil {
			if !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrTooBig) {
				t.Fatalf("untyped error: %v", err)
			}
			return
		}
		Format(term)
		Text(term)
		redactor{"a"}.term(term)
		first, err := Encode(term)
		if errors.Is(err, errDuplicateKey) { // the decoder accepts more than nodes send
			return
		}
		if err != nil {
			t.Fatalf("decoded but not encoded: %v", err)
		}
		again, err := Decode(first)
		if err != nil {
			t.Fatalf("encoded but not decoded: %v", err)
		}
		if !Equal(term, again) {
			t.Fatalf("%s became %s", Format(term), Format(again))
		}
	})
}
