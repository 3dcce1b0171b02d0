package e2e_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/discovery"
)

// broken are clusters that are broken on purpose, one for each rule that can be tested
// with a real node: the finding, and that it is the root cause. Rules about nodes that
// were well are tested by TestEveryEndIsClassified.
var broken = []breakage{
	// Exits, and containers that never start.
	{name: "an application that crashes at its start", root: "app-does-not-start", says: "the database is not configured", also: "boot-loop",
		edit: func(s *orchestrator.Spec) { s.Source = "testdata/crashing" }},
	{name: "a port that the distribution has", again: true, root: "port-in-use", says: "9100", also: "app-does-not-start",
		edit: func(s *orchestrator.Spec) { s.Env = map[string]string{"PORT": "9100"} }},
	{name: "no such command", root: "command-missing", says: "/bin/nosuch", edit: command("/bin/nosuch")},
	{name: "no such command of a script", root: "command-missing", says: "elixr", edit: command("sh", "-c", "elixr --no-halt")},
	{name: "a library that is not there", root: "shared-library-missing", says: "libx.so.6", edit: command(
		"sh", "-c", "sed s/libc.so.6/libx.so.6/ /bin/true >/tmp/t; chmod +x /tmp/t; exec /tmp/t")},
	{name: "no program", root: "command-not-executable", says: "/etc/passwd", edit: command("/etc/passwd")},
	{name: "another processor", root: "platform-mismatch", says: "processor",
		edit: command("sh", "-c", `printf '\177ELF\002\001\001' >/tmp/x; chmod +x /tmp/x; exec /tmp/x`)},
	{name: "iex", root: "iex-without-stdin", says: "standard input", also: "ended-by-itself", edit: command("iex", "--name", "{node}")},
	{name: "a command that ends", root: "ended-by-itself", says: "finished successfully", edit: command("elixir", "-e", ":ok")},
	{name: "a boot without its module", again: true, both: true, root: "boot-failure", says: "undef", edit: command("erl", "-noshell", "-s", "nomod", "start")},
	{name: "a slogan", again: true, root: "crash-dump", says: "out of luck", edit: command("elixir", "-e", `:erlang.halt(~c"out of luck")`)},
	{name: "memory that the VM does not get", again: true, root: "vm-allocation", says: "heap", also: "crash-dump", edit: command(
		"sh", "-c", `ulimit -v 2500000; exec elixir -e 'Enum.reduce(1..100000000, [], fn _, a -> [String.duplicate("x", 50) | a] end)'`)},
	// So low that the VM cannot create its first pipes. With a higher limit, the error
	// depends on how many files it opens at once.
	{name: "no file descriptors", again: true, both: true, root: "open-files", says: "file descriptor", edit: command("sh", "-c", "ulimit -n 15; exec elixir --no-halt")},
	{name: "too many processes", again: true, root: "vm-limit", says: "limit of its VM", edit: command(
		"elixir", "--erl", "+P 1024", "-e", "for _ <- 1..5000, do: spawn(fn -> Process.sleep(:infinity) end)")},
	{name: "no space left", again: true, root: "disk-full", says: "space", edit: command("elixir", "-e", `File.write!("/dev/shm/x", :binary.copy("x", 100_000_000))`)},
	{name: "a read-only place", again: true, root: "read-only-file-system", says: "read-only", edit: command("elixir", "-e", `File.write!("/sys/x", "y")`)},
	{name: "a place of root's", again: true, root: "file-permission", says: "root", edit: command("elixir", "-e", `File.write!("/etc/x", "y")`)},
	{name: "a variable that is not set", again: true, root: "env-missing", says: "STOCK", edit: command("elixir", "-e", `System.fetch_env!("STOCK")`)},
	{name: "an unknown host", again: true, root: "name-not-resolved", says: "does not resolve", edit: command(
		"elixir", "-e", `{:ok, _} = :gen_tcp.connect(~c"db.internal", 5432, [])`)},
	{name: "no Mix project", again: true, root: "no-mix-project", says: "Mix project", edit: command("sh", "-c", "cd /tmp && exec mix run --no-halt")},

	// Builds.
	{name: "a compile error", both: true, root: "compile-error", says: "lib/broken.ex", edit: func(s *orchestrator.Spec) { s.Source = "testdata/broken" }},
	{name: "another Elixir", root: "elixir-version", says: "~> 1.99", project: map[string]string{"mix.exs": mixExs(`elixir: "~> 1.99"`)}},
	{name: "a dependency that does not compile", root: "dependency-not-compiled", says: "dependency d ", also: "compile-error", project: map[string]string{
		"mix.exs": mixExs(`deps: [{:d, path: "d"}]`), "d/mix.exs": strings.ReplaceAll(mixExs(""), "P.", "D."), "d/lib/d.ex": "defmodule D do\n  def x, do: y\nend\n",
	}},
	{name: "no rebar3", again: true, root: "rebar-missing", says: "rebar3", edit: command("sh", "-c", rebarProject)},
	{name: "a part of OTP that is not there", again: true, root: "otp-application-missing", says: "observer", also: "app-does-not-start",
		edit: command("sh", "-c", "mkdir -p /tmp/p && cd /tmp/p && cat >mix.exs <<'END'\n"+
			strings.Replace(mixExs(""), "do: []", "do: [extra_applications: [:observer]]", 1)+"END\nexec mix run --no-halt")},
	{name: "no Hex", again: true, both: true, root: "hex-missing", says: "Hex", edit: command("sh", "-c", hexProject)},

	// Names and the distribution.
	{name: "another cookie", both: true, root: "cookie-mismatch", says: "n1", edit: command("sh", "-c",
		`ERL_AFLAGS="-setcookie another" exec elixir --name $NODE_NAME --erl "-start_epmd false -erl_epmd_port 9100" --no-halt`)},
	{name: "a release with a name of its own", root: "wrong-name", says: "release of n1", edit: func(s *orchestrator.Spec) {
		s.Release, s.Env = true, map[string]string{"RELEASE_NODE": "shop@n1.shop.test"}
	}},
	{name: "a release that does not start", root: "app-does-not-start", says: "demo", edit: func(s *orchestrator.Spec) {
		s.Release, s.Env = true, map[string]string{"PORT": "none"}
	}},
	{name: "a short name", root: "name-mode-mixed", says: "short name", edit: command(
		"elixir", "--sname", "app", "--erl", "-start_epmd false -erl_epmd_port {dist_port}", "--no-halt")},
	{name: "an undotted host", root: "undotted-host", says: "host lonely", edit: command(
		"elixir", "--name", "app@lonely", "--erl", "-start_epmd false -erl_epmd_port {dist_port}", "--no-halt")},
	{name: "another name", root: "wrong-name", says: "app@n1", edit: command(
		"elixir", "--name", "other@{host}", "--erl", "-start_epmd false -erl_epmd_port {dist_port}", "--no-halt")},
	{name: "a name with a space", again: true, both: true, root: "invalid-node-name", says: "its own name", edit: command("elixir", "--name", "a b@{host}", "--no-halt")},
	{name: "a name twice", again: true, root: "name-in-use", says: "app@n1", edit: command("sh", "-c",
		`elixir --name $NODE_NAME --no-halt & until epmd -names 2>/dev/null | grep -q 'name app'; do sleep 0.1; done; exec elixir --name $NODE_NAME --no-halt`)},
	{name: "no EPMD", again: true, both: true, root: "epmd-not-running", says: "EPMD", edit: command("elixir", "--name", "{node}", "--erl", "-start_epmd false", "--no-halt")},
	{name: "a distribution port that is taken", again: true, root: "distribution-port-in-use", says: "listen", edit: command("sh", "-c",
		`epmd -daemon -port 9100; until epmd -port 9100 -names; do sleep 0.1; done; exec elixir --name $NODE_NAME --erl "-start_epmd false -erl_epmd_port 9100" --no-halt`)},
	{name: "a long name among short ones", root: "name-mode-mixed", says: "with a long name", edit: func(s *orchestrator.Spec) {
		s.Distribution.Names = orchestrator.ShortNames
		s.Command = []string{"elixir", "--name", "app@n1.some.where", "--erl", "-start_epmd false -erl_epmd_port {dist_port}", "--no-halt"}
	}},
	{name: "a cookie file that the VM does not read", root: "cookie-mismatch", says: "/tmp/.erlang.cookie", edit: func(s *orchestrator.Spec) {
		s.CookieFile = "/tmp/.erlang.cookie"
		s.Command = []string{"elixir", "--name", "{node}", "--erl", "-start_epmd false -erl_epmd_port {dist_port}", "--no-halt"}
	}},
	{name: "peers that do not resolve", nodes: 2, root: "peer-not-resolved", says: ".test", also: "not-connected", edit: command("sh", "-c",
		`echo '{lookup,[file]}.' >/tmp/inetrc; ERL_INETRC=/tmp/inetrc exec elixir --name $NODE_NAME --erl "-start_epmd false -erl_epmd_port 9100" -S mix run --no-halt --no-compile --no-deps-check`)},
	{name: "an application that connects no nodes", nodes: 2, root: "mesh-app-idle", says: "mesh: app", also: "not-connected",
		edit: func(s *orchestrator.Spec) { s.Mesh = orchestrator.MeshApp }},

	// Problems of nodes that were well.
	{name: "a budget that is spent", root: "killed", says: "SIGKILL", also: "restarts-spent", edit: func(s *orchestrator.Spec) {
		s.Restart = orchestrator.RestartPolicy{Max: 1, Backoff: 1e6}
	}, after: func(r *running) error {
		if err := r.Kill(r.t.Context(), "KILL", "n1"); err != nil {
			return err
		}
		r.until("n1", "is back", func(n orchestrator.NodeStatus) bool { return n.Incarnation == 2 && n.State == orchestrator.Ready })
		return r.Kill(r.t.Context(), "KILL", "n1")
	}},
	{name: "off its network", nodes: 2, root: "network-detached", says: "network", edit: func(s *orchestrator.Spec) { s.NetTick = 4e9 },
		after: func(r *running) error {
			st, _ := r.Status(r.t.Context())
			return bareClient(r.t).NetworkDisconnect(r.t.Context(), st.NetworkID, r.node("n1").ContainerID, true)
		}},
	{name: "overlapping partitions", both: true, nodes: 3, root: "overlapping-partitions", says: "n", also: "not-connected",
		edit: func(s *orchestrator.Spec) { s.Mesh = orchestrator.MeshApp }, meet: true,
		after: func(r *running) error {
			r.rpc("n1", fmt.Sprintf(":erlang.disconnect_node(:%q)", r.node("n2").Node))
			return nil
		}},
}

// breakage is a cluster that is broken. It runs the demo unless project is set.
type breakage struct {
	name    string
	nodes   int  // default 1
	again   bool // its node exits, and would be restarted
	both    bool // the releases of OTP print different texts
	edit    func(*orchestrator.Spec)
	project map[string]string // the files of a Mix project to run
	meet    bool              // the test connects the nodes
	after   func(*running) error

	root orchestrator.FindingCode // leads
	says string                   // in its problem
	also orchestrator.FindingCode // follows from it
}

// command sets the command of every node.
func command(words ...string) func(*orchestrator.Spec) {
	return func(s *orchestrator.Spec) { s.Command = words }
}

func mixExs(more string) string {
	if more != "" {
		more = ", " + more
	}
	return "defmodule P.MixProject do\n  use Mix.Project\n  def project, do: [app: :" + "p" + ", version: \"0.1.0\"" + more + "]\n  def application, do: []\nend\n"
}

// hexProject needs Hex on a machine that does not have it, and without a terminal to
// confirm its installation.
var hexProject = "mkdir -p /tmp/p && cd /tmp/p && HOME=/tmp/h && export HOME && cat >mix.exs <<'END'\n" +
	mixExs(`deps: [{:jason, "~> 1.0"}]`) + "END\nexec mix run --no-halt"

// rebarProject has a dependency that is built with rebar3.
var rebarProject = "mkdir -p /tmp/p/r/src && cd /tmp/p && HOME=/tmp/h && export HOME && cat >mix.exs <<'END'\n" +
	mixExs(`deps: [{:r, path: "r", manager: :rebar3}]`) + "END\necho '{erl_opts, []}.' >r/rebar.config\n" +
	"echo '{application,r,[{vsn,\"1\"}]}.' >r/src/r.app.src\nexec mix run --no-halt"

// releases returns the OTP releases that a row runs on. The texts of both are recorded in
// package diagnosis.
func (b breakage) releases(row int) []otp {
	if b.both {
		return otps
	}
	return otps[row%2 : row%2+1]
}

func TestBrokenClusters(t *testing.T) {
	t.Parallel()
	for i, b := range broken {
		if b.again {
			continue // see TestBrokenNodes
		}
		for _, otp := range b.releases(i) {
			t.Run(strings.ReplaceAll(b.name, " ", "-")+"/"+otp.name, func(t *testing.T) {
				t.Parallel()
				b.run(t, otp.base)
			})
		}
	}
}

// Nodes that exit while their cluster forms, each in its own way. The status of each
// shows the finding while the node waits for its restart.
func TestBrokenNodes(t *testing.T) {
	t.Parallel()
	for _, otp := range otps {
		t.Run(otp.name, func(t *testing.T) {
			t.Parallel()
			rows := map[string]breakage{}
			r := run(t, engine(t), otp.base, 0, func(s *orchestrator.Spec) {
				s.Restart = orchestrator.RestartPolicy{Backoff: time.Hour, MaxBackoff: time.Hour}
				s.HTTPCheck, s.Mesh, s.ReadyTimeout = "", orchestrator.MeshNone, 2*time.Minute
				for i, b := range broken {
					if !b.again || !slices.Contains(b.releases(i), otp) {
						continue
					}
					var one orchestrator.Spec
					b.edit(&one)
					name := fmt.Sprintf("n%d", len(rows)+1)
					b.says = strings.ReplaceAll(b.says, "n1", name)
					rows[name] = b
					s.Nodes = append(s.Nodes, orchestrator.NodeSpec{Name: name, Command: one.Command, Env: one.Env})
				}
			})
			r.fails = true
			for name, b := range rows {
				t.Run(strings.ReplaceAll(b.name, " ", "-"), func(t *testing.T) {
					if n := b.foundOf(t, r.in(t), name); n.State != orchestrator.BackingOff {
						t.Errorf("%s is %s", name, n.State)
					}
				})
			}
		})
	}
}

// late are nodes that are known to be broken only at the deadline: until then, each may
// still do what is missing. All of them wait for one deadline together.
var late = []struct {
	name   string
	edit   func(*orchestrator.NodeSpec)
	root   orchestrator.FindingCode
	says   string   // in its problem
	hint   string   // of the node
	reason []string // in the error
}{
	{"another distribution port", nodeCommand(
		"elixir", "--name", "{node}", "--erl", "-start_epmd false -erl_epmd_port 9200", "-S", "mix", "run", "--no-halt", "--no-compile", "--no-deps-check"),
		"distribution-port", "9200", "", nil},
	{"a distribution port that only EPMD knows", nodeCommand(
		"sh", "-c", "exec erl -noinput -name $NODE_NAME -kernel inet_dist_listen_min 25999 inet_dist_listen_max 25999"),
		"distribution-port", "25999, as its EPMD says", "", nil},
	{"no VM", nodeCommand("sleep", "1000"), "not-distributed", "nothing", "", nil},
	{"an application that is not started", nodeCommand(
		"elixir", "--name", "{node}", "--erl", "-start_epmd false -erl_epmd_port {dist_port}", "-S", "mix", "run", "--no-start", "--no-halt", "--no-compile", "--no-deps-check"),
		"app-not-started", "demo", "", nil},
	{"an HTTP check that fails", func(n *orchestrator.NodeSpec) { n.HTTPCheck = "/no-such-path" },
		"http-check", "/no-such-path with 404", "http_check:", []string{"HTTP check /no-such-path: answered 404", "listening on"}},
	{"a check of one's own", func(n *orchestrator.NodeSpec) {
		n.Checks = []orchestrator.Check{{Exec: []string{"sh", "-c", "echo no database; exit 2"}}}
	}, "", "", "up again with --keep-on-failure, then try it: docker exec beamyard-", []string{"exec sh -c echo no database; exit 2: exit code 2: no database"}},
	{"a line that never comes", func(n *orchestrator.NodeSpec) {
		n.Ready = []orchestrator.Check{{Name: "greeting", Log: "^hello$"}}
	}, "", "", "", []string{"no line of this run matches ^hello$"}},
}

func nodeCommand(words ...string) func(*orchestrator.NodeSpec) {
	return func(n *orchestrator.NodeSpec) { n.Command = words }
}

func TestBrokenUntilTheDeadline(t *testing.T) {
	t.Parallel()
	r := run(t, engine(t), "trixie", len(late), func(s *orchestrator.Spec) {
		s.Restart.Mode, s.ReadyTimeout, s.HTTPCheck, s.Mesh = orchestrator.RestartNo, 40e9, "", orchestrator.MeshNone // seven nodes boot within it, even on a busy machine
		for i, b := range late {
			b.edit(&s.Nodes[i])
		}
	})
	r.fails = true
	var ended *orchestrator.ClusterError
	err := r.WaitReady(t.Context())
	if !errors.As(err, &ended) || !errors.Is(err, orchestrator.ErrNotReady) {
		t.Fatalf("WaitReady: %v", err)
	}
	if len(ended.Problems) != len(late) {
		t.Fatalf("problems %+v", ended.Problems)
	}
	for i, b := range late {
		p := ended.Problems[i]
		alone := *ended // hints of findings come first
		alone.Problems = ended.Problems[i : i+1]
		if !strings.Contains(alone.Hint().String(), b.hint) {
			t.Errorf("%s: the hint does not say %q: %s", b.name, b.hint, alone.Hint())
		}
		for _, words := range b.reason {
			if !strings.Contains(err.Error(), words) {
				t.Errorf("%s: the error does not say %q:\n%v", b.name, words, err)
			}
		}
		if b.root == "" {
			continue
		}
		if roots := orchestrator.RootCauses(p.Findings); len(roots) == 0 || roots[0].Code != b.root {
			t.Errorf("%s is not found:\n%s", b.root, tell(p.Findings))
			continue
		}
		breakage{says: b.says}.check(t, r, p.Findings)
	}
}

func (b breakage) run(t *testing.T, base string) {
	source := ""
	if b.project != nil {
		source = writeProject(t, b.project)
	}
	r := run(t, engine(t), base, max(1, b.nodes), func(s *orchestrator.Spec) {
		s.Restart.Mode, s.ReadyTimeout = orchestrator.RestartNo, 90e9
		if b.also == "boot-loop" {
			s.Restart = orchestrator.RestartPolicy{Backoff: 1e6}
		}
		if source != "" {
			s.Source = source
		}
		if b.edit != nil {
			b.edit(s)
		}
		if len(s.Command) > 0 || s.Source != demo {
			s.HTTPCheck = ""
		}
	})
	r.fails = true // a cluster that cannot form is given up at some time
	if b.meet {
		b.connect(r)
	}
	if b.after == nil {
		b.check(t, r, b.found(r))
		return
	}
	r.ready()
	if err := b.after(r); err != nil {
		t.Fatal(err)
	}
	b.check(t, r, b.found(r))
}

// found waits until the status tells the finding, or the run's error does.
func (b breakage) found(r *running) []orchestrator.Finding {
	r.t.Helper()
	var found []orchestrator.Finding
	leads := func() bool {
		roots := orchestrator.RootCauses(found)
		return len(roots) > 0 && roots[0].Code == b.root
	}
	var ended error
	over := false
	eventually(r.t, b.name+" is found", func() bool {
		if !over {
			select {
			case ended = <-r.result:
				over = true
				close(r.result)
			default:
			}
		}
		if found = findingsOf(ended); leads() {
			return true
		}
		st, _ := r.Status(r.t.Context())
		for _, n := range st.Nodes {
			if found = n.Findings; leads() && (b.also == "" || follows(found, b.also)) {
				return true
			}
		}
		if over {
			r.t.Fatalf("the run ended without %s: %v\n%s", b.root, ended, tell(findingsOf(ended)))
		}
		return false
	})
	return found
}

// foundOf waits until a node's status has the finding, and checks it.
func (b breakage) foundOf(t *testing.T, r *running, node string) orchestrator.NodeStatus {
	t.Helper()
	n := r.node(node)
	defer func() {
		if t.Failed() {
			t.Logf("findings of %s (%s):\n%s", node, b.name, tell(n.Findings))
		}
	}()
	eventually(t, string(b.root)+" of "+node+" is found", func() bool {
		n = r.node(node)
		roots := orchestrator.RootCauses(n.Findings)
		return len(roots) > 0 && roots[0].Code == b.root && (b.also == "" || follows(n.Findings, b.also))
	})
	b.check(t, r, n.Findings)
	return n
}

func findingsOf(err error) []orchestrator.Finding {
	var diagnosed *orchestrator.DiagnosedError
	if errors.As(err, &diagnosed) {
		return diagnosed.Findings
	}
	var cluster *orchestrator.ClusterError
	if errors.As(err, &cluster) && len(cluster.Problems) > 0 {
		return cluster.Problems[0].Findings
	}
	return nil
}

func follows(found []orchestrator.Finding, code orchestrator.FindingCode) bool {
	return slices.ContainsFunc(found, func(f orchestrator.Finding) bool { return f.Code == code && f.SymptomOf != nil })
}

// check holds the findings to what was done, and their commands to what there is.
func (b breakage) check(t *testing.T, r *running, found []orchestrator.Finding) {
	t.Helper()
	root := orchestrator.RootCauses(found)[0]
	if !strings.Contains(root.Problem, b.says) {
		t.Errorf("%s does not say %q: %s", root.Code, b.says, root.Problem)
	}
	if b.also != "" && !follows(found, b.also) {
		t.Errorf("%s is not a symptom:\n%s", b.also, tell(found))
	}
	for _, f := range found {
		mustBeTypable(t, f)
		if text := fmt.Sprint(f); strings.Contains(text, r.Spec().Cookie) {
			t.Errorf("the cookie is shown: %s", text)
		}
	}
}

func tell(found []orchestrator.Finding) string {
	var b strings.Builder
	for _, f := range found {
		fmt.Fprintf(&b, "%s %s ← %v (%s)\n", f.Node, f, f.SymptomOf, f.Evidence)
	}
	return b.String()
}

// connect connects the nodes, as an application would.
func (b breakage) connect(r *running) {
	r.t.Helper()
	st, _ := r.Status(r.t.Context())
	for _, n := range st.Nodes {
		r.until(n.Name, "runs", func(n orchestrator.NodeStatus) bool { // the first node may be Ready before another one exists
			return (n.State == orchestrator.Starting || n.State == orchestrator.Ready) && n.ContainerID != ""
		})
	}
	for _, n := range st.Nodes[1:] {
		eventually(r.t, "n1 is connected to "+n.Name, func() bool {
			met, err := discovery.Eval(r.t.Context(), r.eng, r.name, n.Name, fmt.Sprintf("for n <- [:%q, :%q], do: Node.connect(n)", st.Nodes[0].Node, st.Nodes[1].Node), orchestrator.EvalOptions{Output: os.Stderr})
			return err == nil && !strings.Contains(met, "false")
		})
	}
}

func writeProject(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "broken-project")
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}
