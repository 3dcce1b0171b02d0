package orchestrator_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// forbidden are imports that are not allowed: package → import → why. A package that ends
// in /... includes its subpackages.
var forbidden = []struct{ pkg, imports, why string }{
	{"network/...", "github.com/docker/", "names, ports and the distribution protocol are words of the field, not of an engine"},
	{"images/...", "github.com/docker/", "images asks for the small Engine interface that it defines"},
	{"orchestrator", "github.com/docker/", "the engine's API stays behind orchestrator.Engine"},
	{"orchestrator/cluster", "github.com/docker/", "the engine's API stays behind orchestrator.Engine"},
	{"orchestrator/discovery", "github.com/docker/", "the engine's API stays behind orchestrator.Engine"},
	{"orchestrator/compiler", "github.com/docker/", "the engine's API stays behind orchestrator.Engine"},
	{"orchestrator/hosts", "github.com/docker/", "the engine's API stays behind orchestrator.Engine"},
	{"orchestrator/swarm", "github.com/docker/", "a swarm is planned and changed through the interface of the package"},
	{"orchestrator/build", "github.com/docker/", "the engine's API stays behind orchestrator.Engine"},
	{"orchestrator/logs", "github.com/docker/", "the engine's API stays behind orchestrator.Engine"},
	{"orchestrator/internal/...", "github.com/docker/", "the engine's API stays behind orchestrator.Engine"},
	{"orchestrator/internal/supervisor", module + "/images", "the supervisor decides about nodes, whatever they run"},
	{"orchestrator/internal/supervisor", "os", "the supervisor is pure: it gets what it needs as messages"},
	{"orchestrator/internal/supervisor", "sync", "the supervisor is owned by one goroutine"},
	{"orchestrator/internal/supervisor", "context", "the supervisor waits for nothing"},
	{"orchestrator/internal/manifest", "context", "a manifest requests nothing: it gets what it needs"},
	{"orchestrator", "os", "the vocabulary does no I/O"},
	{"orchestrator", "sync", "the vocabulary starts no goroutine"},
	{"orchestrator/validation", "os", "a spec is judged by itself, whatever this machine has"},
	{"orchestrator/validation", "context", "validation asks nobody: a spec is judged by itself"},
	{"orchestrator/enginetest/...", "github.com/docker/", "the in-memory engine stands in for Docker, it does not use it"},
	{"orchestrator/parking", "github.com/docker/", "a lot parks clusters on whatever engine it is given"},
	{"orchestrator/control", "github.com/docker/", "the control socket speaks of clusters, not of containers"},
	{"orchestrator/upgrade", "github.com/docker/", "the engine's API stays behind orchestrator.Engine"},
	{"orchestrator/volume", "github.com/docker/", "the engine's API stays behind orchestrator.Engine"},
	{"orchestrator/health", "github.com/docker/", "health asks nodes, and is given what containers said"},
	{"orchestrator/health", module + "/images", "health judges what runs, wherever it came from"},
	{"orchestrator/codesync/...", "github.com/docker/", "sync speaks to nodes, and is given how their disks are written"},
	{"orchestrator/codesync", module + "/orchestrator", "a sync is given its nodes: who keeps the cluster uses it"},
	{"orchestrator/config", "github.com/docker/", "a file says what is wanted, whatever runs it"},
	{"orchestrator", module + "/orchestrator/config", "a spec is plain data, in whatever format it was written"},
	{"orchestrator", "github.com/goccy/go-yaml", "orchestrator/config alone reads YAML"},
	{"cmd/...", "github.com/goccy/go-yaml", "orchestrator/config alone reads YAML"},
	{"orchestrator/suite", "github.com/docker/", "a suite speaks of nodes and faults, whatever runs them"},
	{"orchestrator/evidence", "github.com/docker/", "evidence asks whatever Engine it is given"},
	{"orchestrator/ui/...", "github.com/docker/", "a page shows whatever cluster it is given"},
	{"orchestrator/ui/script", "os", "script is pure: it is given the journal"},
	{"orchestrator/ui/script", "context", "script is pure: it is given the journal"},
	{"orchestrator/effects", "os", "effects is pure: the caller asks the nodes and waits"},
	{"orchestrator/effects", "context", "effects is pure: the caller asks the nodes and waits"},
	{"orchestrator/diagnosis", "os", "diagnosis is pure: it is given its evidence"},
	{"orchestrator/diagnosis", "sync", "diagnosis starts no goroutine"},
	{"orchestrator/diagnosis", "context", "diagnosis asks no engine and no node: it is given its evidence"},
	{"orchestrator/diagnosis", module + "/images", "diagnosis speaks the vocabulary alone"},
	{"orchestrator/diagnosis", module + "/network", "diagnosis speaks the vocabulary alone"},
	{"orchestrator/diagnosis", module + "/orchestrator/codesync", "diagnosis speaks the vocabulary alone"},
	{"orchestrator/diagnosis", module + "/orchestrator/health", "health judges samples, diagnosis judges evidence: who collects both is above"},
	{"orchestrator/hint", module, "a hint is words: every package of the library may give one"},
	{"orchestrator/doctor", "github.com/docker/", "an engine is examined through the interface that the doctor defines"},
	{"cmd/...", "github.com/docker/", "orchestrator/docker is the only importer of the Docker client"},
	{"network/...", module + "/orchestrator", "arrows point down: network knows nothing of clusters that run"},
	{"network/...", module + "/images", "the two words of the field do not know each other"},
	{"images/...", module + "/orchestrator", "arrows point down"},
	{"images/...", module + "/network", "the two words of the field do not know each other"},
	{"orchestrator", module + "/cmd", "a library does not know its commands"},
	{"orchestrator", module + "/orchestrator/evidence", "a cluster answers queries, and does not know what is kept of it"},
	{"orchestrator/...", "github.com/alecthomas/kong", "kong is the command line's alone"},
	{"orchestrator/...", "charm.land/", "the terminal is the command line's alone"},
	{"testsupport/...", "github.com/docker/", "testsupport has two clients, orchestrator/docker's and testcontainers': they share container IDs"},
	{"testsupport/...", "github.com/stretchr/testify", "assertions are the user's choice"},
	{"orchestrator/...", module + "/testsupport", "arrows point down"},
	{"cmd/...", module + "/testsupport", "testsupport links a test framework"},
	{"...", "github.com/testcontainers/", "testcontainers is for testsupport alone: it links a test framework"},
	{"...", "github.com/stretchr/testify", "errors are compared with the standard library and go-cmp"},
}

// floors are the packages of the library, the lowest first. A package may import only
// packages of the floors below its own.
var floors = []struct {
	why  string
	pkgs []string
}{
	{"what is advised has the same words everywhere", []string{"orchestrator/hint"}},
	{"the field's own words know no cluster", []string{"images", "network", "network/erldist", "network/fault", "orchestrator/internal/wait", "orchestrator/internal/english", "orchestrator/internal/erlterm", "orchestrator/internal/releasefile", "orchestrator/internal/session", "orchestrator/internal/placement"}},
	{"nodes are asked and synced by whoever holds a connection to them", []string{"orchestrator/health", "orchestrator/codesync", "orchestrator/codesync/watch"}},
	{"everything speaks the vocabulary, and it knows none of those who do", []string{"orchestrator"}},
	{"what is wrong is told from evidence, in the words of the vocabulary", []string{"orchestrator/diagnosis"}},
	{"what is reported of a cluster needs only its controller", []string{"orchestrator/metrics"}},
	{"an error has a name where there are no types", []string{"orchestrator/internal/sentinels"}},
	{"what can be said about a spec, an owner or a line needs no engine", []string{"orchestrator/internal/helper", "orchestrator/internal/manifest", "orchestrator/internal/redial", "orchestrator/internal/restart", "orchestrator/internal/relocation", "orchestrator/validation", "orchestrator/keeper", "orchestrator/logs", "orchestrator/config", "orchestrator/effects", "orchestrator/ask"}},
	{"who decides knows what a spec says, and not who carries it out", []string{"orchestrator/internal/supervisor", "orchestrator/secrets", "orchestrator/internal/reach", "orchestrator/internal/dist", "orchestrator/internal/history", "orchestrator/target", "orchestrator/check"}},
	{"an assistant's tools are commands, and it must not see secrets", []string{"orchestrator/mcp"}},
	{"several machines are one engine to everything above", []string{"orchestrator/hosts", "orchestrator/swarm"}},
	{"a probe reports to the supervisor; an image is made before there is a node", []string{"orchestrator/internal/probe", "orchestrator/internal/provision", "orchestrator/build", "orchestrator/faults"}},
	{"chaos acts on a cluster by its controller and its faults", []string{"orchestrator/chaos"}},
	{"a suite asks for what a cluster and its faults can do", []string{"orchestrator/suite"}},
	{"the compiler serves clusters with and without a supervisor", []string{"orchestrator/compiler"}},
	{"a diagnosis looks into what was built", []string{"orchestrator/internal/inside"}},
	{"what labels tell needs no supervisor", []string{"orchestrator/discovery", "orchestrator/upgrade"}},
	{"a supervisor removes what dead ones left, by labels", []string{"orchestrator/cluster", "orchestrator/watchdog", "orchestrator/docker", "orchestrator/docker/frames", "orchestrator/docker/tunnel"}},
	{"these look at clusters of both kinds", []string{"orchestrator/control", "orchestrator/evidence", "orchestrator/volume"}},
	{"who keeps parked clusters makes them, and has a socket as a supervisor has", []string{"orchestrator/parking"}},
	{"a doctor asks also who answers for a cluster, and a page shows a cluster of either kind", []string{"orchestrator/doctor", "orchestrator/ui", "orchestrator/ui/script"}},
}

// leaves are packages that know nothing of other packages: words, and waiting. No rule
// forbids them.
var leaves = []string{"orchestrator/hint", "orchestrator/internal/english", "orchestrator/internal/session", "orchestrator/internal/wait", "orchestrator/enginetest/generated"}

const module = "github.com/beamyard/beamyard"

func TestImports(t *testing.T) {
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports,TestImports,XTestImports", module+"/...")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	packages, floorOf := 0, map[string]int{}
	for i, f := range floors {
		for _, p := range f.pkgs {
			floorOf[p] = i + 1
		}
	}
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
		name := strings.TrimPrefix(p.ImportPath, module+"/")
		if test := strings.Contains(name, "/enginetest") || name == "orchestrator/e2e" || name == "orchestrator/soak" || name == "orchestrator/ui/browser"; strings.HasPrefix(name, "orchestrator") && !test && floorOf[name] == 0 {
			t.Errorf("%s is not on a floor", name)
		}
		for _, imported := range p.Imports {
			below, inModule := strings.CutPrefix(imported, module+"/")
			if own := floorOf[name]; own > 0 && inModule && (floorOf[below] == 0 || floorOf[below] >= own && !together(name, below)) {
				t.Errorf("%s imports %s, which is not on a lower floor: %s", name, below, floors[own-1].why)
			}
		}
		for _, rule := range forbidden {
			if !covers(rule.pkg, strings.TrimPrefix(p.ImportPath, module+"/")) {
				continue
			}
			std := !strings.Contains(rule.imports, ".") // the imports of a test do not count as imports of its package
			if std && slices.Contains(p.Imports, rule.imports) {
				t.Errorf("%s imports %s, but %s", p.ImportPath, rule.imports, rule.why)
			}
			for _, imported := range append(append(p.Imports, p.TestImports...), p.XTestImports...) {
				leaf := slices.Contains(leaves, strings.TrimPrefix(imported, module+"/"))
				if !std && !leaf && strings.HasPrefix(imported+"/", strings.TrimSuffix(rule.imports, "/")+"/") {
					t.Errorf("%s imports %s, but %s", p.ImportPath, imported, rule.why)
				}
			}
		}
	}
	if packages < 5 {
		t.Errorf("only %d packages were checked", packages)
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

// together reports whether packages of one floor may import each other: one is a subpackage of
// the other.
func together(a, b string) bool { return strings.HasPrefix(a, b+"/") || strings.HasPrefix(b, a+"/") }

const (
	// The root package is the vocabulary: a reader of any other package must be able to know
	// all of it.
	maxRootLines = 2650
	// A package with more lines has more than one job, and its files begin to refer to each
	// other in circles.
	maxLines = 3320
)

// Packages stay small. Tests do not count.
func TestPackagesAreSmall(t *testing.T) {
	lines := map[string]int{}
	err := filepath.WalkDir(".", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		lines[filepath.Dir(path)] += bytes.Count(text, []byte("\n"))
		return err
	})
	if err != nil || len(lines) < 25 {
		t.Fatalf("%d packages were counted: %v", len(lines), err)
	}
	for pkg, n := range lines {
		limit := maxLines
		if pkg == "." {
			limit = maxRootLines
		}
		if n > limit {
			t.Errorf("%s has %d lines, and may have %d: move a job of its own to another package", filepath.Join("orchestrator", pkg), n, limit)
		}
	}
}
