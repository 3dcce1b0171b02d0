package orchestrator_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"strings"
	"testing"
)

// The house stands on who may import whom: package → forbidden import → why.
// A rule ends in /... where it holds for what lies below too.
var forbidden = []struct{ pkg, imports, why string }{
	{"network/...", "github.com/docker/", "names, ports and the distribution protocol are words of the field, not of an engine"},
	{"images/...", "github.com/docker/", "images asks for the small Engine interface that it defines"},
	{"orchestrator", "github.com/docker/", "the engine's API stays behind orchestrator.Engine"},
	{"orchestrator/enginetest/...", "github.com/docker/", "the in-memory engine stands in for Docker, it does not use it"},
	{"orchestrator/control", "github.com/docker/", "the control socket speaks of clusters, not of containers"},
	{"orchestrator/health", "github.com/docker/", "health asks nodes, and is given what containers said"},
	{"orchestrator/health", module + "/images", "health judges what runs, wherever it came from"},
	{"orchestrator/codesync/...", "github.com/docker/", "sync speaks to nodes, and is given how their disks are written"},
	{"orchestrator/codesync", module + "/orchestrator", "a sync is given its nodes: who keeps the cluster uses it"},
	{"orchestrator/config", "github.com/docker/", "a file says what is wanted, whatever runs it"},
	{"orchestrator", module + "/orchestrator/config", "a spec is plain data, whoever wrote it and however"},
	{"orchestrator", "github.com/goccy/go-yaml", "orchestrator/config alone reads YAML"},
	{"cmd/...", "github.com/goccy/go-yaml", "orchestrator/config alone reads YAML"},
	{"orchestrator/evidence", "github.com/docker/", "evidence asks whatever Engine it is given"},
	{"orchestrator/diagnosis", module, "diagnosis is pure: it is given its evidence"},
	{"orchestrator/doctor", "github.com/docker/", "an engine is examined through the interface that the doctor defines"},
	{"cmd/...", "github.com/docker/", "orchestrator/docker is the only importer of the Docker client"},
	{"network/...", module + "/orchestrator", "arrows point down: network knows nothing of clusters that run"},
	{"network/...", module + "/images", "the two words of the field do not know each other"},
	{"images/...", module + "/orchestrator", "arrows point down"},
	{"images/...", module + "/network", "the two words of the field do not know each other"},
	{"orchestrator", module + "/cmd", "a library does not know its commands"},
	{"orchestrator", module + "/orchestrator/evidence", "a cluster tells who asks, and does not know what is kept of it"},
	{"orchestrator/...", "github.com/alecthomas/kong", "kong is the command line's alone"},
	{"testsupport/...", "github.com/docker/", "testsupport has two clients, orchestrator/docker's and testcontainers': they share container IDs"},
	{"testsupport/...", "github.com/stretchr/testify", "assertions are the user's choice"},
	{"orchestrator/...", module + "/testsupport", "arrows point down"},
	{"cmd/...", module + "/testsupport", "testsupport links a test framework"},
	{"...", "github.com/testcontainers/", "testcontainers is for testsupport alone: it links a test framework"},
	{"...", "github.com/stretchr/testify", "errors are compared with the standard library and go-cmp"},
}

const module = "github.com/beamyard/beamyard"

func TestImports(t *testing.T) {
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports,TestImports,XTestImports", module+"/...")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	packages := 0
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; packages++ {
		var p struct {
			ImportPath                         string
			Imports, TestImports, XTestImports []string
		}
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		for _, rule := range forbidden {
			if !covers(rule.pkg, strings.TrimPrefix(p.ImportPath, module+"/")) {
				continue
			}
			for _, imported := range append(append(p.Imports, p.TestImports...), p.XTestImports...) {
				if strings.HasPrefix(imported+"/", strings.TrimSuffix(rule.imports, "/")+"/") {
					t.Errorf("%s imports %s, but %s", p.ImportPath, imported, rule.why)
				}
			}
		}
	}
	if packages < 5 {
		t.Errorf("only %d packages were looked at", packages)
	}
}

func covers(rule, pkg string) bool {
	below, deep := strings.CutSuffix(rule, "...")
	if !deep {
		return rule == pkg
	}
	if below == "" {
		return !strings.HasPrefix(pkg, "testsupport")
	}
	return strings.HasPrefix(pkg+"/", below)
}
