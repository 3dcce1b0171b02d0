package enginetest

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/beamyard/beamyard/orchestrator"
)

// Archive returns a folder of a container as a tar stream. Folders themselves are not stored: only
// that of the request is in it.
func (e *Engine) Archive(_ context.Context, id, folder string) (io.ReadCloser, error) {
	if err := e.fails("Archive"); err != nil {
		return nil, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	c, err := e.find(id)
	if err != nil {
		return nil, err
	}
	files, below := e.place(c, folder+"/")
	mounted := slices.ContainsFunc(c.spec.Volumes, func(v orchestrator.VolumeMount) bool { return v.Target == folder })
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	_ = w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: path.Base(folder) + "/", Mode: 0o755}) // into memory
	found := mounted
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if rest, inside := strings.CutPrefix(name, below); inside {
			found = true
			f := files[name]
			_ = w.WriteHeader(&tar.Header{Name: path.Join(path.Base(folder), rest), Mode: 0o644, Size: int64(len(f.content)), ModTime: f.modified}) // as above
			_, _ = w.Write(f.content)
		}
	}
	if !found {
		return nil, fmt.Errorf("archive %s of %s: %w", folder, c.spec.Name, orchestrator.ErrNotFound)
	}
	return io.NopCloser(&b), w.Close()
}
