package erldist

import (
	"math"
	"math/big"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// scanned scans a term into a T.
func scanned[T any](term any) (any, error) {
	var v T
	err := Scan(term, &v)
	return v, err
}

func TestScan(t *testing.T) {
	type node struct {
		Name      string
		StartedAt int
		Tags      []string `erl:"labels"`
	}
	huge := new(big.Int).Lsh(big.NewInt(1), 80)
	atom := func(s string) any { return Atom(s) }
	three := 3
	for name, c := range map[string]struct {
		scan func(any) (any, error)
		term any
		want any
	}{
		"as it is":           {scanned[any], Tuple{atom("ok"), int64(1)}, Tuple{atom("ok"), int64(1)}},
		"a term's own type":  {scanned[Tuple], Tuple{atom("ok")}, Tuple{atom("ok")}},
		"a binary":           {scanned[string], []byte("grüß"), "grüß"},
		"a charlist":         {scanned[string], List{int64('h'), int64('i')}, "hi"},
		"an atom's name":     {scanned[string], atom("Elixir.Demo"), "Elixir.Demo"},
		"bytes":              {scanned[[]byte], []byte{0xff}, []byte{0xff}},
		"true":               {scanned[bool], atom("true"), true},
		"an int8":            {scanned[int8], int64(-128), int8(-128)},
		"a uint64":           {scanned[uint64], new(big.Int).SetUint64(math.MaxUint64), uint64(math.MaxUint64)},
		"a float":            {scanned[float64], 1.5, 1.5},
		"an integer's float": {scanned[float64], int64(2), 2.0},
		"a large integer":    {scanned[*big.Int], huge, huge},
		"a small one, large": {scanned[*big.Int], int64(7), big.NewInt(7)},
		"a list":             {scanned[[]int], List{int64(1), int64(2)}, []int{1, 2}},
		"an empty one":       {scanned[[]string], List{}, []string{}},
		"a tuple":            {scanned[[2]any], Tuple{atom("ok"), int64(1)}, [2]any{atom("ok"), int64(1)}},
		"a map":              {scanned[map[string]int], Map{{[]byte("a"), int64(1)}}, map[string]int{"a": 1}},
		"a keyword list": {scanned[map[string]int], List{Tuple{atom("a"), int64(1)}, Tuple{atom("a"), int64(2)}},
			map[string]int{"a": 1}},
		"nil":       {scanned[*int], atom("nil"), (*int)(nil)},
		"undefined": {scanned[*int], atom("undefined"), (*int)(nil)},
		"not nil":   {scanned[*int], int64(3), &three},
		"a struct": {scanned[node], Map{{atom("name"), []byte("n1")}, {atom("started_at"), int64(5)},
			{[]byte("labels"), List{atom("x")}}, {int64(1), int64(1)}},
			node{Name: "n1", StartedAt: 5, Tags: []string{"x"}}},
		"a struct of a tuple": {scanned[node], Tuple{atom("n1"), int64(5), List{}}, node{Name: "n1", StartedAt: 5, Tags: []string{}}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := c.scan(c.term)
			if err != nil {
				t.Fatal(err)
			}
			compareBig := cmp.Comparer(func(a, b *big.Int) bool { return a.Cmp(b) == 0 })
			if diff := cmp.Diff(c.want, got, compareBig); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestScanRefuses(t *testing.T) {
	type inner struct{ Count int }
	type outer struct{ Inners []inner }
	for name, c := range map[string]struct {
		scan func(any) (any, error)
		term any
		want string
	}{
		"an overflow":      {scanned[int8], int64(128), "128 does not fit into a int8"},
		"a negative":       {scanned[uint], int64(-1), "-1 does not fit into a uint"},
		"a large integer":  {scanned[int], new(big.Int).Lsh(big.NewInt(1), 80), "1208925819614629174706176 does not fit into a int"},
		"an error tuple":   {scanned[int], Tuple{Atom("error"), Atom("noproc")}, "{:error, :noproc} does not fit into a int"},
		"no text":          {scanned[string], int64(7), "7 does not fit into a string"},
		"an atom for bool": {scanned[bool], Atom("ok"), ":ok does not fit into a bool"},
		"another length":   {scanned[[2]int], Tuple{int64(1)}, "{1} does not fit into a [2]int"},
		"no pairs":         {scanned[map[string]int], List{int64(1)}, "[1] does not fit into a map[string]int"},
		"a key of a list":  {scanned[map[any]int], Map{{List{int64(1)}, int64(1)}}, "[1] does not fit into a interface {} at [[1]]"},
		"a channel":        {scanned[chan int], int64(1), "1 does not fit into a chan int"},
		"deep inside": {scanned[outer], Map{{Atom("inners"), List{Map{{Atom("count"), Atom("many")}}}}},
			":many does not fit into a int at .Inners[0].Count"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := c.scan(c.term); err == nil || err.Error() != c.want {
				t.Errorf("%v", err)
			}
		})
	}
	if err := Scan(int64(1), 1); err == nil || err.Error() != "scan a term into int: it is not a pointer to a value" {
		t.Error(err)
	}
}
