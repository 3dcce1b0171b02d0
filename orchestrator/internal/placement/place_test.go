package placement

import (
	"slices"
	"testing"
)

func TestPlace(t *testing.T) {
	for _, tc := range []struct {
		name string
		on   []string
		room map[string]int
		pack bool
		want []string
	}{
		{"spread", []string{"", "", "", "", ""}, map[string]int{"b": 0, "a": 0}, false, []string{"a", "b", "a", "b", "a"}},
		{"pack", []string{"", "", ""}, map[string]int{"a": 2, "b": 0}, true, []string{"a", "a", "b"}},
		{"pack without limits", []string{"", "", ""}, map[string]int{"a": 0, "b": 0}, true, []string{"a", "a", "a"}},
		{"those that have a host count first", []string{"", "a", "a"}, map[string]int{"a": 0, "b": 0}, false, []string{"b", "a", "a"}},
		{"a host that takes none keeps its own", []string{"c", ""}, map[string]int{"a": 0}, false, []string{"c", "a"}},
		{"no room", []string{"", "", ""}, map[string]int{"a": 1, "b": 1}, false, []string{"a", "b", ""}},
		{"no host", []string{""}, nil, false, []string{""}},
	} {
		given := slices.Clone(tc.on)
		if got := Place(tc.on, tc.room, tc.pack); !slices.Equal(got, tc.want) {
			t.Errorf("%s: %q, want %q", tc.name, got, tc.want)
		}
		if !slices.Equal(given, tc.on) {
			t.Errorf("%s: it changed its argument", tc.name)
		}
	}
}
