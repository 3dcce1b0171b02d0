package evidence

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// Bundle is collected evidence. Crash dumps are kept in unnamed temporary files until
// [Bundle.Close] or the end of this process, whatever its cause.
type Bundle struct {
	Cluster string
	At      time.Time
	Missing []Missing // what could not be collected

	mu    sync.Mutex
	parts map[string]part // by path in the bundle, with slashes
	named []string        // of spooled parts, on systems where an open file keeps its name
}

// Missing is a part that could not be collected.
type Missing struct{ Part, Reason string }

// part is a file: its text, or the temporary file with its content.
type part struct {
	data     []byte
	spooled  *os.File
	modified time.Time
}

func newBundle(cluster string, at time.Time) *Bundle {
	return &Bundle{Cluster: cluster, At: at, parts: map[string]part{}}
}

func (b *Bundle) miss(m Missing) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.Missing = append(b.Missing, m)
}

func (b *Bundle) add(name string, data []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.parts[name] = part{data: data, modified: b.At}
}

// spool adds a part that may be large. Data written before an error is kept.
func (b *Bundle) spool(name string, modified time.Time, fill func(io.Writer) error) error {
	f, err := os.CreateTemp("", "beamyard-evidence-") // mode 0600
	if err != nil {
		return err
	}
	nameless := os.Remove(f.Name()) == nil // Unix keeps an open file without a name
	err = fill(f)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.parts[name] = part{spooled: f, modified: modified}
	if !nameless {
		b.named = append(b.named, f.Name())
	}
	return err
}

// count returns the number of files that match a name, in which NAME stands for each node.
func (b *Bundle) count(pattern string) int {
	n := 0
	for name := range b.parts {
		dir, base := filepath.Split(name)
		if name == pattern || strings.HasPrefix(dir, "nodes/") && pattern == "nodes/NAME/"+base {
			n++
		}
	}
	return n
}

// Close removes the temporary files. The bundle cannot be written afterwards.
func (b *Bundle) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	var errs []error
	for _, p := range b.parts {
		if p.spooled != nil {
			errs = append(errs, p.spooled.Close())
		}
	}
	for _, name := range b.named {
		errs = append(errs, os.Remove(name))
	}
	b.parts, b.named = nil, nil
	return errors.Join(errs...)
}

// Name returns the default name of a bundle's folder: "beamyard-demo-20260131-120000", in
// UTC.
func (b *Bundle) Name() string {
	return fmt.Sprintf("beamyard-%s-%s", filepath.Base(cmp.Or(b.Cluster, "cluster")), b.At.UTC().Format("20060102-150405"))
}

// each calls fn with every file, by name.
func (b *Bundle) each(fn func(name string, p part, size int64, content io.Reader) error) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	var names []string
	for name := range b.parts {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		p := b.parts[name]
		if err := p.read(func(size int64, content io.Reader) error { return fn(name, p, size, content) }); err != nil {
			return err
		}
	}
	return nil
}

func (p part) read(fn func(size int64, content io.Reader) error) error {
	if p.spooled == nil {
		return fn(int64(len(p.data)), strings.NewReader(string(p.data)))
	}
	info, err := p.spooled.Stat()
	if err != nil {
		return err
	}
	return fn(info.Size(), io.NewSectionReader(p.spooled, 0, info.Size()))
}
