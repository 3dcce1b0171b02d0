package docker

import (
	"context"
	"io"

	"github.com/docker/docker/client"
)

// SaveImage streams an image with its tags, for [Engine.LoadImage]: GET /images/get. An image
// that is requested by its ID is saved under its tags, so that it keeps them.
func (e *Engine) SaveImage(ctx context.Context, ref string) (io.ReadCloser, error) {
	in, err := e.cli.ImageInspect(ctx, ref)
	if err != nil {
		return nil, e.failed("inspect image "+ref, err)
	}
	names := in.RepoTags
	if len(names) == 0 {
		names = []string{in.ID}
	}
	archive, err := e.cli.ImageSave(ctx, names)
	if err != nil {
		return nil, e.failed("save image "+ref, err)
	}
	return archive, nil
}

// LoadImage adds the images of a stream from [Engine.SaveImage]: POST /images/load.
func (e *Engine) LoadImage(ctx context.Context, archive io.Reader) error {
	answer, err := e.cli.ImageLoad(ctx, archive, client.ImageLoadWithQuiet(true))
	if err != nil {
		return e.failed("load image", err)
	}
	defer answer.Body.Close()
	_, err = copyMessages(answer.Body, io.Discard, nil)
	return e.failed("load image", err)
}
