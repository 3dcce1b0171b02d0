package manifest

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/beamyard/beamyard/images"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/keeper"
	"github.com/beamyard/beamyard/orchestrator/validation"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// A release's VM flags are set for the node alone, its cookie only in variables that its
// script reads, and a user's flags in both.
func TestReleaseContainer(t *testing.T) {
	s := orchestrator.Spec{Name: "shop", Image: "shop:1", Nodes: orchestrator.NodeNames(2), Release: true, Command: []string{images.ReleaseScript, "start"}, Cookie: "crumb", NetTick: 8 * time.Second, Env: map[string]string{"ERL_AFLAGS": "-x y"}}.Defaulted()
	c := Container(s, 1, "net", orchestrator.Placement{}, time.Unix(1, 0))
	if got := slices.Concat(c.Entrypoint[3:], c.Command); !slices.Equal(got, []string{"sh", images.ReleaseScript, "start"}) || c.Entrypoint[0] != "sh" {
		t.Errorf("entrypoint %q, command %q", c.Entrypoint, c.Command)
	}
	for _, want := range []string{
		"BEAMYARD_ERL_AFLAGS=-start_epmd false -erl_epmd_port 9100 -kernel net_ticktime 8 +sbwt none +sbwtdcpu none +sbwtdio none +Q 65536 -x y",
		"ERL_AFLAGS=-start_epmd false -erl_epmd_port 9100 -dist_listen false -x y",
		"MIX_ENV=prod", "RELEASE_COOKIE=crumb", "RELEASE_DISTRIBUTION=name", "RELEASE_NODE=app@n2.shop.test", "RELEASE_TMP=/tmp",
	} {
		if !slices.Contains(c.Env, want) {
			t.Errorf("no %s in %q", want, c.Env)
		}
	}
	if text := fmt.Sprint(c.Entrypoint, c.Command); strings.Contains(text, "crumb") {
		t.Errorf("the cookie is an argument: %s", text)
	}
	s.Distribution.EPMD = true
	c = Container(s, 0, "net", orchestrator.Placement{}, time.Unix(1, 0))
	if !slices.Contains(c.Env, "ERL_AFLAGS=-x y") {
		t.Errorf("with EPMD: %q", c.Env)
	}
}

// A spec that is written to a label and read again is the same.
func TestASpecIsReadFromItsLabel(t *testing.T) {
	s := validSpec()
	s.Env, s.Labels, s.Owner = map[string]string{"A": "1"}, map[string]string{"team": "shop"}, keeper.Self(true)
	s = s.Defaulted()
	labels := NetworkLabels(s, time.Unix(1, 2))
	got, err := orchestrator.SpecOf(labels)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(s, got, cmpopts.EquateEmpty(), cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); diff != "" {
		t.Errorf("spec (-sent +got):\n%s", diff)
	}
	if diff := validation.Diff(s, got); len(diff) != 0 {
		t.Errorf("differs in %v", diff)
	}
	if !orchestrator.CreatedOf(labels).Equal(time.Unix(1, 2)) || orchestrator.OwnerOf(labels) != s.Owner {
		t.Errorf("labels %v", labels)
	}
	if _, err := orchestrator.SpecOf(map[string]string{orchestrator.LabelSpec: "{"}); err == nil {
		t.Error("a broken label is accepted")
	}
}

func TestContainerSpec(t *testing.T) {
	s := validSpec()
	s.Cookie, s.Precompiled, s.NetTick, s.Distribution.OverlappingPartitions = "crumb", true, 8*time.Second, true
	s.Env = map[string]string{"POOL": "5", "ERL_AFLAGS": "-kernel shell_history enabled"}
	s.Nodes[1].Env = map[string]string{"POOL": "9"}
	s = s.Defaulted()
	c := Container(s, 1, "net1", orchestrator.Placement{IP: netip.MustParseAddr("10.213.0.3")}, time.Unix(1, 0))
	if c.Name != "beamyard-shop-n2" || c.Hostname != "n2.shop.test" || !slices.Contains(c.Aliases, "n2.shop.test") ||
		c.IP.String() != "10.213.0.3" || c.NetworkID != "net1" || c.StopTimeout != orchestrator.DefaultStopTimeout || c.NoFile != NoFile {
		t.Errorf("%+v", c)
	}
	want := []string{
		"elixir", "--name", "app@n2.shop.test", "--erl",
		"-start_epmd false -erl_epmd_port 9100 -kernel net_ticktime 8 -kernel prevent_overlapping_partitions false +sbwt none +sbwtdcpu none +sbwtdio none +Q 65536",
		"-S", "mix", "run", "--no-halt", "--no-compile", "--no-deps-check",
	}
	if diff := cmp.Diff(want, c.Command); diff != "" {
		t.Errorf("command (-want +got):\n%s", diff)
	}
	wantEnv := []string{
		"ERLANG_COOKIE=crumb", "ERL_AFLAGS=-setcookie crumb -kernel shell_history enabled", "ERL_CRASH_DUMP=/tmp/erl_crash.dump",
		"ERL_CRASH_DUMP_SECONDS=10", "LANG=C.UTF-8", "MIX_ENV=dev", "NODE_NAME=app@n2.shop.test", "PHX_PORT=4000", "PHX_SERVER=true",
		"POOL=9", "PORT=4000", "RELEASE_COOKIE=crumb", "RELEASE_DISTRIBUTION=name", "RELEASE_NODE=app@n2.shop.test",
		"SHELL=/bin/sh", "TEST_HTTP_PORT=4000",
	}
	if diff := cmp.Diff(wantEnv, c.Env); diff != "" {
		t.Errorf("environment (-want +got):\n%s", diff)
	}
	s.Distribution.Inet6 = true
	if got := VMFlags(s); !strings.Contains(got, " -proto_dist inet6_tcp ") {
		t.Errorf("over IPv6: %s", got)
	}
	s.Distribution.TLS.Enabled = true
	if got := VMFlags(s); !strings.Contains(got, " -proto_dist inet6_tls -ssl_dist_optfile /.beamyard/tls/dist.conf ") {
		t.Errorf("over TLS and IPv6: %s", got)
	}
	s.Distribution.Inet6 = false
	if got := VMFlags(s); !strings.Contains(got, " -proto_dist inet_tls -ssl_dist_optfile /.beamyard/tls/dist.conf ") {
		t.Errorf("over TLS: %s", got)
	}
	if env := Env(s, 0); !slices.ContainsFunc(env, func(kv string) bool {
		return strings.HasPrefix(kv, "ERL_AFLAGS=-setcookie crumb -kernel shell_history enabled -eval [code:ensure_modules_loaded(")
	}) {
		t.Errorf("the modules of ssl are not loaded: %q", env)
	}
	if words := Words(s, 0).Replace("{dist_flags}"); words != ProtocolFlags(s.Distribution) {
		t.Errorf("{dist_flags} is %q", words)
	}
	s.Distribution.TLS.Enabled = false
	s.Command = []string{"run", "{node}", "{host}:{dist_port}", "{name}"}
	if got := nodeCommand(s, 0); !slices.Equal(got, []string{"run", "app@n1.shop.test", "n1.shop.test:9100", "n1"}) {
		t.Errorf("own command %q", got)
	}
	s.HTTPPort = -1
	if env := Env(s, 0); slices.ContainsFunc(env, func(kv string) bool { return strings.HasPrefix(kv, "PORT=") }) {
		t.Errorf("PORT is set though the node has no HTTP port: %q", env)
	}
}

// A node's own settings override those of all nodes.
func TestContainerOfANodeThatDiffers(t *testing.T) {
	s := validSpec()
	s.Image, s.Entrypoint, s.Command, s.User = "shop:1", []string{"/entry", "{name}"}, []string{"run", "{node}"}, "shop"
	s.Env, s.Volumes = map[string]string{"AT": "{host}:{dist_port}", "IN": "{cluster}/{index}"}, map[string]string{"data": "/data", "log": "/log"}
	s.Memory, s.CPUs, s.CookieFile, s.Cookie = 256<<20, 1, "/c", "crumbcrumb"
	s.Distribution = orchestrator.Distribution{Names: orchestrator.ShortNames, Port: 25672}
	s.Nodes[1].Image, s.Nodes[1].User, s.Nodes[1].Memory, s.Nodes[1].CPUs = "other:2", "0", 512<<20, 2
	s.Nodes[1].Command, s.Nodes[1].Env, s.Nodes[1].Volumes = []string{"serve"}, map[string]string{"IN": "x"}, map[string]string{"log": "/var/log"}
	s.Nodes[2].Entrypoint = []string{"sh"}
	s = s.Defaulted()
	shown := func(i int) string {
		c := Container(s, i, "net", orchestrator.Placement{}, time.Time{})
		var own []string
		for _, kv := range c.Env {
			if strings.HasPrefix(kv, "AT=") || strings.HasPrefix(kv, "IN=") || strings.Contains(kv, "NODE") || strings.Contains(kv, "crumb") || strings.HasPrefix(kv, "RELEASE_D") {
				own = append(own, kv)
			}
		}
		return fmt.Sprintln(c.Image, c.User, c.Hostname, c.Aliases, c.Entrypoint, c.Command, c.Memory>>20, c.CPUs, c.Volumes, own)
	}
	want := "shop:1 shop n1 [n1 n1.shop.test shop.test] [/entry n1] [run app@n1] 256 1 [{beamyard-shop-n1-data /data} {beamyard-shop-n1-log /log}] [AT=n1:25672 IN=shop/0 NODE_NAME=app@n1 RELEASE_DISTRIBUTION=sname RELEASE_NODE=app@n1]\n" +
		"other:2 0 n2 [n2 n2.shop.test shop.test] [/entry n2] [serve] 512 2 [{beamyard-shop-n2-data /data} {beamyard-shop-n2-log /var/log}] [AT=n2:25672 IN=x NODE_NAME=app@n2 RELEASE_DISTRIBUTION=sname RELEASE_NODE=app@n2]\n" +
		"shop:1 shop n3 [n3 n3.shop.test shop.test] [sh] [] 256 1 [{beamyard-shop-n3-data /data} {beamyard-shop-n3-log /log}] [AT=n3:25672 IN=shop/2 NODE_NAME=app@n3 RELEASE_DISTRIBUTION=sname RELEASE_NODE=app@n3]\n"
	if diff := cmp.Diff(want, shown(0)+shown(1)+shown(2)); diff != "" {
		t.Error(diff)
	}
	s.Entrypoint, s.Command, s.Nodes[0].Image = nil, nil, "own:1"
	s.Precompiled = true
	if got := nodeCommand(s, 0); got[1] != "--sname" || got[2] != "app@n1" || slices.Contains(got, "--no-compile") {
		t.Errorf("the default command of a custom image: %q", got)
	}
	s.Nodes[0].Image, s.ImageBoot = "", "direct" // the cluster's image has a record
	direct := []string{
		"elixir", "--sname", "app@n1", "--erl", "-start_epmd false -erl_epmd_port 25672 +sbwt none +sbwtdcpu none +sbwtdio none +Q 65536 -pa /opt/beamyard -s beamyard_boot",
		"--no-halt", "--", "mix", "run", "--no-halt", "--no-compile", "--no-deps-check",
	}
	for boot, want := range map[orchestrator.BootMode]bool{orchestrator.BootAuto: true, orchestrator.BootDirect: true, orchestrator.BootMix: false} {
		s.Boot = boot
		if got := nodeCommand(s, 0); slices.Equal(got, direct) != want || !want && !slices.Contains(got, "-S") {
			t.Errorf("boot: %s: %q", boot, got)
		}
		if insists := slices.Contains(Env(s, 0), "BEAMYARD_BOOT=direct"); insists != (boot == orchestrator.BootDirect) {
			t.Errorf("boot: %s insists: %t", boot, insists)
		}
	}
	s.Boot, s.ImageBoot = orchestrator.BootAuto, "mix.exs has an alias for run"
	if got := nodeCommand(s, 0); !slices.Contains(got, "-S") {
		t.Errorf("a project that Mix must start: %q", got)
	}
	s.Nodes[0].Image = "own:1"
	s.Nodes[0].Command = []string{orchestrator.CommandOfImage}
	if got := nodeCommand(s, 0); got != nil {
		t.Errorf("the image's own command: %q", got)
	}
}
