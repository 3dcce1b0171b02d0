package main

import (
	"slices"
	"testing"
)

func TestWarningsOfASync(t *testing.T) {
	said := "==> core\nCompiling 1 file (.ex)\nGenerated core app\n==> sun\nCompiling 2 files (.ex)\nwarning: x is unused\n\n  lib/sun.ex:2\n==> web\nCompiling 1 file (.ex)\n"
	want := []string{"==> sun", "warning: x is unused", "", "  lib/sun.ex:2"}
	if got := warnings(said); !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}
