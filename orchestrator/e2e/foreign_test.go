package e2e_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/beamyard/beamyard/images"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/discovery"
)

// customImage builds an image that was not made for Beamyard: its own entrypoint starts a
// VM without Elixir under a short name, with EPMD, a cookie file, and the distribution on
// a port of its own.
func customImage(t *testing.T, base string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for name, text := range map[string]string{
		"Dockerfile": "FROM beamyard/debian:" + base + "\nCOPY entry /entry\nRUN chmod 755 /entry\nENTRYPOINT [\"/entry\"]\nCMD [\"ours\"]\n",
		"entry": `#!/bin/sh
echo "entry of $1 as $(id -u)"
exec erl -noshell -sname "$1" -kernel inet_dist_listen_min 25999 inet_dist_listen_max 25999
`,
		"app.conf": "of the test\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	// The base exists, or is created.
	if _, err := images.Resolve(t.Context(), engine(t), images.Source{Kind: images.Debian, Suite: base}, images.Options{}); err != nil {
		t.Fatal(err)
	}
	return dir
}

// inside runs a command in a node's container, and returns its output.
func (r *running) inside(node string, command ...string) string {
	r.t.Helper()
	result, err := orchestrator.Command(r.t.Context(), r.eng, r.node(node).ContainerID, command)
	if err != nil || result.ExitCode != 0 {
		r.t.Fatalf("%v in %s: %+v, %v", command, node, result, err)
	}
	return strings.TrimSpace(result.Stdout)
}

func TestACustomImage(t *testing.T) {
	t.Parallel()
	for _, otp := range otps {
		t.Run(otp.name, func(t *testing.T) {
			t.Parallel()
			dir := customImage(t, otp.base)
			const cookie = "/home/beamyard/.erlang.cookie"
			r := up(t, engine(t), "auto", 2, func(s *orchestrator.Spec) {
				s.Source, s.HTTPPort, s.HTTPCheck, s.App = dir, -1, "", "stdlib"
				s.Command, s.Basename = []string{orchestrator.CommandOfImage}, "ours"
				s.Distribution = orchestrator.Distribution{Names: orchestrator.ShortNames, EPMD: true, Port: 25999}
				s.CookieFile = cookie
				s.Files = map[string]string{"/etc/of/the/app/app.conf": filepath.Join(dir, "app.conf")}
				s.Env = map[string]string{"WHO": "{name} of {cluster}, number {index}, {node} at {dist_port}"}
				s.Ready = []orchestrator.Check{
					{Log: `^entry of ours as \d+$`}, // this line was printed before the check began
					{Name: "pair", Erlang: "length(nodes())", Expect: "1"},
				}
				s.Checks = []orchestrator.Check{
					{Erlang: "is_list(erlang:loaded())."},
					{Erlang: `A = "ü", {ok, [A | "b"], 'C d'}`, Expect: `{ok,["ü",98],'C d'}`},
				}
				s.Nodes[1].User, s.Nodes[1].Memory, s.Nodes[1].CPUs = "1000", 300<<20, 0.5
				s.Nodes[1].Env = map[string]string{"EXTRA": "{host}"}
				s.Nodes[1].Entrypoint, s.Nodes[1].Command = []string{"sh", "/entry"}, []string{"ours"}
			})
			r.takesImage()
			if n := r.node("n1"); n.Node != "ours@n1" || n.Host != "n1" {
				t.Errorf("%+v", n)
			}
			if got := r.inside("n1", "stat", "-c", "%a %u:%g", cookie); got != "400 0:0" {
				t.Errorf("the cookie of n1 is %s", got)
			}
			if got := r.inside("n2", "stat", "-c", "%a %u", cookie); got != "400 1000" {
				t.Errorf("the cookie of n2 is %s", got)
			}
			if got := r.inside("n2", "stat", "-c", "%a %u", "/etc/of/the/app/app.conf") + r.inside("n2", "cat", "/etc/of/the/app/app.conf"); got != "600 1000of the test" {
				t.Errorf("the file of n2 is %s", got)
			}
			want := fmt.Sprintf("n2 of %s, number 1, ours@n2 at 25999 n2", r.name)
			if got := r.inside("n2", "sh", "-c", `echo "$WHO $EXTRA"`); got != want {
				t.Errorf("n2 has the arguments %q, want %q", got, want)
			}
			for name, memory := range map[string]int64{"n1": 0, "n2": 300 << 20} {
				in, err := bareClient(t).ContainerInspect(t.Context(), r.node(name).ContainerID)
				if err != nil || in.HostConfig.Memory != memory {
					t.Errorf("%s may have %d bytes, want %d; %v", name, in.HostConfig.Memory, memory, err)
				}
				if all, err := json.Marshal(in); err != nil || strings.Contains(string(all), r.Spec().Cookie) {
					t.Errorf("%s shows the cookie (%v)", name, err)
				}
			}
			report, err := r.Health(t.Context())
			if err != nil || len(failed(report)) > 0 {
				t.Errorf("health: %+v, %v", report.Summary, err)
			}

			// The next run has to print the line again.
			if err := r.Kill(t.Context(), "KILL", "n1"); err != nil {
				t.Fatal(err)
			}
			r.until("n1", "is back", func(n orchestrator.NodeStatus) bool { return n.Incarnation == 2 && n.State == orchestrator.Ready })
		})
	}
}

// Two OTP releases without a mesh, one of them in its own image, each with a volume that
// the next cluster of the same name finds again.
func TestVolumesOfNodesWithoutAMesh(t *testing.T) {
	t.Parallel()
	eng := engine(t)
	old, err := images.Resolve(t.Context(), eng, images.Source{Kind: images.Mix, Dir: demo}, images.Options{Base: "bookworm"})
	if err != nil {
		t.Fatal(err)
	}
	name := ""
	start := func() *running {
		return up(t, eng, "trixie", 2, func(s *orchestrator.Spec) {
			if name != "" {
				s.Name = name
			}
			name = s.Name
			s.Mesh = orchestrator.MeshNone
			s.Volumes = map[string]string{"data": "/data"}
			s.Labels = map[string]string{"org.example.cluster": name}
			s.Nodes[1].Image = old.Ref
			s.Nodes[1].Volumes = map[string]string{"more-data": "/more"}
			release := "list_to_integer(erlang:system_info(otp_release))"
			s.Checks = []orchestrator.Check{
				{Name: "new", Erlang: release, Expect: "27", Nodes: []string{"n1"}},
				{Name: "old", Erlang: release, Expect: "25", Nodes: []string{"n2"}},
				{Name: "metrics", HTTP: "/health", Port: 4000},
			}
		})
	}
	volumes := func() string {
		t.Helper()
		names, err := discovery.ListVolumes(t.Context(), eng, name)
		if err != nil {
			t.Fatal(err)
		}
		return strings.Join(names, " ")
	}
	t.Cleanup(func() { // after those of the clusters
		if name == "" {
			return
		}
		if _, err := discovery.RemoveVolumes(context.Background(), eng, name); err != nil {
			t.Errorf("remove the volumes: %v", err)
		}
	})
	r := start()
	if got := r.rpc("n1", "Node.list()"); got != "[]" {
		t.Errorf("n1 sees %s", got)
	}
	label := map[string]string{"org.example.cluster": name}
	containers, err := eng.Containers(t.Context(), label)
	networks, networksErr := eng.Networks(t.Context(), label)
	labelled, volumesErr := eng.Volumes(t.Context(), label)
	if len(containers) != 2 || len(networks) != 1 || len(labelled) != 3 {
		t.Errorf("%d containers, %d networks and %d volumes have the label: %v", len(containers), len(networks), len(labelled), errors.Join(err, networksErr, volumesErr))
	}
	report, err := r.Health(t.Context())
	if err != nil || len(failed(report)) > 0 {
		for _, c := range report.Checks {
			if c.State != "passed" {
				t.Errorf("%s %s of %s: %s", c.Group, c.Name, c.Node, c.Means)
			}
		}
		t.Errorf("health: %v", err)
	}
	r.inside("n1", "sh", "-c", "echo of n1 >/data/note")
	r.inside("n2", "sh", "-c", "echo of n2 >/data/note; echo more >/more/note")
	if _, err := discovery.RemoveVolumes(t.Context(), eng, name); err == nil {
		t.Error("volumes in use were removed")
	}
	if err := r.Down(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := r.end(); err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("beamyard-%[1]s-n1-data beamyard-%[1]s-n2-data beamyard-%[1]s-n2-more--data", name)
	if got := volumes(); got != want {
		t.Fatalf("volumes %s, want %s", got, want)
	}

	r = start()
	if got := r.inside("n1", "cat", "/data/note") + ", " + r.inside("n2", "cat", "/data/note", "/more/note"); got != "of n1, of n2\nmore" {
		t.Errorf("in the volume: %q", got)
	}
	if err := r.Down(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := r.end(); err != nil {
		t.Fatal(err)
	}
	if removed, err := discovery.RemoveVolumes(t.Context(), eng, name); err != nil || strings.Join(removed, " ") != want {
		t.Errorf("removed %v, %v", removed, err)
	}
	if got := volumes(); got != "" {
		t.Errorf("left: %s", got)
	}
}
