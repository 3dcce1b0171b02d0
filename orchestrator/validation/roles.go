package validation

import (
	"fmt"

	"github.com/beamyard/beamyard/orchestrator"
)

// roles checks the node fields that replace the cluster's.
func (v *validation) roles(s orchestrator.Spec) {
	for i, n := range s.Nodes {
		field := fmt.Sprintf("nodes[%d].", i)
		if n.Role != "" && s.Index(n.Role) >= 0 {
			v.add(field+"role", fmt.Sprintf("%q is also the name of a node", n.Role), "give the node another name")
		}
		if n.HTTPPort != 0 && n.HTTPPort != -1 {
			v.port(field+"http_port", n.HTTPPort, false)
		}
		if n.HTTPPort != 0 && n.HTTPPort == s.Distribution.Port {
			v.add(field+"http_port", fmt.Sprintf("%d is distribution.port too", n.HTTPPort), "choose another http_port")
		}
		if n.HTTPCheck != orchestrator.NoHTTPCheck {
			v.httpCheck(field+"http_check", n.HTTPCheck)
		}
		if n.HTTPCheck != "" && n.HTTPCheck != orchestrator.NoHTTPCheck && s.NodeAt(i).HTTPPort < 0 {
			v.add(field+"http_check", "the node has no HTTP port", "set http_port, or leave http_check out")
		}
		if n.Image != "" && !n.Built && (n.MixEnv != "" || n.ReleaseName != "") {
			v.add(field+"image", "an image that exists is not made with mix_env or release_name", "leave them out; env: {MIX_ENV: prod} sets what the node sees")
		}
		if n.Image != "" && !n.Built && n.BaseImage != "" {
			v.add(field+"base_image", "an image that exists has its base already", "leave base_image out, or leave image out")
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

// builds rejects Dockerfile settings of the cluster if no node is built with them.
func (v *validation) builds(s orchestrator.Spec) {
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
