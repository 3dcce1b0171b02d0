package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"

	"github.com/beamyard/beamyard/orchestrator"
)

// ends are the ways in which a real node exits, one node each: what is done to it, and
// what is then reported. The codes come from a table of exits, measured on OTP 25 and 27
// with an init as first process.
var ends = []ending{
	{"killed", "kill", orchestrator.Failed, "killed (exit 137)", "", "", "", ""},
	{"kill", "docker kill KILL", orchestrator.Failed, "killed (exit 137)", "", "", "killed", "SIGKILL"},
	{"our-kill", "beamyard kill", orchestrator.Failed, "killed (exit 137)", "", "", "", ""},
	{"our-stop", "beamyard stop", orchestrator.Stopped, "stopped (exit 0)", "", "", "", ""},
	{"stop", "docker stop", orchestrator.Stopped, "stopped-outside (exit 0)", "", "", "", ""},
	{"removed", "docker rm -f", orchestrator.Stopped, "container removed from outside", "", "", "", ""},
	{"completed", "exit&code=0", orchestrator.Completed, "completed (exit 0)", "", "", "", ""},
	{"code", "exit&code=7", orchestrator.Failed, "crashed (exit 7)", "", "", "", ""},
	{"halted", "halt", orchestrator.Failed, "crashed (exit 1)", "", "", "", ""},
	{"slogan", "slogan", orchestrator.Failed, "crashed (exit 1)", "demo crashed on purpose", "demo crashed on purpose", "", ""},
	{"aborted", "abort", orchestrator.Failed, "crashed (exit 134)", "", "", "vm-aborted", "native code"},
	{"hungry", "oom", orchestrator.Failed, "oom (exit 137)", "", "", "out-of-memory", "400 MiB"},
	{"usr1", "docker kill USR1", orchestrator.Failed, "crashed (exit 1)", "SIGUSR1", "Received SIGUSR1", "", ""},
}

// ending is one of these ways.
type ending struct {
	node  string
	how   string // POST /crash?how=…, or a name that doEnd knows
	state orchestrator.State
	exit  string
	why   string                   // in Exit.Reason
	dump  string                   // the crash dump's slogan
	root  orchestrator.FindingCode // the finding that leads, where there is one
	says  string                   // in its problem
}

// unwell are nodes of the same cluster that do not exit, or not as they should: what is
// done to them, and what is then found.
var unwell = []struct {
	node    string
	command string // of sh, if it is not the demo's own command
	do      func(*testing.T, *running) error
	state   orchestrator.State
	b       breakage
}{
	// If a top supervisor ends under `mix run`, the VM continues without its application:
	// the node does not exit, and is not Ready.
	{"headless", "", func(_ *testing.T, r *running) error { return end(r, "headless", "supervisor") }, orchestrator.Degraded,
		breakage{root: "app-exited", says: "demo", also: "app-not-started"}},
	{"deaf", `trap "" TERM; ` + inShell, func(t *testing.T, r *running) error { return r.Stop(t.Context(), "deaf") }, orchestrator.Stopped,
		breakage{root: "shell-first", says: "the stop timeout of", also: "stop-needed-kill"}},
	{"in-shell", inShell, func(t *testing.T, r *running) error { return r.Stop(t.Context(), "in-shell") }, orchestrator.Stopped,
		breakage{root: "shell-first", says: "without its shutdown"}},
	{"paused", "", func(t *testing.T, r *running) error {
		id := r.node("paused").ContainerID
		t.Cleanup(func() { _ = r.eng.UnpauseContainer(context.Background(), id) })
		return r.eng.PauseContainer(t.Context(), id)
	}, orchestrator.Degraded, breakage{root: "node-paused", says: "paused"}},
}

// inShell runs the demo below a shell, which does not forward signals.
const inShell = `elixir --name $NODE_NAME --erl "-start_epmd false -erl_epmd_port 9100" -S mix run --no-halt --no-compile --no-deps-check; true`

// Every exit is classified by what was requested, what the engine reports, and the code.
// No node is restarted here. The findings explain each exit, and each problem of a node
// that continues to run.
func TestEveryEndIsClassified(t *testing.T) {
	t.Parallel()
	for _, otp := range otps {
		t.Run(otp.name, func(t *testing.T) {
			t.Parallel()
			eng, dumps := engine(t), t.TempDir()
			r := up(t, eng, otp.base, 0, func(s *orchestrator.Spec) {
				for _, e := range ends {
					s.Nodes = append(s.Nodes, orchestrator.NodeSpec{Name: e.node})
				}
				for _, u := range unwell {
					n := orchestrator.NodeSpec{Name: u.node}
					if u.command != "" {
						n.Command = []string{"sh", "-c", u.command}
					}
					s.Nodes = append(s.Nodes, n)
				}
				s.Restart.Mode, s.Memory, s.KeepDumps = orchestrator.RestartNo, 400<<20, dumps
			})
			ended := func(node, how string) {
				if err := end(r, node, how); err != nil {
					t.Errorf("%s: %s: %v", node, how, err)
				}
			}
			var group sync.WaitGroup
			for _, e := range ends {
				if e.state == orchestrator.Stopped { // before the crashes, beside which its time would be short
					ended(e.node, e.how)
				}
			}
			for _, e := range ends {
				if e.state != orchestrator.Stopped {
					group.Go(func() { ended(e.node, e.how) })
				}
			}
			group.Wait()
			told := map[string]orchestrator.Exit{}
			for _, e := range ends {
				n := r.until(e.node, "is "+string(e.state), func(n orchestrator.NodeStatus) bool { return n.State == e.state })
				if n.LastExit == nil {
					t.Errorf("%s: no exit is reported", e.node)
					continue
				}
				x := *n.LastExit
				if x.String() != e.exit || !strings.Contains(x.Reason, e.why) || !strings.Contains(x.Slogan, e.dump) || (x.Slogan == "") != (e.dump == "") {
					t.Errorf("%s: %s, %q, slogan %q; want %s, %q, %q", e.node, x, x.Reason, x.Slogan, e.exit, e.why, e.dump)
				}
				if n.RestartCount != 0 || n.Incarnation != 1 {
					t.Errorf("%s was started again: %+v", e.node, n)
				}
				told[e.node] = x
				if e.root != "" {
					breakage{name: e.node, root: e.root, says: e.says}.foundOf(t, r, e.node)
				}
			}
			if err := r.Events(t.Context(), 0, false, func(e orchestrator.Event) error {
				if e.Kind == orchestrator.EventExit {
					if *e.Exit != told[e.Node] {
						t.Errorf("the event says %+v, the status %+v", e.Exit, told[e.Node])
					}
					delete(told, e.Node)
				}
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			if len(told) > 0 {
				t.Errorf("no event reports the exit of %v", told)
			}
			kept, err := filepath.Glob(filepath.Join(dumps, r.name+"-*.dump"))
			if err != nil || len(kept) != 2 {
				t.Errorf("crash dumps %v, %v; want those of slogan and usr1", kept, err)
			}
			for _, path := range kept {
				if text, err := os.ReadFile(path); err != nil || !strings.HasPrefix(string(text), "=erl_crash_dump:") || !strings.Contains(string(text), "=end") {
					t.Errorf("%s is not a complete crash dump: %d bytes, %v", path, len(text), err)
				}
			}

			for _, u := range unwell {
				if err := u.do(t, r); err != nil {
					t.Errorf("%s: %v", u.node, err)
				}
			}
			for _, u := range unwell {
				n := r.until(u.node, "is "+string(u.state), func(n orchestrator.NodeStatus) bool { return n.State == u.state })
				if u.node == "headless" && (!strings.Contains(n.Reason, "demo") || n.LastExit != nil) {
					t.Errorf("%+v", n)
				}
				u.b.name = u.node
				u.b.foundOf(t, r, u.node)
			}
		})
	}
}

// end makes a node exit.
func end(r *running, node, how string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	id := r.node(node).ContainerID
	cli := bareClient(r.t)
	switch how {
	case "beamyard stop":
		return r.Stop(ctx, node)
	case "beamyard kill":
		return r.Kill(ctx, "KILL", node)
	case "docker stop":
		return cli.ContainerStop(ctx, id, container.StopOptions{})
	case "docker rm -f":
		return cli.ContainerRemove(ctx, id, container.RemoveOptions{Force: true})
	}
	if signal, ok := strings.CutPrefix(how, "docker kill "); ok {
		return cli.ContainerKill(ctx, id, signal)
	}
	var answer struct{ Crashing string }
	call(r.t, "POST", r.node(node).URL+"/crash?how="+how, &answer)
	if answer.Crashing == "" {
		return errors.New("it refuses to crash")
	}
	return nil
}

// Twenty clusters start at once without a collision of subnets, ports or names.
func TestTwentyRealClustersAtOnce(t *testing.T) {
	eng := engine(t)
	clusters := make([]*running, 20)
	for i := range clusters {
		clusters[i] = run(t, eng, "trixie", 1, func(s *orchestrator.Spec) { s.ReadyTimeout = 3 * time.Minute })
	}
	owners := map[string]string{}
	for _, r := range clusters {
		r.ready()
		st, err := r.Status(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, what := range []string{"subnet " + st.Subnet.String(), fmt.Sprint("port ", st.Nodes[0].HTTPPort), "address " + st.Nodes[0].IP.String()} {
			if other := owners[what]; other != "" {
				t.Errorf("%s and %s both have %s", r.name, other, what)
			}
			owners[what] = r.name
		}
		var answer map[string]any
		call(t, "GET", st.Nodes[0].URL+"/health", &answer)
	}
}
