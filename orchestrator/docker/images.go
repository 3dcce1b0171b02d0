package docker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/docker/docker/api/types/build"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/pkg/jsonmessage"

	"github.com/beamyard/beamyard/images"
)

// Image implements images.Engine: GET /images/{ref}/json.
func (e *Engine) Image(ctx context.Context, ref string) (images.Info, error) {
	in, err := e.cli.ImageInspect(ctx, ref)
	if err != nil {
		return images.Info{}, e.failed("inspect image "+ref, err)
	}
	info := images.Info{ID: in.ID, Arch: in.Architecture}
	if c := in.Config; c != nil {
		info.Labels, info.Env, info.Entrypoint, info.Cmd, info.User, info.WorkingDir = c.Labels, c.Env, c.Entrypoint, c.Cmd, c.User, c.WorkingDir
	}
	return info, nil
}

// Pull implements images.Engine: POST /images/create.
func (e *Engine) Pull(ctx context.Context, ref string, progress io.Writer) error {
	body, err := e.cli.ImagePull(ctx, ref, image.PullOptions{})
	if err != nil {
		return e.failed("pull "+ref, err, fetching...)
	}
	defer body.Close()
	_, err = copyMessages(body, progress, nil)
	return e.failed("pull "+ref, err, fetching...)
}

// Offered asks the engine whether a registry has an image, without fetching it: GET
// /distribution/{ref}/json. It fails with images.ErrNotFound if the registry does not
// have the image, and with images.ErrNoRegistry if no registry answers the engine.
func (e *Engine) Offered(ctx context.Context, ref string) error {
	_, err := e.cli.DistributionInspect(ctx, ref, "")
	return e.failed("ask for "+ref, err, fetching...)
}

// Build implements images.Engine: POST /build, with the classic builder, which
// every engine has.
func (e *Engine) Build(ctx context.Context, b images.Build, progress io.Writer) (string, error) {
	options := build.ImageBuildOptions{
		Version: build.BuilderV1, Dockerfile: b.Dockerfile, Tags: b.Tags, Labels: b.Labels, Target: b.Target,
		Remove: true, ForceRemove: true, BuildArgs: map[string]*string{},
	}
	for k, v := range b.Args {
		options.BuildArgs[k] = &v
	}
	// The builder accepts these arguments without an ARG, and keeps them out of the image's
	// history and of its cache keys. Arguments of the build itself take precedence.
	for k, v := range e.proxies {
		_, upper := b.Args[strings.ToUpper(k)]
		if _, lower := b.Args[strings.ToLower(k)]; !upper && !lower {
			options.BuildArgs[k] = &v
		}
	}
	if b.NoNetwork {
		options.NetworkMode = "none"
	}
	response, err := e.cli.ImageBuild(ctx, b.Context, options)
	if err != nil {
		return "", e.failed("build", err, fetching...)
	}
	defer response.Body.Close()
	var id string
	discreetly := newMasked(progress, e.proxies)
	defer discreetly.flush()
	_, err = copyMessages(response.Body, discreetly, func(aux json.RawMessage) {
		var result build.Result
		if json.Unmarshal(aux, &result) == nil && result.ID != "" {
			id = result.ID
		}
	})
	if err != nil {
		if text := discreetly.secrets.Replace(err.Error()); text != err.Error() {
			err = &discreetError{text: text, err: err}
		}
		return "", e.failed("build", err, fetching...)
	}
	if id == "" {
		return "", errors.New("build: the engine gave no image ID")
	}
	return id, nil
}

// Import implements images.Engine: POST /images/create?fromSrc=-.
func (e *Engine) Import(ctx context.Context, rootfs io.Reader, imp images.Import) (string, error) {
	body, err := e.cli.ImageImport(ctx, image.ImportSource{Source: rootfs, SourceName: "-"}, imp.Ref, image.ImportOptions{Changes: imp.Changes})
	if err != nil {
		return "", e.failed("import "+imp.Ref, err)
	}
	defer body.Close()
	last, err := copyMessages(body, io.Discard, nil)
	if err != nil {
		return "", e.failed("import "+imp.Ref, err)
	}
	return last, nil
}

// copyMessages writes the text of a stream of JSON messages to w and returns the last status. A
// message that contains an error ends it.
func copyMessages(r io.Reader, w io.Writer, aux func(json.RawMessage)) (last string, err error) {
	for dec := json.NewDecoder(r); ; {
		var m jsonmessage.JSONMessage
		if err := dec.Decode(&m); errors.Is(err, io.EOF) {
			return last, nil
		} else if err != nil {
			return last, err
		}
		switch {
		case m.Error != nil:
			return last, m.Error
		case m.Aux != nil && aux != nil:
			aux(*m.Aux)
		case m.Stream != "":
			_, _ = io.WriteString(w, m.Stream)
		case m.Status != "":
			last = m.Status
			if m.Progress == nil || m.Progress.Total == 0 {
				_, _ = fmt.Fprintln(w, strings.TrimSpace(m.ID+" "+m.Status))
			}
		}
	}
}
