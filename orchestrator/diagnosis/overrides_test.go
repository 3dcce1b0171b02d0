package diagnosis

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/internal/releasefile"
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

// proc is what [LookScript] prints of a process.
func proc(pid, parent int, args ...string) string {
	return fmt.Sprintf("\x01%d\x02PPid:\t%d\n\x02%s\x00", pid, parent, strings.Join(args, "\x00"))
}

// As Engine 20.10 and OTP 27 show them.
func TestReadProcesses(t *testing.T) {
	printed := proc(1, 0, "/sbin/docker-init", "--", "sh", "-c", "exec erl") +
		proc(7, 1, "/usr/lib/erlang/erts-15.2.7/bin/beam.smp", "-Bd", "-A", "30", "--", "-root", "/usr/lib/erlang", "--", "-setcookie", "aaa", "--",
			"-noshell", "-sname", "vault", "-setcookie", "bbb", "-kernel", "inet_dist_use_interface", "{127,0,0,1}", "-extra", "/usr/bin/mix", "run", "--no-halt") +
		proc(13, 1, "/usr/lib/erlang/erts-15.2.7/bin/epmd", "-daemon") +
		proc(46, 7, "erl_child_setup", "20000") +
		proc(63, 0, "sh", "-c", "the look itself") + proc(64, 63, "cat") + "\x01x\x02y\x02z"
	processes := ReadProcesses(printed)
	var pids []int
	for _, p := range processes {
		pids = append(pids, p.PID)
	}
	if !slices.Equal(pids, []int{1, 7, 13, 46}) {
		t.Errorf("processes %v", pids)
	}
	live := &Live{}
	live.See(processes)
	if len(live.VMs) != 1 || len(live.First) == 0 || !strings.HasSuffix(live.First[0], "beam.smp") {
		t.Fatalf("%+v", live)
	}
	vm := live.VMs[0]
	if name, named := vm.name(); !vm.First || vm.Run != "mix run --no-halt" || name != "vault" || !named || len(vm.all("-setcookie")) != 2 ||
		vm.all("-kernel")[0] != "inet_dist_use_interface {127,0,0,1}" {
		t.Errorf("%+v", vm)
	}
	// A direct boot has no script of Mix.
	live.See(ReadProcesses(proc(1, 0, "/x/beam.smp", "--", "-noshell", "-s", "beamyard_boot", "-extra", "--no-halt", "--", "mix", "run", "--no-halt")))
	if len(live.VMs) != 1 || live.VMs[0].Run != "mix run --no-halt" {
		t.Errorf("%+v", live)
	}
	// Below a shell it may be one that comes before another.
	live.See(ReadProcesses(proc(1, 0, "/sbin/docker-init", "--", "/entrypoint.sh") + proc(7, 1, "/bin/sh", "/entrypoint.sh", "elixir") + proc(9, 7, "/x/beam.smp", "--", "-noshell")))
	if len(live.VMs) != 1 || live.VMs[0].First || live.First[1] != "/entrypoint.sh" {
		t.Errorf("%+v", live)
	}
	// Without an init it is the first process itself.
	if live.See(ReadProcesses(proc(1, 0, "/x/beam.smp", "--", "-noshell"))); !live.VMs[0].First {
		t.Errorf("%+v", live)
	}
}

// aVM is one that is the first process of its container.
func aVM(args ...string) []VM {
	return VMs([]Process{{1, 0, append([]string{"beam.smp", "--"}, args...)}})
}

// What is set over what Beamyard gives: the root, what it names, and whether waiting
// is of no use.
func TestOverridesAreDiagnosed(t *testing.T) {
	fly := releasefile.ReadEnvScript("/app/releases/0.1.0/env.sh", flyEnv)
	args := releasefile.ReadVMArgs("/app/releases/0.1.0/vm.args", "## x\n-name coffer@127.0.0.1\n-setcookie coffer_secret\n-kernel inet_dist_use_interface {127,0,0,1}\n-proto_dist inet_tls")
	elixir := []string{"elixir", "--name", "app@n1.demo.test", "--erl", "-erl_epmd_port 9100", "-S", "mix", "run", "--no-halt"}
	for _, tc := range []struct {
		name  string
		edit  func(e *Evidence, n *Node)
		root  orchestrator.FindingCode
		says  []string
		lasts bool
	}{
		{"fly's env.sh, and a VM without a name", func(e *Evidence, n *Node) {
			e.Spec.Release, n.State, n.Young, n.Contact, n.Settings = true, running, true, ContactRefused, fly
			n.Live = &Live{Looked: true, VMs: aVM("-name", "-@", "-proto_dist", "inet6_tcp")}
		}, "release-env", []string{"ERL_AFLAGS (line 4)", "RELEASE_NODE (line 8)", "rel/env.sh.eex", `if [ -n "$FLY_APP_NAME" ]; then export`}, true},
		{"fly's flags, and a VM that found no IPv6", func(e *Evidence, n *Node) {
			e.Spec.Release, n.Exit, n.Settings = true, exit("boot", 1), fly[:1]
			n.Lines = stdout("Protocol 'inet6_tcp': register/listen error: eaddrnotavail")
		}, "release-env", []string{"ERL_AFLAGS (line 4)", `ERL_AFLAGS="${ERL_AFLAGS:-…}"`}, true},
		{"fly's name, and a VM that did not take it", func(e *Evidence, n *Node) {
			e.Spec.Release, n.Exit, n.Settings = true, exit("boot", 1), fly[1:]
			n.Lines = stderr(`Kernel pid terminated (application_controller) ("{application_start_failure,kernel,{{shutdown,{failed_to_start_child,net_sup,{shutdown,{failed_to_start_child,net_kernel,{'EXIT',nodistribution}}}}},{kernel,start,[normal,[]]}}}")`)
		}, "release-env", []string{"RELEASE_NODE (line 8)"}, true},
		{"a name of its own that answers", func(e *Evidence, n *Node) {
			e.Spec.Release, n.State, n.Contact, n.Answered, n.Settings = true, running, ContactWrongName, "shop@n1.demo.test", fly
		}, "release-env", []string{"RELEASE_NODE (line 8)", "it is not app@n1.demo.test"}, true},
		{"a cookie in vm.args", func(e *Evidence, n *Node) {
			e.Spec.Release, n.State, n.Contact, n.Settings = true, running, ContactWrongCookie, args
			n.Live = &Live{Looked: true, VMs: aVM("-setcookie", "a", "-setcookie", "b")}
		}, "vm-args", []string{"rel/vm.args of the release sets -setcookie (line 3)", "cookie: in beamyard.yml", "rel/vm.args.eex"}, true},
		{"a name in vm.args of another tool", func(_ *Evidence, n *Node) {
			n.State, n.Contact, n.Answered = running, ContactWrongName, "coffer@127.0.0.1"
			n.Settings = releasefile.ReadVMArgs("/vault/rel/vm.args", "-name coffer@127.0.0.1")
		}, "vm-args", []string{"/vault/rel/vm.args sets -name (line 1)", "basename:"}, true},
		{"a cookie in vm.args that the VM does not take", func(e *Evidence, n *Node) {
			e.Spec.Release, n.State, n.Twice, n.Settings = true, orchestrator.Ready, []string{"-setcookie", "-name"}, args
		}, "vm-args", []string{"rel/vm.args of the release sets -name (line 2) and -setcookie (line 3) in vain", "takes neither"}, false},
		{"two cookies, from wherever", func(_ *Evidence, n *Node) {
			n.State, n.Contact, n.Live = running, ContactWrongCookie, &Live{Looked: true, VMs: aVM("-setcookie", "a", "-setcookie", "b")}
		}, "vm-args", []string{"neither"}, true},
		{"one cookie of its own", func(_ *Evidence, n *Node) {
			n.State, n.Contact, n.Live = running, ContactWrongCookie, &Live{Looked: true, VMs: aVM("-setcookie", "a")}
		}, "cookie-mismatch", nil, true},
		{"another cookie, of a VM below a shell", func(_ *Evidence, n *Node) {
			n.State, n.Contact = running, ContactWrongCookie
		}, "cookie-mismatch", nil, false},
		{"an entry point that drops its command", func(_ *Evidence, n *Node) {
			n.State, n.Young, n.Contact, n.Entrypoint, n.Command = running, true, ContactRefused, []string{"/entrypoint.sh"}, elixir
			n.Live = &Live{Looked: true, Listening: []int{4000}, VMs: aVM("-noshell", "-extra", "/usr/bin/mix", "run", "--no-halt")}
		}, "entrypoint-ignores-command", []string{"/entrypoint.sh", "mix run --no-halt", "entrypoint: [sh, -c, 'exec elixir --name {node} --erl ''-erl_epmd_port 9100'' -S mix run --no-halt']"}, true},
		{"an entry point that waits", func(_ *Evidence, n *Node) {
			n.State, n.Contact, n.Entrypoint, n.Command = running, ContactRefused, []string{"/entrypoint.sh"}, elixir
			n.Live = &Live{Looked: true, Listening: []int{4000}}
			n.Live.See([]Process{{1, 0, []string{"/sbin/docker-init"}}, {7, 1, []string{"/bin/sh", "/entrypoint.sh", "elixir"}}, {9, 7, []string{"sleep", "5"}}})
		}, "entrypoint-waits", []string{"/entrypoint.sh", "sleep 5"}, false},
		{"the loopback", func(_ *Evidence, n *Node) {
			n.State, n.Young, n.Contact = running, true, ContactRefused
			n.Env = map[string]string{"ERL_AFLAGS": "-kernel inet_dist_use_interface {127,0,0,1}"}
			n.Live = &Live{Looked: true, Listening: []int{9100}, Loopback: []int{9100}, VMs: aVM("-erl_epmd_port", "9100")}
		}, "distribution-loopback", []string{"127.0.0.1:9100", "ERL_AFLAGS of env:"}, true},
		{"the loopback by vm.args", func(e *Evidence, n *Node) {
			e.Spec.Release, n.State, n.Contact, n.Settings = true, running, ContactRefused, args
			n.Live = &Live{Looked: true, Listening: []int{9100}, Loopback: []int{9100}, VMs: aVM("-erl_epmd_port", "9100", "-name", "app@n1.demo.test")}
		}, "distribution-loopback", []string{"vm.args, line 4"}, true},
		{"the loopback by sys.config, on a port of EPMD's", func(_ *Evidence, n *Node) {
			n.State, n.Contact = running, ContactRefused
			n.Live = &Live{Looked: true, Listening: []int{4369, 40001}, Loopback: []int{40001}, Registered: map[string]int{"app": 40001}, VMs: aVM()}
		}, "distribution-loopback", []string{"127.0.0.1:40001", "sys.config"}, true},
		{"TLS, by what it answers", func(_ *Evidence, n *Node) {
			n.State, n.Young, n.Contact, n.Settings = running, true, ContactTLS, args
		}, "distribution-tls", []string{"vm.args, line 5"}, true},
		{"TLS, by its flags", func(_ *Evidence, n *Node) {
			n.State, n.Contact, n.Live = running, ContactRefused, &Live{Looked: true, VMs: aVM("-proto_dist", "inet6_tls")}
		}, "distribution-tls", []string{"flags of its VM"}, true},
		{"IPv6 where there is none", func(_ *Evidence, n *Node) {
			n.Exit, n.Lines = exit("boot", 1), stdout("Protocol 'inet6_tcp': register/listen error: eaddrnotavail")
			n.Env = map[string]string{"ELIXIR_ERL_OPTIONS": "-proto_dist inet6_tcp"}
		}, "distribution-ipv6", []string{"ELIXIR_ERL_OPTIONS of env:"}, true},
		{"a cookie that was changed, by what the VM says", func(_ *Evidence, n *Node) {
			n.State, n.WasReady, n.Knew, n.CookieChanged = running, true, true, true
		}, "cookie-changed", []string{"Node.set_cookie"}, false},
		{"a cookie that was changed, by a refusal", func(_ *Evidence, n *Node) {
			n.State, n.WasReady, n.Knew, n.Contact = running, true, true, ContactWrongCookie
		}, "cookie-changed", nil, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			e := demo()
			tc.edit(&e, &e.Nodes[0])
			roots := orchestrator.RootCauses(Diagnose(e))
			if len(roots) != 1 || roots[0].Code != tc.root || roots[0].Lasting != tc.lasts {
				t.Fatalf("roots %s, lasting %t; want %s", list(roots), len(roots) > 0 && roots[0].Lasting, tc.root)
			}
			text := roots[0].Problem + "\n" + roots[0].Hint().String()
			for _, part := range tc.says {
				if !strings.Contains(text, part) {
					t.Errorf("%q is not in\n%s", part, text)
				}
			}
			if strings.Contains(text, "{again}") || strings.Contains(text, "{beam}") || strings.Contains(text, "coffer_secret") {
				t.Errorf("%s", text)
			}
			checkSolutions(t, roots)
		})
	}
}

// What is set and does no harm is no finding.
func TestHarmlessSettings(t *testing.T) {
	elixir := []string{"elixir", "--name", "app@n1.demo.test"}
	for name, edit := range map[string]func(e *Evidence, n *Node){
		"a guarded env.sh, and an application that does not start": func(e *Evidence, n *Node) {
			e.Spec.Release, n.Exit, n.Settings = true, exit("boot", 1), releasefile.ReadEnvScript("env.sh", flyEnv)
			n.Lines = stderr("** (RuntimeError) no database")
		},
		"a young VM under its name": func(_ *Evidence, n *Node) {
			n.State, n.Young, n.Contact, n.Entrypoint, n.Command = running, true, ContactRefused, []string{"/e"}, elixir
			n.Live = &Live{Looked: true, VMs: aVM("-name", "app@n1.demo.test", "-erl_epmd_port", "9100")}
		},
		"a migration before the command": func(_ *Evidence, n *Node) {
			n.State, n.Young, n.Contact, n.Entrypoint, n.Command = running, true, ContactRefused, []string{"/e"}, elixir
			n.Live = &Live{Looked: true}
			n.Live.See([]Process{{1, 0, []string{"/sbin/docker-init"}}, {7, 1, []string{"/bin/sh", "/e"}}, {9, 7, []string{"beam.smp", "-extra", "mix", "ecto.migrate"}}})
		},
		"TLS where the cluster speaks it": func(e *Evidence, n *Node) {
			e.Spec.Distribution.TLS.Enabled = true
			n.State, n.Young, n.Contact, n.Live = running, true, ContactTLS, &Live{Looked: true, VMs: aVM("-proto_dist", "inet_tls")}
		},
		"a port on the loopback that is not one of the distribution's": func(_ *Evidence, n *Node) {
			n.State, n.Young, n.Contact = running, true, ContactRefused
			n.Live = &Live{Looked: true, Listening: []int{4000}, Loopback: []int{4000}}
		},
	} {
		e := demo()
		edit(&e, &e.Nodes[0])
		for _, f := range Diagnose(e) {
			if slices.Contains(overrides, f.Code) {
				t.Errorf("%s: %s", name, f)
			}
		}
	}
}
