package volume

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
)

// Export writes the volumes of a cluster, or of these nodes of it, as one tar archive, and returns
// them. A name in it is NODE/VOLUME/path. Volumes of nodes that run ([Volume].Running) may be torn:
// what the node writes meanwhile can be half there. After an error the archive has no end.
func Export(ctx context.Context, eng Engine, w io.Writer, cluster string, nodes ...string) ([]Volume, error) {
	volumes, err := List(ctx, eng, cluster, nodes...)
	if err != nil {
		return nil, err
	}
	if len(volumes) == 0 {
		return nil, errNone(cluster, nodes)
	}
	out := tar.NewWriter(w)
	err = with(ctx, eng, volumes, func(id string) error {
		for _, v := range volumes {
			if err := v.export(ctx, eng, id, out); err != nil {
				return fmt.Errorf("export %s: %w", v, err)
			}
		}
		return nil
	})
	if err == nil {
		err = out.Close()
	}
	return volumes, err
}

// export copies one volume, whose names begin with its own name in the engine's archive.
func (v Volume) export(ctx context.Context, eng Engine, id string, out *tar.Writer) error {
	in, err := eng.Archive(ctx, id, v.folder())
	if err != nil {
		return err
	}
	defer in.Close()
	for entries := tar.NewReader(in); ; {
		h, err := entries.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		h.Name = v.Node + "/" + strings.TrimPrefix(h.Name, "/")
		if h.Typeflag == tar.TypeLink { // of a file in the archive; a symbolic link is relative to where it is
			h.Linkname = v.Node + "/" + strings.TrimPrefix(h.Linkname, "/")
		}
		h.Format = tar.FormatUnknown // the one that the header needs
		if err := out.WriteHeader(h); err != nil {
			return fmt.Errorf("%s: %w", path.Clean(h.Name), err)
		}
		if _, err := io.Copy(out, entries); err != nil {
			return fmt.Errorf("%s: %w", path.Clean(h.Name), err)
		}
	}
}
