package e2e_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/cluster"
	"github.com/beamyard/beamyard/orchestrator/evidence"
)

// witness writes the evidence of a cluster to $BEAMYARD_EXPORT_DIR if its test failed.
type witness struct {
	t   testing.TB
	eng orchestrator.Engine

	mu     sync.Mutex
	bundle *evidence.Bundle // of a cluster that failed, which may be intended
}

// hook returns a function that collects the evidence of a failed cluster, if it is
// wanted.
func (w *witness) hook() func(context.Context, *cluster.Cluster, error) {
	if os.Getenv("BEAMYARD_EXPORT_DIR") == "" {
		return nil
	}
	return w.look
}

func (w *witness) look(ctx context.Context, c *cluster.Cluster, cause error) {
	b := evidence.Collect(ctx, evidence.Source{Spec: c.Spec(), Cause: cause, Cluster: c, Engine: w.eng, By: w.t.Name()})
	w.mu.Lock()
	defer w.mu.Unlock()
	w.bundle = b
}

// leave is called before the cluster is removed.
func (w *witness) leave(c *cluster.Cluster) {
	w.mu.Lock()
	defer w.mu.Unlock()
	dir := os.Getenv("BEAMYARD_EXPORT_DIR")
	if w.t.Failed() && dir != "" {
		ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
		defer cancel()
		if w.bundle == nil {
			w.bundle = evidence.Collect(ctx, evidence.Source{Spec: c.Spec(), Cluster: c, Engine: w.eng, By: w.t.Name()})
		}
		path, err := w.bundle.Leave(dir)
		w.t.Logf("evidence: %s (%v)", path, err)
	}
	if w.bundle != nil {
		if err := w.bundle.Close(); err != nil {
			w.t.Error(err)
		}
	}
}

// The evidence of real nodes contains the complete dump of a crashed VM, except for the
// secrets, which are in it as atoms and inside binaries.
func evidenceOfRealNodes(t *testing.T, r *running) {
	eng, before := r.eng, r.node("n2")
	r.rpc("n2", `Agent.start(fn -> {System.get_env("TOKEN"), "x" <> System.get_env("TOKEN"), System.get_env("ERL_AFLAGS"), self()} end) |> elem(0)`)
	r.rpc("n2", `:io.format(:standard_error, "~s and ~s~n", [Node.get_cookie(), System.get_env("TOKEN")])`)
	if err := r.Kill(t.Context(), "USR1", "n2"); err != nil {
		t.Fatal(err)
	}
	n := r.until("n2", "is back", func(n orchestrator.NodeStatus) bool {
		return n.State == orchestrator.Ready && n.Incarnation == before.Incarnation+1
	})
	raw := dump(t, eng, n.ContainerID)
	encoded := base64.StdEncoding.EncodeToString([]byte(token))[:16]
	for _, secret := range []string{cookie, encoded} {
		if !bytes.Contains(raw, []byte(secret)) {
			t.Errorf("the VM's own dump does not contain %q, so this test proves nothing", secret)
		}
	}

	dir := filepath.Join(t.TempDir(), "bundle")
	b := evidence.Collect(t.Context(), evidence.Source{Spec: r.Spec(), Cluster: r, Engine: eng})
	if err := errors.Join(b.WriteDir(dir), b.Close()); err != nil {
		t.Fatal(err)
	}
	if len(b.Missing) > 0 {
		t.Errorf("missing: %v", b.Missing)
	}
	kept, err := os.ReadFile(filepath.Join(dir, "nodes/n2/erl_crash.dump"))
	if err != nil {
		t.Fatal(err)
	}
	changed := 0
	for i := range min(len(raw), len(kept)) {
		if raw[i] != kept[i] {
			changed++
		}
	}
	if len(kept) != len(raw) || changed == 0 || changed > 20*len(cookie) {
		t.Errorf("the dump has %d bytes, the one kept %d, of which %d differ", len(raw), len(kept), changed)
	}
	if !bytes.Contains(kept, []byte("\nSlogan: Received SIGUSR1\n")) || !bytes.HasSuffix(kept, []byte("=end\n")) {
		t.Errorf("it is not complete: %.300s", kept)
	}
	nowhere(t, dir, cookie, token, encoded)
	stderr, err := os.ReadFile(filepath.Join(dir, "nodes/n2/stderr.log"))
	if err != nil || !strings.Contains(string(stderr), "[secret] and [secret]\n") {
		t.Errorf("stderr is %s, %v", stderr, err)
	}
}

func dump(t *testing.T, eng orchestrator.Engine, container string) []byte {
	t.Helper()
	content, _, err := eng.OpenFile(t.Context(), container, "/tmp/erl_crash.dump")
	if err != nil {
		t.Fatal(err)
	}
	defer content.Close()
	data, err := io.ReadAll(content)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// nowhere fails if a file below the folder contains one of the texts.
func nowhere(t *testing.T, dir string, texts ...string) {
	t.Helper()
	if err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		for _, text := range texts {
			if i := bytes.Index(data, []byte(text)); i >= 0 {
				t.Errorf("%s has %q: …%s…", path, text, data[max(0, i-80):min(len(data), i+80)])
			}
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
}
