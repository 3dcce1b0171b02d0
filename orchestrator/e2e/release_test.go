package e2e_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"

	"github.com/beamyard/beamyard/images"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/build"
	"github.com/beamyard/beamyard/orchestrator/cluster"
	"github.com/beamyard/beamyard/orchestrator/health"
)

func release(s *orchestrator.Spec) { s.Release = true }

// exec runs a command in a node's container, which must exit with 0.
func (r *running) exec(node string, command ...string) string {
	r.t.Helper()
	result, err := orchestrator.Command(r.t.Context(), r.eng, r.node(node).ContainerID, command)
	if err != nil || result.ExitCode != 0 {
		r.t.Fatalf("%q on %s: %+v, %v", command, node, result, err)
	}
	return strings.TrimSpace(result.Stdout)
}

// A project as a release: its nodes connect, its own commands work beside them, and it
// stops, crashes and restarts like any other.
func TestRelease(t *testing.T) {
	t.Parallel()
	const script = "/app/_build/release/bin/demo"
	for _, otp := range otps {
		t.Run(otp.name, func(t *testing.T) {
			t.Parallel()
			r := up(t, engine(t), otp.base, 3, release)
			const want = `{:embedded, true, 2, true, "prod"}`
			if got := r.rpc("n1", `{:code.get_mode(), String.starts_with?(to_string(:code.lib_dir(:demo)), "/app/_build/release/lib/demo-"), length(Node.list()), to_string(Node.get_cookie()) == System.get_env("RELEASE_COOKIE"), System.get_env("MIX_ENV")}`); got != want {
				t.Fatalf("n1: %s, want %s", got, want)
			}
			var answer struct{ Nodes []string }
			if call(t, "GET", r.node("n2").URL+"/nodes", &answer); len(answer.Nodes) != 2 {
				t.Errorf("n2 sees %v", answer.Nodes)
			}
			r.wellAsARelease()

			// The release's own commands, as a user types them with `docker exec`.
			pid := r.exec("n1", script, "pid")
			if got := r.exec("n1", images.ReleaseScript, "rpc", `IO.puts("#{node()} #{length(Node.list())} #{System.pid()}")`); got != r.node("n1").Node+" 2 "+pid {
				t.Errorf("rpc: %q, pid %q", got, pid)
			}
			r.terminal("n1", "IO.puts(\"at #{node()}\")", "at "+r.node("n1").Node, script, "remote")
			r.shell("n2", "iex", "{node(), length(Node.list(:hidden))}", "{:\""+r.node("n2").Node+"\", 2}") // our process and the shell
			// There is no shell between the container's init and the VM.
			if got := r.exec("n1", "sh", "-c", "cat /proc/"+pid+"/comm; grep PPid /proc/"+pid+"/status"); got != "beam.smp\nPPid:\t1" {
				t.Errorf("the VM is %q", got)
			}

			r.stopsItself("n2")
			if err := r.Start(t.Context(), "n2"); err != nil {
				t.Fatal(err)
			}
			r.ready()

			if err := r.Kill(t.Context(), "USR1", "n3"); err != nil {
				t.Fatal(err)
			}
			n := r.until("n3", "is back", func(n orchestrator.NodeStatus) bool {
				return n.State == orchestrator.Ready && n.RestartCount == 1
			})
			if e := n.LastExit; e.Class != orchestrator.ExitCrashed || e.Code != 1 || !strings.Contains(e.Slogan, "Received SIGUSR1") {
				t.Errorf("the crash: %+v", e)
			}
			r.ready()
			if got := r.rpc("n3", "length(Node.list())"); got != "2" {
				t.Errorf("n3 was restarted and sees %s", got)
			}
		})
	}
}

// terminal types a line into a command on a terminal of its own, until the command
// answers. Then the terminal is closed, not only its input: at the end of the input, a
// remote shell of OTP 26 and later ends the node.
func (r *running) terminal(node, line, answer string, command ...string) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), 30*time.Second)
	defer cancel()
	cli := bareClient(r.t)
	made, err := cli.ContainerExecCreate(ctx, r.node(node).ContainerID, container.ExecOptions{
		Tty: true, AttachStdin: true, AttachStdout: true, AttachStderr: true, Cmd: command, Env: []string{"TERM=xterm"},
	})
	if err != nil {
		r.t.Fatal(err)
	}
	tty, err := cli.ContainerExecAttach(ctx, made.ID, container.ExecAttachOptions{Tty: true})
	if err != nil {
		r.t.Fatal(err)
	}
	defer tty.Close()
	defer context.AfterFunc(ctx, tty.Close)()
	var said strings.Builder
	read := make([]byte, 4096)
	for typed := false; !strings.Contains(said.String(), answer); {
		n, err := tty.Reader.Read(read)
		said.Write(read[:n])
		if err != nil {
			r.t.Fatalf("%q printed %q, not %q: %v", command, said.String(), answer, err)
		}
		if !typed && strings.Contains(said.String(), ")1>") {
			typed = true
			if _, err := tty.Conn.Write([]byte(line + "\r")); err != nil {
				r.t.Fatal(err)
			}
		}
	}
}

// wellAsARelease checks that a report compares all modules of the release.
func (r *running) wellAsARelease() {
	r.t.Helper()
	report := r.health()
	for _, c := range report.Of(health.Code) {
		if c.State != health.Passed || len(c.Figures) < 2 || c.Figures[0].Value < 6 || int(c.Figures[1].Value) != len(report.Nodes) {
			r.t.Errorf("code: %+v, %+v", c, report.Code)
		}
	}
	r.tells("")
}

// stopsItself checks that SIGTERM ends a node well before its stop timeout.
func (r *running) stopsItself(node string) {
	r.t.Helper()
	if err := r.Stop(r.t.Context(), node); err != nil {
		r.t.Fatal(err)
	}
	c, err := r.eng.InspectContainer(r.t.Context(), r.node(node).ContainerID)
	if err != nil || c.State.ExitCode != 0 || r.node(node).LastExit.Class != orchestrator.ExitStopped {
		r.t.Errorf("stopped: %+v, %v, %+v", c.State, err, r.node(node).LastExit)
	}
}

// An image that contains a release is started by its own entrypoint and command.
func TestReleaseInAnImage(t *testing.T) {
	t.Parallel()
	eng := engine(t)
	made, err := build.Prepare(t.Context(), eng, orchestrator.Spec{Source: demo, BaseImage: "trixie", Release: true}, t.Output())
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	text := "FROM " + made.Image + "\nENTRYPOINT [\"/app/_build/release/bin/demo\"]\nCMD [\"start\"]\n"
	if err := os.WriteFile(filepath.Join(folder, "Dockerfile"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	r := up(t, eng, "", 2, func(s *orchestrator.Spec) {
		s.Source, s.Release, s.Distribution.EPMD, s.App = folder, true, true, "demo"
		s.Env = map[string]string{"ERL_AFLAGS": "-demo flag yes"}
	})
	r.takesImage()
	if got := r.rpc("n1", `{:code.get_mode(), length(Node.list()), :init.get_argument(:demo)}`); got != `{:embedded, 1, {:ok, [[~c"flag", ~c"yes"]]}}` {
		t.Errorf("n1: %s", got)
	}
	if got := r.exec("n2", "/app/_build/release/bin/demo", "rpc", "IO.puts(node())"); got != r.node("n2").Node {
		t.Errorf("rpc with EPMD: %q", got)
	}
	r.stopsItself("n1")
}

// If a project has several releases, one must be chosen, and can be.
func TestReleaseOfSeveral(t *testing.T) {
	t.Parallel()
	several := map[string]string{"mix.exs": mixExs(`releases: [web: [], jobs: [path: "/app/elsewhere"]]`), "lib/p.ex": "defmodule P do\nend\n"}
	source := writeProject(t, several)
	spec := orchestrator.Spec{Name: "several", Source: source, BaseImage: "bookworm", Release: true}
	eng := engine(t)
	_, err := build.Prepare(t.Context(), eng, spec, t.Output())
	if err == nil {
		t.Fatal("a release was built without a choice")
	}
	says(t, cluster.Diagnose(err, spec), "release_name: NAME in beamyard.yml", "there are multiple releases")
	r := up(t, eng, "bookworm", 1, func(s *orchestrator.Spec) {
		s.Source, s.Release, s.ReleaseName, s.HTTPCheck, s.HTTPPort = source, true, "jobs", "", -1
	})
	r.takesImage()
	if got := r.exec("n1", images.ReleaseScript, "version"); got != "jobs 0.1.0" {
		t.Errorf("it runs %s", got)
	}
}
