package config

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// combinationsOf returns each combination of a text, with what its spec got.
func combinationsOf(t *testing.T, text string) []string {
	t.Helper()
	all, err := outside{}.decodeAll(strings.NewReader(text))
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	var got []string
	for _, c := range all[1:] {
		got = append(got, fmt.Sprintf("%s: %s %d %v", c, c.Spec.BaseImage, len(c.Spec.Nodes), c.Spec.Env))
	}
	return got
}

// A combination has the file's keys, with the values of the matrix in place of its own.
func TestCombinations(t *testing.T) {
	for _, tc := range []struct {
		name, text string
		want       []string
	}{
		{"none", "nodes: 3", nil},
		{"empty", "matrix:", nil},
		{"product", "nodes: 2\nenv: {A: 1}\nmatrix: {base_image: [bookworm, trixie], nodes: [3, 5]}", []string{
			"base_image=bookworm nodes=3: bookworm 3 map[A:1]", "base_image=bookworm nodes=5: bookworm 5 map[A:1]",
			"base_image=trixie nodes=3: trixie 3 map[A:1]", "base_image=trixie nodes=5: trixie 5 map[A:1]",
		}},
		{"list", "base_image: sid\nnodes: 2\nmatrix: [{base_image: bookworm, nodes: 3}, {nodes: 4}]", []string{
			"base_image=bookworm nodes=3: bookworm 3 map[]", "nodes=4: sid 4 map[]",
		}},
		{"values that are not shown", "matrix: {env: [{TOKEN: a}, [TOKEN=b]], nodes: [[{name: a}, {name: b, replicas: 2}]]}", []string{
			"env=#1 nodes=#1:  3 map[TOKEN:a]", "env=#2 nodes=#1:  3 map[TOKEN:b]",
		}},
		{"anchors and merged keys", "x-common: &common {nodes: 2, matrix: {nodes: [7]}}\nx-bases: &bases [bookworm, &new trixie]\n<<: *common\nmatrix: {base_image: *bases}\nenv: {NEW: *new}", []string{
			"base_image=bookworm: bookworm 2 map[NEW:trixie]", "base_image=trixie: trixie 2 map[NEW:trixie]",
		}},
		{"a merged matrix", "<<: {matrix: {nodes: [7]}}", []string{"nodes=7:  7 map[]"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, combinationsOf(t, tc.text)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// The file's own spec has nothing of the matrix.
func TestTheFileWithoutItsMatrix(t *testing.T) {
	with, err := decode(strings.NewReader("nodes: 2\nmatrix: {base_image: [bookworm], nodes: [3]}"))
	if err != nil {
		t.Fatal(err)
	}
	without, err := decode(strings.NewReader("nodes: 2"))
	if diff := cmp.Diff(without, with, comparePrefix); err != nil || diff != "" {
		t.Error(err, diff)
	}
}

func TestMatrixErrors(t *testing.T) {
	for text, want := range map[string]string{
		"matrix: 3":                              "[1:9] a matrix is a mapping to lists of values, or a list of combinations",
		"matrix: {}":                             "[1:9] this matrix has no combination",
		"matrix: []":                             "[1:9] this matrix has no combination",
		"matrix: {nodes: 3}":                     "[1:10] nodes needs a list of values here",
		"matrix: {nodes: []}":                    "[1:10] nodes needs a list of values here",
		"matrix: {nods: [3]}":                    `[1:10] unknown field "nods"`,
		"matrix: {http_port: [web]}":             "[1:22] this must be a number, not text",
		"matrix: {stop_timeout: [5s, 6]}":        "[1:29] a duration has a unit: 500ms, 5s, 1m30s",
		"matrix: {nodes: [3, 5, 3]}":             "[1:24] nodes=3 is there twice",
		"matrix: [{nodes: 3}, {nodes: 3}]":       "[1:30] nodes=3 is there twice",
		"matrix: [3]":                            "[1:10] a combination is a mapping",
		"matrix: {include: [{nodes: 3}]}":        "[1:10] a matrix has no include",
		"matrix: {matrix: [{nodes: 3}]}":         "[1:10] a matrix has no matrix in it",
		"matrix: {name: [a, b]}":                 "[1:10] combinations run one after the other under one name",
		"matrix: [{cookie: secret}]":             "[1:11] a cookie is not shown, and what a matrix sets is",
		"x-a: &a {nodes: [1]}\nmatrix: {<<: *a}": "[2:10] << has no meaning in a matrix: write its keys",
		"matrix: {warm: [" + numbers(17) + "], cpus: [" + numbers(17) + "]}": "[1:61] these are more than 256 combinations",
		"matrix: [" + strings.Repeat("{nodes: 1}, ", 257) + "]":              "[1:9] these are more than 256 combinations",
	} {
		_, err := decode(strings.NewReader(text))
		if err == nil {
			t.Errorf("%s: no error", text)
			continue
		}
		got, _ := explain(err)
		if got, _, _ = strings.Cut(got, "\n"); got != want {
			t.Errorf("%s: %s; want %s", text, got, want)
		}
	}
}

func numbers(n int) string {
	var all []string
	for i := range n {
		all = append(all, fmt.Sprint(i+1))
	}
	return strings.Join(all, ",")
}

// What something else decides about makes no combination.
func TestWithout(t *testing.T) {
	all, err := outside{}.decodeAll(strings.NewReader("matrix: {base_image: [bookworm, trixie], nodes: [3, 5]}"))
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		keys                string
		want, wantedDropped string
	}{
		{"", "base_image=bookworm nodes=3, base_image=bookworm nodes=5, base_image=trixie nodes=3, base_image=trixie nodes=5", ""},
		{"hosts nodes", "base_image=bookworm, base_image=trixie", "nodes"},
		{"nodes base_image", "", "base_image nodes"},
	} {
		rest, dropped := Without(all[1:], strings.Fields(tc.keys)...)
		var names []string
		for _, c := range rest {
			names = append(names, c.String())
		}
		if got := strings.Join(names, ", "); got != tc.want || strings.Join(dropped, " ") != tc.wantedDropped {
			t.Errorf("without %q: %q, dropped %q; want %q, %q", tc.keys, got, dropped, tc.want, tc.wantedDropped)
		}
		if tc.want == "" && len(rest) != 1 {
			t.Errorf("without %q: %d combinations, want the one that decides nothing", tc.keys, len(rest))
		}
	}
}

// Each spec of a matrix has the paths and the source that the file's own spec has.
func TestMatrixOfAFolder(t *testing.T) {
	folder := t.TempDir()
	for name, text := range map[string]string{Name: "matrix: {nodes: [1, 2], files: [{/a: a.conf}]}", "mix.exs": "", "a.conf": ""} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	all, err := Matrix(folder, "")
	if err != nil || len(all) != 2 {
		t.Fatalf("%d combinations, %v", len(all), err)
	}
	for _, c := range all {
		if c.Spec.Source != folder || c.Spec.Files["/a"] != filepath.Join(folder, "a.conf") {
			t.Errorf("%s: source %q, files %v", c, c.Spec.Source, c.Spec.Files)
		}
	}
	if one, err := Of(folder, ""); err != nil || one.Source != folder || one.Nodes != nil || one.Files != nil {
		t.Errorf("the file's own spec is %+v, %v", one, err)
	}
	if none, err := Matrix(t.TempDir(), ""); err != nil || len(none) != 0 {
		t.Errorf("a folder without a file: %v, %v", none, err)
	}
}
