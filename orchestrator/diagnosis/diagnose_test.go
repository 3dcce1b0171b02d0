package diagnosis

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
)

const running = orchestrator.Starting

func exit(class orchestrator.ExitClass, code int) *orchestrator.Exit {
	return &orchestrator.Exit{Class: class, Code: code}
}

func stdout(texts ...string) []orchestrator.Line { return printed(orchestrator.Stdout, texts) }
func stderr(texts ...string) []orchestrator.Line { return printed(orchestrator.Stderr, texts) }

func printed(stream orchestrator.Stream, texts []string) []orchestrator.Line {
	lines := make([]orchestrator.Line, len(texts))
	for i, text := range texts {
		lines[i] = orchestrator.Line{Stream: stream, Text: text}
	}
	return lines
}

// states are what no line tells.
var states = []struct {
	name  string
	edit  func(e *Evidence, n *Node)
	root  orchestrator.FindingCode
	names string
	also  []orchestrator.FindingCode // symptoms
}{
	{"an engine that does not answer", func(e *Evidence, _ *Node) { e.Nodes, e.Kind, e.Error = nil, KindEngineUnreachable, "dial" }, "engine-unreachable", "does not answer", nil},
	{"no permission", func(e *Evidence, _ *Node) { e.Nodes, e.Kind, e.Error = nil, KindEnginePermission, "EACCES" }, "engine-permission", "socket", nil},
	{"an old engine", func(e *Evidence, _ *Node) { e.Nodes, e.Kind, e.Error = nil, KindEngineTooOld, "1.24" }, "engine-too-old", "20.10", nil},
	{"no registry", func(e *Evidence, _ *Node) { e.Nodes, e.Kind, e.Error = nil, KindNoRegistry, "i/o timeout" }, "no-registry", "registry", nil},
	{"no image", func(e *Evidence, _ *Node) { e.Nodes, e.Kind, e.Error = nil, KindNoImage, "manifest unknown" }, "image-missing", "image", nil},
	{"a port", func(e *Evidence, _ *Node) { e.Nodes, e.Kind, e.Error = nil, KindPortTaken, "port 80" }, "port-taken", "port", nil},
	{"no range", func(e *Evidence, _ *Node) { e.Nodes, e.Kind, e.Error = nil, KindAddressPool, "full" }, "address-pool-exhausted", "range", nil},
	{"an overlap", func(e *Evidence, _ *Node) { e.Nodes, e.Kind, e.Error = nil, KindSubnetOverlap, "overlaps" }, "subnet-overlap", "range", nil},
	{"a taken name", func(_ *Evidence, n *Node) { n.Kind, n.StartError = KindNameTaken, "Conflict" }, "name-taken", "beamyard-demo-n1", nil},
	{"a port at the start", func(_ *Evidence, n *Node) { n.Kind, n.StartError = KindPortTaken, "allocated" }, "port-taken", "n1", nil},
	{"open files refused", func(_ *Evidence, n *Node) { n.Kind, n.StartError = KindUlimit, "rlimit type 7" }, "nofile-refused", "open files", nil},
	{"a runtime that refuses", func(_ *Evidence, n *Node) { n.Kind, n.StartError = KindCannotStart, "OCI runtime create failed: x" }, "start-refused", "n1", nil},
	{"another processor, by the runtime", func(_ *Evidence, n *Node) {
		n.Kind, n.StartError = KindCannotStart, "OCI runtime create failed: exec format error"
	}, "platform-mismatch", "processor", codes{"start-refused"}},
	{"another processor, taken for a script", func(_ *Evidence, n *Node) {
		n.Exit, n.Command = exit("boot", 2), []string{"/app/run"}
		n.Lines = stderr(`/app/run: 1: Syntax error: word unexpected (expecting ")")`)
	}, "platform-mismatch", "processor", nil},
	{"another processor, and no shell", func(e *Evidence, n *Node) {
		e.ImageArch, e.EngineArch, n.Exit, n.Command = "arm64", "amd64", exit("boot", 127), []string{"/run"}
		n.Lines = stderr("[FATAL tini (7)] exec /run failed: No such file or directory")
	}, "platform-mismatch", "processor", codes{"command-missing"}},
	{"no memory left", func(e *Evidence, n *Node) { e.Spec.Memory, n.Exit = 0, exit("oom", 137) }, "out-of-memory", "engine's machine", nil},
	{"a variable", func(_ *Evidence, n *Node) {
		n.Exit, n.Lines = exit("boot", 1), stderr(
			"ERROR! Config provider Config.Reader failed with:",
			"** (RuntimeError) environment variable SECRET_KEY_BASE is missing.",
			"Runtime terminating during boot ({...})",
		)
	}, "env-missing", "SECRET_KEY_BASE", codes{"boot-failure"}},
	{"a config that the VM alone tells of", func(_ *Evidence, n *Node) {
		n.Exit, n.Lines = exit("boot", 1), stderr(
			"ERROR! Config provider Config.Reader failed with:",
			`Runtime terminating during boot (** (System.EnvError) could not fetch environment variable "POOL_SIZE" because it is not set, in runtime.exs:18)`,
		)
	}, "env-missing", "POOL_SIZE", codes{"runtime-config", "boot-failure"}},
	{"a config that the VM alone tells of, in Erlang", func(_ *Evidence, n *Node) {
		n.Exit, n.Lines = exit("boot", 1), stderr(`Runtime terminating during boot (badarg in erlang:binary_to_integer(<<"ten">>), in runtime.exs:18)`)
	}, "runtime-config", `fails in line 18: badarg in erlang:binary_to_integer(<<"ten">>)`, codes{"boot-failure"}},
	{"a config with an exception", func(_ *Evidence, n *Node) {
		n.Exit, n.Lines = exit("boot", 1), stderr(
			"ERROR! Config provider Config.Reader failed with:",
			`Runtime terminating during boot (badarg in erlang:binary_to_integer(<<"ten">>), in runtime.exs:18)`,
			"** (ArgumentError) errors were found at the given arguments:",
			"",
			"  * 1st argument: not a textual representation of an integer",
			"",
			`    :erlang.binary_to_integer("ten")`,
			"    /app/_build/release/releases/0.2.0/runtime.exs:18: (file)",
			"    (elixir 1.18.3) src/elixir.erl:388: :elixir.eval_external_handler/3",
		)
	}, "runtime-config", "fails in line 18: (ArgumentError) errors were found at the given arguments: 1st argument: not a textual representation of an integer", codes{"boot-failure"}},
	{"a config that does not compile", func(_ *Evidence, n *Node) {
		n.Exit, n.Lines = exit("boot", 1), stderr(
			"    error: undefined function raise2/1 (there is no such import)",
			"    │",
			`10 │       raise2 """`,
			"    │       ^^^^^^^^^^",
			"    │",
			"    └─ config/runtime.exs:10",
			"",
			"** (CompileError) config/runtime.exs: cannot compile file (errors have been logged)",
			"    (stdlib 6.2.2.1) lists.erl:2343: :lists.mapfoldl_1/3",
		)
	}, "runtime-config", "fails in line 10: undefined function raise2/1", nil},
	{"a config that does not compile, with Elixir 1.14", func(_ *Evidence, n *Node) {
		n.Exit, n.Lines = exit("boot", 1), stderr("** (CompileError) config/runtime.exs:10: undefined function raise2/1 (there is no such import)")
	}, "runtime-config", "fails in line 10: (CompileError) config/runtime.exs:10: undefined function", nil},
	{"a config that does not parse", func(_ *Evidence, n *Node) {
		n.Exit, n.Lines = exit("boot", 1), stderr("** (TokenMissingError) token missing on config/runtime.exs:21:5:", "    error: missing terminator: end")
	}, "runtime-config", "fails in line 21: (TokenMissingError) token missing", nil},
	{"Ranch's port", func(_ *Evidence, n *Node) {
		n.Exit, n.Lines = exit("boot", 1), stderr("Failed to start Ranch listener X in ranch_tcp:listen([{port, 4000}]) port: 4000 for reason :eaddrinuse")
	}, "port-in-use", "port 4000", nil},
	{"a release that may not write", func(_ *Evidence, n *Node) {
		n.Exit, n.Lines = exit("boot", 1), stderr("Kernel pid terminated (application_controller) ({application_start_failure,shop,{error,erofs}})")
	}, "read-only-file-system", "n1", codes{"boot-failure"}},
	{"a release whose application does not start", func(_ *Evidence, n *Node) {
		n.Exit, n.Lines = exit("boot", 1), slices.Concat(stdout(
			"12:00:00.000 [notice] Application demo exited: exited in: Demo.Application.start(:normal, [])",
			"    ** (EXIT) an exception was raised:",
			"        ** (RuntimeError) no stock",
			"            (demo 1.0.0) lib/demo.ex:9: Demo.start/2",
		), stderr("Kernel pid terminated (application_controller) ({application_start_failure,demo,…})"))
	}, "app-does-not-start", "demo of n1 does not start: (RuntimeError) no stock", codes{"boot-failure"}},
	{"a fetch", func(_ *Evidence, n *Node) {
		n.Exit, n.Lines = exit("boot", 1), stderr("** (Mix) httpc request failed with: {:failed_connect, []}")
	}, "dependency-fetch", "network", nil},
	{"two applications that ended", func(_ *Evidence, n *Node) {
		n.State, n.AppDown, n.Late = running, true, true
		n.Lines = stdout("[notice] Application demo exited: shutdown", "[notice] Application demo_web exited: shutdown")
	}, "app-exited", "demo on", codes{"app-not-started"}},
	{"its memory limit", func(_ *Evidence, n *Node) { n.Exit = exit("oom", 137) }, "out-of-memory", "64 MiB", nil},
	{"SIGKILL", func(_ *Evidence, n *Node) { n.Exit = exit("killed", 137) }, "killed", "SIGKILL", nil},
	{"a NIF's fault", func(_ *Evidence, n *Node) { n.Exit = exit("crashed", 139) }, "vm-aborted", "native code", nil},
	{"a shell that ignores TERM", func(_ *Evidence, n *Node) {
		n.Exit, n.Command = exit("stopped", 137), []string{"/bin/sh", "-c", "mix run; true"}
	}, "shell-first", "the stop timeout of", codes{"stop-needed-kill"}},
	{"a shell that ends by TERM", func(_ *Evidence, n *Node) {
		n.Exit, n.Command = exit("stopped", 143), []string{"/bin/sh", "-c", "mix run; true"}
	}, "shell-first", "without its shutdown", nil},
	{"a VM that keeps TERM", func(_ *Evidence, n *Node) {
		n.Exit, n.Command = exit("stopped", 137), []string{"elixir"}
	}, "stop-needed-kill", "SIGKILL", nil},
	{"an end with success", func(_ *Evidence, n *Node) { n.Exit = exit("completed", 0) }, "ended-by-itself", "finished successfully", nil},
	{"iex", func(_ *Evidence, n *Node) {
		n.Exit, n.Command = exit("completed", 0), []string{"iex", "-S", "mix"}
	}, "iex-without-stdin", "iex", codes{"ended-by-itself"}},
	{"iex that was told to end", func(e *Evidence, n *Node) {
		n.Exit, n.Command, e.Spec.Stdin = exit("completed", 0), []string{"iex", "-S", "mix"}, true
	}, "ended-by-itself", "finished successfully", nil},
	{"another cookie", func(_ *Evidence, n *Node) { n.State, n.Contact = running, ContactWrongCookie }, "cookie-mismatch", "n1", nil},
	{"a release that is not called one", func(_ *Evidence, n *Node) {
		n.State, n.Contact, n.Command = running, ContactWrongCookie, []string{"/app/bin/shop", "start"}
	}, "cookie-mismatch", "mix release", nil},
	{"the cookie of a release", func(e *Evidence, n *Node) {
		e.Spec.Release, n.State, n.Contact, n.Command = true, running, ContactWrongCookie, []string{"/app/bin/shop", "start"}
	}, "cookie-mismatch", "another cookie than the cluster", nil},
	{"the name of a release", func(e *Evidence, n *Node) {
		e.Spec.Release, n.State, n.Contact, n.Answered = true, running, ContactWrongName, "shop@n1.shop.test"
	}, "wrong-name", "release of n1", nil},
	{"a short name", func(_ *Evidence, n *Node) {
		n.State, n.Contact, n.Answered, n.Command = running, ContactWrongName, "app@n1", []string{"elixir", "--sname", "app"}
	}, "name-mode-mixed", "short", codes{"undotted-host", "wrong-name"}},
	{"an undotted host", func(_ *Evidence, n *Node) {
		n.State, n.Contact, n.Answered = running, ContactWrongName, "app@n1"
	}, "undotted-host", "host n1", codes{"wrong-name"}},
	{"a cookie file that nobody reads", func(e *Evidence, n *Node) {
		e.Spec.CookieFile, n.State, n.Contact = "/root/.erlang.cookie", running, ContactWrongCookie
	}, "cookie-mismatch", "/root/.erlang.cookie", nil},
	{"a long name among short ones", func(e *Evidence, n *Node) {
		e.Spec.Distribution.Names, n.BEAM, n.Host = orchestrator.ShortNames, "app@n1", "n1"
		n.State, n.Contact, n.Answered = running, ContactWrongName, "app@n1.demo.test"
	}, "name-mode-mixed", "with a long name, and the cluster with short ones", codes{"wrong-name"}},
	{"another short name", func(e *Evidence, n *Node) {
		e.Spec.Distribution.Names, n.BEAM, n.Host = orchestrator.ShortNames, "app@n1", "n1"
		n.State, n.Contact, n.Answered = running, ContactWrongName, "rabbit@n1"
	}, "wrong-name", "before the @ is rabbit", nil},
	{"a port that EPMD tells", func(_ *Evidence, n *Node) {
		n.Late, n.State, n.Contact, n.Live = true, running, ContactRefused, &Live{Looked: true, Listening: []int{4369, 25672}, Registered: map[string]int{"app": 25672, "other": 1}}
	}, "distribution-port", "on port 25672, as its EPMD says", nil},
	{"another name", func(_ *Evidence, n *Node) {
		n.State, n.Contact, n.Answered = running, ContactWrongName, "shop@n1.demo.test"
	}, "wrong-name", "app@n1.demo.test", nil},
	{"another distribution port", func(_ *Evidence, n *Node) {
		n.Late, n.State, n.Contact, n.Live = true, running, ContactRefused, &Live{Looked: true, Listening: []int{4000, 41234}}
	}, "distribution-port", "4000, 41234", nil},
	{"no distribution", func(e *Evidence, n *Node) {
		n.Late, n.State, n.Contact, n.Live = true, running, ContactRefused, &Live{Looked: true}
	}, "not-distributed", "nothing in it listens", nil},
	{"paused", func(_ *Evidence, n *Node) { n.State, n.Paused, n.Contact = running, true, ContactSilent }, "node-paused", "paused", nil},
	{"off its network", func(_ *Evidence, n *Node) {
		off := false
		n.State, n.Contact, n.Live = running, ContactSilent, &Live{Attached: &off}
	}, "network-detached", "network", nil},
	{"an application that is not started", func(_ *Evidence, n *Node) { n.State, n.AppDown, n.Late = running, true, true }, "app-not-started", "demo", nil},
	{"an HTTP check", func(_ *Evidence, n *Node) {
		n.State, n.Reason = running, "HTTP check /health: answered 404 Not Found"
	}, "http-check", "answers /health with 404 Not Found", nil},
	{"an HTTP check that nothing answers", func(_ *Evidence, n *Node) {
		n.State, n.Reason = running, "HTTP check /health: nothing listens on port 4000 inside n1"
	}, "http-check", "/health on port 4000", nil},
	{"an application of the node's own that is not started", func(e *Evidence, n *Node) {
		n.State, n.AppDown, n.Late, e.Spec.Nodes[0].App = running, true, true, "back"
	}, "app-not-started", "application back is not started", nil},
	{"an HTTP check of the node's own", func(e *Evidence, n *Node) {
		n.State, n.Reason = running, "HTTP check /up: nothing listens on port 4100 inside n1"
		e.Spec.Nodes[0].HTTPPort, e.Spec.Nodes[0].HTTPCheck = 4100, "/up"
	}, "http-check", "/up on port 4100", nil},
	{"the name of a node that alone is a release", func(e *Evidence, n *Node) {
		n.State, n.Contact, n.Answered, e.Spec.Nodes[0].Release = running, ContactWrongName, "shop@n1.shop.test", new(true)
	}, "wrong-name", "release of n1", nil},
	{"a peer that does not resolve", func(_ *Evidence, n *Node) {
		n.State, n.Missing = running, map[string]string{"n2": "n1 cannot connect to n2: it does not resolve n2.demo.test ({error,nxdomain})"}
	}, "peer-not-resolved", "n2.demo.test", codes{"not-connected"}},
	{"a peer that EPMD does not know", func(_ *Evidence, n *Node) {
		n.State, n.Missing = running, map[string]string{"n2": "n1 cannot connect to n2: EPMD on n2.demo.test answers noport"}
	}, "peer-not-in-epmd", "noport", codes{"not-connected"}},
	{"a pair that did not meet", func(_ *Evidence, n *Node) { n.State, n.Missing = running, map[string]string{"n2": ""} }, "not-connected", "n2", nil},
	{"a dump", func(_ *Evidence, n *Node) {
		n.Exit, n.Dump = exit("crashed", 1), &Dump{"my slogan", 13102920, []DumpEntry{{"<0.44.0>", "hog", 9 << 20, 7}}}
	}, "crash-dump", "hog with 9 MiB and 7 messages", nil},
	{"a budget that is spent", func(_ *Evidence, n *Node) {
		n.Exit, n.Reason = exit("oom", 137), "oom (exit 137); not restarted: 5 restarts within 10m0s are used up"
	}, "out-of-memory", "n1", codes{"restarts-spent"}},
	{"the same failure twice", func(_ *Evidence, n *Node) {
		n.Exit, n.Reason = exit("boot", 3), "boot (exit 3); not restarted: it failed to boot twice with the same message"
	}, "unknown", "exit 3", codes{"boot-loop"}},
	{"a clock", func(_ *Evidence, n *Node) { n.State, n.Live = orchestrator.Ready, &Live{Skew: -time.Hour} }, "clock-skew", "1h0m0s", nil},
	{"no UTF-8", func(_ *Evidence, n *Node) { n.State, n.Live = orchestrator.Ready, &Live{Encoding: "latin1"} }, "utf8-missing", "Latin-1", nil},
	{"Mnesia apart", func(_ *Evidence, n *Node) { n.State, n.Live = orchestrator.Ready, &Live{MnesiaApart: []string{"n2"}} }, "mnesia-apart", "with that of n2", nil},
	{"Mnesia apart, as it says", func(_ *Evidence, n *Node) {
		n.State, n.Lines = running, stdout("[error] Mnesia(:\"app@n1.demo.test\"): ** ERROR ** mnesia_event got {inconsistent_database, running_partitioned_network, 'app@n2.demo.test'}")
	}, "mnesia-apart", "app@n2.demo.test", nil},
	{"Mnesia apart, of a node that is kept", func(_ *Evidence, n *Node) {
		n.State, n.Live = orchestrator.Ready, &Live{MnesiaApart: []string{"n2", "n3"}, MnesiaKept: []string{"n1"}, MnesiaRestarted: []string{"n2", "n3"}}
	}, "mnesia-apart", "with that of n2, n3", nil},
	{"Mnesia apart, of a node that is restarted", func(_ *Evidence, n *Node) {
		n.State, n.Live = orchestrator.Ready, &Live{MnesiaApart: []string{"n2"}, MnesiaKept: []string{"n2"}, MnesiaRestarted: []string{"n1"}}
	}, "mnesia-apart", "with that of n2", nil},
	{"a name of two processes", func(e *Evidence, _ *Node) {
		e.Nodes, e.Duplicates = nil, []Duplicate{{"ledger", []string{"n1", "n3"}}}
	}, "duplicate-names", "ledger on each of n1, n3", nil},
	{"a fault", func(e *Evidence, n *Node) {
		e.Faults = []Fault{{"f1a2", "f1a2 (partition n1 | the rest, drop)"}}
		n.State, n.Missing = running, map[string]string{"n2": ""}
	}, "fault-in-force", "f1a2 (partition n1 | the rest, drop)", codes{"not-connected"}},
	{"a clock that is wrong on purpose", func(e *Evidence, n *Node) {
		e.Faults = []Fault{{"f1a2", "f1a2 (clock n1, bump 1h0m0s)"}}
		n.State, n.Live = orchestrator.Ready, &Live{Skew: time.Hour}
	}, "fault-in-force", "clock n1", codes{"clock-skew"}},
	{"global that waits", func(_ *Evidence, n *Node) {
		n.State, n.Live = orchestrator.Ready, &Live{GlobalStuck: "process <0.1.0> of n2 has held its lock for 11s"}
	}, "global-stuck", "<0.1.0>", nil},
	{"a place that is root's", func(_ *Evidence, n *Node) {
		n.Exit, n.Lines = exit("boot", 1), stdout("12:00 [critical] Cannot write PID file /run/ejabberd/ejabberd.pid: permission denied")
	}, "file-permission", "no permission for /run/ejabberd/ejabberd.pid", nil},
	{"heart", func(_ *Evidence, n *Node) { n.State, n.Live = orchestrator.Ready, &Live{Heart: true} }, "heart", "heart", nil},
	{"an error of a kind that nobody knows", func(e *Evidence, _ *Node) { e.Nodes, e.Error = nil, "the moon is in the way\nreally" }, "unknown", "moon", nil},
	{"a build without room", func(e *Evidence, _ *Node) {
		e.Nodes, e.Kind, e.Error = nil, KindBuild, "build x: write /y: no space left on device"
	}, "disk-full", "disk", nil},
	{"a build that does not compile", func(e *Evidence, _ *Node) {
		e.Nodes, e.Kind, e.Error = nil, KindBuild, "build x: step failed\n  == Compilation error in file lib/a.ex ==\n  ** (CompileError)"
	}, "compile-error", "lib/a.ex", nil},
}

// What must not be found, or not lead.
var misreadings = []struct {
	name string
	edit func(e *Evidence, n *Node)
	not  orchestrator.FindingCode
}{
	{"a script's own syntax", func(_ *Evidence, n *Node) {
		n.Exit, n.Command, n.Lines = exit("boot", 2), []string{"sh", "-c", "if"}, stderr("sh: 1: Syntax error: end of file unexpected")
	}, "platform-mismatch"},
	{"an emulated image that fails otherwise", func(e *Evidence, n *Node) {
		e.ImageArch, e.EngineArch, n.Exit, n.Command = "amd64", "arm64", exit("boot", 1), []string{"elixir"}
	}, "platform-mismatch"},
	{"a 32-bit image", func(e *Evidence, n *Node) {
		e.ImageArch, e.EngineArch, n.Exit, n.Command = "386", "amd64", exit("boot", 127), []string{"/run"}
	}, "platform-mismatch"},
	{"a file that may not be written", func(_ *Evidence, n *Node) {
		n.State, n.Lines = running, stderr(`** (File.Error) could not write to file "/data/x": permission denied`)
	}, "command-not-executable"},
	{"a peer that ended", func(e *Evidence, n *Node) {
		n.State, n.Missing = running, map[string]string{"n2": ""}
		n.Lines = stdout("'global' at node '" + n.BEAM + "' requested disconnect from node 'app@n2.demo.test' in order to prevent overlapping partitions")
		e.Nodes = append(e.Nodes, Node{Name: "n2", BEAM: "app@n2.demo.test", Exit: exit("killed", 137)})
	}, "overlapping-partitions"},
	{"what an application fetches", func(_ *Evidence, n *Node) {
		n.State, n.Lines = running, stdout("[warning] Failed to fetch exchange rates, using cache")
	}, "dependency-fetch"},
	{"what somebody else's error says", func(e *Evidence, _ *Node) { e.Nodes, e.Error = nil, "rpc: ** (Shop.Error) no space left in the depot" }, "disk-full"},
	{"an application that takes its time", func(_ *Evidence, n *Node) { n.State, n.AppDown = running, true }, "app-not-started"},
	{"a script that does other things first", func(_ *Evidence, n *Node) {
		n.State, n.Contact, n.Live = running, ContactRefused, &Live{Looked: true, Listening: []int{4369}}
	}, "distribution-port"},
	{"a stranger's cookie", func(_ *Evidence, n *Node) {
		n.State, n.Lines = running, stdout(`** Connection attempt from node :"remsh@x.y" rejected. Invalid challenge reply. **`)
	}, "cookie-mismatch"},
	{"a port that another reason keeps", func(_ *Evidence, n *Node) {
		n.Exit, n.Lines = exit("boot", 1), stderr("Protocol 'inet_tcp': register/listen error: etimedout", "{'EXIT',nodistribution}")
	}, "invalid-node-name"},
}

func TestNothingIsReadIntoIt(t *testing.T) {
	for _, m := range misreadings {
		t.Run(m.name, func(t *testing.T) {
			e := demo()
			m.edit(&e, &e.Nodes[0])
			for _, f := range Diagnose(e) {
				if f.Code == m.not {
					t.Errorf("%+v", f)
				}
			}
		})
	}
}

// What is proposed can be typed in the state that the node is in.
func TestWhatIsProposedFits(t *testing.T) {
	for _, s := range states {
		for _, runs := range []bool{false, true} {
			e := demo()
			s.edit(&e, &e.Nodes[0])
			for i := range e.Nodes {
				if n := &e.Nodes[i]; n.State == "" && runs && n.Exit == nil && n.StartError == "" {
					n.State = running
				}
			}
			for _, f := range Diagnose(e) {
				for _, solution := range f.Solutions {
					do := solution.Do.String()
					execs := strings.HasPrefix(do, "docker exec") || strings.HasPrefix(do, "beamyard rpc")
					if execs && f.Node != "" && !e.node(f.Node).State.Running() {
						t.Errorf("%s: %s of a node that does not run", f.Code, do)
					}
				}
			}
		}
	}
}

func TestTheBaseThatIsProposed(t *testing.T) {
	for want, groups := range map[string][]string{
		"forky": {"p", "1.18.3", "~> 1.19"}, "trixie": {"p", "1.14.0", "~> 1.15"}, "bookworm": {"p", "1.18.3", "~> 1.14.0"}, "": {"p", "1.18.3", "~> 1.99"},
	} {
		if got := baseWords(groups)["base"]; got != want {
			t.Errorf("%v: %q, want %q", groups, got, want)
		}
	}
	if got := baseWords([]string{"p", "1.18.3", "~> 1.18.9"}); got != nil {
		t.Errorf("the base that failed: %v", got)
	}
}

func TestStatesAreDiagnosed(t *testing.T) {
	for _, s := range states {
		t.Run(s.name, func(t *testing.T) {
			for _, absent := range []bool{false, true} {
				e := demo()
				e.Absent = absent
				s.edit(&e, &e.Nodes[0])
				found := Diagnose(e)
				roots := orchestrator.RootCauses(found)
				if len(roots) != 1 || roots[0].Code != s.root || !strings.Contains(roots[0].Problem, s.names) {
					t.Fatalf("want %s alone, naming %q:\n%s", s.root, s.names, list(found))
				}
				var also []orchestrator.FindingCode
				for _, f := range found[1:] {
					also = append(also, f.Code)
				}
				if !slices.Equal(also, s.also) {
					t.Errorf("symptoms %v, want %v", also, s.also)
				}
				checkSolutions(t, found)
			}
		})
	}
}

var leftover = regexp.MustCompile(`\{[a-z0-9_]+\}`)

// checkSolutions demands a command of every finding, and no word that is not filled.
func checkSolutions(t *testing.T, found []orchestrator.Finding) {
	t.Helper()
	for _, f := range found {
		if !slices.ContainsFunc(f.Solutions, func(s orchestrator.Solution) bool { return len(s.Do) > 0 }) {
			t.Errorf("%s has no command: %+v", f.Code, f.Solutions)
		}
		for _, text := range append([]string{f.Problem}, strings.Split(f.Hint().String(), "\n")...) {
			for _, word := range leftover.FindAllString(text, -1) {
				if word != "{node}" || !strings.Contains(text, "name {node}") {
					t.Errorf("%s: %s is not filled in %q", f.Code, word, text)
				}
			}
		}
	}
}

// Who does not know why an image of others is no node of theirs is told the key of
// beamyard.yml that says how it is.
func TestImagesOfOthersAreToldApart(t *testing.T) {
	for key, edit := range map[string]func(e *Evidence, n *Node){
		"cookie_file: in beamyard.yml":                 func(_ *Evidence, n *Node) { n.Contact = ContactWrongCookie },
		"distribution: {names: short} in beamyard.yml": func(_ *Evidence, n *Node) { n.Contact, n.Answered = ContactWrongName, "app@n1" },
		"distribution: {names: long} in beamyard.yml": func(e *Evidence, n *Node) {
			e.Spec.Distribution.Names, n.Contact, n.Answered = orchestrator.ShortNames, ContactWrongName, "app@n1.x"
		},
		"set basename: rabbit in beamyard.yml": func(_ *Evidence, n *Node) { n.Contact, n.Answered = ContactWrongName, "rabbit@"+n.Host },
		"say so: distribution: {port: 25672} in beamyard.yml": func(_ *Evidence, n *Node) {
			n.Contact, n.Live = ContactRefused, &Live{Looked: true, Listening: []int{4369}, Registered: map[string]int{"app": 25672}}
		},
		"set it: distribution: {port: …} in beamyard.yml": func(_ *Evidence, n *Node) {
			n.Contact, n.Live = ContactRefused, &Live{Looked: true, Listening: []int{25672}}
		},
		"start the VM with --name {node} in command:": func(_ *Evidence, n *Node) { n.Contact, n.Answered = ContactWrongName, "app@other.host" },
	} {
		for _, absent := range []bool{false, true} {
			e := demo()
			e.Absent, e.Nodes[0].State, e.Nodes[0].Late = absent, running, true
			edit(&e, &e.Nodes[0])
			roots := orchestrator.RootCauses(Diagnose(e))
			if len(roots) != 1 || !strings.Contains(roots[0].Hint().String(), key) {
				t.Errorf("does not propose %q: %+v", key, roots)
			}
		}
	}
}

// A node that runs another thing than the cluster's is judged by what it runs.
func TestANodeIsJudgedByWhatItRuns(t *testing.T) {
	e := Evidence{Spec: orchestrator.Spec{
		Name: "loom", Source: "/src", Image: "sha256:front", App: "loom_web", Release: true, HTTPPort: 4000,
		Nodes: []orchestrator.NodeSpec{{Name: "web"}, {Name: "worker", App: "loom_worker", Image: "sha256:back", Built: true}, {Name: "db", Image: "db:1", App: "-"}},
	}}
	for node, want := range map[string]string{
		"web":    "sha256:front loom_web true 4000 ",
		"worker": "sha256:back loom_worker true 4000 ",
		"db":     "db:1  true 4000 ",
	} {
		at := e.at(&Node{Name: node})
		if got := fmt.Sprintf("%s %s %t %d %s", at.Spec.Image, at.app(), at.Spec.Release, at.Spec.HTTPPort, at.Spec.HTTPCheck); got != want {
			t.Errorf("%s: %s, want %s", node, got, want)
		}
	}
}

// A cluster whose file is elsewhere is not started again without it.
func TestTheFileIsNamed(t *testing.T) {
	e := demo()
	e.Absent, e.Spec.File, e.Nodes[0].State, e.Nodes[0].Contact = true, "/a b/beamyard.yml", running, ContactWrongCookie
	want := "beamyard up -f '/a b/beamyard.yml' --name demo --keep-on-failure"
	if hint := Diagnose(e)[0].Hint().String(); !strings.Contains(hint, want) {
		t.Errorf("%s", hint)
	}
}

// The accepting node logs what the other one does not know: the cookie of n2 is
// the root, and that n1 and n2 do not meet follows from it.
func TestOnlyTheRootLeads(t *testing.T) {
	e := demo()
	e.Nodes = append(e.Nodes, Node{Name: "n2", BEAM: "app@n2.demo.test", State: running, Contact: ContactWrongCookie})
	e.Nodes[0].State, e.Nodes[0].Missing = running, map[string]string{"n2": "the handshake fails"}
	found := Diagnose(e)
	if len(found) != 2 || found[0].Code != "cookie-mismatch" || found[0].Node != "n2" {
		t.Fatalf("%s", list(found))
	}
	if f := found[1]; f.Code != "not-connected" || f.SymptomOf == nil || *f.SymptomOf != (orchestrator.Cause{Code: "cookie-mismatch", Node: "n2"}) {
		t.Errorf("%+v", f)
	}
	if own := orchestrator.FindingsFor(found, "n1"); len(own) != 1 || own[0].Node != "n1" {
		t.Errorf("of n1: %+v", own)
	}
}

func TestNothingIsNoFinding(t *testing.T) {
	if found := Diagnose(Evidence{}); len(found) > 0 {
		t.Errorf("%s", list(found))
	}
	e := demo()
	e.Nodes[0].State = orchestrator.Ready
	e.Nodes[0].Lines = slices.Concat(stdout("{:error, :nxdomain}"), stderr("** (File.Error) no space left on device"))
	if found := Diagnose(e); len(found) > 0 {
		t.Errorf("a node that is well:\n%s", list(found))
	}
}

// An unknown failure quotes its last 20 lines, those of stderr first.
func TestTheUnknownIsQuoted(t *testing.T) {
	e := demo()
	n := &e.Nodes[0]
	n.Exit = exit("crashed", 3)
	for range 30 {
		n.Lines = slices.Concat(n.Lines, stdout("out"), stderr("err"))
	}
	found := Diagnose(e)
	if len(found) != 1 || found[0].Code != "unknown" {
		t.Fatalf("%s", list(found))
	}
	want := "exit 3 (crashed)\n" + strings.Repeat("stderr: err\n", 10) + strings.TrimSuffix(strings.Repeat("stdout: out\n", 10), "\n")
	if found[0].Evidence != want {
		t.Errorf("evidence:\n%s", found[0].Evidence)
	}
}

// Every code that a rule follows from exists, and none follows from itself over
// others: a ring would have no root.
func TestTheRulesHaveRoots(t *testing.T) {
	follows := map[orchestrator.FindingCode]codes{}
	for _, r := range Rules() {
		follows[r.Code] = append(follows[r.Code], r.Follows...)
	}
	var visit func(code orchestrator.FindingCode, path []orchestrator.FindingCode)
	visit = func(code orchestrator.FindingCode, path []orchestrator.FindingCode) {
		if slices.Contains(path, code) {
			t.Fatalf("a ring: %v → %s", path, code)
		}
		for _, next := range follows[code] {
			if _, known := follows[next]; !known {
				t.Errorf("%s follows %s, which no rule finds", code, next)
			}
			visit(next, append(slices.Clone(path), code))
		}
	}
	for code := range follows {
		visit(code, nil)
	}
}

// The largest processes of a dump are told, each with what waited for it.
func TestADumpNamesItsProcesses(t *testing.T) {
	e := demo()
	e.Nodes[0].Exit = exit("crashed", 1)
	e.Nodes[0].Dump = &Dump{"out of luck", 1 << 20, []DumpEntry{{"<0.9.0>", "hog", 9 << 20, 7}, {"<0.1.0>", "init", 2640, 0}}}
	found := Diagnose(e)
	if want := "out of luck\n<0.9.0> hog: 9 MiB, 7 messages\n<0.1.0> init: 2 KiB, 0 messages"; len(found) != 1 || found[0].Evidence != want {
		t.Errorf("%+v", found)
	}
}

func FuzzDiagnose(f *testing.F) {
	f.Add("Connection attempt from node x rejected. Invalid challenge reply", "boom", 1)
	f.Add("'global' at node :a disconnected node :b in order to prevent overlapping partitions", "", 137)
	f.Fuzz(func(t *testing.T, line, failure string, code int) {
		e := demo()
		e.Error = failure
		e.Nodes[0].Lines, e.Nodes[0].Exit = stderr(line), exit("crashed", code)
		for _, found := range Diagnose(e) {
			if found.Code == "" || found.Problem == "" || len(found.Solutions) == 0 {
				t.Errorf("%+v", found)
			}
		}
	})
}

// Another fault is not why a clock is wrong.
func TestAClockIsWrongBesideAnotherFault(t *testing.T) {
	e := demo()
	e.Faults = []Fault{{"f1a2", "f1a2 (squeeze n1, cpus 0.1)"}}
	e.Nodes[0].State, e.Nodes[0].Live = orchestrator.Ready, &Live{Skew: time.Hour}
	roots := orchestrator.RootCauses(Diagnose(e))
	if len(roots) != 2 || roots[1].Code != "clock-skew" {
		t.Errorf("want fault-in-force and clock-skew:\n%s", list(roots))
	}
}
