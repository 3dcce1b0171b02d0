package config

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestOf(t *testing.T) {
	dir := t.TempDir()
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
	write("plain/mix.exs", "")
	write("shop/beamyard.yml", "nodes: 2\nfiles: {/etc/shop.conf: shop.conf}\n")
	write("folder.yml/mix.exs", "")
	elsewhere := write("conf/two.yaml", "source: ../shop\nkeep_dumps: dumps\n")
	image := write("conf/image.yml", "image: acme/shop:1\n")
	write("bad/beamyard.yml", "nods: 2\n")
	write("composed/docker-compose.yml", "version: '3'\nservices:\n  web: {build: .}\n  db: {image: postgres}\n")
	write("mixed/docker-compose.yml", "services: {db: {image: postgres}}\n")
	write("mixed/mix.exs", "")
	t.Chdir(dir)
	two := orchestrator.NodeNames(2)
	shop := orchestrator.Spec{Source: dir + "/shop", Nodes: two, Files: map[string]string{"/etc/shop.conf": dir + "/shop/shop.conf"}}

	for _, tc := range []struct {
		what, file string
		want       orchestrator.Spec
		err, hint  string
	}{
		{what: "plain", want: orchestrator.Spec{Source: dir + "/plain"}},
		{want: orchestrator.Spec{Source: dir}},
		{what: "shop", want: shop},
		{what: "./shop/beamyard.yml", want: shop},
		{file: "shop/beamyard.yml", want: shop},
		{what: "acme/shop:1", want: orchestrator.Spec{Source: "acme/shop:1"}},
		{what: elsewhere, want: orchestrator.Spec{Source: dir + "/shop", File: elsewhere, KeepDumps: dir + "/conf/dumps"}},
		{what: "plain", file: elsewhere, want: orchestrator.Spec{Source: dir + "/plain", KeepDumps: dir + "/conf/dumps"}},
		{what: "conf/image.yml", want: orchestrator.Spec{Image: "acme/shop:1", File: image}},
		{what: "acme/shop:2", file: image, want: orchestrator.Spec{Source: "acme/shop:2"}},
		{what: "folder.yml", want: orchestrator.Spec{Source: dir + "/folder.yml"}},
		{what: "none.yml", err: "open none.yml: no such file or directory", hint: "beamyard up -f beamyard.yml"},
		{what: "composed", err: "composed/docker-compose.yml: [2:1] this is a Compose file, and beamyard.yml is a file of its own", hint: "write a beamyard.yml with what the Erlang nodes run, and how many there are: source: . and nodes: 3 (or by name, of web, db: nodes: [{name: web}])\nother services stay in Compose, and the nodes join their network: networks: {PROJECT_default: []}"},
		{what: "mixed", want: orchestrator.Spec{Source: dir + "/mixed"}},
		{what: "bad", err: "bad/beamyard.yml: [1:1] unknown field \"nods\"", hint: "did you mean \"nodes\"?"},
	} {
		t.Run(tc.what+" "+tc.file, func(t *testing.T) {
			got, err := Of(tc.what, tc.file)
			if tc.err != "" {
				var typed *Error
				if !errors.As(err, &typed) || !strings.HasPrefix(err.Error(), tc.err) || typed.Hint().String() != tc.hint {
					t.Errorf("error %v (%T)", err, err)
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

func TestDefaultName(t *testing.T) {
	for want, s := range map[string]orchestrator.Spec{
		"my-shop":  {Source: "/home/kim/My_Shop"},
		"shop-app": {Source: "registry.example:5000/acme/Shop_App:1.4"},
		"shop":     {Image: "localhost:5000/shop@sha256:abc"},
	} {
		if got := DefaultName(s); got != want {
			t.Errorf("%+v: %s, want %s", s, got, want)
		}
	}
}
