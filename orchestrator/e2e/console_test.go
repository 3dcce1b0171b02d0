package e2e_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/discovery"
)

// screen collects what a command writes, and can be read meanwhile.
type screen struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *screen) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(b)
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// A shell uses what the container has: a release's own IEx, with nothing else in PATH,
// and Erlang's shell without Elixir. IEx itself is tested on a terminal, by TestIEx of
// the command.
func TestShellOfReleaseAndErlang(t *testing.T) {
	t.Parallel()
	eng := engine(t)
	r := up(t, eng, "trixie", 2, func(s *orchestrator.Spec) {
		s.MixEnv, s.HTTPCheck = "prod", ""
		s.Nodes[0].Env = map[string]string{"RELEASED": "yes"}
		// The release gets its cookie from RELEASE_COOKIE. A VM that finds two cookies
		// uses neither.
		s.Command = []string{"sh", "-c", `
			[ -n "$RELEASED" ] || exec elixir --name {node} --erl "-start_epmd false -erl_epmd_port {dist_port}" -S mix run --no-compile --no-halt
			mix release --quiet --path /tmp/release && ERL_AFLAGS="-start_epmd false -erl_epmd_port {dist_port}" exec /tmp/release/bin/demo start`}
	})
	without := func(node string, programs ...string) {
		t.Helper()
		var said screen
		code, err := discovery.Exec(t.Context(), eng, r.name, node, orchestrator.ExecSpec{
			Command: append([]string{"rm", "-f"}, programs...), User: "0", Stdout: &said, Stderr: &said,
		})
		if code != 0 || err != nil {
			t.Fatalf("exit code %d, %v: %s", code, err, &said)
		}
	}
	without("n1", "/usr/bin/iex", "/usr/bin/erl")
	without("n2", "/usr/bin/iex")
	r.shell("n1", "iex", "Application.spec(:demo, :vsn) && :init.get_argument(:mode)", "{:ok, [[~c\"embedded\"]]}")
	r.shell("n2", "", "{node(), length(nodes(hidden)) > 0}.", "{'"+r.node("n2").Node+"',true}")
	without("n2", "/usr/bin/erl")
	var said screen
	code, err := discovery.Shell(t.Context(), eng, r.name, "n2", orchestrator.ExecSpec{Stdout: &said, Stderr: &said})
	if code != 127 || err != nil || !strings.Contains(said.String(), "neither a release nor iex nor erl") {
		t.Errorf("without a shell: exit code %d, %v: %s", code, err, &said)
	}
	noElixirOn(t, r)
	pausedShell(t, r)
}

// shell opens a shell of that kind ("": Erlang's) on a node, types a line, waits for the
// answer, and leaves.
func (r *running) shell(node, kind, line, shows string) {
	r.t.Helper()
	var shown screen
	defer func() {
		if r.t.Failed() {
			r.t.Logf("the shell on %s showed:\n%s", node, shown.String())
		}
	}()
	keys, input := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		code, err := discovery.Shell(r.t.Context(), r.eng, r.name, node, orchestrator.ExecSpec{
			Stdin: keys, Stdout: &shown, TTY: &orchestrator.TTY{Size: orchestrator.TTYSize{Columns: 100, Rows: 30}},
		})
		if err == nil && code != 0 {
			err = errors.New(shown.String())
		}
		ended <- err
	}()
	prompt := kind + "(" + r.node(node).Node + ")1> "
	for _, step := range []struct{ shows, types string }{{prompt, line + "\r"}, {shows, "\x1c"}} {
		eventually(r.t, node+" shows "+step.shows, func() bool { return strings.Contains(shown.String(), step.shows) })
		if _, err := io.WriteString(input, step.types); err != nil {
			r.t.Fatal(err)
		}
	}
	if err := <-ended; err != nil {
		r.t.Errorf("the shell on %s: %v", node, err)
	}
	_ = input.Close()
}

// noElixirOn evaluates Elixir and Erlang on a node without Elixir.
func noElixirOn(t *testing.T, r *running) {
	t.Helper()
	purge := orchestrator.EvalOptions{Erlang: true}
	if _, err := discovery.Eval(t.Context(), r.eng, r.name, "n2", "code:del_path(elixir), code:purge('Elixir.Code'), code:delete('Elixir.Code').", purge); err != nil {
		t.Fatal(err)
	}
	_, err := discovery.Eval(t.Context(), r.eng, r.name, "n2", "1 + 1", orchestrator.EvalOptions{})
	if err == nil || !strings.Contains(orchestrator.HintOf(err).String(), "beamyard rpc --erlang "+r.name+"/n2") {
		t.Errorf("without Elixir: %v", err)
	}
	if text, err := discovery.Eval(t.Context(), r.eng, r.name, "n2", "1 + 1", orchestrator.EvalOptions{Erlang: true}); text != "2" || err != nil {
		t.Errorf("in Erlang: %s, %v", text, err)
	}
}

func pausedShell(t *testing.T, r *running) {
	t.Helper()
	id := r.node("n1").ContainerID
	if err := r.eng.PauseContainer(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	_, err := discovery.Shell(t.Context(), r.eng, r.name, "n1", orchestrator.ExecSpec{})
	if unpause := r.eng.UnpauseContainer(context.Background(), id); unpause != nil {
		t.Fatal(unpause)
	}
	if !errors.Is(err, orchestrator.ErrNotRunning) || !strings.HasPrefix(orchestrator.HintOf(err).String(), "beamyard unpause ") {
		t.Errorf("paused: %v", err)
	}
}

// Text that is sent to a node reaches its first process, IEx here. The diagnosis proposes
// this if IEx was started without stdin.
func TestStdinOfIEx(t *testing.T) {
	t.Parallel()
	eng := engine(t)
	r := up(t, eng, "trixie", 1, func(s *orchestrator.Spec) {
		s.Stdin, s.HTTPCheck, s.App = true, "", "-"
		s.Command = []string{"iex", "--name", "{node}", "--erl", "-start_epmd false -erl_epmd_port {dist_port}"}
	})
	prints := func(text string) {
		t.Helper()
		eventually(t, "it prints "+text, func() bool {
			return slices.ContainsFunc(r.lines(orchestrator.LogQuery{}), func(line string) bool { return strings.HasSuffix(line, text) })
		})
	}
	if err := discovery.Send(t.Context(), eng, r.name, "n1", strings.NewReader("6 * 7\n")); err != nil {
		t.Fatal(err)
	}
	prints("42")
	if err := discovery.Send(t.Context(), eng, r.name, "n1", strings.NewReader("System.halt(3)\n")); err != nil {
		t.Fatal(err)
	}
	r.until("n1", "is started again", func(n orchestrator.NodeStatus) bool {
		return n.RestartCount == 1 && n.State == orchestrator.Ready && n.LastExit.Code == 3
	})
	if err := discovery.Send(t.Context(), eng, r.name, "n1", strings.NewReader("8 * 9\n")); err != nil {
		t.Fatal(err)
	}
	prints("72")
}
