package e2e_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/beamyard/beamyard/images"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/build"
)

// mixRun is the command that a direct boot must equal.
var mixRun = []string{
	"elixir", "--name", "{node}", "--erl", "-start_epmd false -erl_epmd_port {dist_port} +sbwt none +sbwtdcpu none +sbwtdio none +Q 65536",
	"-S", "mix", "run", "--no-halt", "--no-compile", "--no-deps-check",
}

// unstable is what differs between two runs of one program: times, and what is the VM's own.
var unstable = regexp.MustCompile(`\d\d:\d\d:\d\d\.\d{3}|<\d+\.\d+\.\d+>|n[1-4]\.`)

// inOrder is the text of a term with the keys of maps in order: VMs number atoms differently.
const inOrder = `plain = fn
  plain, x when is_map(x) -> {:map, Enum.sort(for {k, v} <- Map.to_list(x), do: {k, plain.(plain, v)})}
  plain, [h | t] -> [plain.(plain, h) | plain.(plain, t)]
  plain, x when is_tuple(x) -> List.to_tuple(plain.(plain, Tuple.to_list(x)))
  _, x -> x
end
inspect(plain.(plain, (%s)), limit: :infinity, printable_limit: :infinity)`

// vmState is what a VM has after its boot, by name. A value is compared as text.
var vmState = map[string]string{
	"environment": "for a <- Enum.sort(for {a, _, _} <- Application.loaded_applications(), do: a), do: {a, Enum.sort(Application.get_all_env(a))}",
	"keys":        "for a <- Enum.sort(for {a, _, _} <- Application.loaded_applications(), do: a), do: {a, Keyword.delete(elem(:application.get_all_key(a), 1), :env)}",
	"started":     "{:application.which_applications(), Keyword.take(:application.info(), [:started, :start_p_false])}",
	"paths":       ":code.get_path()",
	"arguments":   "{System.argv(), File.cwd!(), System.no_halt(), :init.get_status()}",
	"mix":         "{Mix.env(), Mix.target(), Mix.Project.get(), Mix.Project.config(), Mix.Project.project_file(), Mix.State.get(:scm)}",
	"tasks":       "Enum.sort(:ets.tab2list(Mix.TasksServer))",
	"logger":      "{:logger.get_config(), :logger.get_handler_ids(), Logger.level()}",
	// Mix 1.18 starts the first three for listeners, and a direct boot only if the project has
	// some. The others look up a name, on the node that connects first.
	"processes": "Enum.sort(Process.registered()) -- [Mix.PubSub, Mix.PubSub.Subscriber, Mix.PubSub.ListenerSupervisor, :inet_gethost_native, :inet_gethost_native_sup, :rex_proxy_user]",
	"elixir":    "{Calendar.get_time_zone_database(), Code.compiler_options()}",
}

// sink has what a project may configure.
func sink(p project) {
	p.write("TEST", p.t.Name()) // its own image
	leaf := func(name, more string) {
		p.write(name+"/mix.exs", fmt.Sprintf("defmodule %s.MixProject do\n  use Mix.Project\n  def project, do: [app: :%s, version: \"1.0.0\"]\n  def application, do: [%s]\nend\n", strings.ToUpper(name[:1])+name[1:], name, more))
	}
	p.write("mix.exs", `defmodule Sink.MixProject do
  use Mix.Project

  def project do
    [app: :sink, version: "0.1.0", start_permanent: Mix.env() == :prod, listeners: [Leaf.Listener], releases: [sink: [steps: [:assemble, &noted/1]]],
     deps: [{:leaf, path: "leaf"}, {:held, path: "held"}, {:tool, path: "tool", runtime: false}]]
  end

  def application do
    [mod: {Sink, []}, extra_applications: [:logger, :crypto, :runtime_tools], included_applications: [:held]]
  end

  defp noted(release), do: release
end
`)
	leaf("leaf", "env: [depth: 1, from: :app]")
	leaf("held", "")
	leaf("tool", "")
	p.write("leaf/lib/leaf.ex", "defprotocol Leaf do\n  def name(it)\nend\n")
	p.write("leaf/lib/listener.ex", "defmodule Leaf.Listener do\n  use Agent\n  def start_link(_), do: Agent.start_link(fn -> nil end, name: __MODULE__)\nend\n")
	p.write("held/lib/held.ex", "defmodule Held do\nend\n")
	p.write("tool/lib/tool.ex", "defmodule Tool do\n  defmacro one, do: 1\nend\n")
	p.write("config/config.exs", `import Config
config :sink, kept: 1, nested: [a: 1, c: [d: 1]], compiled: System.get_env("COMPILED", "1")
config :leaf, from: :config
config :logger, level: :info
config :elixir, :time_zone_database, Sink.Zones
import_config "#{config_env()}.exs"
`)
	for _, env := range []string{"dev", "test", "prod"} {
		p.write("config/"+env+".exs", "import Config\nconfig :sink, of: :"+env+"\n")
	}
	p.write("config/runtime.exs", `import Config
config :sink, pool: System.get_env("POOL"), env: config_env(), target: config_target(), argv: System.argv(), nested: [b: 2, c: [e: 2]]
if config_env() == :prod, do: config(:logger, level: :warning)
`)
	p.write("lib/sink.ex", `defmodule Sink do
  use Application
  require Tool
  @compiled Application.compile_env(:sink, :compiled)
  def compiled, do: {@compiled, Tool.one()}

  def start(_, _) do
    if System.get_env("FAIL"), do: raise("no database")
    Supervisor.start_link([], strategy: :one_for_one, name: Sink.Supervisor)
  end

  def prep_stop(state), do: tap(state, fn _ -> IO.puts("sink stops") end)
end

defmodule Sink.V do
  def v, do: 1
end

defimpl Leaf, for: Atom do
  def name(a), do: a
end
`)
}

func umbrella(p project) {
	p.write("TEST", p.t.Name())
	const inside = `build_path: "../../_build", config_path: "../../config/config.exs", deps_path: "../../deps", lockfile: "../../mix.lock", `
	mix := func(module, body, application string) string {
		return "defmodule " + module + ".MixProject do\n  use Mix.Project\n  def project, do: [" + body + ", version: \"0.1.0\"]\n  def application, do: [" + application + "]\nend\n"
	}
	p.write("mix.exs", mix("Both", `apps_path: "apps", deps: []`, ""))
	p.write("config/config.exs", "import Config\nconfig :core, at: config_env()\n")
	p.write("config/runtime.exs", "import Config\nconfig :web, pool: System.get_env(\"POOL\")\n")
	p.write("apps/core/mix.exs", mix("Core", inside+`app: :core, deps: [{:leaf, path: "../../leaf"}]`, "extra_applications: [:logger]"))
	p.write("apps/web/mix.exs", mix("Web", inside+`app: :web, deps: [{:core, in_umbrella: true}]`, "extra_applications: [:logger, :inets]"))
	p.write("leaf/mix.exs", mix("Leaf", `app: :leaf, deps: []`, ""))
	p.write("leaf/lib/leaf.ex", "defprotocol Leaf do\n  def name(it)\nend\n")
	p.write("apps/core/lib/core.ex", "defmodule Core do\n  defstruct []\nend\ndefimpl Leaf, for: Core do\n  def name(_), do: :core\nend\n")
	p.write("apps/web/lib/web.ex", "defmodule Web do\nend\n")
}

// hex takes the place of Hex: it starts applications of its own, and "fetches" a package without
// a network.
const hex = `defmodule Hex do
  use Application
  def start, do: ({:ok, _} = Application.ensure_all_started(:hex); :ok)
  def version, do: "99.0.0"

  def start(_, _) do
    Mix.SCM.append(Hex.SCM)
    Supervisor.start_link([], strategy: :one_for_one, name: Hex.Supervisor)
  end
end

defmodule Hex.SCM do
  @behaviour Mix.SCM
  def fetchable?, do: true
  def format(_), do: "Hex package"
  def format_lock(_), do: nil
  def accepts_options(app, opts), do: Keyword.put_new(opts, :hex, to_string(app))
  def checked_out?(opts), do: File.dir?(opts[:dest])
  def lock_status(_), do: :ok
  def equal?(a, b), do: a[:hex] == b[:hex]
  def managers(_), do: [:mix]
  def update(opts), do: checkout(opts)

  def checkout(opts) do
    File.mkdir_p!(Path.join(opts[:dest], "lib"))
    File.write!(Path.join(opts[:dest], "mix.exs"), """
    defmodule Fetched.MixProject do
      use Mix.Project
      def project, do: [app: :#{opts[:hex]}, version: "1.0.0"]
    end
    """)
    {:hex, opts[:hex]}
  end
end
`

// baseWithHex makes a base image that has that Hex.
func baseWithHex(t *testing.T, base string) string {
	p := project{t, t.TempDir()}
	p.write("hex.ex", hex)
	p.write("hex.app", `{application, hex, [{vsn, "99.0.0"}, {modules, ['Elixir.Hex', 'Elixir.Hex.SCM']}, {applications, [kernel, stdlib, elixir, inets, crypto]}, {mod, {'Elixir.Hex', []}}]}.`)
	p.write("Dockerfile", "FROM beamyard/debian:"+base+"\nENV MIX_HOME=/opt/mix\nCOPY hex.ex hex.app /tmp/\nRUN to=/opt/mix/archives/hex-99/hex-99/ebin && mkdir -p $to && elixirc -o $to /tmp/hex.ex && cp /tmp/hex.app $to\n")
	image, err := images.Resolve(t.Context(), engine(t), images.Source{Kind: images.Dockerfile, Dir: p.dir}, images.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { removeImage(t, image.Ref) })
	return image.Ref
}

func withPackage(p project) {
	library(p)
	p.write("mix.exs", mixExs(`deps: [{:fetched, "~> 1.0"}]`))
}

// library has no configuration, and no callback of an application.
func library(p project) {
	p.write("TEST", p.t.Name())
	p.write("mix.exs", mixExs(""))
	p.write("lib/p.ex", "defmodule P do\nend\n")
}

// A direct boot leaves the VM as `mix run` does: configuration, applications and their order,
// code paths, Mix, logger.
func TestDirectBootEqualsMix(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, app, mixEnv string
		write             func(project)
		also              map[string]string
	}{
		{"sink-dev", "sink", "dev", sink, map[string]string{
			"{Sink.compiled(), Leaf.name(:x), Protocol.consolidated?(Leaf)}":                           `{{"1", 1}, :x, true}`,
			"Application.get_all_env(:sink)[:pool]":                                                    `"9"`,
			`(Process.whereis(Leaf.Listener) != nil) == Version.match?(System.version(), ">= 1.18.0")`: "true",
			// Mix works in the node: a code reloader compiles there.
			`File.write!("lib/v.ex", "defmodule Sink.W do\n  def v, do: 2\nend\n"); Mix.Task.run("compile", []); Sink.W.v()`: "2",
			"Application.started_applications() |> Enum.any?(&elem(&1, 0) == :held)":                                         "false",
		}},
		{"sink-test", "sink", "test", sink, nil},
		{"sink-prod", "sink", "prod", sink, nil},
		{"umbrella", "web", "dev", umbrella, map[string]string{
			`Leaf.name(struct(Core))`: ":core",
			`File.write!("apps/web/lib/more.ex", "defmodule More do\n  def v, do: 2\nend\n"); Mix.Task.run("compile", []); More.v()`: "2",
		}},
		{"library", "p", "dev", library, nil},
		{"hex", "p", "dev", withPackage, map[string]string{
			"for app <- [:hex, :inets, :fetched], do: List.keymember?(Application.started_applications(), app, 0)": "[true, true, true]",
			"Application.spec(:fetched, :vsn) |> to_string()":                                                      `"1.0.0"`,
		}},
	} {
		for _, otp := range otps {
			t.Run(tt.name+"/"+otp.name, func(t *testing.T) {
				t.Parallel()
				p, base := project{t, t.TempDir()}, otp.base
				tt.write(p)
				if tt.name == "hex" {
					base = baseWithHex(t, base)
				}
				r := up(t, engine(t), base, 2, func(s *orchestrator.Spec) {
					s.Source, s.App, s.HTTPPort, s.HTTPCheck, s.MixEnv, s.Boot = p.dir, tt.app, -1, "", tt.mixEnv, orchestrator.BootDirect
					s.Env, s.Nodes[1].Command = map[string]string{"POOL": "9"}, mixRun
				})
				r.takesImage()
				if got := r.rpc("n1", ":code.is_loaded(:beamyard_boot) != false") + r.rpc("n2", ":code.is_loaded(:beamyard_boot) != false"); got != "truefalse" {
					t.Errorf("booted directly: %s", got)
				}
				equal := func(when string) {
					for name, expression := range vmState {
						expression = fmt.Sprintf(inOrder, expression)
						if direct, mix := r.rpc("n1", expression), r.rpc("n2", expression); direct != mix {
							t.Errorf("%s: %s: directly %s\nby mix run %s", when, name, direct, mix)
						}
					}
				}
				equal("booted")
				for expression, want := range tt.also {
					for _, node := range []string{"n1", "n2"} {
						if got := r.rpc(node, expression); got != want {
							t.Errorf("%s: %s is %s, not %s", node, expression, got, want)
						}
					}
				}
				if tt.app != "sink" {
					return
				}
				if err := r.Stop(t.Context(), "n1", "n2"); err != nil {
					t.Fatal(err)
				}
				for _, n := range []string{"n1", "n2"} {
					if x := r.node(n).LastExit; x == nil || x.String() != "stopped (exit 0)" || !slices.Contains(r.lines(orchestrator.LogQuery{Nodes: []string{n}}), "sink stops") {
						t.Errorf("%s stopped otherwise: %+v", n, x)
					}
				}
			})
		}
	}
}

// A start that fails ends as under `mix run`: with the same code, the same finding, and the same
// lines. If a permanent application fails, the VM stops while Mix reports it: which of the lines
// are printed depends on who is faster, under `mix run` too.
func TestDirectBootFailsAsMix(t *testing.T) {
	t.Parallel()
	for _, mixEnv := range []string{"dev", "prod"} {
		for _, otp := range otps {
			t.Run(mixEnv+"/"+otp.name, func(t *testing.T) {
				t.Parallel()
				p := project{t, t.TempDir()}
				sink(p)
				r := run(t, engine(t), otp.base, 4, func(s *orchestrator.Spec) {
					s.Source, s.App, s.HTTPPort, s.HTTPCheck, s.MixEnv, s.Boot = p.dir, "sink", -1, "", mixEnv, orchestrator.BootDirect
					s.Mesh, s.Restart = orchestrator.MeshNone, orchestrator.RestartPolicy{Backoff: time.Hour, MaxBackoff: time.Hour}
					s.Nodes[1].Command, s.Nodes[3].Command = mixRun, mixRun
					for i := range s.Nodes {
						s.Nodes[i].Env = map[string]string{[]string{"FAIL", "COMPILED"}[i/2]: "2"}
					}
				})
				r.fails = true
				for _, pair := range [][2]string{{"n1", "n2"}, {"n3", "n4"}} {
					var shown [2]string
					t.Cleanup(func() {
						if t.Failed() {
							t.Logf("%s, directly:\n%s\n%s, by mix run:\n%s", pair[0], shown[0], pair[1], shown[1])
						}
					})
					eventually(t, pair[0]+" ends as "+pair[1]+" does", func() bool {
						for i, node := range pair {
							n := r.node(node)
							if n.LastExit == nil || len(n.Findings) == 0 {
								return false
							}
							shown[i] = fmt.Sprintln(n.LastExit.Class, n.LastExit.Code, orchestrator.RootCauses(n.Findings)[0].Code)
							if mixEnv == "prod" && pair[0] == "n1" {
								continue
							}
							// What Mix says. The VM ends while the logger still writes: some of its lines
							// come between those of Mix, and some never.
							lines := slices.DeleteFunc(r.lines(orchestrator.LogQuery{Nodes: []string{node}}), func(l string) bool {
								return strings.TrimSpace(l) == "" || strings.Contains(l, "[notice]")
							})
							for k, l := range lines { // times and process identifiers differ
								lines[k] = unstable.ReplaceAllString(l, "_")
							}
							slices.Sort(lines)
							shown[i] += strings.Join(slices.Compact(lines), "\n")
						}
						return shown[0] == shown[1] && strings.HasPrefix(shown[0], "boot 1 ")
					})
				}
				r.takesImage()
			})
		}
	}
}

// A project that Mix must start gets `mix run`, and its image says why.
func TestProjectsThatMixStarts(t *testing.T) {
	t.Parallel()
	mix := func(more string) func(project) {
		return func(p project) {
			library(p)
			p.write("mix.exs", mixExs(more))
		}
	}
	for _, tt := range []struct {
		name, reason string
		write        func(project)
	}{
		{"alias", "mix.exs has an alias for run", mix(`aliases: [run: ["loadpaths", "run"]]`)},
		{"body", "mix.exs reads the environment", func(p project) {
			library(p)
			p.write("mix.exs", strings.Replace(mixExs(""), "  use Mix.Project\n", "  use Mix.Project\n  @version System.get_env(\"VERSION\", \"1.0.0\")\n  def version, do: @version\n", 1))
		}},
		{"code", "mix.exs loads other files of code", func(p project) {
			library(p)
			p.write("more.exs", "defmodule More do\nend\n")
			p.write("mix.exs", "Code.require_file(\"more.exs\", __DIR__)\n"+mixExs(""))
		}},
		{"other-project", "leaf/mix.exs reads the environment", func(p project) {
			library(p)
			p.write("mix.exs", mixExs(`deps: [{:leaf, path: "leaf"}]`))
			p.write("leaf/mix.exs", "defmodule Leaf.MixProject do\n  use Mix.Project\n  def project, do: [app: :leaf, version: System.get_env(\"V\") || \"1.0.0\"]\nend\n")
		}},
	} {
		for _, otp := range otps {
			t.Run(tt.name+"/"+otp.name, func(t *testing.T) {
				t.Parallel()
				eng, p := engine(t), project{t, t.TempDir()}
				tt.write(p)
				s := orchestrator.Spec{Name: "mixed", Source: p.dir, BaseImage: otp.base, Nodes: orchestrator.NodeNames(1)}.Defaulted()
				made, err := build.Prepare(t.Context(), eng, s, nil)
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { removeImage(t, made.Image) })
				if made.ImageBoot != tt.reason {
					t.Errorf("boots %q, want %q", made.ImageBoot, tt.reason)
				}
				s.Boot = orchestrator.BootDirect
				if _, err := build.Prepare(t.Context(), eng, s, nil); err == nil || !strings.Contains(err.Error(), "boot: direct is not possible: "+tt.reason) {
					t.Errorf("boot: direct: %v", err)
				}
			})
		}
	}
}

// A mix.exs that says something else on the node is started by Mix, unless boot is direct.
func TestDirectBootOfAnotherMixExs(t *testing.T) {
	t.Parallel()
	for _, otp := range otps {
		t.Run(otp.name, func(t *testing.T) {
			t.Parallel()
			p := project{t, t.TempDir()}
			library(p)
			p.write("mix.exs", mixExs(`description: System.get_env("SAYS", "x")`))
			r := up(t, engine(t), otp.base, 2, func(s *orchestrator.Spec) {
				s.Source, s.App, s.HTTPPort, s.HTTPCheck = p.dir, "p", -1, ""
				s.Nodes[1].Env = map[string]string{"SAYS": "y"}
			})
			r.takesImage()
			st, err := r.Status(t.Context())
			if err != nil || st.Image == "" {
				t.Fatal(err)
			}
			info, err := engine(t).Image(t.Context(), st.Image)
			if err != nil || info.Labels["beamyard.boot"] != images.BootDirect {
				t.Errorf("labels %v, %v", info.Labels, err)
			}
			const state = `inspect({Mix.Project.config()[:description], :ets.tab2list(Mix.TasksServer) |> Enum.sort(), Application.spec(:p, :vsn)}, limit: :infinity)`
			if a, b := r.rpc("n1", state), r.rpc("n2", state); a == b || strings.ReplaceAll(a, `\"x\"`, `\"y\"`) != b {
				t.Errorf("n1 %s\nn2 %s", a, b)
			}
		})
	}
}
