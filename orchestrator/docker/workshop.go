package docker

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types"
	"github.com/docker/docker/api/types/container"

	"github.com/beamyard/beamyard/images"
	"github.com/beamyard/beamyard/orchestrator"
)

// workshopName begins the names of the containers in which images are made. They have
// no label: the image would inherit it.
const workshopName = "beamyard-build-"

// Start implements images.Engine.
//
// The container's main process reads its standard input, which is a connection held by
// this process. It exits when this process does, and the engine then removes the
// container (AutoRemove). Processes that a command leaves running end with the container.
func (e *Engine) Start(ctx context.Context, spec images.WorkshopSpec) (images.Workshop, error) {
	config := &container.Config{
		Image: spec.Image.ID, Cmd: []string{"cat"}, User: "0:0", WorkingDir: "/",
		OpenStdin: true, StdinOnce: true, AttachStdin: true,
	}
	// Replace an entrypoint only if the image has one: a commit inherits the container's, and
	// ignores an empty one in its changes.
	if len(spec.Image.Entrypoint) > 0 {
		config.Entrypoint, config.Cmd = []string{"cat"}, nil
	}
	host := &container.HostConfig{AutoRemove: true, NetworkMode: "none"}
	if spec.Network {
		host.NetworkMode = "default"
	}
	const doing = "start a container to build in"
	created, err := e.cli.ContainerCreate(ctx, config, host, nil, nil, workshopName+strings.ToLower(rand.Text()[:12]))
	if err != nil {
		return nil, e.failed(doing, err)
	}
	w := &workshop{e: e, id: created.ID, from: spec.Image}
	if w.held, err = e.cli.ContainerAttach(ctx, w.id, container.AttachOptions{Stream: true, Stdin: true}); err == nil {
		w.attached = true
		err = e.cli.ContainerStart(ctx, w.id, container.StartOptions{})
	}
	if err != nil {
		_ = w.Close() //nolint:contextcheck // it is removed also where ctx has ended
		return nil, e.failed(doing, err)
	}
	return w, nil
}

// workshop is one container in which an image is made.
type workshop struct {
	e        *Engine
	id       string
	from     images.Info
	held     types.HijackedResponse
	attached bool
}

var _ images.Workshop = (*workshop)(nil)

// Write implements images.Workshop: PUT /containers/{id}/archive.
func (w *workshop) Write(ctx context.Context, dir string, archive io.Reader) error {
	return w.e.failed("write into "+short(w.id), w.e.cli.CopyToContainer(ctx, w.id, dir, archive, container.CopyToContainerOptions{}))
}

// Read implements images.Workshop: GET /containers/{id}/archive.
func (w *workshop) Read(ctx context.Context, path string) (io.ReadCloser, error) {
	body, _, err := w.e.cli.CopyFromContainer(ctx, w.id, path)
	if err != nil {
		return nil, w.e.failed("read "+path+" of "+short(w.id), err)
	}
	return body, nil
}

// Run implements images.Workshop. If the caller stops waiting for a command, the command
// ends with the container. It has the proxies of the client's configuration, like a step
// of the engine's builder; they do not become part of the image.
func (w *workshop) Run(ctx context.Context, c images.Command, stdout, stderr io.Writer) (int, error) {
	out, errs := newMasked(stdout, w.e.proxies), newMasked(stderr, w.e.proxies)
	defer out.flush()
	defer errs.flush()
	spec := orchestrator.ExecSpec{Command: c.Args, Env: withProxies(c.Env, w.e.proxies), User: c.User, Dir: c.Dir, Stdout: out, Stderr: errs}
	x := &execution{e: w.e, doing: "run " + c.Args[0] + " in the build", container: w.id, user: c.User}
	if err := x.create(ctx, spec); err != nil {
		return 0, err
	}
	code, err := x.run(ctx, spec)
	if ctx.Err() != nil {
		return 0, ctx.Err()
	}
	return code, err
}

// Commit implements images.Workshop: POST /commit. It undoes the changes that
// [Engine.Start] made to the image's configuration for the container.
func (w *workshop) Commit(ctx context.Context, c images.Commit) (string, error) {
	changes := []string{"USER " + c.User, "WORKDIR " + c.WorkingDir}
	for _, e := range c.Env {
		key, value, _ := strings.Cut(e, "=")
		changes = append(changes, "ENV "+key+"="+quotedWord(value))
	}
	for _, key := range slices.Sorted(maps.Keys(c.Labels)) {
		changes = append(changes, "LABEL "+key+"="+quotedWord(c.Labels[key]))
	}
	command := w.from.Cmd
	if len(w.from.Entrypoint) > 0 {
		changes = append(changes, "ENTRYPOINT "+jsonWords(w.from.Entrypoint))
	} else if len(command) == 0 {
		command = []string{"iex"} // otherwise the commit inherits the container's
	}
	if len(command) > 0 {
		changes = append(changes, "CMD "+jsonWords(command))
	}
	made, err := w.e.cli.ContainerCommit(ctx, w.id, container.CommitOptions{Reference: c.Ref, Changes: changes, Pause: false})
	if err != nil {
		return "", w.e.failed("commit "+c.Ref, err)
	}
	return made.ID, nil
}

// jsonWords formats a list of words in a Dockerfile's JSON form.
func jsonWords(words []string) string {
	text, _ := json.Marshal(words) // strings always encode
	return string(text)
}

// quotedWord quotes a word for a Dockerfile's ENV or LABEL: in double quotes, a backslash
// escapes, and a dollar sign begins a variable.
func quotedWord(text string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, `$`, `\$`).Replace(text) + `"`
}

// Close implements images.Workshop. The engine may already be removing the container.
func (w *workshop) Close() error {
	if w.attached {
		w.held.Close()
	}
	ctx, cancel := context.WithTimeout(context.Background(), execEnd)
	defer cancel()
	err := w.e.cli.ContainerRemove(ctx, w.id, container.RemoveOptions{Force: true, RemoveVolumes: true})
	if err == nil || errdefs.IsNotFound(err) || errdefs.IsConflict(err) {
		return nil
	}
	return w.e.failed("remove "+short(w.id), err)
}
