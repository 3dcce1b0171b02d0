package manifest

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/validation"
)

// variablesOf returns the variables of node 0 that have these names.
func variablesOf(s orchestrator.Spec, names ...string) map[string]string {
	found := map[string]string{}
	for _, kv := range Env(s, 0) {
		key, value, _ := strings.Cut(kv, "=")
		for _, name := range names {
			if key == name {
				found[key] = value
			}
		}
	}
	return found
}

// Flags of an image, or of env:, are used in addition to the cluster's own. Those that
// name the nodes, or say where they listen, are the cluster's alone.
func TestFlagsOfTheImage(t *testing.T) {
	tests := []struct {
		name  string
		image map[string]string
		with  func(*orchestrator.Spec)
		want  map[string]string
		notes string
		args  string // what the default command must contain
	}{
		{
			name: "kept", image: map[string]string{"ERL_AFLAGS": "-config /app/etc/base -kernel shell_history enabled"},
			want: map[string]string{"ERL_AFLAGS": "-setcookie hush -config /app/etc/base -kernel shell_history enabled"},
		},
		{
			name: "what is not ours stays the image's", image: map[string]string{"ERL_FLAGS": "+P 1000000", "ERL_ZFLAGS": `-config "/etc/a b"`},
			want: map[string]string{"ERL_AFLAGS": "-setcookie hush"},
		},
		{
			name: "a cookie", image: map[string]string{"ERL_FLAGS": "-setcookie pantry -config /app/etc/base"},
			want:  map[string]string{"ERL_AFLAGS": "-setcookie hush", "ERL_FLAGS": "-config /app/etc/base"},
			notes: "the image's ERL_FLAGS has -setcookie, which does not count: the cluster's does (the cluster's own is cookie: in beamyard.yml)",
		},
		{
			name: "the cookie that it has anyway", image: map[string]string{"ERL_FLAGS": "-setcookie hush"},
			want: map[string]string{"ERL_AFLAGS": "-setcookie hush", "ERL_FLAGS": ""},
		},
		{
			name: "a name", image: map[string]string{"ERL_ZFLAGS": "-name pantry@127.0.0.1 +K true"},
			want:  map[string]string{"ERL_AFLAGS": "-setcookie hush", "ERL_ZFLAGS": "+K true"},
			notes: "the image's ERL_ZFLAGS has -name pantry@127.0.0.1, which does not count",
		},
		{
			name: "a name that nothing else gives", image: map[string]string{"ERL_FLAGS": "-sname pantry"}, with: func(s *orchestrator.Spec) { s.Command = []string{orchestrator.CommandOfImage} },
			want:  map[string]string{"ERL_AFLAGS": "-setcookie hush", "ERL_FLAGS": "-name app@n1.demo.test"},
			notes: "the image's ERL_FLAGS has -sname pantry",
		},
		{
			name: "the name that it has anyway", with: func(s *orchestrator.Spec) {
				s.Command, s.Env = []string{"couchdb"}, map[string]string{"ERL_FLAGS": "-name {node}"}
			},
			want: map[string]string{"ERL_AFLAGS": "-setcookie hush", "ERL_FLAGS": "-name app@n1.demo.test"},
		},
		{
			name: "env: goes before the image", image: map[string]string{"ERL_AFLAGS": "-config /a"}, with: func(s *orchestrator.Spec) { s.Env = map[string]string{"ERL_AFLAGS": "-config /b"} },
			want: map[string]string{"ERL_AFLAGS": "-setcookie hush -config /b"},
		},
		{
			name: "a cookie of env:", with: func(s *orchestrator.Spec) { s.Env = map[string]string{"ELIXIR_ERL_OPTIONS": "-setcookie other +fnu"} },
			want:  map[string]string{"ERL_AFLAGS": "-setcookie hush", "ELIXIR_ERL_OPTIONS": "+fnu"},
			notes: "env: ELIXIR_ERL_OPTIONS has -setcookie",
		},
		{
			name: "a port", image: map[string]string{"ERL_FLAGS": "-kernel inet_dist_listen_min 9200 inet_dist_listen_max 9210 logger_level error"},
			want:  map[string]string{"ERL_AFLAGS": "-setcookie hush", "ERL_FLAGS": "-kernel logger_level error"},
			notes: "-kernel inet_dist_listen_min 9200",
		},
		{
			name: "the tick of the cluster", image: map[string]string{"ERL_AFLAGS": "-kernel net_ticktime 60"}, with: func(s *orchestrator.Spec) { s.NetTick = 8e9 },
			want:  map[string]string{"ERL_AFLAGS": "-setcookie hush"},
			notes: "-kernel net_ticktime 60",
		},
		{
			name: "a tick that the cluster does not set", image: map[string]string{"ERL_AFLAGS": "-kernel net_ticktime 60"},
			want: map[string]string{"ERL_AFLAGS": "-setcookie hush -kernel net_ticktime 60"},
		},
		{
			name: "what is the image's to say", image: map[string]string{"ERL_FLAGS": "+sbwt very_long +Q 1024"},
			want: map[string]string{"ERL_AFLAGS": "-setcookie hush"}, args: "-start_epmd false -erl_epmd_port 9100 +sbwtdcpu none +sbwtdio none",
		},
		{
			name: "a release", image: map[string]string{"ERL_AFLAGS": "-config /a -setcookie x"}, with: func(s *orchestrator.Spec) { s.Release, s.Command = true, []string{"bin/shop", "start"} },
			want: map[string]string{
				"ERL_AFLAGS":          "-start_epmd false -erl_epmd_port 9100 -dist_listen false -config /a",
				"BEAMYARD_ERL_AFLAGS": "-start_epmd false -erl_epmd_port 9100 +sbwt none +sbwtdcpu none +sbwtdio none +Q 65536 -config /a",
			},
			notes: "the image's ERL_AFLAGS has -setcookie",
		},
		{
			name: "a cookie file", image: map[string]string{"ERL_FLAGS": "-setcookie hush"}, with: func(s *orchestrator.Spec) { s.CookieFile = "/root/.erlang.cookie" },
			want: map[string]string{},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := orchestrator.Spec{Name: "demo", Image: "demo:1", Nodes: orchestrator.NodeNames(2), Cookie: "hush", ImageEnv: tt.image}
			if tt.with != nil {
				tt.with(&s)
			}
			s = s.Defaulted()
			if diff := cmp.Diff(tt.want, variablesOf(s, append([]string{startFlags}, FlagVariables...)...)); diff != "" {
				t.Error(diff)
			}
			notes := strings.Join(FlagNotes(s), "\n")
			if !strings.Contains(notes, tt.notes) || (tt.notes == "") != (notes == "") {
				t.Errorf("said %q, want %q", notes, tt.notes)
			}
			if strings.Contains(notes, "hush") || strings.Contains(notes, "-setcookie pantry") {
				t.Errorf("it shows a cookie: %s", notes)
			}
			if command := strings.Join(nodeCommand(s, 0), " "); !strings.Contains(command, tt.args) {
				t.Errorf("command %s, want %s", command, tt.args)
			}
		})
	}
}

// MIX_ENV of an image is used unless the spec sets one.
func TestMixEnvOfTheImage(t *testing.T) {
	prod := map[string]string{"MIX_ENV": "prod"}
	for _, tt := range []struct {
		name string
		spec orchestrator.Spec
		want string
	}{
		{"the image's", orchestrator.Spec{ImageEnv: prod}, "prod"},
		{"mix_env", orchestrator.Spec{ImageEnv: prod, MixEnv: "dev"}, "dev"},
		{"env", orchestrator.Spec{ImageEnv: prod, Env: map[string]string{"MIX_ENV": "test"}}, "test"},
		{"none", orchestrator.Spec{}, "dev"},
		{"none, of a release", orchestrator.Spec{Release: true, Command: []string{"bin/shop"}}, "prod"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.spec.Name, tt.spec.Image, tt.spec.Nodes = "demo", "demo:1", orchestrator.NodeNames(1)
			if got := variablesOf(tt.spec.Defaulted(), "MIX_ENV")["MIX_ENV"]; got != tt.want {
				t.Errorf("MIX_ENV=%s, want %s", got, tt.want)
			}
		})
	}
	both := orchestrator.Spec{Name: "demo", Image: "demo:1", Nodes: orchestrator.NodeNames(1), MixEnv: "dev", Env: map[string]string{"MIX_ENV": "prod"}}
	if err := validation.Check(both); err == nil || !strings.Contains(err.Error(), `MIX_ENV is "prod" here, and mix_env is "dev"`) {
		t.Errorf("two of them: %v", err)
	}
}
