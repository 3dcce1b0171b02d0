//go:build leaks

package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/discovery"
)

// The secrets of the scenario. Each has a kernel, and characters that are written differently in JSON, in
// a URL, by inspect and in a shell.
const (
	leakyCookie   = "crumb-LeakedCookie4711"
	leakyToken    = `tok"en-LeakedToken12345#{x}+/%\`
	leakyPassword = "pass-LeakedPasswd4711"
	leakyFile     = "line-LeakedFile471199"
)

// leakyProject is a project whose nodes print all their secrets, and whose ends, checks and tests do, too.
var leakyProject = map[string]string{
	"beamyard.yml": `source: app
nodes: 2
http_port: -1
cookie: ` + leakyCookie + `
distribution: {tls: true}
env_file: secret.env
env:
  TOKEN: '` + leakyToken + `'
  DATABASE_URL: ecto://shop:` + leakyPassword + `@db.invalid/shop
  COPY: 'https://api.invalid/?key=` + leakyFile + `'
secrets: [TOKEN, DATABASE_URL, FROM_FILE]
stdin: true
volumes: {data: /data}
restart: {backoff: 100ms}
checks:
  - {name: deep, rpc: "Leaky.check()", expect: ":ok"}
`,
	"secret.env": "FROM_FILE=" + leakyFile + "\n",
	"bad.yml":    "source: app\ncookie: has space " + leakyCookie + "\nenv: {TOKEN: [" + leakyPassword + "]}\nsecrets: [TOKEN]\n",
	"app/mix.exs": `defmodule Leaky.MixProject do
  use Mix.Project
  IO.puts("node says, in mix.exs: #{System.get_env("TOKEN")}")
  def project, do: [app: :leaky, version: "0.1.0", deps: []]
  def application, do: [extra_applications: [:logger, :ssl], mod: {Leaky, []}]
end
`,
	"app/lib/leaky.ex":         leakySource,
	"app/test/test_helper.exs": "ExUnit.start()\n",
	"app/test/leaky_test.exs": `defmodule LeakyTest do
  use ExUnit.Case
  test "a node that is not there" do
    Beamyard.crash("n9")
  end
end
`,
}

const leakySource = `defmodule Leaky do
  use Application
  IO.warn("compiled with " <> to_string(System.get_env("TOKEN")), [])

  # Each secret in each form, in one line.
  def all do
    for key <- ["TOKEN", "DATABASE_URL", "FROM_FILE"], value = System.get_env(key), reduce: "node says" do
      text -> "#{text} #{value} #{inspect(value)} #{URI.encode_www_form(value)} #{Base.encode64(value)} #{Base.url_encode64("a:" <> value)}"
    end <> " #{Node.get_cookie()} #{URI.parse(System.get_env("DATABASE_URL")).userinfo} ${inspect(password())}"
  end

  def password, do: [password: System.get_env("DATABASE_URL") |> URI.parse() |> Map.get(:userinfo) |> String.split(":") |> List.last()]
  def check, do: if(File.exists?("/tmp/bad"), do: {all(), password()}, else: :ok)
  def halt, do: :erlang.halt(String.to_charlist(String.slice(all(), 0, 900)))

  def start(_type, _args) do
    IO.puts(all())
    IO.puts(:stderr, all())
    if System.get_env("LEAKY") == "boot", do: raise(all())
    Supervisor.start_link([], strategy: :one_for_one)
  end
end
`

// step is a command of the scenario.
type step struct {
	args  []string
	stdin string
	exits int
	// nodes means that the command shows what nodes print, or the user's own program, as it is: see
	// SECURITY.md. Lines of nodes are left out of the search.
	nodes bool
	once  bool // it is not run again with --json
}

// unread are the commands that the scenario does not run, and why.
var unread = map[string]string{
	"watchdog": "up starts it, with its request on stdin: its arguments and its end are searched with the processes of up",
	"lot":      "run starts it for warm: clusters, with its request on stdin; it prints nothing, and script/parked runs it",
	"probe":    "doctor starts it in a container, and prints what it tells; it knows no cluster",
}

func words(text string) []string { return strings.Fields(text) }

// leakySteps are the commands of the scenario, in their order. $C is its cluster.
func leakySteps(project, exports string) []step {
	at := func(name string) string { return filepath.Join(project, name) }
	to := func(name string) string { return filepath.Join(exports, name) }
	expr := func(command, text string) []string { return append(words(command), text) }
	return []step{
		{args: words("ps")}, {args: words("ps $C")}, {args: words("ps nowhere"), exits: exitError},
		{args: words("events -c $C")}, {args: words("inspect $C/n1")}, {args: words("inspect $C/n9"), exits: exitError},
		{args: words("logs -c $C"), nodes: true}, {args: words("logs $C/n9"), nodes: true, exits: exitError},
		{args: words("top $C --once")}, {args: words("health $C")}, {args: words("health nowhere"), exits: exitError},
		{args: words("supervise $C"), exits: exitError},
		{args: words("up " + at("") + " --name $C -d"), once: true}, // it is up
		{args: words("up " + at("") + " --name $C -d -n 3 -e TOKEN=" + leakyPassword), exits: exitError},
		{args: words("up -f " + at("bad.yml") + " --name $C -d"), exits: exitUsage},
		{args: words("up " + at("") + " --name $C -e =" + leakyPassword), exits: exitUsage},
		{args: words("sync -c $C")}, {args: words("upgrade $C --to " + at("nowhere")), exits: exitUsage}, {args: words("rollback $C"), exits: exitError},
		{args: expr("rpc $C/n1", "Leaky.all()"), nodes: true}, {args: expr("rpc $C/n1", "raise Leaky.all()"), nodes: true, exits: exitError},
		{args: expr("exec $C/n1 -- sh -c", "echo node says $TOKEN"), nodes: true, once: true}, {args: words("exec $C/n1 -- nowhere"), exits: 127, once: true},
		{args: words("iex $C/n1"), exits: exitUsage}, {args: expr("send $C/n1", "hello")},
		{args: expr("kill", "$C/@leader:Leaky.all()"), exits: exitError},
		{args: expr("kill -c $C", "@leader:Leaky.password()"), exits: exitError},
		{args: expr("chaos -c $C --settle 1s --check", "Leaky.all()"), exits: exitNodeFailed},
		{args: expr("chaos -c $C --settle 1s --check", "agree: Leaky.all() <> to_string(node())"), exits: exitNodeFailed},
		{args: expr("chaos -c $C --seed 1 --for 2s --every 1s --faults blip,kill --check", "agree: Leaky.all()"), once: true},
		{args: words("stop $C/n2"), once: true}, {args: words("start $C/n2 --json"), once: true}, {args: words("restart $C/n2"), once: true},
		{args: words("ready")}, {args: words("pause $C/n2"), once: true}, {args: words("health $C"), exits: exitNodeFailed}, {args: words("unpause $C/n2"), once: true},
		{args: words("ready")}, {args: words("partition $C/n1 --kind reset"), once: true}, {args: words("faults -c $C")}, {args: words("health $C"), exits: exitNodeFailed}, {args: words("heal -c $C"), once: true},
		{args: words("partition -c $C n1 --kind disconnect --json"), once: true}, {args: words("heal -c $C --json"), once: true},
		{args: words("blip -c $C")}, {args: words("slow -c $C n1:n2 --loss 5%")}, {args: words("dns -c $C n1 --none")}, {args: words("squeeze -c $C n1 --cpus 0.5")},
		{args: words("clock -c $C n1 --bump 1s"), exits: exitError}, {args: words("heal -c $C"), once: true}, {args: words("heal -c $C f9"), exits: exitError},
		{args: words("volume ls $C")}, {args: words("volume export $C " + to("data.tar")), once: true}, {args: words("volume import $C " + to("data.tar")), exits: exitError},
		{args: words("kill $C/n1 --signal USR1"), once: true}, {args: words("crash -c $C n2 --how slogan"), once: true}, {args: words("crash -c $C n9"), exits: exitError},
		{args: words("ready")},
		{args: words("export -c $C " + to("evidence")), once: true}, {args: words("export -c nowhere"), exits: exitError},
		{args: words("mcp $C"), stdin: mcpAsks, once: true}, {args: words("mcp $C --allow-changes"), stdin: mcpAsks, once: true},
		{args: words("prune --dry-run")}, {args: words("doctor")}, {args: words("version")}, {args: words("completion bash"), once: true}, {args: expr("complete bash :", "beamyard inspect $C/"), once: true},
		{args: words("hosts ls"), exits: exitUsage}, {args: words("hosts init --yes"), exits: exitUsage}, {args: words("hosts join c"), exits: exitUsage}, {args: words("hosts leave"), exits: exitUsage},
		{args: words("ui nowhere --no-open"), exits: exitError},
		{args: words("clusters"), exits: exitUsage},
	}
}

// mcpAsks calls every tool that only looks, and rpc.
const mcpAsks = `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"test","version":"1"}}}
{"jsonrpc":"2.0","method":"notifications/initialized"}
{"jsonrpc":"2.0","id":2,"method":"tools/list"}
{"jsonrpc":"2.0","id":3,"method":"tools/call","params":{"name":"list"}}
{"jsonrpc":"2.0","id":4,"method":"tools/call","params":{"name":"status"}}
{"jsonrpc":"2.0","id":5,"method":"tools/call","params":{"name":"why"}}
{"jsonrpc":"2.0","id":6,"method":"tools/call","params":{"name":"why","arguments":{"node":"n1"}}}
{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"health"}}
{"jsonrpc":"2.0","id":8,"method":"tools/call","params":{"name":"logs","arguments":{"tail":500}}}
{"jsonrpc":"2.0","id":9,"method":"tools/call","params":{"name":"events","arguments":{"tail":500}}}
{"jsonrpc":"2.0","id":10,"method":"tools/call","params":{"name":"faults"}}
{"jsonrpc":"2.0","id":11,"method":"tools/call","params":{"name":"export"}}
{"jsonrpc":"2.0","id":12,"method":"tools/call","params":{"name":"rpc","arguments":{"node":"n1","expression":"IO.puts(Leaky.all()); {Leaky.all(), Leaky.password()}"}}}
{"jsonrpc":"2.0","id":13,"method":"tools/call","params":{"name":"rpc","arguments":{"node":"n1","expression":"raise Leaky.all()"}}}
`

// scenario runs commands, and searches all that they show.
type scenario struct {
	leaks
	cluster, work string
	vars          []string
	ran           map[string]bool // commands, by their paths
}

func newScenario(t *testing.T) *scenario {
	t.Helper()
	work := t.TempDir()
	for name, text := range leakyProject {
		path := filepath.Join(work, "project", name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	s := &scenario{leaks: leaks{t: t}, cluster: clusterName("secrets"), work: work, ran: map[string]bool{}}
	s.vars = os.Environ()
	for name, folder := range map[string]string{"XDG_RUNTIME_DIR": "run", "TMPDIR": "tmp", exportDir: "exports"} {
		path := filepath.Join(work, folder)
		if err := os.Mkdir(path, 0o700); err != nil {
			t.Fatal(err)
		}
		s.vars = append(s.vars, name+"="+path)
	}
	for name, value := range map[string]string{"the cookie": leakyCookie, "TOKEN": leakyToken, "the password in DATABASE_URL": leakyPassword, "FROM_FILE": leakyFile} {
		s.plant(name, value)
	}
	return s
}

// run runs a step in one form.
func (s *scenario) run(st step, more ...string) {
	s.t.Helper()
	var args []string
	for _, arg := range append(slices.Clone(st.args), more...) {
		args = append(args, strings.ReplaceAll(arg, "$C", s.cluster))
	}
	cmd := exec.Command("beamyard", args...)
	var out, err bytes.Buffer
	cmd.Env, cmd.Dir, cmd.Stdin, cmd.Stdout, cmd.Stderr = s.vars, s.work, strings.NewReader(st.stdin), &out, &err
	_ = cmd.Run() // its exit code is compared
	what := "beamyard " + strings.Join(args, " ")
	if got := cmd.ProcessState.ExitCode(); got != st.exits {
		s.t.Errorf("%s: exit code %d, want %d\n%s%s", what, got, st.exits, &out, &err)
	}
	for name, text := range map[string]string{"stdout": out.String(), "stderr": err.String()} {
		if st.nodes {
			text = withoutNodes(text)
		}
		for _, typed := range args { // what the user types is not hidden from the user
			text = strings.ReplaceAll(text, typed, "")
		}
		s.in(name+" of "+what, text)
	}
	own, _ := dashed(args)
	if parsed, err := newParser(s.t).Parse(own); err == nil {
		s.ran[parsed.Selected().Path()] = true
	}
}

// steps runs all steps, each in both of its forms.
func (s *scenario) steps(all []step) {
	s.t.Helper()
	for _, st := range all {
		if st.args[0] == "ready" {
			s.ready()
			continue
		}
		s.run(st)
		if !st.once {
			s.run(st, "--json")
		}
	}
}

// ready waits until every node is.
func (s *scenario) ready() {
	s.t.Helper()
	var out []byte
	if !within(30*time.Second, func() bool {
		ps := exec.Command("beamyard", "ps", s.cluster)
		ps.Env = s.vars
		out, _ = ps.Output()
		return strings.Count(string(out), "Ready") == 2
	}) {
		s.t.Fatalf("not ready:\n%s", out)
	}
}

// folder searches all files below a folder, also in archives, and checks that nobody else can read them.
func (s *scenario) folder(path string) {
	s.t.Helper()
	if err := filepath.WalkDir(path, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err == nil && info.Mode().Perm()&0o077 != 0 && info.Mode()&fs.ModeSymlink == 0 {
			s.t.Errorf("%s has mode %s", path, info.Mode())
		}
		if err != nil || !info.Mode().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path)
		if strings.HasSuffix(path, ".gz") {
			s.archive(path, bytes.NewReader(data))
		}
		s.in(path, string(data))
		return err
	}); err != nil {
		s.t.Error(err)
	}
}

// archive searches a .tar.gz file.
func (s *scenario) archive(name string, r io.Reader) {
	s.t.Helper()
	unzipped, err := gzip.NewReader(r)
	if err != nil {
		s.t.Errorf("%s: %v", name, err)
		return
	}
	for all := tar.NewReader(unzipped); ; {
		header, err := all.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		data, failed := io.ReadAll(all)
		if err = errors.Join(err, failed); err != nil {
			s.t.Errorf("%s: %v", name, err)
			return
		}
		s.in(name+" "+header.Name, string(data))
	}
}

// byDesign are the places on the engine that hold secrets: see SECURITY.md. The environment of a container
// is how a node gets its own; the spec in the network's label is how a cluster is found without a
// supervisor. Whoever may ask the engine is as good as root on its machine.
var byDesign = map[string]*regexp.Regexp{
	"container": regexp.MustCompile(`^Config\.Env\.\d+$`),
	"network":   regexp.MustCompile(`^Labels\.` + regexp.QuoteMeta(orchestrator.LabelSpec) + `$`),
	"volume":    regexp.MustCompile(`^$`),
	"image":     regexp.MustCompile(`^$`),
}

// engine searches all that the engine says of the cluster, and the layers and the history of its image.
func (s *scenario) engine() {
	s.t.Helper()
	docker := func(args ...string) string {
		out, err := exec.Command("docker", args...).Output()
		if err != nil {
			s.t.Errorf("docker %s: %v", strings.Join(args, " "), err)
		}
		return string(out)
	}
	filter := "label=" + orchestrator.LabelCluster + "=" + s.cluster
	ids := map[string][]string{
		"container": words(docker("ps", "-aq", "--no-trunc", "--filter", filter)), "network": words(docker("network", "ls", "-q", "--no-trunc", "--filter", filter)),
		"volume": words(docker("volume", "ls", "-q", "--filter", filter)),
	}
	for _, id := range ids["container"] {
		ids["image"] = append(ids["image"], strings.TrimSpace(docker("inspect", "--format", "{{.Image}}", id)))
	}
	slices.Sort(ids["image"])
	ids["image"] = slices.Compact(ids["image"])
	for kind, allowed := range byDesign {
		if len(ids[kind]) == 0 {
			s.t.Errorf("no %s", kind)
			continue
		}
		var all []any
		if err := json.Unmarshal([]byte(docker(append([]string{kind, "inspect"}, ids[kind]...)...)), &all); err != nil {
			s.t.Fatal(err)
		}
		for _, one := range all {
			s.inside(kind, one, "", allowed)
		}
	}
	for _, id := range ids["image"] {
		s.in("the history of "+id, docker("history", "--no-trunc", id))
		s.in("the layers of "+id, docker("save", id))
	}
	for _, id := range ids["container"] {
		s.in("the changes of "+id, docker("diff", id))
	}
}

// processes searches the arguments of all processes of this program on this machine.
func (s *scenario) processes() {
	s.t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil || len(files) == 0 {
		s.t.Fatalf("no processes: %v", err)
	}
	own := 0
	for _, file := range files {
		line, _ := os.ReadFile(file) // it may have ended
		program, _, _ := strings.Cut(string(line), "\x00")
		if filepath.Base(program) == "beamyard" {
			own++
			s.in("the arguments of "+file, string(line))
		}
	}
	if own == 0 {
		s.t.Error("no process of beamyard")
	}
}

// routes are the addresses of the page, and how they are asked.
var routes = map[string]string{
	"GET /{$}": "/", "GET /assets/{file...}": "/assets/cluster.js", "GET /api/clusters": "/api/clusters", "GET /c/{cluster}/{$}": "/c/$C/",
	"GET /c/{cluster}/stream": "/c/$C/stream", "GET /c/{cluster}/export": "/c/$C/export", "GET /c/{cluster}/logs.txt": "/c/$C/logs.txt",
	"GET /c/{cluster}/script": "/c/$C/script?as=exunit", "POST /c/{cluster}/do/{action}": "/c/$C/do/sync", "GET /metrics": "/metrics",
}

// page searches all that the cluster's page serves.
func (s *scenario) page() {
	s.t.Helper()
	source, err := os.ReadFile("../../orchestrator/ui/server.go")
	if err != nil {
		s.t.Fatal(err)
	}
	for _, route := range regexp.MustCompile(`HandleFunc\("([A-Z]+ [^"]+)"`).FindAllStringSubmatch(string(source), -1) {
		if routes[route[1]] == "" {
			s.t.Errorf("%s of the page is not searched", route[1])
		}
	}
	open := exec.Command("beamyard", "ui", s.cluster, "--no-open")
	open.Env = s.vars
	out, err := open.Output()
	if err != nil {
		s.t.Fatal(err)
	}
	address, err := url.Parse(strings.TrimSpace(string(out)))
	if err != nil {
		s.t.Fatal(err)
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		s.t.Fatal(err)
	}
	client := &http.Client{Jar: jar, Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	base := "http://" + address.Host
	s.answer(client, http.MethodGet, address.String(), "")
	for route, path := range routes {
		method, _, _ := strings.Cut(route, " ")
		s.answer(client, method, base+strings.ReplaceAll(path, "$C", s.cluster), "{}")
	}
	s.answer(client, http.MethodPost, base+"/c/"+s.cluster+"/do/kill", `{"nodes":["n9"]}`)
	s.answer(client, http.MethodGet, base+"/c/"+s.cluster+"/script?as=go", "")
	s.answer(client, http.MethodGet, base+"/c/"+s.cluster+"/logs.txt?node=n1&stream=stderr", "")
}

// answer searches an answer of the page. A stream is read until it has shown a log line.
func (s *scenario) answer(client *http.Client, method, address, body string) {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), method, address, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Origin", "http://"+req.URL.Host)
	resp, err := client.Do(req)
	if err != nil {
		s.t.Errorf("%s: %v", address, err)
		return
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 500 || resp.StatusCode == http.StatusUnauthorized {
		s.t.Errorf("%s: %s", address, resp.Status)
	}
	switch {
	case strings.HasSuffix(address, "/export"):
		s.archive(address, resp.Body)
	case strings.HasSuffix(address, "/stream"):
		end := time.AfterFunc(20*time.Second, func() { resp.Body.Close() })
		defer end.Stop()
		var seen bytes.Buffer
		chunk := make([]byte, 64<<10)
		for err == nil && (!strings.Contains(seen.String(), `"cells"`) || !strings.Contains(seen.String(), nodeSays)) {
			var n int
			n, err = resp.Body.Read(chunk)
			seen.Write(chunk[:n])
		}
		if err != nil {
			s.t.Errorf("%s: no line of a node: %v\n%s", address, err, &seen)
		}
		s.in(address, seen.String())
	default:
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			s.t.Errorf("%s: %v", address, err)
		}
		s.in(address, string(text))
	}
}

// A whole life of a cluster whose nodes print their secrets, end with them, and answer with them: nothing that
// Beamyard shows, serves, writes or tells the engine has one, but for the places that SECURITY.md names.
func TestSecretsAreShownNowhere(t *testing.T) {
	t.Parallel()
	s := newScenario(t)
	defer removeCluster(t, s.cluster, s.vars)
	project := filepath.Join(s.work, "project")
	s.run(step{args: []string{"up", project, "--name", s.cluster, "-d"}})
	if t.Failed() {
		return
	}
	eng, _, err := realEngine()
	if err != nil {
		t.Fatal(err)
	}
	defer eng.Close()
	found, err := discovery.Find(t.Context(), eng, s.cluster)
	if err != nil {
		t.Fatal(err)
	}
	// The half of it that is secret: the other one is in every certificate.
	key, err := base64.StdEncoding.DecodeString(found.Spec.Distribution.TLS.AuthorityKey)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.ParseECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := private.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	s.look("the authority's key", string(secret))

	s.steps(leakySteps(project, filepath.Join(s.work, "exports")))
	s.page()
	s.engine()
	s.processes()

	// A check answers with the secrets, and a node does not become ready again.
	s.run(step{args: words("exec $C/n1 -- touch /tmp/bad")})
	if !within(30*time.Second, func() bool {
		health := exec.Command("beamyard", "health", s.cluster)
		health.Env = s.vars
		return health.Run() != nil
	}) {
		t.Fatal("the check does not fail")
	}
	looks := []step{
		{args: words("ps $C")}, {args: words("inspect $C/n1")}, {args: words("health $C"), exits: exitNodeFailed}, {args: words("top $C --once")},
		{args: words("logs -c $C"), nodes: true}, {args: words("export -c $C"), once: true}, {args: words("mcp $C"), stdin: mcpAsks, once: true},
	}
	s.steps(append(looks, step{args: words("events -c $C")}))
	s.page()
	s.folder(filepath.Join(s.work, "run"))

	// Without a supervisor.
	pid, err := supervisorAt(filepath.Join(s.work, "run"), s.cluster)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	s.steps(looks)
	s.run(step{args: words("kill $C/n1"), exits: exitError})
	s.run(step{args: words("down $C --volumes")})

	// A cluster that fails, kept and not.
	boot := []string{"up", project, "--name", s.cluster, "-e", "LEAKY=boot"}
	s.run(step{args: boot, exits: exitNodeFailed, nodes: true})
	s.run(step{args: append(boot, "-d"), exits: exitNodeFailed}, "--json")
	s.run(step{args: append(boot, "--keep-on-failure"), exits: exitNodeFailed, nodes: true})
	s.steps([]step{{args: words("ps $C")}, {args: words("inspect $C/n1")}, {args: words("export -c $C"), once: true}, {args: words("mcp $C"), stdin: mcpAsks, once: true}})
	s.run(step{args: words("down $C --volumes"), once: true})

	// Commands beside a cluster.
	inside := `tr "\0" "\n" < /proc/$PPID/cmdline; env; beamyard events; beamyard ps`
	s.run(step{args: []string{"run", project, "--name", s.cluster, "-n", "1", "--", "sh", "-c", inside}})
	s.run(step{args: []string{"test", project, "--name", s.cluster, "-n", "1"}, exits: exitUsage, nodes: true})

	s.folder(filepath.Join(s.work, "run"))
	s.folder(filepath.Join(s.work, "tmp"))
	s.folder(filepath.Join(s.work, "exports"))
	for _, command := range newParser(t).Model.Leaves(false) {
		_, why := unread[command.Path()]
		if s.ran[command.Path()] == why {
			t.Errorf("beamyard %s: run: %t, in the table of those that are not: %t", command.Path(), s.ran[command.Path()], why)
		}
	}
	t.Logf("%d MB were searched", s.seen>>20)
}
