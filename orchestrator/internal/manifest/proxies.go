package manifest

import (
	"slices"
	"strings"

	"github.com/beamyard/beamyard/orchestrator"
)

// This file gives nodes the proxies of the client's configuration, as the docker command
// gives them to containers. Source: https://docs.docker.com/engine/cli/proxy/.

// addProxies adds those variables, in upper and lower case, that env has in neither. The
// cluster itself is excluded from the proxy.
func addProxies(s orchestrator.Spec, env map[string]string) {
	if len(s.Proxies) == 0 {
		return
	}
	said := func(key string) bool {
		_, upper := env[strings.ToUpper(key)]
		_, lower := env[strings.ToLower(key)]
		return upper || lower
	}
	add := map[string]string{}
	any := false
	for key, value := range s.Proxies {
		if !said(key) {
			add[key] = value
			any = any || !strings.EqualFold(key, "NO_PROXY")
		}
	}
	if any && !said("NO_PROXY") {
		for _, key := range []string{"NO_PROXY", "no_proxy"} {
			add[key] = noProxyList(s, s.Proxies[key])
		}
	}
	for key, value := range add {
		env[key] = value
	}
}

// noProxyList returns a list of hosts to reach without a proxy, with the cluster's own names
// and addresses added in each form, because clients differ in which forms they
// understand.
func noProxyList(s orchestrator.Spec, list string) string {
	var all []string
	add := func(entry string) {
		if entry = strings.TrimSpace(entry); entry != "" && !slices.Contains(all, entry) {
			all = append(all, entry)
		}
	}
	for entry := range strings.SplitSeq(list, ",") {
		add(entry)
	}
	names := s.Names()
	for _, entry := range []string{"localhost", "127.0.0.1", "::1", "." + s.Name + "." + s.Domain, s.Pool.String()} {
		add(entry)
	}
	for _, n := range s.Nodes {
		add(n.Name)
		add(names.Dotted(n.Name))
	}
	return strings.Join(all, ",")
}
