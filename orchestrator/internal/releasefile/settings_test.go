package releasefile

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// flyEnv is what `fly launch` writes as rel/env.sh.eex, in meaning.
const flyEnv = `#!/bin/sh

# configure node for distributed erlang with IPV6 support
export ERL_AFLAGS="-proto_dist inet6_tcp"
export ECTO_IPV6="true"
export DNS_CLUSTER_QUERY="${FLY_APP_NAME}.internal"
export RELEASE_DISTRIBUTION="name"
export RELEASE_NODE="${FLY_APP_NAME}-${FLY_IMAGE_REF##*-}@${FLY_PRIVATE_IP}"
`

func TestReadEnvScript(t *testing.T) {
	for _, tc := range []struct{ name, text, want string }{
		{"what fly writes", flyEnv, "4 ERL_AFLAGS; 7 RELEASE_DISTRIBUTION; 8 RELEASE_NODE needs FLY_APP_NAME"},
		{"what mix release.init writes", `#!/bin/sh

# # Sets and enables heart (recommended only in daemon mode)
# case $RELEASE_COMMAND in
#   daemon*)
#     HEART_COMMAND="$RELEASE_ROOT/bin/$RELEASE_NAME $RELEASE_COMMAND"
#     export HEART_COMMAND
#     export ELIXIR_ERL_OPTIONS="-heart"
#     ;;
#   *)
#     ;;
# esac

# # Set the release to work across nodes.
# export RELEASE_DISTRIBUTION=name
# export RELEASE_NODE=shop
`, ""},
		{"in an if", "if [ -n \"$FLY_APP_NAME\" ]; then\n  export RELEASE_NODE=\"$FLY_APP_NAME@$FLY_PRIVATE_IP\"\nfi\nexport RELEASE_COOKIE=abc\n",
			"2 RELEASE_NODE needs FLY_APP_NAME guarded; 4 RELEASE_COOKIE"},
		{"in an if of one line", `if [ -n "$A" ]; then export ERL_AFLAGS="-x" RELEASE_NODE="a@$A"; fi`, "1 ERL_AFLAGS guarded; 1 RELEASE_NODE needs A guarded"},
		{"after a test", `[ -n "$POD_IP" ] && export RELEASE_NODE=app@$POD_IP`, "1 RELEASE_NODE needs POD_IP guarded"},
		{"in a case", "case $RELEASE_COMMAND in\n  start*) RELEASE_NODE=x@y ;;\nesac\nRELEASE_DISTRIBUTION=name", "2 RELEASE_NODE guarded; 4 RELEASE_DISTRIBUTION"},
		{"what is there is kept", `export RELEASE_NODE="${RELEASE_NODE:-shop@$(hostname -f)}" ERL_AFLAGS="$ERL_AFLAGS +S 2"`, "1 RELEASE_NODE guarded; 1 ERL_AFLAGS guarded"},
		{"in single quotes nothing is replaced", `ERL_AFLAGS='$ERL_AFLAGS'`, "1 ERL_AFLAGS"},
		{"after a comment in quotes", `export X="a # b"; export RELEASE_NODE=a@b # RELEASE_COOKIE=x`, "1 RELEASE_NODE"},
		{"another variable", "MY_RELEASE_NODE=x\nRELEASE_NODES=y", ""},
	} {
		if got := settingsOf(ReadEnvScript("env.sh", tc.text)); got != tc.want {
			t.Errorf("%s: %q, want %q", tc.name, got, tc.want)
		}
	}
}

func TestReadVMArgs(t *testing.T) {
	for _, tc := range []struct{ text, want string }{
		{"## brought over from Distillery\n-name coffer@127.0.0.1\n-setcookie coffer_secret\n", "2 -name; 3 -setcookie"},
		{"## -name x\n#-setcookie y\n+P 5\n-kernel inet_dist_use_interface {127,0,0,1}\n", "4 -kernel inet_dist_use_interface"},
		{"-kernel inet_dist_listen_min 9000 inet_dist_listen_max 9010\r\n-proto_dist inet_tls\r\n", "1 -kernel inet_dist_listen_min; 1 -kernel inet_dist_listen_max; 2 -proto_dist"},
		{"-start_epmd false -erl_epmd_port 6789", "1 -start_epmd; 1 -erl_epmd_port"},
	} {
		if got := settingsOf(ReadVMArgs("vm.args", tc.text)); got != tc.want {
			t.Errorf("%q: %q, want %q", tc.text, got, tc.want)
		}
	}
}

// No value is kept: it may be a cookie.
func TestSettingsHoldNoValues(t *testing.T) {
	settings := append(ReadVMArgs("vm.args", "-setcookie hush"), ReadEnvScript("env.sh", "export RELEASE_COOKIE=hush\nRELEASE_NODE=hush@x")...)
	if text := fmt.Sprintf("%+v", settings); len(settings) != 3 || strings.Contains(text, "hush") {
		t.Errorf("%s", text)
	}
}

func settingsOf(settings []Setting) string {
	var texts []string
	for _, s := range settings {
		text := fmt.Sprintf("%d %s", s.Line, s.Name)
		if s.Needs != "" {
			text += " needs " + s.Needs
		}
		if s.Guarded {
			text += " guarded"
		}
		texts = append(texts, text)
	}
	return strings.Join(texts, "; ")
}

func FuzzReadSettings(f *testing.F) {
	f.Add(flyEnv)
	f.Add("if case fi done\nRELEASE_NODE=\"$")
	f.Add("-name\n-setcookie #\n-kernel inet_dist_")
	f.Fuzz(func(t *testing.T, text string) {
		lines := strings.Count(text, "\n") + 1
		for _, s := range slices.Concat(ReadEnvScript("env.sh", text), ReadVMArgs("vm.args", text)) {
			if s.Line < 1 || s.Line > lines || s.Name == "" {
				t.Errorf("%+v", s)
			}
		}
	})
}
