package provision

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/beamyard/beamyard/images"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/internal/dist"
	"github.com/beamyard/beamyard/orchestrator/internal/manifest"
)

// Engine is what a [Writer] needs of a container engine.
type Engine interface {
	Image(ctx context.Context, ref string) (images.Info, error)
	OpenFile(ctx context.Context, id, path string) (content io.ReadCloser, modified time.Time, err error)
	WriteFiles(ctx context.Context, id string, archive io.Reader) error
}

// Writer writes files into containers.
type Writer struct {
	Engine Engine
	// Retry repeats a call that failed for a reason that passes. Nil: there is one attempt.
	Retry func(ctx context.Context, call func() error) error
	// Parked writes the file with which a node waits before its command; see [manifest.Parked].
	Parked bool
}

func (w Writer) retry(ctx context.Context, call func() error) error {
	if w.Retry == nil {
		return call()
	}
	return w.Retry(ctx, call)
}

// Node writes the files of node i. They belong to the user that runs, because a VM refuses a
// cookie file that others may read. Its new volumes, by their mount points, get the same owner: if
// the image has no content at their path, the engine makes root their owner.
func (w Writer) Node(ctx context.Context, s orchestrator.Spec, i int, id string, fresh []string) error {
	spare := manifest.SpareCookie(s, i)
	node := s.NodeAt(i)
	if s.CookieFile == "" && !s.Distribution.TLS.Enabled && len(s.Files) == 0 && len(fresh) == 0 && len(node.Tmpfs) == 0 && !spare && !s.Clock && !w.Parked {
		return nil
	}
	image, err := w.Engine.Image(ctx, node.Image)
	if err != nil {
		return fmt.Errorf("find the user of image %s: %w", node.Image, err)
	}
	if node.User == "" {
		node.User = image.User
	}
	read := func(path string) (string, error) { return w.ReadFile(ctx, id, path) }
	owner, err := manifest.FileOwnerOf(node.User, read)
	if err != nil {
		return err
	}
	if spare {
		if s.CookieFile, err = manifest.CookieInHome(s, i, image, node.User, read); err != nil {
			return err
		}
	}
	folders, err := manifest.TmpfsFolders(manifest.Tmpfs(s, i), func(path string) (bool, error) { return w.hasPath(ctx, id, path) })
	if err != nil {
		return err
	}
	if owner != (manifest.FileOwner{}) { // root writes anywhere, and a process that it starts may run as another user
		for _, path := range fresh {
			folders = append(folders, manifest.Folder{Path: path, Mode: 0o755, Owner: owner})
		}
	}
	secret, err := dist.Files(s, dist.Host(s.Names().Node(node.Name)), time.Now())
	if err != nil {
		return err
	}
	if w.Parked {
		secret = manifest.Merged(secret, manifest.ParkedFiles())
	}
	archive, err := manifest.Archive(s, owner, folders, secret, time.Now(), read)
	if err != nil {
		return err
	}
	return w.retry(ctx, func() error { return w.Engine.WriteFiles(ctx, id, bytes.NewReader(archive)) })
}

// Helper writes the certificate of a helper's VM, if the cluster speaks TLS. c is its container.
func (w Writer) Helper(ctx context.Context, s orchestrator.Spec, id string, c orchestrator.ContainerSpec) error {
	secret, err := dist.Files(s, c.Hostname, time.Now())
	if err != nil || len(secret) == 0 {
		return err
	}
	image, err := w.Engine.Image(ctx, c.Image)
	if err != nil {
		return fmt.Errorf("find the user of image %s: %w", c.Image, err)
	}
	owner, err := manifest.FileOwnerOf(image.User, func(path string) (string, error) { return w.ReadFile(ctx, id, path) })
	if err != nil {
		return err
	}
	archive, err := manifest.Archive(orchestrator.Spec{}, owner, nil, secret, time.Now(), nil)
	if err != nil {
		return err
	}
	return w.retry(ctx, func() error { return w.Engine.WriteFiles(ctx, id, bytes.NewReader(archive)) })
}

// ReadFile returns a small file of a container; "" if it does not exist.
func (w Writer) ReadFile(ctx context.Context, id, path string) (text string, err error) {
	err = w.retry(ctx, func() error {
		file, _, err := w.Engine.OpenFile(ctx, id, path)
		if errors.Is(err, orchestrator.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		defer func() { _ = file.Close() }()
		data, err := io.ReadAll(io.LimitReader(file, manifest.MaxFile))
		text = string(data)
		return err
	})
	return text, err
}

// hasPath reports whether a container has a file or a folder.
func (w Writer) hasPath(ctx context.Context, id, path string) (there bool, err error) {
	err = w.retry(ctx, func() error {
		file, _, err := w.Engine.OpenFile(ctx, id, path)
		switch {
		case err == nil:
			_ = file.Close()
		case errors.Is(err, orchestrator.ErrNoRegularFile):
		case errors.Is(err, orchestrator.ErrNotFound):
			there = false
			return nil
		default:
			return err
		}
		there = true
		return nil
	})
	return there, err
}
