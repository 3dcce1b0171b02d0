package main

import (
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
	"github.com/beamyard/beamyard/orchestrator/docker"
)

const (
	oneCodeBase = "testdata/cases/12-roles/a-roles-mix"
	twoReleases = "12-roles/b-two-releases"
)

// eventually checks that a command prints something within 30 s.
func (c *sourceCase) eventually(pattern string, args ...string) {
	c.t.Helper()
	wanted := regexp.MustCompile("(?m)" + pattern)
	var out []byte
	if !within(30*time.Second, func() bool {
		cmd := exec.Command("beamyard", args...)
		cmd.Env = c.vars
		out, _ = cmd.CombinedOutput() // repeated until the output is as wanted
		return wanted.Match(out)
	}) {
		c.t.Fatalf("beamyard %s did not print %q in time:\n%s", strings.Join(args, " "), pattern, out)
	}
}

// node returns the name of a node, or of a role, with its cluster.
func (c *sourceCase) node(name string) string { return c.cluster + "/" + name }

// down removes the cluster. Nothing of it may be left.
func (c *sourceCase) down() {
	c.t.Helper()
	c.run(exitOK, "down", c.cluster)
	if err := nothingLeft(c.t.Context(), c.cluster); err != nil {
		c.t.Error(err)
	}
}

// One code base with two roles, of which one does not serve HTTP. A check for all nodes
// fails on that role, and the hint names the key to write. A node on which nothing
// listens has no URL.
func TestCaseRolesOfOneCodeBase(t *testing.T) {
	t.Parallel()
	c := newSourceCase(t)
	out := c.run(exitNotReady, "up", "-f", oneCodeBase+"/beamyard.yml", "-d", "--name", c.cluster, "--wait-timeout", "12s")
	c.says(out, `^  worker \(starting\): HTTP check /health: nothing listens on port 4000 inside worker$`, `^hint: .*a node that serves no HTTP says so: nodes: \[{name: worker, http_port: -1}\] in beamyard.yml`)

	c.run(exitOK, "up", "-f", oneCodeBase+"/works.yml", "-d", "--name", c.cluster)
	c.says(c.run(exitOK, "ps", c.cluster), `^web +Ready +http://`, `^worker +Ready +- `)
	c.eventually(`^✓ code +modules 2, nodes 2$(.|\n)*all is well`, "health", c.cluster)
	c.says(c.run(exitOK, "sync", "-c", c.cluster), `^in sync, 2 modules equal on web worker`)
	c.down()
}

const startedApps = `Application.started_applications() |> Enum.map(&elem(&1, 0)) |> Enum.filter(& &1 in [:loom_web, :loom_worker])`

// Two releases in one image, each started by its node's command, and an application of
// the cluster that is missing in one of them.
func TestCaseTwoReleasesOfOneImage(t *testing.T) {
	t.Parallel()
	dir := caseDir(t, twoReleases)
	c := newSourceCase(t)
	c.run(exitOK, "up", "-f", dir+"/beamyard.yml", "-d", "--name", c.cluster)
	c.says(c.run(exitOK, "rpc", "-c", c.cluster, "--all", startedApps), `^web:\n\[:loom_web\]\nworker:\n\[:loom_worker\]$`)
	c.eventually(`all is well`, "health", c.cluster)
	c.says(c.run(exitError, "sync", "-c", c.cluster), `^error: the image of cluster .* holds a release, and not the Mix project that it was made of: sync cannot compile in it`, `^hint: `)
	c.down()

	out := c.run(exitNotReady, "up", "-f", dir+"/app.yml", "-d", "--name", c.cluster, "--wait-timeout", "12s")
	c.says(out, `^  worker \(starting\): application loom_web is not started$`, `^hint: .*app: in beamyard.yml, of the cluster or of the node,`)
}

// Mix builds two releases, each in its own image. Sync names the nodes that it cannot
// update, and a release gets no module of the other one.
func TestCaseTwoReleasesOfMix(t *testing.T) {
	t.Parallel()
	dir := caseDir(t, twoReleases)
	c := newSourceCase(t)
	c.run(exitOK, "up", "-f", dir+"/releases.yml", "-d", "--name", c.cluster)
	c.eventually(`all is well`, "health", c.cluster)

	source := filepath.Join(dir, "apps", "loom_web", "lib", "loom_web.ex")
	text, err := os.ReadFile(source)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(source, []byte(strings.Replace(string(text), "do: :web", "do: :door", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	c.says(c.run(exitError, "sync", "-c", c.cluster),
		`^error: worker \(release back, MIX_ENV=prod\) runs another build of the project than sync compiles, which is that of web \(release front, MIX_ENV=prod\): no node was changed$`,
		`^hint: sync the nodes of one build: beamyard sync -c `+c.cluster+` web$`)
	c.says(c.run(exitOK, "rpc", c.node("web"), "LoomWeb.role()"), `^:web$`)
	c.says(c.run(exitOK, "sync", "-c", c.cluster, "web"), `^synced LoomWeb on web: `)
	c.says(c.run(exitOK, "rpc", c.node("web"), "LoomWeb.role()"), `^:door$`)
	c.says(c.run(exitOK, "rpc", c.node("worker"), ":code.which(LoomWeb)"), `^:non_existing$`)
	c.down()
}

// One node for each build of a project: one of Mix, and two of stages of a Dockerfile.
// Each restarts from its own image, even with a supervisor that adopted it, and can be
// named by its role.
func TestCaseRolesOfSeveralImages(t *testing.T) {
	t.Parallel()
	dir := caseDir(t, twoReleases)
	c := newSourceCase(t)
	c.run(exitOK, "up", "-f", dir+"/roles.yml", "-d", "--name", c.cluster)
	built := c.imagesOf()
	if n1, web, worker := built["n1"], built["web"], built["worker1"]; n1 == web || web == worker || n1 == worker || worker != built["worker2"] {
		t.Fatalf("they run %v", built)
	}
	asTheyAre := func() {
		t.Helper()
		c.eventually(`all is well`, "health", c.cluster)
		c.says(c.run(exitOK, "rpc", "-c", c.cluster, "--all", `{System.get_env("MIX_ENV"), `+startedApps+`}`),
			`^n1:\n\{"dev", \[:loom_worker, :loom_web\]\}\nweb:\n\{"prod", \[:loom_web\]\}\nworker1:\n\{"prod", \[:loom_worker\]\}\nworker2:\n\{"prod", \[:loom_worker\]\}$`)
		now := c.imagesOf()
		for name, id := range built {
			if now[name] != id {
				t.Errorf("%s runs image %s, and was built as %s", name, now[name], id)
			}
		}
	}
	asTheyAre()

	worker := c.node("worker")
	c.says(c.run(exitOK, "rpc", worker, "LoomWorker.role()"), `^worker1:\n:worker\nworker2:\n:worker$`)
	c.says(c.run(exitUsage, "exec", worker, "--", "true"), `^error: exec takes one node, and `+worker+` means worker1, worker2$`, `^hint: beamyard exec `+worker+`1$`)
	c.says(c.run(exitUsage, "inspect", worker), `^error: inspect takes one node`)
	c.says(c.run(exitError, "stop", c.node("wroker")), `^error: no such node: wroker$`, `^hint: did you mean worker\? `)
	for name, id := range built {
		shown := regexp.MustCompile(`(?m)^image +(\S+)$`).FindStringSubmatch(c.run(exitOK, "inspect", c.node(name)))
		if shown == nil || c.imageID(shown[1]) != id {
			t.Errorf("inspect %s shows image %q, and it runs %s", name, shown, id)
		}
	}
	c.says(c.run(exitError, "sync", "-c", c.cluster), `^error: web \(.*Dockerfile.roles, target front\), worker1 .* run another build`, `^hint: .* n1$`)

	// Each is killed, and restarts.
	c.says(c.run(exitOK, "kill", "-c", c.cluster, "n1", "web", "worker"), `^n1 got SIGKILL\nweb got SIGKILL\nworker1 got SIGKILL\nworker2 got SIGKILL$`)
	for _, name := range []string{"n1", "web", "worker1", "worker2"} {
		c.eventually(`^`+name+` +Ready .* 1 +beamyard/project:[0-9a-f]+$`, "ps", c.cluster)
	}
	asTheyAre()
	c.says(c.run(exitOK, "logs", worker, "--tail", "all"), `^worker1 \| ── worker1 restarted`, `^worker2 \| ── worker2 restarted`)

	// The supervisor and then a node of each image are killed. The next supervisor finds them.
	runtimeDir := ""
	for _, kv := range c.vars {
		if dir, ok := strings.CutPrefix(kv, "XDG_RUNTIME_DIR="); ok {
			runtimeDir = dir
		}
	}
	pid, err := supervisorAt(runtimeDir, c.cluster)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	c.eventually(`^unsupervised: `+c.cluster, "ps", c.cluster)
	c.says(c.run(exitOK, "rpc", worker, "LoomWorker.role()"), `^worker1:\n:worker\nworker2:\n:worker$`)
	c.killOutside("web", "worker1")
	keeper := exec.Command("beamyard", "supervise", c.cluster)
	keeper.Env = c.vars
	if err := keeper.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- keeper.Wait() }()
	t.Cleanup(func() { _ = keeper.Process.Kill() }) // it has ended, unless the test failed
	for _, name := range []string{"n1", "web", "worker1", "worker2"} {
		c.eventually(`^`+name+` +Ready `, "ps", c.cluster)
	}
	asTheyAre()
	c.run(exitOK, "kill", "-c", c.cluster, "n1", "worker2")
	c.eventually(`n1 ended: killed(.|\n)*n1 ready$`, "events", "-c", c.cluster)
	c.eventually(`worker2 ended: killed(.|\n)*worker2 ready$`, "events", "-c", c.cluster)
	asTheyAre()

	// A container that is created again is created from the node's own image, which the
	// supervisor knows only from the labels.
	c.removeOutside("worker1")
	c.eventually(`^worker1 +(Stopped|Failed)`, "ps", c.cluster)
	c.run(exitOK, "start", c.node("worker1"))
	c.eventually(`^worker1 +Ready `, "ps", c.cluster)
	asTheyAre()
	c.down()
	select {
	case <-ended:
	case <-time.After(30 * time.Second):
		t.Error("the supervisor continues without a cluster")
	}
}

// imagesOf returns the images of the cluster's containers, by node.
func (c *sourceCase) imagesOf() map[string]string {
	c.t.Helper()
	of := map[string]string{}
	for _, container := range c.containers() {
		if name := container.Labels[orchestrator.LabelNode]; name != "" {
			of[name] = container.Image
		}
	}
	return of
}

// imageID returns the ID of a named image.
func (c *sourceCase) imageID(ref string) string {
	c.t.Helper()
	eng, _, err := realEngine()
	if err != nil {
		c.t.Fatal(err)
	}
	defer eng.Close()
	info, err := eng.Image(c.t.Context(), ref)
	if err != nil {
		c.t.Fatal(err)
	}
	return info.ID
}

func (c *sourceCase) containers() []orchestrator.Container {
	c.t.Helper()
	eng, _, err := realEngine()
	if err != nil {
		c.t.Fatal(err)
	}
	defer eng.Close()
	all, err := eng.Containers(c.t.Context(), map[string]string{orchestrator.LabelCluster: c.cluster})
	if err != nil {
		c.t.Fatal(err)
	}
	return all
}

// killOutside kills nodes as `docker kill` does.
func (c *sourceCase) killOutside(nodes ...string) {
	c.t.Helper()
	c.outside(nodes, func(eng *docker.Engine, id string) error { return eng.KillContainer(c.t.Context(), id, "KILL") })
}

// removeOutside removes the containers of nodes as `docker rm -f` does.
func (c *sourceCase) removeOutside(nodes ...string) {
	c.t.Helper()
	c.outside(nodes, func(eng *docker.Engine, id string) error { return eng.RemoveContainer(c.t.Context(), id) })
}

func (c *sourceCase) outside(nodes []string, do func(eng *docker.Engine, id string) error) {
	c.t.Helper()
	eng, _, err := realEngine()
	if err != nil {
		c.t.Fatal(err)
	}
	defer eng.Close()
	for _, container := range c.containers() {
		if !slices.Contains(nodes, container.Labels[orchestrator.LabelNode]) {
			continue
		}
		if err := do(eng, container.ID); err != nil {
			c.t.Fatal(err)
		}
	}
}
