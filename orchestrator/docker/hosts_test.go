package docker

import (
	"strings"
	"testing"

	"github.com/beamyard/beamyard/orchestrator"
)

func TestTheAddressOfAHost(t *testing.T) {
	for _, tt := range []struct {
		endpoint, address string
		want              string // "!": an error that begins with this
	}{
		{"tcp://10.0.0.7:2376", "", "10.0.0.7"},
		{"tcp://10.0.0.7:2376", "192.168.1.7", "192.168.1.7"},
		{"tcp://localhost:2376", "", "127.0.0.1"},
		{"unix:///var/run/docker.sock", "", "127.0.0.1"},
		{"ssh://big2", "10.0.0.8", "10.0.0.8"},
		{"ssh://big2", "", "!the ports of its nodes are not tunnelled"},
		{"tcp://big.invalid:2376", "", "!find the address of big.invalid"},
	} {
		got, err := addressOf(t.Context(), tt.endpoint, orchestrator.HostSpec{Address: tt.address})
		if want, fails := strings.CutPrefix(tt.want, "!"); fails {
			if err == nil || !strings.HasPrefix(err.Error(), want) {
				t.Errorf("%s: %q, %v", tt.endpoint, got, err)
			}
		} else if err != nil || got != want {
			t.Errorf("%s: %q, %v, want %s", tt.endpoint, got, err, want)
		}
	}
}

func TestOpenNamesTheHostThatItCannotOpen(t *testing.T) {
	_, err := Open(t.Context(), orchestrator.Spec{Hosts: map[string]orchestrator.HostSpec{
		"a": {Host: "tcp://10.0.0.7:2375"}, "b": {Context: "no-such-context"},
	}})
	if err == nil || !strings.HasPrefix(err.Error(), "host b: docker context no-such-context") {
		t.Error(err)
	}
	opened, err := Open(t.Context(), orchestrator.Spec{Hosts: map[string]orchestrator.HostSpec{"a": {Host: "tcp://10.0.0.7:2375"}, "b": {Host: "unix:///nonexistent"}}})
	if err != nil {
		t.Fatal(err)
	}
	opened.Close()
}
