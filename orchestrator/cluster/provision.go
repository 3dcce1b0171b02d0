package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/internal/manifest"
)

// This file writes into a container that was just created what its VM needs there: the
// cookie, the spec's files, and volumes that it may write to.

// provision writes the files of node i. They belong to the user that runs, because a VM
// refuses a cookie file that others may read. Its new volumes get the same owner: if the
// image has no content at their path, the engine makes root their owner.
func (c *Cluster) provision(ctx context.Context, id string, i int, fresh []string) error {
	s := c.site.spec
	spare := manifest.SpareCookie(s, i)
	node := s.NodeAt(i)
	if s.CookieFile == "" && len(s.Files) == 0 && len(fresh) == 0 && len(node.Tmpfs) == 0 && !spare {
		return nil
	}
	image, err := c.eng.Image(ctx, node.Image)
	if err != nil {
		return fmt.Errorf("find the user of image %s: %w", node.Image, err)
	}
	if node.User == "" {
		node.User = image.User
	}
	read := func(path string) (string, error) { return c.readFile(ctx, id, path) }
	owner, err := manifest.FileOwnerOf(node.User, read)
	if err != nil {
		return err
	}
	if spare {
		if s.CookieFile, err = manifest.CookieInHome(s, i, image, node.User, read); err != nil {
			return err
		}
	}
	folders, err := manifest.TmpfsFolders(manifest.Tmpfs(s, i), func(path string) (bool, error) { return c.hasPath(ctx, id, path) })
	if err != nil {
		return err
	}
	if owner != (manifest.FileOwner{}) { // root writes anywhere, and a process that it starts may run as another user
		for _, path := range fresh {
			folders = append(folders, manifest.Folder{Path: path, Mode: 0o755, Owner: owner})
		}
	}
	archive, err := manifest.Archive(s, owner, folders, time.Now())
	if err != nil {
		return err
	}
	return c.retryUnavailable(ctx, func() error { return c.eng.WriteFiles(ctx, id, bytes.NewReader(archive)) })
}

// readFile returns a small file of a container; "" if it does not exist.
func (c *Cluster) readFile(ctx context.Context, id, path string) (text string, err error) {
	err = c.retryUnavailable(ctx, func() error {
		file, _, err := c.eng.OpenFile(ctx, id, path)
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
func (c *Cluster) hasPath(ctx context.Context, id, path string) (there bool, err error) {
	err = c.retryUnavailable(ctx, func() error {
		file, _, err := c.eng.OpenFile(ctx, id, path)
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
