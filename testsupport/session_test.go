package testsupport

import (
	"maps"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/beamyard/beamyard/orchestrator"
)

func TestSettingsForTestcontainers(t *testing.T) {
	local := orchestrator.EngineInfo{Local: true, Host: "127.0.0.1", Endpoint: "unix:///var/run/docker.sock", From: orchestrator.EndpointDefault}
	context := local
	context.From, context.Endpoint = orchestrator.EndpointContext, "unix:///run/user/1/docker.sock"
	tls := context
	tls.TLS = true
	off := map[string]string{ryukVariable: "true", sessionVariable: "own"}
	and := with[string]
	for name, c := range map[string]struct {
		env, properties map[string]string
		info            orchestrator.EngineInfo
		image           string // an image that the engine has
		dockerenv       bool
		inside          bool
		want            map[string]string
	}{
		"no reaper":                      {want: off, info: local},
		"a reaper":                       {info: local, image: "testcontainers/ryuk:0.14.0", want: map[string]string{}},
		"a reaper under a prefix":        {info: local, image: "mirror/testcontainers/ryuk:0.14.0", env: map[string]string{hubVariable: "mirror/"}, want: map[string]string{}},
		"a prefix in the file":           {info: local, image: "mirror/testcontainers/ryuk:0.14.0", properties: map[string]string{"hub.image.name.prefix": "mirror"}, want: map[string]string{}},
		"the user wants it":              {info: local, env: map[string]string{ryukVariable: "false"}, want: map[string]string{}},
		"the user does not":              {info: local, env: map[string]string{ryukVariable: "true"}, want: map[string]string{}},
		"the user's file says":           {info: local, properties: map[string]string{"ryuk.disabled": "true"}, want: map[string]string{}},
		"the user's session":             {info: local, env: map[string]string{sessionVariable: "theirs"}, want: map[string]string{ryukVariable: "true"}},
		"a machine that has .dockerenv":  {info: local, dockerenv: true, want: and(off, hostVariable, "127.0.0.1")},
		"a container of that engine":     {info: local, dockerenv: true, inside: true, want: off},
		"the user knows the host":        {info: local, dockerenv: true, env: map[string]string{hostVariable: "h"}, want: off},
		"a docker context":               {info: context, want: and(off, engineVariable, context.Endpoint)},
		"a context that is not the file": {info: context, properties: map[string]string{"tc.host": "tcp://x:1"}, want: off},
		"a context with TLS":             {info: tls, want: off},
	} {
		t.Run(name, func(t *testing.T) {
			s := surroundings{
				env:        func(key string) (string, bool) { value, ok := c.env[key]; return value, ok },
				properties: c.properties, info: c.info, dockerenv: c.dockerenv, session: "own",
				inside: func() bool { return c.inside }, ryuk: func(image string) bool { return image == c.image },
			}
			if diff := cmp.Diff(maps.Clone(c.want), s.variables()); diff != "" {
				t.Error(diff)
			}
		})
	}
}
