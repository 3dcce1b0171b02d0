package docker_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/beamyard/beamyard/orchestrator"
)

// project is a copy of the demo that a test may edit.
type project struct {
	t   testing.TB
	dir string
}

func newProject(t testing.TB) project {
	t.Helper()
	p := project{t, t.TempDir()}
	if err := os.CopyFS(p.dir, os.DirFS(demo)); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p project) write(path, text string) {
	p.t.Helper()
	full := filepath.Join(p.dir, path)
	if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(full, []byte(text), 0o644); err != nil {
		p.t.Fatal(err)
	}
}

func (p project) edit(path, old, new string) {
	p.t.Helper()
	text, err := os.ReadFile(filepath.Join(p.dir, path))
	if err != nil {
		p.t.Fatal(err)
	}
	if !strings.Contains(string(text), old) {
		p.t.Fatalf("%s has no %q", path, old)
	}
	p.write(path, strings.Replace(string(text), old, new, 1))
}

func TestSync(t *testing.T) {
	t.Parallel()
	for _, otp := range otps {
		t.Run(otp.name, func(t *testing.T) {
			t.Parallel()
			eng, p := engine(t), newProject(t)
			r := up(t, eng, otp.base, 3, func(s *orchestrator.Spec) { s.Source = p.dir })
			for i := range 3 {
				report, err := r.Sync(t.Context(), orchestrator.SyncOptions{})
				t.Logf("%d %s %+v %v", i, report.Line(), report, err)
				if err != nil {
					t.Fatal(err)
				}
				p.edit("lib/demo/counter.ex", "def add(server", "def answer, do: 42\n  def add(server")
				if i == 0 {
					continue
				}
				break
			}
			t.Log(r.rpc("n2", "Demo.Counter.answer()"))
		})
	}
}
