package faults

import "testing"

// Prepare changes no node, and faults work without it.
func TestPrepare(t *testing.T) {
	k, i := inMemory(t, "n1", "n2")
	if err := i.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	if all, err := i.List(t.Context()); err != nil || len(all) > 0 || len(k.rules) > 0 {
		t.Errorf("%v, %v, %v", all, err, k.rules)
	}
	i.Program = "/nonexistent"
	if err := i.Prepare(t.Context()); err == nil {
		t.Error("an image without its program")
	}
}
