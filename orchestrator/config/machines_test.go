package config

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/beamyard/beamyard/orchestrator"
)

func TestHostsInOneLine(t *testing.T) {
	known := map[string]orchestrator.HostSpec{"a": {Host: "tcp://10.0.0.7:2376", TLS: "/certs", Nodes: 4}, "b": {Context: "big2"}}
	for _, tt := range []struct {
		text string
		want map[string]orchestrator.HostSpec
		err  string // part of the error with its hint
	}{
		{"a=ssh://build@big2,b=tcp://10.0.0.8:2376", map[string]orchestrator.HostSpec{"a": {Host: "ssh://build@big2"}, "b": {Host: "tcp://10.0.0.8:2376"}}, ""},
		{"c=context:Big_1, d=unix:///var/run/docker.sock", map[string]orchestrator.HostSpec{"c": {Context: "Big_1"}, "d": {Host: "unix:///var/run/docker.sock"}}, ""},
		{"big1,big2", map[string]orchestrator.HostSpec{"big1": {Context: "big1"}, "big2": {Context: "big2"}}, ""},
		{"a,c=ssh://big3", map[string]orchestrator.HostSpec{"a": known["a"], "c": {Host: "ssh://big3"}}, ""},
		{"a=ssh://big3", map[string]orchestrator.HostSpec{"a": {Host: "ssh://big3"}}, ""}, // replaces all of the file's a
		{"", nil, "a host is NAME=ADDRESS"},
		{"a,,b", nil, "a host is NAME=ADDRESS"},
		{"a=", nil, "a host is NAME=ADDRESS"},
		{"a=context:", nil, "a host is NAME=ADDRESS"},
		{"ssh://build@big2", nil, "a host has a name | --hosts a=ssh://build@big2"},
		{"a,a", nil, "a is there twice"},
		{"a=big2", nil, "neither the address of an engine nor a context | --hosts a=context:big2, or --hosts a=ssh://big2"},
		{"Big_1", nil, `"Big_1" is not a name of a host: lower-case letters, digits and hyphens | give it a name: --hosts a=context:Big_1`},
		{"A=ssh://big2", nil, `"A" is not a name of a host`},
	} {
		got, err := ParseHosts(tt.text, known)
		if tt.err != "" {
			if err == nil || !strings.Contains(err.Error()+" | "+orchestrator.HintOf(err).String(), tt.err) {
				t.Errorf("%s: %v, %v", tt.text, err, orchestrator.HintOf(err))
			}
			continue
		}
		if diff := cmp.Diff(tt.want, got); err != nil || diff != "" {
			t.Errorf("%s: %v\n%s", tt.text, err, diff)
		}
	}
}
