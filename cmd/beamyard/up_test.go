package main

import (
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestUpSpec(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "My_Shop")
	write := func(name, text string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	write("mix.exs", "")
	write("with/beamyard.yml", "name: filed\nnodes: 2\nenv: {A: file, B: file}\nready_timeout: 5s\nbase_image: trixie\n")
	write("hosts/beamyard.yml", "name: far\nhosts: {a: {host: tcp://10.0.0.7:2376, nodes: 2}, b: tcp://10.0.0.8:2376}\n")
	write("listed/beamyard.yml", "nodes: [{name: web}, {name: db}]\n")
	elsewhere := write("conf/beamyard.yml", "source: ../with\nnodes: 1\n")
	image := write("conf/image.yml", "source: acme/shop:1\n")
	four, zero := 4, 0
	t.Setenv("FROM_HERE", "here")

	for _, tc := range []struct {
		name string
		cmd  upFlags
		want orchestrator.Spec
		err  string
	}{
		{"a folder", upFlags{What: dir}, orchestrator.Spec{Name: "my-shop", Source: dir, Nodes: orchestrator.NodeNames(3)}, ""},
		{"an image", upFlags{What: "registry.example/acme/Shop_App:1.4"}, orchestrator.Spec{Name: "shop-app", Source: "registry.example/acme/Shop_App:1.4", Nodes: orchestrator.NodeNames(3)}, ""},
		{"an image of a registry with a port", upFlags{What: "localhost:5000/shop@sha256:abc"}, orchestrator.Spec{Name: "shop", Source: "localhost:5000/shop@sha256:abc", Nodes: orchestrator.NodeNames(3)}, ""},
		{
			"a folder with its file", upFlags{What: dir + "/with"},
			orchestrator.Spec{
				Name: "filed", Source: dir + "/with", Nodes: orchestrator.NodeNames(2), BaseImage: "trixie",
				Env: map[string]string{"A": "file", "B": "file"}, ReadyTimeout: 5 * time.Second,
			}, "",
		},
		{
			"flags win", upFlags{What: dir + "/with", Nodes: &four, Name: "flag", WaitTimeout: time.Minute, Base: "bookworm", Env: []string{"A=flag=x", "FROM_HERE", "C="}},
			orchestrator.Spec{
				Name: "flag", Source: dir + "/with", Nodes: orchestrator.NodeNames(4), BaseImage: "bookworm",
				Env: map[string]string{"A": "flag=x", "B": "file", "C": "", "FROM_HERE": "here"}, ReadyTimeout: time.Minute,
			}, "",
		},
		{"a file elsewhere", upFlags{File: elsewhere}, orchestrator.Spec{Name: "with", Source: dir + "/with", File: elsewhere, Nodes: orchestrator.NodeNames(1)}, ""},
		{"a file and a path", upFlags{File: elsewhere, What: dir}, orchestrator.Spec{Name: "my-shop", Source: dir, Nodes: orchestrator.NodeNames(1)}, ""},
		{"a file that names an image", upFlags{File: image}, orchestrator.Spec{Name: "shop", Source: "acme/shop:1", File: image, Nodes: orchestrator.NodeNames(3)}, ""},
		{
			"hosts in place of the file's", upFlags{What: dir + "/hosts", hostsFlag: hostsFlag{"a,c=ssh://build@big3"}},
			orchestrator.Spec{
				Name: "far", Source: dir + "/hosts", Nodes: orchestrator.NodeNames(3),
				Hosts: map[string]orchestrator.HostSpec{"a": {Host: "tcp://10.0.0.7:2376", Nodes: 2}, "c": {Host: "ssh://build@big3"}},
			}, "",
		},
		{"hosts that make no sense", upFlags{What: dir, hostsFlag: hostsFlag{"ssh://big3"}}, orchestrator.Spec{}, "--hosts: ssh://big3: a host has a name"},
		{"named nodes", upFlags{What: dir + "/listed"}, orchestrator.Spec{Name: "listed", Source: dir + "/listed", Nodes: []orchestrator.NodeSpec{{Name: "web"}, {Name: "db"}}}, ""},
		{"named nodes and -n", upFlags{What: dir + "/listed", Nodes: &four}, orchestrator.Spec{}, "beamyard.yml lists its nodes by name"},
		{"-n 0 stays 0", upFlags{What: dir, Nodes: &zero}, orchestrator.Spec{Name: "my-shop", Source: dir}, ""},
		{"a variable that is not set", upFlags{What: dir, Env: []string{"NOT_SET_ANYWHERE"}}, orchestrator.Spec{}, "--env NOT_SET_ANYWHERE: it has no value, and is not set here either"},
		{"a file that is missing", upFlags{File: dir + "/none.yml"}, orchestrator.Spec{}, "open " + dir + "/none.yml: no such file or directory"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := tc.cmd.spec()
			if tc.err != "" {
				if err == nil || err.Error() != tc.err || exitCode(err) != exitUsage {
					t.Errorf("error %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got, cmpopts.EquateEmpty(), cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); diff != "" {
				t.Error(diff)
			}
		})
	}
}
