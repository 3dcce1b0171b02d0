package hosts

import (
	"context"
	"errors"
	"fmt"
	"io"

	"golang.org/x/sync/errgroup"

	"github.com/beamyard/beamyard/images"
	"github.com/beamyard/beamyard/orchestrator"
)

// Image implements images.Engine. It describes the image on the first host that has it, the
// manager before the others.
func (e *Engine) Image(ctx context.Context, ref string) (images.Info, error) {
	home, err := e.home(ctx)
	if err != nil {
		return images.Info{}, err
	}
	info, err := home.Image(ctx, ref)
	if err == nil || !errors.Is(err, images.ErrNotFound) {
		return info, home.failed(err)
	}
	if _, found, err := e.holder(ctx, ref); err == nil {
		return found, nil
	}
	return images.Info{}, err
}

// holder returns a host that has an image.
func (e *Engine) holder(ctx context.Context, ref string) (*host, images.Info, error) {
	found, err := each(ctx, e, func(ctx context.Context, h *host) (*images.Info, error) {
		info, err := h.Image(ctx, ref)
		if errors.Is(err, images.ErrNotFound) {
			return nil, nil
		}
		return &info, err
	})
	for _, a := range found {
		if a.value != nil {
			return a.host, *a.value, nil
		}
	}
	if err == nil {
		err = fmt.Errorf("image %s: %w", ref, errors.Join(images.ErrNotFound, orchestrator.ErrNotFound))
	}
	return nil, images.Info{}, err
}

// provide copies an image to a host that lacks it, from one that has it. The stream has all of the
// image's layers: engines do not say which of them they have. Copies of one image to one host are
// made once, and end with the first caller's context.
func (e *Engine) provide(ctx context.Context, to *host, ref string) error {
	if len(e.hosts) == 1 {
		return nil
	}
	_, err, _ := e.copies.Do(to.name+" "+ref, func() (any, error) {
		_, err := to.Image(ctx, ref)
		if err == nil || !errors.Is(err, images.ErrNotFound) {
			return nil, to.failed(err)
		}
		from, info, err := e.holder(ctx, ref)
		if err != nil {
			return nil, err
		}
		return nil, copied(ctx, from, to, ref, info.ID)
	})
	return err
}

// Provide copies an image to every host that answers and lacks it. With a [MissingError], the other
// hosts have it.
func (e *Engine) Provide(ctx context.Context, ref string) error {
	lacking, missing := each(ctx, e, func(ctx context.Context, h *host) (bool, error) {
		_, err := h.Image(ctx, ref)
		if errors.Is(err, images.ErrNotFound) {
			return true, nil
		}
		return false, err
	})
	if missing != nil && !errors.Is(missing, orchestrator.ErrHostLost) {
		return missing
	}
	var group errgroup.Group
	for _, a := range lacking {
		if a.value {
			group.Go(func() error { return e.provide(ctx, a.host, ref) })
		}
	}
	if err := group.Wait(); err != nil {
		return err
	}
	return missing
}

// copied copies an image between two hosts, and checks that it is the same there.
func copied(ctx context.Context, from, to *host, ref, id string) error {
	archive, err := from.SaveImage(ctx, ref)
	if err != nil {
		return from.failed(err)
	}
	defer archive.Close()
	if err := to.LoadImage(ctx, archive); err != nil {
		return to.failed(err)
	}
	switch got, err := to.Image(ctx, ref); {
	case err != nil:
		return fmt.Errorf("copy image %s from host %s: %w", ref, from.name, to.failed(err))
	case got.ID != id:
		return fmt.Errorf("copy image %s from host %s: it is %s there, and %s on host %s: one of the engines stores images another way", ref, from.name, id, got.ID, to.name)
	}
	return nil
}

// Pull implements images.Engine: the manager pulls.
func (e *Engine) Pull(ctx context.Context, ref string, progress io.Writer) error {
	home, err := e.home(ctx)
	if err != nil {
		return err
	}
	return home.failed(home.Pull(ctx, ref, progress))
}

// Build implements images.Engine: the manager builds.
func (e *Engine) Build(ctx context.Context, b images.Build, progress io.Writer) (string, error) {
	home, err := e.home(ctx)
	if err != nil {
		return "", err
	}
	id, err := home.Build(ctx, b, progress)
	return id, home.failed(err)
}

// Import implements images.Engine: the manager imports.
func (e *Engine) Import(ctx context.Context, rootfs io.Reader, imp images.Import) (string, error) {
	home, err := e.home(ctx)
	if err != nil {
		return "", err
	}
	id, err := home.Import(ctx, rootfs, imp)
	return id, home.failed(err)
}

// Start implements images.Engine: on the manager.
func (e *Engine) Start(ctx context.Context, spec images.WorkshopSpec) (images.Workshop, error) {
	home, err := e.home(ctx)
	if err != nil {
		return nil, err
	}
	w, err := home.Start(ctx, spec)
	return w, home.failed(err)
}
