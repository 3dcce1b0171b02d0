package volume

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/beamyard/beamyard/network"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/hint"
)

// Options configure [Import].
type Options struct {
	Cluster string // whose volumes get the data; it need not be up
	// Node gets the data of the one node that the archive has; "": each node gets its own.
	Node string
	// Running allows nodes that run to get data.
	Running bool
}

// Imported is a volume that got data.
type Imported struct {
	Volume
	Existed bool `json:"existed"` // it existed before: files that the archive lacks are still in it
}

// Import writes an archive of [Export] into the volumes of a cluster. Volumes that are missing are
// created, and the next cluster of that name uses them. A file replaces one of the same name; all
// others stay: for exactly the data of the archive, remove the volumes first. It returns the
// volumes that got data, also with an error.
//
// Unless Running is set, nodes that run, and would get data under their feet, are an error that
// matches [orchestrator.ErrConflict]: nothing is changed if one of them has a volume in the cluster.
func Import(ctx context.Context, eng Engine, r io.Reader, o Options) ([]Imported, error) {
	if err := network.CheckCluster(o.Cluster); err != nil {
		return nil, err
	}
	var nodes []string
	if o.Node != "" {
		nodes = []string{o.Node}
	}
	existing, err := List(ctx, eng, o.Cluster, nodes...)
	if err != nil {
		return nil, err
	}
	var running []string
	for _, v := range existing {
		if v.Running && !slices.Contains(running, v.Node) {
			running = append(running, v.Node)
		}
	}
	if len(running) > 0 && !o.Running {
		return nil, orchestrator.WithHint(fmt.Errorf("%s of %s %s and would read half of what is written: %w", strings.Join(running, ", "), o.Cluster, verb(len(running)), orchestrator.ErrConflict),
			"stop first: %s\nor write all the same, with --running", hint.Stop.On(o.Cluster, running...))
	}
	i := &importer{ctx: ctx, eng: eng, o: o, entries: tar.NewReader(r)}
	for _, v := range existing {
		i.existing = append(i.existing, v.Volume)
	}
	err = i.all()
	return i.done, err
}

func verb(n int) string {
	if n == 1 {
		return "runs"
	}
	return "run"
}

// importer reads an archive once, from its beginning to its end.
type importer struct {
	ctx      context.Context
	eng      Engine
	o        Options
	entries  *tar.Reader
	existing []string
	node     string // the one of the archive, if all goes into one node
	next     *tar.Header
	done     []Imported
}

// all imports the volumes, one after the other, as they follow in the archive.
func (i *importer) all() (err error) {
	if i.next, err = i.entries.Next(); err != nil {
		return fmt.Errorf("read the archive: %w", noEOF(err))
	}
	for i.next != nil {
		v, _, err := i.place(i.next)
		if err == nil && v.Name == "" { // the folder of a node
			err = i.advance()
		} else if err == nil {
			err = i.volume(v)
		}
		if err != nil {
			return err
		}
	}
	if len(i.done) == 0 {
		return errors.New("the archive has no volumes: a name in it is NODE/VOLUME/path, as beamyard volume export writes it")
	}
	return nil
}

// noEOF explains an archive without an entry.
func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return errors.New("it is empty")
	}
	return err
}

// place returns the volume that an entry belongs to, and its path below it.
func (i *importer) place(h *tar.Header) (v Volume, below string, err error) {
	name := path.Clean(h.Name)
	parts := strings.SplitN(name, "/", 3)
	if path.IsAbs(name) || parts[0] == ".." || slices.Contains(strings.Split(h.Name, "/"), "..") {
		return v, "", fmt.Errorf("the archive has the name %q, which leads out of its folder", h.Name)
	}
	if err := network.CheckNode(parts[0]); err != nil {
		return v, "", fmt.Errorf("the archive has the name %q, and a name is NODE/VOLUME/path: %w", h.Name, err)
	}
	node := parts[0]
	if i.o.Node != "" {
		if i.node != "" && i.node != node {
			return v, "", fmt.Errorf("the archive has volumes of %s and %s, and %s can get those of one node", i.node, node, i.o.Node)
		}
		i.node, node = node, i.o.Node
	}
	if len(parts) == 1 {
		return Volume{Node: node}, "", nil
	}
	if err := network.CheckNode(parts[1]); err != nil { // volumes have the rules of nodes
		return v, "", fmt.Errorf("the archive has the name %q, and a name is NODE/VOLUME/path: %w", h.Name, err)
	}
	if len(parts) == 3 {
		below = parts[2]
	}
	return named(i.o.Cluster, node, parts[1]), below, nil
}

// volume imports the entries up to the first of another volume.
func (i *importer) volume(v Volume) error {
	existed := slices.Contains(i.existing, v.Volume)
	if !existed {
		if err := i.eng.CreateVolume(i.ctx, orchestrator.Volume{Name: v.Volume, Labels: v.labels()}); err != nil {
			return err
		}
		i.existing = append(i.existing, v.Volume)
	}
	i.done = append(i.done, Imported{v, existed})
	err := with(i.ctx, i.eng, []Volume{v}, func(id string) error {
		in, out := io.Pipe()
		packed := make(chan error, 1)
		go func() {
			err := i.pack(v, out)
			out.CloseWithError(err) // nil is the end
			packed <- err
		}()
		err := i.eng.WriteFiles(i.ctx, id, in)
		_ = in.Close() // ends pack if the engine did not read to the end
		if broken := <-packed; broken != nil && !errors.Is(broken, io.ErrClosedPipe) {
			return broken
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("import %s: %w", v, err)
	}
	return nil
}

// pack writes the entries of a volume as the engine unpacks them at the root of the container.
func (i *importer) pack(v Volume, w io.Writer) error {
	out := tar.NewWriter(w)
	for i.next != nil {
		at, below, err := i.place(i.next)
		if err != nil {
			return err
		}
		if at != v {
			break
		}
		h := *i.next
		h.Name = strings.TrimPrefix(path.Join(v.folder(), below), "/")
		if h.Typeflag == tar.TypeDir {
			h.Name += "/"
		}
		if h.Typeflag == tar.TypeLink {
			to, linked, err := i.place(&tar.Header{Name: h.Linkname})
			if err != nil {
				return err
			}
			if to != v {
				return fmt.Errorf("%s is a link to %s, in another volume", h.Name, h.Linkname)
			}
			h.Linkname = strings.TrimPrefix(path.Join(v.folder(), linked), "/")
		}
		h.Format = tar.FormatUnknown
		if err := out.WriteHeader(&h); err != nil {
			return err
		}
		if _, err := io.Copy(out, i.entries); err != nil {
			return err
		}
		if err := i.advance(); err != nil {
			return err
		}
	}
	return out.Close()
}

// advance reads the next entry; nil after the last.
func (i *importer) advance() (err error) {
	if i.next, err = i.entries.Next(); errors.Is(err, io.EOF) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the archive: %w", err)
	}
	return nil
}
