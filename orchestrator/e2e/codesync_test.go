package e2e_test

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/beamyard/beamyard/network/erldist"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/codesync"
	"github.com/beamyard/beamyard/orchestrator/discovery"
)

// project is a copy of the demo that a test can edit.
type project struct {
	t   testing.TB
	dir string
}

func newProject(t testing.TB) project {
	t.Helper()
	p := project{t, t.TempDir()}
	if err := os.CopyFS(p.dir, os.DirFS(demo)); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p project) write(path, text string) {
	p.t.Helper()
	full := filepath.Join(p.dir, path)
	if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(full, []byte(text), 0o644); err != nil {
		p.t.Fatal(err)
	}
}

func (p project) edit(path, old, new string) {
	p.t.Helper()
	text, err := os.ReadFile(filepath.Join(p.dir, path))
	if err != nil {
		p.t.Fatal(err)
	}
	if !strings.Contains(string(text), old) {
		p.t.Fatalf("%s has no %q", path, old)
	}
	p.write(path, strings.Replace(string(text), old, new, 1))
}

func (p project) remove(path string) {
	p.t.Helper()
	if err := os.Remove(filepath.Join(p.dir, path)); err != nil {
		p.t.Fatal(err)
	}
}

// version makes the demo answer GET /version with a number. All versions have the same
// length.
func (p project) version(old, new string) {
	p.t.Helper()
	const route = `  def handle("GET", "/version", _), do: json(200, value: VERSION)` + "\n"
	if old == "" {
		p.edit("lib/demo/router.ex", "  def handle(\"GET\", \"/health\"", strings.Replace(route, "VERSION", new, 1)+"  def handle(\"GET\", \"/health\"")
		return
	}
	p.edit("lib/demo/router.ex", strings.Replace(route, "VERSION", old, 1), strings.Replace(route, "VERSION", new, 1))
}

// sync runs a sync that must succeed. It returns the summary: "Demo.Router +1 -1 on n1
// n2".
func (r *running) sync(opts orchestrator.SyncOptions) codesync.Report {
	r.t.Helper()
	report, err := r.Sync(r.t.Context(), opts)
	if err != nil {
		r.t.Fatalf("sync: %v", err)
	}
	r.t.Log(report.Line())
	return report
}

// synced runs a sync and compares the summary.
func (r *running) synced(what string) codesync.Report {
	r.t.Helper()
	report := r.sync(orchestrator.SyncOptions{})
	if line := report.Line(); !strings.HasPrefix(line, what+": ") {
		r.t.Errorf("%s\nwant: %s", line, what)
	}
	return report
}

// answers checks that an expression has a value on all nodes.
func (r *running) answers(expression, want string, nodes ...string) {
	r.t.Helper()
	for _, n := range nodes {
		if got := r.rpc(n, expression); got != want {
			r.t.Errorf("%s on %s: %s, want %s", expression, n, got, want)
		}
	}
}

// compiler returns the ID of the compiler's container.
func (r *running) compiler() string {
	r.t.Helper()
	found, err := discovery.Find(r.t.Context(), r.eng, r.name)
	if err != nil {
		r.t.Fatal(err)
	}
	return found.Helpers["compiler"].ID
}

// compilerEnds makes the compiler end itself, as it does after it has been idle for long.
func (r *running) compilerEnds() {
	r.t.Helper()
	found, err := discovery.Find(r.t.Context(), r.eng, r.name)
	if err != nil {
		r.t.Fatal(err)
	}
	id := found.Helpers["compiler"].ID
	c, err := r.eng.InspectContainer(r.t.Context(), id)
	if err != nil {
		r.t.Fatal(err)
	}
	at := net.JoinHostPort(c.Address(found.NetworkID).String(), "9100")
	for _, p := range found.Helpers["compiler"].Ports { // if its address cannot be reached
		info, err := r.eng.Info(r.t.Context())
		if err != nil {
			r.t.Fatal(err)
		}
		at = net.JoinHostPort(info.Host, strconv.Itoa(int(p.Host)))
	}
	conn, err := (&erldist.Dialer{Cookie: found.Spec.Cookie}).Dial(r.t.Context(), "app@compiler."+r.name+".test", at)
	if err != nil {
		r.t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Call(r.t.Context(), "erlang", "send", erldist.Atom("beamyard_idle"), erldist.Tuple{erldist.Atom("awake"), 50}); err != nil {
		r.t.Fatal(err)
	}
	eventually(r.t, "the compiler ends", func() bool {
		c, err := r.eng.InspectContainer(r.t.Context(), id)
		return err == nil && !c.State.Running && c.State.ExitCode == 0
	})
}

const handled = `Demo.Router.handle("GET", "/version", %{}).body =~ "VERSION"`

func (r *running) serves(version string, nodes ...string) {
	r.t.Helper()
	r.answers(strings.Replace(handled, "VERSION", version, 1), "true", nodes...)
}

// A series of changes to the code of a running cluster.
func TestSync(t *testing.T) {
	t.Parallel()
	for _, otp := range otps {
		t.Run(otp.name, func(t *testing.T) {
			t.Parallel()
			eng, p := engine(t), newProject(t)
			p.write("lib/demo/shown.ex", "defprotocol Demo.Shown do\n  @fallback_to_any true\n  def show(it)\nend\ndefimpl Demo.Shown, for: Any do\n  def show(_), do: :any\nend\n")
			p.write("src/demo_erl.erl", "-module(demo_erl).\n-export([v/0]).\nv() -> 1.\n")
			r := up(t, eng, otp.base, 3, func(s *orchestrator.Spec) { s.Source = p.dir })
			all := []string{"n1", "n2", "n3"}
			st, _ := r.Status(t.Context())
			for range 5 {
				call(t, "POST", st.Nodes[0].URL+"/counter", nil)
			}
			counted(t, st.Nodes, 5)
			r.synced("in sync, 10 modules equal on n1 n2 n3")

			// Edits of the same size within a second: each is compiled, and no state is
			// lost.
			p.version("", "101")
			r.synced("synced Demo.Router on n1 n2 n3")
			r.serves("101", all...)
			p.version("101", "102")
			p.write("src/demo_erl.erl", "-module(demo_erl).\n-export([v/0]).\nv() -> 2.\n")
			r.synced("synced Demo.Router, demo_erl on n1 n2 n3")
			p.version("102", "103")
			p.write("src/demo_erl.erl", "-module(demo_erl).\n-export([v/0]).\nv() -> 3.\n")
			r.synced("synced Demo.Router, demo_erl on n1 n2 n3")
			r.serves("103", all...)
			r.answers(":demo_erl.v()", "3", all...)
			counted(t, st.Nodes, 5)

			// Code that does not compile changes nothing. The error shows the line.
			p.version("103", "(1 +")
			_, err := r.Sync(t.Context(), orchestrator.SyncOptions{})
			if broken := (*codesync.CompileError)(nil); !errors.As(err, &broken) || !strings.Contains(err.Error(), "lib/demo/router.ex:") {
				t.Errorf("code that does not compile: %v", err)
			}
			r.serves("103", all...)
			p.version("(1 +", "103")
			if report := r.sync(orchestrator.SyncOptions{}); len(report.Changed) > 0 {
				t.Errorf("unchanged code is loaded again: %v", report.Changed)
			}

			// Modules are added and removed, and the protocol knows its implementations.
			r.answers("Demo.Shown.show(1)", ":any", all...)
			p.write("lib/demo/extra.ex", "defmodule Demo.Extra do\n  def hello, do: :hello\nend\ndefimpl Demo.Shown, for: Integer do\n  def show(_), do: :integer\nend\n")
			r.synced("synced Demo.Shown; added Demo.Extra, Demo.Shown.Integer on n1 n2 n3")
			r.answers("{Demo.Extra.hello(), Demo.Shown.show(1), Demo.Shown.show(:a)}", "{:hello, :integer, :any}", all...)
			p.remove("lib/demo/extra.ex")
			r.synced("synced Demo.Shown; removed Demo.Extra, Demo.Shown.Integer on n1 n2 n3")
			r.answers("{Code.ensure_loaded?(Demo.Extra), Demo.Shown.show(1)}", "{false, :any}", all...)
			if report, err := r.Health(t.Context()); err != nil || len(failed(report)) > 0 {
				t.Errorf("health after it: %+v, %v", report.Checks, err)
			}

			// A node that starts again has the synced code: after a crash, after a stop,
			// in a new container.
			if err := r.Stop(t.Context(), "n2"); err != nil {
				t.Fatal(err)
			}
			p.version("103", "104")
			p.write("lib/demo/later.ex", "defmodule Demo.Later do\nend\n")
			r.synced("synced Demo.Router; added Demo.Later on n1 n3 (written for n2, down)")
			if err := r.Kill(t.Context(), "KILL", "n1"); err != nil {
				t.Fatal(err)
			}
			if err := eng.RemoveContainer(t.Context(), r.node("n3").ContainerID); err != nil {
				t.Fatal(err)
			}
			r.until("n3", "is gone", func(n orchestrator.NodeStatus) bool { return n.State == orchestrator.Stopped })
			if err := errors.Join(r.Start(t.Context(), "n2"), r.Start(t.Context(), "n3")); err != nil {
				t.Fatal(err)
			}
			r.until("n1", "is restarted", func(n orchestrator.NodeStatus) bool { return n.Incarnation == 2 })
			r.ready()
			r.serves("104", all...)
			r.answers("{:demo_erl.v(), Code.ensure_loaded?(Demo.Extra), Demo.Shown.show(1)}", "{3, false, :any}", all...)
			r.synced("synced 3 files on n1 n2 n3; no module changed") // of modules that were removed while n2 and n3 were down
			r.compilerEnds()
			r.synced("in sync, 11 modules equal on n1 n2 n3")
			if report, err := r.Health(t.Context()); err != nil || len(failed(report)) > 0 {
				t.Errorf("health of nodes that were started before and after it: %+v, %v", report.Checks, err)
			}

			// If the compiler's container is lost, the record of what was synced is lost
			// too. The nodes still have that code, but a new compiler, with the source
			// tree of the image, does not know it.
			p.version("104", "105")
			r.sync(orchestrator.SyncOptions{})
			if err := eng.RemoveContainer(t.Context(), r.compiler()); err != nil {
				t.Fatal(err)
			}
			p.edit("lib/demo/router.ex", `  def handle("GET", "/version", _), do: json(200, value: 105)`+"\n", "")
			r.synced("synced Demo.Router on n1 n2 n3")
			r.answers(`Demo.Router.handle("GET", "/version", %{}).status`, "404", all...)
			st, _ = r.Status(t.Context())
			if len(st.Nodes) != 3 {
				t.Errorf("the compiler is listed as a node: %+v", st.Nodes)
			}
			r.answers("Node.list() |> length", "2", all...)
		})
	}
}

// elsewhere is the engine as if it were on another machine: its containers are reached
// only by published ports.
type elsewhere struct{ orchestrator.Engine }

func (e elsewhere) Info(ctx context.Context) (orchestrator.EngineInfo, error) {
	info, err := e.Engine.Info(ctx)
	info.Local = false
	return info, err
}

// A change that a running node cannot load is refused as a whole. The error names what
// prevents it, and the options solve it.
func TestSyncRefuses(t *testing.T) {
	t.Parallel()
	eng, p := elsewhere{engine(t)}, newProject(t)
	const loop = "defmodule Demo.Loop do\n  def start, do: Process.register(spawn(fn -> loop() end), :looper)\n  def v, do: 1\n  defp loop, do: receive(do: (:go -> loop()))\nend\n"
	p.write("lib/demo/loop.ex", loop)
	r := up(t, eng, "trixie", 2, func(s *orchestrator.Spec) { s.Source = p.dir })
	refused := func(opts orchestrator.SyncOptions, into any, words string) {
		t.Helper()
		report, err := r.Sync(t.Context(), opts)
		if !errors.As(err, into) || !strings.Contains(err.Error(), words) {
			t.Errorf("want an error %T with %q, not %v (%s)", into, words, err, report.Line())
		}
	}

	r.rpc("n1", "Demo.Loop.start()")
	p.edit("lib/demo/loop.ex", "v, do: 1", "v, do: 2")
	report := r.sync(orchestrator.SyncOptions{})
	if len(report.Lingering) != 1 || report.Lingering[0].Name != "looper" || report.Lingering[0].Node != "n1" {
		t.Errorf("processes in the old code: %v", report.Lingering)
	}
	p.edit("lib/demo/loop.ex", "v, do: 2", "v, do: 3")
	p.version("", "101")
	var inUse *codesync.InUseError
	refused(orchestrator.SyncOptions{}, &inUse, "looper <0.")
	r.answers("Demo.Loop.v()", "2", "n1", "n2")
	r.answers(`Demo.Router.handle("GET", "/version", %{}).status`, "404", "n1", "n2")
	report = r.sync(orchestrator.SyncOptions{PurgeHard: true})
	if len(report.Killed) != 1 || report.Killed[0].Name != "looper" {
		t.Errorf("killed: %v", report.Killed)
	}
	r.answers("Demo.Loop.v()", "3", "n1", "n2")
	r.serves("101", "n1", "n2")
	r.rpc("n1", "Demo.Loop.start()")
	p.edit("lib/demo/loop.ex", "v, do: 3", "v, do: 4")
	r.sync(orchestrator.SyncOptions{})
	report = r.sync(orchestrator.SyncOptions{PurgeHard: true})
	if len(report.Changed) != 0 || len(report.Killed) != 1 || report.Killed[0].Name != "looper" {
		t.Errorf("killed without a change: %v, %v", report.Changed, report.Killed)
	}

	// Only some nodes are synced. Two syncs at the same time do not mix.
	p.version("101", "102")
	r.sync(orchestrator.SyncOptions{Nodes: []string{"n2"}})
	r.serves("101", "n1")
	r.serves("102", "n2")
	p.version("102", "103")
	var both sync.WaitGroup
	for range 2 {
		both.Go(func() {
			if _, err := r.Sync(t.Context(), orchestrator.SyncOptions{}); err != nil {
				t.Errorf("two syncs at once: %v", err)
			}
		})
		both.Go(func() {
			if _, err := discovery.Sync(t.Context(), eng, r.name, orchestrator.SyncOptions{}); err != nil {
				t.Errorf("without a supervisor: %v", err)
			}
		})
	}
	both.Wait()
	r.serves("103", "n1", "n2")

	// After a sync was interrupted while it compiled, the next sync gets the compiler
	// once that compilation has ended.
	p.write("lib/demo/slow.ex", "defmodule Demo.Slow do\n  File.write!(\"/tmp/compiling\", \"\")\n  Process.sleep(3000)\nend\n")
	ctx, interrupt := context.WithCancel(t.Context())
	both.Go(func() {
		eventually(t, "the compilation runs", func() bool {
			content, _, err := eng.OpenFile(t.Context(), r.compiler(), "/tmp/compiling")
			return err == nil && content.Close() == nil
		})
		interrupt()
	})
	if _, err := r.Sync(ctx, orchestrator.SyncOptions{}); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
	both.Wait()
	r.synced("added Demo.Slow on n1 n2")
	p.remove("lib/demo/slow.ex")
	r.synced("removed Demo.Slow on n1 n2")

	// Nodes are synced one by one, until one of them is not healthy.
	p.edit("lib/demo/router.ex", `json(200, status: "ok"`, `json(500, status: "ok"`)
	var nodes *codesync.NodesError
	refused(orchestrator.SyncOptions{Rolling: true}, &nodes, "n1 is not well")
	r.answers(`Demo.Router.handle("GET", "/health", %{}).status`, "500", "n1")
	r.answers(`Demo.Router.handle("GET", "/health", %{}).status`, "200", "n2")
	p.edit("lib/demo/router.ex", `json(500, status: "ok"`, `json(200, status: "ok"`)
	r.sync(orchestrator.SyncOptions{Rolling: true})
	r.ready()

	// Files that are read when a node starts.
	p.edit("mix.exs", `version: "1`, `version: "9`)
	p.write("config/config.exs", "import Config\nconfig :demo, answer: 42\n")
	p.version("103", "104")
	var cold *codesync.ColdError
	refused(orchestrator.SyncOptions{}, &cold, "config/config.exs, mix.exs is read when a node starts")
	r.serves("103", "n1", "n2")
	r.sync(orchestrator.SyncOptions{Restart: true})
	r.serves("104", "n1", "n2")
	r.answers(`{Application.get_env(:demo, :answer), List.starts_with?(Application.spec(:demo, :vsn), ~c"9.")}`, "{42, true}", "n1", "n2")
	p.write("lib/demo/nif.ex", "defmodule Demo.Nif do\n  @on_load :load\n  def load, do: :ok\nend\n")
	refused(orchestrator.SyncOptions{}, &cold, "Demo.Nif runs a function when it is loaded")
	r.sync(orchestrator.SyncOptions{Restart: true, Rolling: true})
	r.answers("Code.ensure_loaded?(Demo.Nif)", "true", "n1", "n2")
	if n := r.node("n1"); n.RestartCount != 0 || n.Incarnation != 3 {
		t.Errorf("intended restarts are counted as crashes: %+v", n)
	}
	p.version("104", "105")
	r.sync(orchestrator.SyncOptions{})
	r.serves("105", "n1", "n2")

	// A mix.exs that Mix cannot read, and its repair.
	p.edit("mix.exs", "use Mix.Project", "use Mix.Projec")
	if _, err := r.Sync(t.Context(), orchestrator.SyncOptions{Restart: true}); err == nil || !strings.Contains(err.Error(), "Mix.Projec") {
		t.Errorf("with a broken mix.exs: %v", err)
	}
	r.serves("105", "n1", "n2")
	p.edit("mix.exs", "use Mix.Projec\n", "use Mix.Project\n")
	p.version("105", "106")
	r.sync(orchestrator.SyncOptions{})
	r.serves("106", "n1", "n2")
}

// A release runs the synced code, and its boot script contains the new modules.
func TestSyncRelease(t *testing.T) {
	t.Parallel()
	eng, p := engine(t), newProject(t)
	r := up(t, eng, "trixie", 2, func(s *orchestrator.Spec) { s.Source, s.Release = p.dir, true })
	p.version("", "101")
	r.synced("synced Demo.Router on n1 n2")
	p.version("101", "102")
	r.synced("synced Demo.Router on n1 n2")
	r.serves("102", "n1", "n2")
	p.write("lib/demo/extra.ex", "defmodule Demo.Extra do\n  def hello, do: :hello\nend\n")
	p.remove("lib/demo/json.ex")
	p.edit("lib/demo/router.ex", "Json.encode(fields)", `inspect(fields, limit: :infinity)`)
	r.synced("synced Demo.Router; added Demo.Extra; removed Demo.Json on n1 n2")
	if err := r.Kill(t.Context(), "KILL", "n1"); err != nil {
		t.Fatal(err)
	}
	r.until("n1", "is restarted", func(n orchestrator.NodeStatus) bool {
		return n.Incarnation == 2 && n.State == orchestrator.Ready
	})
	r.ready()
	r.answers("{Demo.Extra.hello(), Code.ensure_loaded?(Demo.Json), :code.get_mode()}", "{:hello, false, :embedded}", "n1", "n2")
	r.synced("in sync, 7 modules equal on n1 n2")
	p.write("config/runtime.exs", "import Config\nconfig :demo, answer: 42\n")
	p.edit("mix.exs", "extra_applications: [", "extra_applications: [:xmerl, ")
	r.sync(orchestrator.SyncOptions{Restart: true})
	r.answers("Application.get_env(:demo, :answer)", "42", "n1", "n2")

	// A container that is created later has what the restart brought, also after another
	// sync.
	p.version("102", "103")
	r.synced("synced Demo.Router on n1 n2")
	if err := eng.RemoveContainer(t.Context(), r.node("n2").ContainerID); err != nil {
		t.Fatal(err)
	}
	r.until("n2", "is gone", func(n orchestrator.NodeStatus) bool { return n.State == orchestrator.Stopped })
	if err := r.Start(t.Context(), "n2"); err != nil {
		t.Fatal(err)
	}
	r.ready()
	r.serves("103", "n2")
	r.answers(`to_string(:code.lib_dir(:xmerl)) =~ "release"`, "true", "n1", "n2")
}

// An umbrella: code that depends on a change is compiled again, across applications, path
// dependencies and consolidated protocols.
func TestSyncUmbrella(t *testing.T) {
	t.Parallel()
	for _, otp := range otps {
		t.Run(otp.name, func(t *testing.T) {
			t.Parallel()
			eng, p := engine(t), project{t, t.TempDir()}
			mix := func(module, body string) string {
				return "defmodule " + module + ".MixProject do\n  use Mix.Project\n  def project, do: [" + body + ", version: \"0.1.0\"]\n  def application, do: [extra_applications: [:logger]]\nend\n"
			}
			const inside = `build_path: "../../_build", deps_path: "../../deps", lockfile: "../../mix.lock", `
			p.write("mix.exs", mix("Both", `apps_path: "apps", deps: []`))
			p.write("apps/core/mix.exs", mix("Core", inside+`app: :core, deps: [{:leaf, path: "../../leaf"}]`))
			p.write("apps/web/mix.exs", mix("Web", inside+`app: :web, deps: [{:core, in_umbrella: true}]`))
			p.write("leaf/mix.exs", mix("Leaf", `app: :leaf, deps: []`))
			p.write("leaf/lib/leaf.ex", "defmodule Leaf do\n  defmacro v, do: 1\nend\n")
			p.write("apps/core/lib/core.ex", "defprotocol Core.Name do\n  def name(it)\nend\ndefmodule Core do\n  require Leaf\n  defmacro v, do: Leaf.v()\nend\n")
			p.write("apps/web/lib/web.ex", "defmodule Web do\n  require Core\n  defstruct []\n  def v, do: Core.v()\nend\ndefimpl Core.Name, for: Web do\n  def name(_), do: :web\nend\n")
			r := up(t, eng, otp.base, 1, func(s *orchestrator.Spec) {
				s.Source, s.App, s.HTTPPort, s.HTTPCheck = p.dir, "web", -1, ""
			})
			r.synced("in sync, 5 modules equal on n1")
			p.edit("apps/web/lib/web.ex", ":web", ":net")
			if report := r.sync(orchestrator.SyncOptions{}); !slices.Contains(report.Changed, "Elixir.Core.Name.Web") || slices.Contains(report.Changed, "Elixir.Core") {
				t.Errorf("an edit in one application: %+v", report)
			}
			r.answers("{Web.v(), Core.Name.name(struct(Web))}", "{1, :net}", "n1")
			for _, v := range []string{"1 2", "2 3"} {
				from, to, _ := strings.Cut(v, " ")
				p.edit("leaf/lib/leaf.ex", "v, do: "+from, "v, do: "+to)
				r.sync(orchestrator.SyncOptions{})
				r.answers("Web.v()", to, "n1")
			}
			p.write("apps/core/lib/more.ex", "defimpl Core.Name, for: Atom do\n  def name(a), do: a\nend\n")
			if report := r.sync(orchestrator.SyncOptions{}); len(report.Added) != 1 {
				t.Errorf("a new implementation: %+v", report)
			}
			r.answers("{Core.Name.name(:x), Protocol.consolidated?(Core.Name)}", "{:x, true}", "n1")
			p.edit("apps/web/mix.exs", "0.1.0", "0.2.0")
			var cold *codesync.ColdError
			if _, err := r.Sync(t.Context(), orchestrator.SyncOptions{}); !errors.As(err, &cold) {
				t.Errorf("an application's mix.exs: %v", err)
			}
		})
	}
}

// An image of a Dockerfile, whose nodes read their sources when they start.
func TestSyncDockerfile(t *testing.T) {
	t.Parallel()
	eng, p := engine(t), newProject(t)
	p.write("Dockerfile", "FROM beamyard/debian:trixie\nWORKDIR /srv/shop\nCOPY mix.exs ./\nCOPY lib ./lib\nRUN mix compile\n")
	p.write("Makefile", "all:\n\tmix compile\n") // this is not copied into the image
	p.write("config/test.exs", "import Config\n")
	r := up(t, eng, "", 1, func(s *orchestrator.Spec) { s.Source, s.Dockerfile, s.App = p.dir, "Dockerfile", "demo" })
	p.version("", "101")
	r.sync(orchestrator.SyncOptions{})
	r.serves("101", "n1")
	if err := r.Kill(t.Context(), "KILL", "n1"); err != nil {
		t.Fatal(err)
	}
	r.until("n1", "is restarted", func(n orchestrator.NodeStatus) bool { return n.Incarnation == 2 && n.State == orchestrator.Ready })
	r.serves("101", "n1")
	p.version("101", "102")
	r.synced("synced Demo.Router on n1")
	r.serves("102", "n1")
}
