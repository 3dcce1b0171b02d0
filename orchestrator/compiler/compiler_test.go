package compiler

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/build"
	"github.com/beamyard/beamyard/orchestrator/codesync"
	"github.com/beamyard/beamyard/orchestrator/health"
	"github.com/beamyard/beamyard/orchestrator/internal/manifest"
)

// The compiler runs Mix whatever the nodes run, has the memory that it needs, and does
// not show the cookie in an argument.
func TestCompilerSpec(t *testing.T) {
	f := Site{NetworkID: "net", Created: time.Unix(1_700_000_000, 0), Spec: orchestrator.Spec{
		Name: "demo", Image: "demo:1", Nodes: orchestrator.NodeNames(2), Release: true, Command: []string{"bin/demo", "start"},
		Cookie: "hush", Memory: 64 << 20, CPUs: 0.5,
	}.Defaulted()}
	c := compilerSpec(f, true, "127.0.0.1")
	command := strings.Join(c.Command, " ")
	if !slices.Equal(c.Entrypoint, []string{"elixir"}) || !strings.Contains(command, "--name app@compiler.demo.test --hidden ") || !strings.Contains(command, " -S mix loadpaths ") {
		t.Errorf("%v %s", c.Entrypoint, command)
	}
	if strings.Contains(command, "hush") || !slices.ContainsFunc(c.Env, func(e string) bool { return strings.HasPrefix(e, "ERL_AFLAGS=-setcookie hush") }) {
		t.Errorf("the cookie: %s %v", command, c.Env)
	}
	if c.Memory != 0 || c.CPUs != 0 || len(c.Ports) != 0 || !slices.Contains(c.Env, "MIX_ENV=prod") {
		t.Errorf("%+v", c)
	}
	if ports := compilerSpec(f, false, manifest.PublishAddress(orchestrator.EngineInfo{Local: true})).Ports; len(ports) != 1 || ports[0].HostIP != "127.0.0.1" || ports[0].Container != 9100 || ports[0].Host != 0 {
		t.Errorf("on an engine on another machine: %v", ports)
	}
}

// A sync that is not possible is refused, with the command to type.
func TestCompilable(t *testing.T) {
	dir := t.TempDir()
	write := func(name string) string {
		t.Helper()
		at := filepath.Join(dir, filepath.Dir(name))
		if err := os.MkdirAll(at, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
		return at
	}
	gone := filepath.Join(dir, "gone")
	for _, test := range []struct{ name, source, node, want string }{
		{"a project", write("mix/mix.exs"), "n1", ""},
		{"without Mix", write("docker/Dockerfile"), "n1", "no mix.exs"},
		{"an image", "acme/shop:1", "n1", "cluster shop runs acme/shop:1, which was not made from a folder"},
		{"a folder of another machine", gone, "n1", "was made from " + gone + ", which is not on this machine"},
		{"none", "", "n1", "cluster shop runs an image, which was not made from a folder"},
		{"a node of that name", write("mix/mix.exs"), "compiler", "is a node's"},
	} {
		err := compilable(orchestrator.Spec{Name: "shop", Source: test.source, Nodes: []orchestrator.NodeSpec{{Name: test.node}}})
		switch {
		case test.want == "" && err != nil:
			t.Errorf("%s: %v", test.name, err)
		case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(orchestrator.HintOf(err).String(), "beamyard ")):
			t.Errorf("%s: %v", test.name, err)
		}
	}
}

// A release is recognised, and the hint has the commands that bring in another one.
func TestSyncOfARelease(t *testing.T) {
	s := orchestrator.Spec{Name: "shop", Source: "acme/shop:1", Image: "acme/shop:1", Release: true}
	tell := func(err error) string {
		if len(orchestrator.HintOf(err)) == 0 {
			t.Fatal(err)
		}
		return err.Error() + "\n" + orchestrator.HintOf(err).String()
	}
	_, err := build.SyncSource(s)
	if got, want := tell(err), `cluster shop runs a release in acme/shop:1, which was not made from a folder on this machine: sync has no sources to compile
bring in a newer image: beamyard down shop; beamyard up IMAGE --name shop
or run the project from its folder, which sync compiles: beamyard up PATH`; got != want {
		t.Errorf("got %s", got)
	}
	s.Source, s.File, s.Dockerfile = "/src/shop", "/src/shop/prod.yml", "Dockerfile"
	if got, want := tell(noProject(s)), `the image of cluster shop holds a release, and not the Mix project that it was made of: sync cannot compile in it, and no node was changed
build it again: beamyard down shop; beamyard up -f /src/shop/prod.yml --name shop
or run the Mix project, which sync compiles: beamyard up /src/shop --name shop, without the Dockerfile`; got != want {
		t.Errorf("got %s", got)
	}
}

// New code on one node does not make that node unwell, but a failing check does.
func TestUnwell(t *testing.T) {
	r := health.Report{Checks: []health.Check{
		{Group: health.Code, State: health.Failed, Means: "differ"},
		{Group: health.Operations, Name: "http", Node: "n2", State: health.Failed, Means: "500"},
		{Group: health.Performance, Name: "load", Node: "n1", State: health.Failed, Means: "busy"},
	}}
	if err := Unwell(r, "n1"); err != nil {
		t.Errorf("n1: %v", err)
	}
	if err := Unwell(r, "n2"); err == nil || err.Error() != "http: 500" {
		t.Errorf("n2: %v", err)
	}
}

// Nodes with a custom image are skipped. A sync that would leave a node behind is
// refused.
func TestSyncable(t *testing.T) {
	s := orchestrator.Spec{Name: "shop", Image: "shop:1", Nodes: []orchestrator.NodeSpec{{Name: "n1"}, {Name: "n2", Image: "shop:1"}, {Name: "db", Image: "rabbit:3"}}}
	nodes := []orchestrator.NodeStatus{{Name: "n1", Container: "c1"}, {Name: "n2", Container: "c2"}, {Name: "db", Container: "c3", Reason: "paused", Paused: true}}
	for _, test := range []struct{ name, paused, named, want string }{
		{"all", "", "", "n1 n2, but db"},
		{"named", "", "n2", "n2, but"},
		{"of another image", "", "n1 db", "db runs an image of its own, which is not made of the cluster's sources: no node was changed"},
		{"paused", "n1 n2", "", "n1 is paused, n2 is paused: no node was changed; beamyard unpause shop/n1 shop/n2"},
		{"paused and named", "n2", "n2", "n2 is paused: no node was changed; beamyard unpause shop/n2"},
		{"paused and not asked for", "n2", "n1", "n1, but"},
	} {
		now := slices.Clone(nodes)
		for i, n := range now {
			if slices.Contains(strings.Fields(test.paused), n.Name) {
				now[i].Reason, now[i].Paused = "paused", true
			}
		}
		ours, others, err := Syncable(s, now, strings.Fields(test.named))
		var got []string
		for _, n := range ours {
			got = append(got, n.Name)
		}
		told := strings.Join(got, " ") + ", but"
		for _, n := range others {
			told += " " + n.Name
		}
		if err != nil {
			told = err.Error()
			if h := orchestrator.HintOf(err); len(h) > 0 {
				told += "; " + h.String()
			}
		}
		if !strings.HasPrefix(told, test.want) {
			t.Errorf("%s: %s, want %s", test.name, told, test.want)
		}
	}
}

// Nodes of other builds of the sources do not get the compiler's code. One error says
// which nodes, how they were built, and which nodes can be synced.
func TestSyncOfSeveralBuilds(t *testing.T) {
	s := orchestrator.Spec{Name: "loom", Source: "/src", Image: "front:1", Release: true, Precompiled: true, MixEnv: "prod", Nodes: []orchestrator.NodeSpec{
		{Name: "web1", Role: "web", ReleaseName: "front"}, {Name: "web2", Role: "web", ReleaseName: "front"},
		{Name: "worker", ReleaseName: "back", Image: "back:1", Built: true},
		{Name: "tool", MixEnv: "test", ReleaseName: "front", Image: "tool:1", Built: true},
		{Name: "old", Dockerfile: "Dockerfile.old", Target: "run", Args: map[string]string{"TOKEN": "word"}, Image: "old:1", Built: true},
		{Name: "db", Image: "db:1"},
	}}
	var all []orchestrator.NodeStatus
	for _, n := range s.Nodes {
		all = append(all, orchestrator.NodeStatus{Name: n.Name})
	}
	const hint = "; sync the nodes of one build: beamyard sync -c loom web1 web2\nor build all of them again: beamyard down loom; beamyard up"
	const own = "another build of the project than sync compiles, which is that of web1, web2 (release front, MIX_ENV=prod): no node was changed" + hint
	for named, want := range map[string]string{
		"":            "worker (release back, MIX_ENV=prod), tool (release front, MIX_ENV=test), old (MIX_ENV=prod, Dockerfile.old, target run, args TOKEN) run " + own,
		"web1 worker": "worker (release back, MIX_ENV=prod) runs " + own,
		"tool":        "tool (release front, MIX_ENV=test) runs " + own,
		"web1 web2":   "[web1 web2] true",
		"web2":        "[web2] false",
	} {
		ours, _, err := Syncable(s, all, strings.Fields(named))
		var got string
		if err == nil {
			var names []string
			for _, n := range ours {
				names = append(names, n.Name)
			}
			got = fmt.Sprint(names, " ", CoversAll(s, ours))
		} else {
			got = err.Error() + "; " + orchestrator.HintOf(err).String()
		}
		if got != want {
			t.Errorf("%q:\n%s, want\n%s", named, got, want)
		}
	}
}

// An error of Mix about a dependency that the image lacks has its own hint, both for a
// compilation and for a compiler that does not start.
func TestAdvise(t *testing.T) {
	const says = "Unchecked dependencies for environment prod:\n* jason (Hex package)"
	const noGit = "** (ErlangError) Erlang error: :enoent\n    (elixir 1.18.3) lib/system.ex:1114: System.cmd(\"git\", [], [])\n    (mix 1.18.3) lib/mix/scm/git.ex:338: Mix.SCM.Git.get_rev_info/0"
	for _, test := range []struct {
		err  error
		want string
	}{
		{&codesync.CompileError{Output: says}, "dependencies come with the image: beamyard down shop; beamyard up"},
		{&codesync.CompileError{Output: noGit}, "Mix checks git dependencies by git, which the image lacks: install git in the last stage of the Dockerfile, then: beamyard down shop; beamyard up"},
		{&compilerStopped{cluster: "shop", code: 1, output: strings.Split(says, "\n")}, "dependencies come with the image: beamyard down shop; beamyard up"},
		{&compilerStopped{cluster: "shop", code: 1, output: []string{"SyntaxError"}}, "fix what it says, then: beamyard sync -c shop --restart"},
	} {
		if err := Advise(test.err, "shop"); orchestrator.HintOf(err).String() != test.want || err.Error() != test.err.Error() {
			t.Errorf("%v: hint %v", err, orchestrator.HintOf(err))
		}
	}
	if err := Advise(nil, "shop"); err != nil {
		t.Error(err)
	}
}
