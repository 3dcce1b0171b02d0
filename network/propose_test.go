package network

import "testing"

func TestNearest(t *testing.T) {
	known := []string{"shop", "demo", "pubsub-app", "n1", "n2", "web"}
	for name, want := range map[string]string{
		"shpo": "shop", "shops": "shop", "Shop": "shop", "demmo": "demo", "pubsub_ap": "pubsub-app", "wbe": "web", "N1": "n1",
		"shop": "", "n9": "", "n": "", "": "", "stop": "shop", "counter": "", "xyz": "", "wa": "",
	} {
		if got := Nearest(name, known); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
	if got := Nearest("a", nil); got != "" {
		t.Errorf("of nothing: %q", got)
	}
}
