package volume_test

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/beamyard/beamyard/images"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/enginetest"
	"github.com/beamyard/beamyard/orchestrator/keeper"
	"github.com/beamyard/beamyard/orchestrator/volume"
)

// world is an engine with a cluster demo of two nodes, each with a volume data that has a file. n1
// runs.
func world(t *testing.T) *enginetest.Engine {
	t.Helper()
	eng := enginetest.New("demo:1", images.Bases()[0]) // the image of helpers may need a base
	for _, node := range []string{"n1", "n2"} {
		labels := map[string]string{orchestrator.LabelCluster: "demo", orchestrator.LabelNode: node}
		name := "beamyard-demo-" + node + "-data"
		err := eng.CreateVolume(t.Context(), orchestrator.Volume{Name: name, Labels: labels})
		id, err2 := eng.CreateContainer(t.Context(), orchestrator.ContainerSpec{
			Name: "beamyard-demo-" + node, Image: "demo:1", Labels: labels, Volumes: []orchestrator.VolumeMount{{Volume: name, Target: "/data"}},
		})
		err3 := eng.WriteFiles(t.Context(), id, archive("data/log/of", "the data of "+node))
		if node == "n1" {
			err3 = errors.Join(err3, eng.StartContainer(t.Context(), id))
		}
		if err := errors.Join(err, err2, err3); err != nil {
			t.Fatal(err)
		}
	}
	return eng
}

// archive makes a tar of names and contents.
func archive(namesAndContents ...string) *bytes.Buffer {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for i := 0; i < len(namesAndContents); i += 2 {
		name, content := namesAndContents[i], namesAndContents[i+1]
		_ = w.WriteHeader(&tar.Header{Name: name, Mode: 0o600, Uid: 1000, Size: int64(len(content))}) // into memory
		_, _ = w.Write([]byte(content))
	}
	_ = w.Close()
	return &b
}

// files returns what an archive has.
func files(t *testing.T, r io.Reader) map[string]string {
	t.Helper()
	all := map[string]string{}
	for entries := tar.NewReader(r); ; {
		h, err := entries.Next()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(entries)
		if err != nil {
			t.Fatal(err)
		}
		all[h.Name] = string(content)
	}
}

// left fails if a helper container is left.
func left(t *testing.T, eng *enginetest.Engine) {
	t.Helper()
	all, _ := eng.Containers(t.Context(), nil)
	for _, c := range all {
		if c.Labels[orchestrator.LabelNode] == "" {
			t.Errorf("container %s is left", c.Name)
		}
	}
}

func TestListAndExport(t *testing.T) {
	eng := world(t)
	all, err := volume.List(t.Context(), eng, "")
	var got []string
	for _, v := range all {
		got = append(got, fmt.Sprint(v.Cluster, " ", v, " ", v.Volume, " ", v.Running))
	}
	if diff := cmp.Diff([]string{"demo n1/data beamyard-demo-n1-data true", "demo n2/data beamyard-demo-n2-data false"}, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	whole := map[string]string{"n1/data/": "", "n1/data/log/of": "the data of n1", "n2/data/": "", "n2/data/log/of": "the data of n2"}
	for _, tc := range []struct {
		nodes []string
		want  map[string]string
	}{{nil, whole}, {[]string{"n2"}, map[string]string{"n2/data/": "", "n2/data/log/of": "the data of n2"}}} {
		var b bytes.Buffer
		if _, err := volume.Export(t.Context(), eng, &b, "demo", tc.nodes...); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(tc.want, files(t, &b)); diff != "" {
			t.Errorf("%v (-want +got):\n%s", tc.nodes, diff)
		}
	}
	if _, err := volume.Export(t.Context(), eng, io.Discard, "demo", "n3"); err == nil || err.Error() != "demo/n3 has no volumes" {
		t.Errorf("of a node without volumes: %v", err)
	}
	left(t, eng)
}

// What is exported is imported where the cluster does not exist yet; its volumes are then those of
// a cluster of that name.
func TestImportIntoAnotherCluster(t *testing.T) {
	eng := world(t)
	var b bytes.Buffer
	if _, err := volume.Export(t.Context(), eng, &b, "demo"); err != nil {
		t.Fatal(err)
	}
	done, err := volume.Import(t.Context(), eng, bytes.NewReader(b.Bytes()), volume.Options{Cluster: "replay"})
	if err != nil || len(done) != 2 || done[0].Existed || done[1].Volume.Volume != "beamyard-replay-n2-data" {
		t.Fatalf("%+v, %v", done, err)
	}
	var again bytes.Buffer
	if _, err := volume.Export(t.Context(), eng, &again, "replay"); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(files(t, &b), files(t, &again)); diff != "" {
		t.Errorf("the copy (-want +got):\n%s", diff)
	}
	left(t, eng)
}

// A node gets the data of another one; its own other files stay.
func TestImportIntoANode(t *testing.T) {
	eng := world(t)
	done, err := volume.Import(t.Context(), eng, archive("n7/data/new", "new", "n7/data/log/of", "changed"), volume.Options{Cluster: "demo", Node: "n2"})
	if err != nil || len(done) != 1 || !done[0].Existed {
		t.Fatalf("%+v, %v", done, err)
	}
	var b bytes.Buffer
	if _, err := volume.Export(t.Context(), eng, &b, "demo", "n2"); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{"n2/data/": "", "n2/data/log/of": "changed", "n2/data/new": "new"}, files(t, &b)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	left(t, eng)
}

func TestImportRefuses(t *testing.T) {
	for _, tc := range []struct {
		name string
		from io.Reader
		o    volume.Options
		want string
	}{
		{"a node that runs", archive("n1/data/a", ""), volume.Options{Cluster: "demo"}, "n1 of demo runs and would read half of what is written"},
		{"nothing", archive(), volume.Options{Cluster: "new"}, "read the archive: it is empty"},
		{"no tar", strings.NewReader(strings.Repeat("no tar ", 100)), volume.Options{Cluster: "new"}, "read the archive: archive/tar: invalid tar header"},
		{"a name outside", archive("n1/data/../../x", ""), volume.Options{Cluster: "new"}, `the archive has the name "n1/data/../../x", which leads out of its folder`},
		{"an absolute name", archive("/n1/data/x", ""), volume.Options{Cluster: "new"}, `the archive has the name "/n1/data/x", which leads out of its folder`},
		{"no node", archive("a_b/data/x", ""), volume.Options{Cluster: "new"}, `the archive has the name "a_b/data/x", and a name is NODE/VOLUME/path`},
		{"no volume", archive("n1", ""), volume.Options{Cluster: "new"}, "the archive has no volumes"},
		{"two nodes into one", archive("n1/data/a", "", "n2/data/a", ""), volume.Options{Cluster: "new", Node: "n1"}, "the archive has volumes of n1 and n2, and n1 can get those of one node"},
		{"a wrong cluster", archive("n1/data/a", ""), volume.Options{Cluster: "A B"}, "A B"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			eng := world(t)
			_, err := volume.Import(t.Context(), eng, tc.from, tc.o)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%v; want %s", err, tc.want)
			}
			left(t, eng)
		})
	}
	eng := world(t)
	if _, err := volume.Import(t.Context(), eng, archive("n1/data/a", "x"), volume.Options{Cluster: "demo", Running: true}); err != nil {
		t.Errorf("into a node that runs, on request: %v", err)
	}
}

// An engine that fails in the middle, or an archive that ends early, is an error, and no helper is
// left.
func TestImportThatBreaks(t *testing.T) {
	eng := world(t)
	eng.FailNext("WriteFiles", errors.New("disk full"))
	done, err := volume.Import(t.Context(), eng, archive("n1/data/a", strings.Repeat("x", 1<<20), "n2/data/a", "y"), volume.Options{Cluster: "new"})
	if err == nil || err.Error() != "import n1/data: disk full" || len(done) != 1 {
		t.Errorf("%+v, %v", done, err)
	}
	whole := archive("n1/data/a", strings.Repeat("x", 1<<16))
	_, err = volume.Import(t.Context(), eng, bytes.NewReader(whole.Bytes()[:1<<12]), volume.Options{Cluster: "new"})
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("of an archive that ends early: %v", err)
	}
	left(t, eng)
}

// A container that a killed process left is removed by the next call, and one of a process that is
// alive is not.
func TestWhatAKilledProcessLeftIsRemoved(t *testing.T) {
	eng := world(t)
	dead := keeper.Self(false)
	dead.Start = "1" // this process began at another time
	for name, owner := range map[string]orchestrator.Owner{"dead": dead, "alive": keeper.Self(false)} {
		text, err := json.Marshal(owner)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := eng.CreateContainer(t.Context(), orchestrator.ContainerSpec{Name: name, Image: "demo:1", Labels: map[string]string{
			orchestrator.LabelCluster: "demo", orchestrator.LabelHelper: "copy-" + name, orchestrator.LabelOwner: string(text),
		}}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := volume.Export(t.Context(), eng, io.Discard, "demo"); err != nil {
		t.Fatal(err)
	}
	if _, err := eng.InspectContainer(t.Context(), "dead"); !errors.Is(err, orchestrator.ErrNotFound) {
		t.Errorf("that of a dead process: %v", err)
	}
	if _, err := eng.InspectContainer(t.Context(), "alive"); err != nil {
		t.Errorf("that of this process: %v", err)
	}
}
