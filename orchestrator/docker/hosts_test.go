package docker

import (
	"fmt"
	"strings"
	"testing"

	"github.com/beamyard/beamyard/orchestrator"
)

// Ports are published on loopback, or at the address by which a remote engine is reached. No engine
// has them at every address by default.
func TestWherePortsArePublished(t *testing.T) {
	for _, tt := range []struct {
		host    orchestrator.HostSpec
		ofHosts bool
		env     string // "NAME=VALUE"
		publish string // "!": an error that begins with this
		dial    string
		tunnel  bool
	}{
		{host: orchestrator.HostSpec{Host: "tcp://10.0.0.7:2376"}, publish: "10.0.0.7", dial: "10.0.0.7"},
		{host: orchestrator.HostSpec{Host: "tcp://10.0.0.7:2376"}, ofHosts: true, publish: "10.0.0.7", dial: "10.0.0.7"},
		{host: orchestrator.HostSpec{Host: "tcp://10.0.0.7:2376", Address: "192.168.1.7"}, ofHosts: true, publish: "192.168.1.7", dial: "192.168.1.7"},
		{host: orchestrator.HostSpec{Host: "tcp://localhost:2376"}, publish: "127.0.0.1", dial: "localhost"},
		{host: orchestrator.HostSpec{Host: "tcp://big.invalid:2376"}, publish: "!find the address of big.invalid", dial: "big.invalid"},
		{host: orchestrator.HostSpec{Host: "unix:///var/run/docker.sock"}, publish: "127.0.0.1", dial: "127.0.0.1"},
		{host: orchestrator.HostSpec{Host: "ssh://build@big2"}, publish: "127.0.0.1", dial: "127.0.0.1", tunnel: true},
		{host: orchestrator.HostSpec{Host: "ssh://build@big2"}, ofHosts: true, publish: "127.0.0.1", dial: "127.0.0.1", tunnel: true},
		{host: orchestrator.HostSpec{Host: "ssh://big2", Address: "10.0.0.8"}, ofHosts: true, publish: "10.0.0.8", dial: "10.0.0.8"},

		{host: orchestrator.HostSpec{Host: "tcp://10.0.0.7:2376"}, env: "BEAMYARD_PUBLISH=0.0.0.0", publish: "0.0.0.0", dial: "10.0.0.7"},
		{host: orchestrator.HostSpec{Host: "tcp://10.0.0.7:2376"}, env: "BEAMYARD_PUBLISH=all", publish: "!BEAMYARD_PUBLISH=all is not an IP address", dial: "10.0.0.7"},
		{host: orchestrator.HostSpec{Host: "tcp://10.0.0.7:2376"}, ofHosts: true, env: "BEAMYARD_PUBLISH=0.0.0.0", publish: "10.0.0.7", dial: "10.0.0.7"},
		{host: orchestrator.HostSpec{Host: "unix:///var/run/docker.sock"}, env: "BEAMYARD_PUBLISH=0.0.0.0", publish: "127.0.0.1", dial: "127.0.0.1"},
		{host: orchestrator.HostSpec{Host: "ssh://big2"}, env: "BEAMYARD_PUBLISH=0.0.0.0", publish: "127.0.0.1", dial: "127.0.0.1", tunnel: true},
		{host: orchestrator.HostSpec{Host: "tcp://10.0.0.7:2376"}, env: "BEAMYARD_HOST=10.0.0.9", publish: "10.0.0.9", dial: "10.0.0.9"},
		{host: orchestrator.HostSpec{Host: "ssh://big2"}, env: "BEAMYARD_HOST=10.0.0.9", publish: "10.0.0.9", dial: "10.0.0.9"},
		{host: orchestrator.HostSpec{Host: "tcp://10.0.0.7:2376"}, ofHosts: true, env: "BEAMYARD_HOST=10.0.0.9", publish: "10.0.0.7", dial: "10.0.0.7"},
	} {
		t.Run(fmt.Sprint(tt.host, tt.ofHosts, tt.env), func(t *testing.T) {
			for _, name := range []string{"BEAMYARD_HOST", "TESTCONTAINERS_HOST_OVERRIDE", PublishVariable} {
				t.Setenv(name, "")
			}
			if name, value, set := strings.Cut(tt.env, "="); set {
				t.Setenv(name, value)
			}
			e, err := newEngine(Options{Host: tt.host.Host, Address: tt.host.Address}, tt.ofHosts)
			if err != nil {
				t.Fatal(err)
			}
			defer e.Close()
			got, err := e.publish(t.Context())
			if want, fails := strings.CutPrefix(tt.publish, "!"); fails && (err == nil || !strings.HasPrefix(err.Error(), want)) || !fails && (err != nil || got != want) {
				t.Errorf("published at %q, %v", got, err)
			}
			if info := e.located(orchestrator.EngineInfo{}); info.Host != tt.dial || info.Tunnelled != tt.tunnel {
				t.Errorf("dialled at %s, tunnelled: %t", info.Host, info.Tunnelled)
			}
		})
	}
}

func TestOpenNamesTheHostThatItCannotOpen(t *testing.T) {
	_, err := Open(orchestrator.Spec{Hosts: map[string]orchestrator.HostSpec{
		"a": {Host: "tcp://10.0.0.7:2375"}, "b": {Context: "no-such-context"},
	}})
	if err == nil || !strings.HasPrefix(err.Error(), "host b: docker context no-such-context") {
		t.Error(err)
	}
	opened, err := Open(orchestrator.Spec{Hosts: map[string]orchestrator.HostSpec{"a": {Host: "tcp://10.0.0.7:2375"}, "b": {Host: "unix:///nonexistent"}}})
	if err != nil {
		t.Fatal(err)
	}
	opened.Close()
}
