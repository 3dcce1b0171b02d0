package config

import (
	"fmt"
	"strings"

	"github.com/beamyard/beamyard/network"
	"github.com/beamyard/beamyard/orchestrator"
)

// HostsVariable is the environment variable with the hosts of every command, in the form of
// [ParseHosts].
const HostsVariable = "BEAMYARD_HOSTS"

// ParseHosts reads machines that are given in one line, separated by commas. Each is
//
//	NAME=ADDRESS           the address of its engine: tcp://10.0.0.7:2376, ssh://build@big2, unix:///var/run/docker.sock
//	NAME=context:CONTEXT   a context of the docker command
//	NAME                   one of known, the hosts of a beamyard.yml, or else the context of this name
//
// The result has the named machines alone. ParseHosts does not ask whether a context exists.
func ParseHosts(text string, known map[string]orchestrator.HostSpec) (map[string]orchestrator.HostSpec, error) {
	const like = "--hosts a=ssh://build@big1,b=tcp://10.0.0.8:2376,c=context:big3"
	found := map[string]orchestrator.HostSpec{}
	for part := range strings.SplitSeq(text, ",") {
		name, where, given := strings.Cut(strings.TrimSpace(part), "=")
		h, isKnown := known[name]
		context, isContext := strings.CutPrefix(where, "context:")
		_, twice := found[name]
		switch {
		case name == "" || given && (where == "" || isContext && context == ""):
			return nil, orchestrator.WithHint(fmt.Errorf("%q: a host is NAME=ADDRESS, NAME=context:CONTEXT or the name of a context", part), like)
		case !given && strings.Contains(name, "://"):
			return nil, orchestrator.WithHint(fmt.Errorf("%s: a host has a name", name), "--hosts a=%s", name)
		case twice:
			return nil, orchestrator.WithHint(fmt.Errorf("%s is there twice", name), like)
		case !isKnown && network.CheckNode(name) != nil:
			next := like
			if !given {
				next = fmt.Sprintf("give it a name: --hosts a=context:%s", name)
			}
			return nil, orchestrator.WithHint(fmt.Errorf("%q is not a name of a host: lower-case letters, digits and hyphens", name), "%s", next)
		case isContext:
			h = orchestrator.HostSpec{Context: context}
		case given && !strings.Contains(where, "://"):
			return nil, orchestrator.WithHint(fmt.Errorf("%s=%s is neither the address of an engine nor a context", name, where), "--hosts %[1]s=context:%[2]s, or --hosts %[1]s=ssh://%[2]s", name, where)
		case given:
			h = orchestrator.HostSpec{Host: where}
		case !isKnown:
			h = orchestrator.HostSpec{Context: name}
		}
		found[name] = h
	}
	return found, nil
}
