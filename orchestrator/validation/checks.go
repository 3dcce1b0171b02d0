package validation

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/beamyard/beamyard/orchestrator"
)

func (v *validation) checks(s orchestrator.Spec) {
	names := map[string]string{}
	for i, k := range s.Checks {
		field := fmt.Sprintf("checks[%d]", i)
		v.check(s, field, k, names)
		if k.Log != "" {
			v.add(field+".log", "a line of the log is checked only once", "put it into ready:")
		}
	}
	for i, k := range s.Ready {
		v.check(s, fmt.Sprintf("ready[%d]", i), k, names)
	}
	v.nodeChecks(s)
	for key, text := range s.Health.Problems() {
		v.add("health."+key, text, "leave it out for the default")
	}
}

// check checks one check; names are those of the checks before it.
func (v *validation) check(s orchestrator.Spec, field string, k orchestrator.Check, names map[string]string) {
	kinds := 0
	for _, given := range []bool{k.HTTP != "", k.RPC != "", k.Erlang != "", len(k.Exec) > 0, k.Log != ""} {
		if given {
			kinds++
		}
	}
	if kinds != 1 {
		v.add(field, fmt.Sprintf("it has %d of http, rpc, erlang, exec and log, one is needed", kinds), `checks: [{name: db, rpc: "Shop.Repo.ready?()"}]`)
	}
	if k.HTTP != "" && !strings.HasPrefix(k.HTTP, "/") {
		v.add(field+".http", fmt.Sprintf("%q is not a path", k.HTTP), "http: /health")
	}
	if k.HTTP != "" && k.Port == 0 && !hasHTTP(s, k) {
		v.add(field+".http", "no node that it is asked of has an HTTP port", "set its port:, or http_port, or use another kind of check")
	}
	if k.Port != 0 && k.HTTP == "" {
		v.add(field+".port", "only an http check has a port", "leave it out")
	}
	v.port(field+".port", k.Port, true)
	if k.Expect != "" && k.RPC == "" && k.Erlang == "" {
		v.add(field+".expect", "only rpc and erlang checks have a value to expect", "leave it out")
	}
	if _, err := regexp.Compile(k.Log); err != nil {
		v.add(field+".log", err.Error(), `log: "Server startup complete"`)
	}
	if k.Timeout < 0 {
		v.add(field+".timeout", fmt.Sprintf("%s is negative", k.Timeout), "timeout: 5s")
	}
	for _, n := range k.Nodes {
		if !exists(s, n) {
			v.add(field+".nodes", fmt.Sprintf("%q is not a node of the cluster", n), s.Choice(n, "list names of nodes or roles, or leave it out for all: "))
		}
	}
	if first, twice := names[k.String()]; twice {
		v.add(field+".name", fmt.Sprintf("%q is also the name of %s", k, first), "give every check a name of its own")
	}
	names[k.String()] = field
}

// nodeChecks checks the checks of the nodes.
func (v *validation) nodeChecks(s orchestrator.Spec) {
	for i, n := range s.Nodes {
		names := map[string]string{}
		for _, list := range []struct {
			of     string
			checks []orchestrator.Check
		}{{"checks", n.Checks}, {"ready", n.Ready}} {
			for j, k := range list.checks {
				of, field := list.of, fmt.Sprintf("nodes[%d].%s[%d]", i, list.of, j)
				if len(k.Nodes) > 0 {
					v.add(field+".nodes", "the check stands at a node already", "leave it out, or put the check into the cluster's "+of)
					k.Nodes = nil
				}
				if k.Log != "" && of == "checks" {
					v.add(field+".log", "a line that was printed once is not repeated", "put it into ready:")
				}
				alone := s
				alone.Nodes = s.Nodes[i : i+1]
				v.check(alone, field, k, names)
			}
		}
	}
}

// hasHTTP reports whether any node that the check applies to has an HTTP port.
func hasHTTP(s orchestrator.Spec, k orchestrator.Check) bool {
	for i, n := range s.Nodes {
		if k.AppliesTo(n) && s.NodeAt(i).HTTPPort > 0 {
			return true
		}
	}
	return len(s.Nodes) == 0 && s.HTTPPort > 0
}
