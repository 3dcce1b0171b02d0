package orchestrator

import (
	"fmt"
	"regexp"
	"strings"
)

// validateRoles checks the node fields that replace the cluster's.
func (s Spec) validateRoles(v *validation) {
	for i, n := range s.Nodes {
		field := fmt.Sprintf("nodes[%d].", i)
		if s.Index(n.Role) >= 0 {
			v.add(field+"role", fmt.Sprintf("%q is also the name of a node", n.Role), "give the node another name")
		}
		if n.HTTPPort != 0 && n.HTTPPort != -1 {
			v.port(field+"http_port", n.HTTPPort, false)
		}
		if n.HTTPPort != 0 && n.HTTPPort == s.Distribution.Port {
			v.add(field+"http_port", fmt.Sprintf("%d is distribution.port too", n.HTTPPort), "choose another http_port")
		}
		if n.HTTPCheck != noCheck {
			v.httpCheck(field+"http_check", n.HTTPCheck)
		}
		if n.HTTPCheck != "" && n.HTTPCheck != noCheck && s.NodeAt(i).HTTPPort < 0 {
			v.add(field+"http_check", "the node has no HTTP port", "set http_port, or leave http_check out")
		}
		if n.Image != "" && !n.Built && (n.MixEnv != "" || n.ReleaseName != "") {
			v.add(field+"image", "an image that exists is not made with mix_env or release_name", "leave them out; env: {MIX_ENV: prod} sets what the node sees")
		}
		if n.Image != "" && !n.Built && n.HasDockerfile() {
			v.add(field+"image", "an image that exists is not built: dockerfile, target and args would have no effect", "leave image out, or leave dockerfile, target and args out")
		}
		if n.Image == "" && s.Source == "" && n.HasDockerfile() {
			v.add(field+"dockerfile", "no folder is given that has a Dockerfile", "leave dockerfile, target and args out, or say which folder: source: .")
		}
		if s.Source == "" && n.ReleaseName != "" {
			v.add(field+"release_name", "an image that exists is not made with release_name", "command: [/app/bin/NAME, start] says which one starts")
		}
	}
}

// validateBuild rejects Dockerfile settings of the cluster if no node is built with them.
func (s Spec) validateBuild(v *validation) {
	own, others := 0, 0
	for _, n := range s.Nodes {
		switch {
		case n.Dockerfile != "":
			own++
		case n.Image == "" || n.Built || n.Image == s.Image:
			others++
		}
	}
	if own == 0 || others > 0 {
		return
	}
	hint := "leave it out: each node has a dockerfile of its own, with its target and args"
	if s.Dockerfile != "" {
		v.add("dockerfile", "it would have no effect: no node is built from it", hint)
	}
	if s.Target != "" {
		v.add("target", "it would have no effect: no node is built from it", hint)
	}
	if len(s.Args) > 0 {
		v.add("args", "they would have no effect: no node is built with them", hint)
	}
}

func (s Spec) validateChecks(v *validation) {
	names := map[string]string{}
	for i, k := range s.Checks {
		field := fmt.Sprintf("checks[%d]", i)
		s.validateCheck(v, field, k, names)
		if k.Log != "" {
			v.add(field+".log", "a line of the log is checked only once", "put it into ready:")
		}
	}
	for i, k := range s.Ready {
		s.validateCheck(v, fmt.Sprintf("ready[%d]", i), k, names)
	}
	s.validateNodeChecks(v)
	for key, text := range s.Health.Problems() {
		v.add("health."+key, text, "leave it out for the default")
	}
}

// validateCheck checks one check; names are those of the checks before it.
func (s Spec) validateCheck(v *validation, field string, k Check, names map[string]string) {
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
	if k.HTTP != "" && k.Port == 0 && !s.hasHTTP(k) {
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
		if len(s.named(n)) == 0 {
			v.add(field+".nodes", fmt.Sprintf("%q is not a node of the cluster", n), s.choice(n, "list names of nodes or roles, or leave it out for all: "))
		}
	}
	if first, twice := names[k.String()]; twice {
		v.add(field+".name", fmt.Sprintf("%q is also the name of %s", k, first), "give every check a name of its own")
	}
	names[k.String()] = field
}

// validateNodeChecks checks the checks of the nodes.
func (s Spec) validateNodeChecks(v *validation) {
	for i, n := range s.Nodes {
		names := map[string]string{}
		for _, list := range []struct {
			of     string
			checks []Check
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
				alone.validateCheck(v, field, k, names)
			}
		}
	}
}
