package discovery

import (
	"archive/tar"
	"bytes"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/suite"
)

// A suite whose tests may break the cluster loads the module Beamyard before Mix. Our connection
// has the cookie of the command line; that of the cluster is not in it.
func TestSuiteWithTheModule(t *testing.T) {
	f := Cluster{Spec: orchestrator.Spec{Name: "shop", Image: "shop:1", Cookie: "c1uster-cookie", Nodes: []orchestrator.NodeSpec{{Name: "n1"}}}.Defaulted()}
	index := func(c orchestrator.ContainerSpec, word string) int { return slices.Index(c.Command, word) }
	variable := suite.ModuleVariable + "=" + modulePath
	with, without := f.suiteSpec(Suite{Beamyard: &suite.Server{}}, "s3cret"), f.suiteSpec(Suite{}, "s3cret")
	if at := index(with, suite.Install); at < index(with, connectFirst) || at > index(with, "mix") || !slices.Contains(with.Env, variable) {
		t.Errorf("with: %q, %q", with.Command, with.Env)
	}
	if index(without, suite.Install) >= 0 || slices.Contains(without.Env, variable) {
		t.Errorf("without: %q, %q", without.Command, without.Env)
	}
	text := strings.Join(with.Command, " ")
	if !strings.Contains(text, "--cookie s3cret") || !strings.Contains(text, "prevent_overlapping_partitions false") || strings.Contains(text, "c1uster") {
		t.Errorf("the command is %s", text)
	}
}

func TestTheModuleIsAFile(t *testing.T) {
	b, err := moduleFile()
	if err != nil {
		t.Fatal(err)
	}
	r := tar.NewReader(bytes.NewReader(b))
	header, err := r.Next()
	if err != nil || "/"+header.Name != modulePath || header.Mode != 0o644 {
		t.Fatalf("%v, %v", header, err)
	}
	if text, err := io.ReadAll(r); err != nil || string(text) != suite.Module || !strings.Contains(suite.Module, "defmodule Beamyard.Case do") {
		t.Errorf("%d bytes, %v", len(text), err)
	}
}
