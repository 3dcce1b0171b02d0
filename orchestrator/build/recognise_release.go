package build

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/beamyard/beamyard/images"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/internal/manifest"
	"github.com/beamyard/beamyard/orchestrator/keeper"
)

// This file finds out whether an image holds a `mix release`, and whether its nodes run
// that release. A release has these files in its folder (Mix.Release, Elixir 1.9 and
// later):
//
//	releases/start_erl.data   "15.2.7 0.1.0", which relx and Distillery write too
//	releases/COOKIE           which they do not
//
// An image's command may start any script around the release (bin/server of Phoenix). So
// the release is looked for where the command's words point to, and in the image's
// WORKDIR.

// releaseRoots returns the folders that may hold the release that a command starts.
// certain are those that the command itself names.
func releaseRoots(command []string, dir string) (certain, likely []string) {
	if dir == "" {
		dir = "/"
	}
	runsMix := false
	for _, text := range command {
		for _, word := range strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(" \t\n;&|\"'()", r) }) {
			if slices.Contains([]string{"mix", "elixir", "iex", "erl"}, path.Base(word)) {
				runsMix = true
			}
			root, _, found := cutLast(word, "bin/")
			if !found || root != "" && !strings.HasSuffix(root, "/") || strings.Contains(word, "=") {
				continue
			}
			if !path.IsAbs(root) {
				root = path.Join(dir, root)
			}
			if root = path.Clean(root); !slices.Contains([]string{"/", "/usr", "/usr/local", "/opt"}, root) && !slices.Contains(certain, root) {
				certain = append(certain, root)
			}
		}
	}
	if !runsMix && !slices.Contains(certain, path.Clean(dir)) {
		likely = append(likely, path.Clean(dir))
	}
	return certain, likely
}

func cutLast(text, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(text, sep); i >= 0 {
		return text[:i], text[i+len(sep):], true
	}
	return text, "", false
}

// recognised returns the spec of a release, if the image holds one and the nodes run it.
// app is the application that the image was built from; "" if unknown.
func recognised(ctx context.Context, s orchestrator.Spec, eng orchestrator.Engine, app string, progress io.Writer) (orchestrator.Spec, error) {
	if s.Release || s.Precompiled || s.Image == "" {
		return s, nil
	}
	info, err := eng.Image(ctx, s.Image)
	if errors.Is(err, images.ErrNotFound) {
		return s, nil
	}
	if err != nil {
		return s, fmt.Errorf("look at image %s: %w", s.Image, err)
	}
	command, own := slices.Concat(s.Entrypoint, s.Command), false
	switch {
	case orchestrator.IsCommandOfImage(s.Command) && len(s.Entrypoint) > 0:
		command = slices.Concat(s.Entrypoint, info.Cmd)
	case len(command) == 0, orchestrator.IsCommandOfImage(s.Command):
		command, own = slices.Concat(info.Entrypoint, info.Cmd), true
	}
	roots, likely := releaseRoots(command, info.WorkingDir)
	if own {
		roots = append(roots, likely...)
	}
	root, err := findRelease(ctx, eng, info.ID, roots)
	if err != nil || root == "" {
		return s, err
	}
	s.Release = true
	if own && isShell(command) && app != "" {
		s.Command = []string{path.Join(root, "bin", app), "start"} // the image itself would run only the base's shell
	}
	for i := range s.Nodes {
		if n := &s.Nodes[i]; orchestrator.IsCommandOfImage(n.Command) && !manifest.UsesCustomImage(s, n.Name) { // known by now
			if len(n.Entrypoint) == 0 {
				n.Entrypoint = info.Entrypoint
			}
			n.Command = info.Cmd
		}
	}
	fmt.Fprintf(progress, "%s holds a mix release in %s: its nodes run that\n", s.Image, root)
	return s, nil
}

// ownReleases records for nodes with their own images whether these hold releases, and
// what starts them. written is the spec before any detection.
func ownReleases(ctx context.Context, s orchestrator.Spec, eng orchestrator.Engine, written orchestrator.Spec, app string, progress io.Writer) (orchestrator.Spec, error) {
	told := map[string]bool{}
	for i := range s.Nodes {
		n := &s.Nodes[i]
		if n.Image == "" || n.Image == s.Image || n.Precompiled || n.Release != nil {
			continue
		}
		progress := progress
		if told[n.Image] { // each image is reported once
			progress = io.Discard
		}
		told[n.Image] = true
		one := written.NodeAt(i)
		alone := orchestrator.Spec{Name: s.Name, Image: n.Image, Release: written.Release, Entrypoint: one.Entrypoint, Command: one.Command}
		alone, err := recognised(ctx, alone, eng, app, progress)
		if err == nil {
			alone, err = releaseOfImage(ctx, alone, eng)
		}
		if err != nil {
			return s, fmt.Errorf("node %s: %w", n.Name, err)
		}
		n.Release, n.Entrypoint, n.Command = &alone.Release, alone.Entrypoint, alone.Command
		if n.Built && n.MixEnv == "" {
			alone.MixEnv = written.DeclaredMixEnvOf(*n)
			n.MixEnv = alone.MixEnvFor(n.ImageEnv)
		}
	}
	return s, nil
}

// isShell reports whether an image runs only the shell of its base, or nothing.
func isShell(command []string) bool {
	return len(command) == 0 || len(command) == 1 && slices.Contains([]string{"sh", "bash"}, path.Base(command[0]))
}

// findRelease returns the first of an image's folders that holds a release, or "". The
// content of an image never changes, so it is read once, and cached in the user's cache
// folder.
func findRelease(ctx context.Context, eng orchestrator.Engine, image string, roots []string) (string, error) {
	if len(roots) == 0 {
		return "", nil
	}
	known := readLooks(image)
	for _, root := range roots {
		if holds, looked := known[root]; looked && holds {
			return root, nil
		} else if looked {
			continue
		}
		found, err := lookInto(ctx, eng, image, roots)
		if err != nil {
			return "", err
		}
		maps.Copy(known, found)
		writeLooks(image, known)
		if known[root] {
			return root, nil
		}
	}
	return "", nil
}

// labelLook is on a container that is created only to read from an image.
const labelLook = "beamyard.look"

// lookInto creates a container, which is never started, and reads from it.
func lookInto(ctx context.Context, eng orchestrator.Engine, image string, roots []string) (found map[string]bool, err error) {
	sweepLooks(ctx, eng)
	owner, err := json.Marshal(keeper.Self(false))
	if err != nil {
		return nil, fmt.Errorf("encode owner: %w", err)
	}
	// Once requested, the container will be created: it must be removed in any case.
	lasting, cancel := context.WithTimeout(context.WithoutCancel(ctx), orchestrator.RemovalTime)
	defer cancel()
	id, err := eng.CreateContainer(lasting, orchestrator.ContainerSpec{
		Name: "beamyard-look-" + strings.ToLower(rand.Text()[:12]), Image: image, Command: []string{"true"},
		Labels: map[string]string{labelLook: "true", orchestrator.LabelOwner: string(owner)}, LogMaxSize: "1m", LogMaxFile: 1,
	})
	if err != nil {
		return nil, fmt.Errorf("look into image %s: %w", image, err)
	}
	defer func() { err = errors.Join(err, eng.RemoveContainer(lasting, id)) }()
	found = map[string]bool{}
	for _, root := range roots {
		found[root] = true
		for _, name := range []string{"start_erl.data", "COOKIE"} {
			content, _, err := eng.OpenFile(ctx, id, path.Join(root, "releases", name))
			if errors.Is(err, orchestrator.ErrNotFound) {
				found[root] = false
				break
			}
			if err != nil {
				return nil, fmt.Errorf("look into image %s: %w", image, err)
			}
			if err := content.Close(); err != nil {
				return nil, fmt.Errorf("look into image %s: %w", image, err)
			}
		}
	}
	return found, nil
}

// sweepLooks removes the containers of processes that were killed while reading an image.
func sweepLooks(ctx context.Context, eng orchestrator.Engine) {
	left, err := eng.Containers(ctx, map[string]string{labelLook: "true"})
	if err != nil {
		return // the next look retries
	}
	for _, c := range left {
		var owner orchestrator.Owner
		if json.Unmarshal([]byte(c.Labels[orchestrator.LabelOwner]), &owner) != nil {
			continue
		}
		if alive, sure := keeper.Alive(owner); !alive && sure {
			_ = eng.RemoveContainer(ctx, c.ID) // as above
		}
	}
}

// looksFile returns the cache file for an image.
func looksFile(image string) string {
	dir, err := os.UserCacheDir()
	id, isID := strings.CutPrefix(image, "sha256:")
	if err != nil || !isID {
		return ""
	}
	return filepath.Join(dir, "beamyard", "images", id+".json")
}

// readLooks returns the cached results for an image: for each folder, whether it holds a
// release.
func readLooks(image string) map[string]bool {
	found := map[string]bool{}
	if file := looksFile(image); file != "" {
		if data, err := os.ReadFile(file); err == nil && json.Unmarshal(data, &found) != nil {
			return map[string]bool{}
		}
	}
	return found
}

// writeLooks caches the results, and removes those of images that were last read more
// than half a year ago. If the results cannot be cached, the image is read again the next
// time.
func writeLooks(image string, found map[string]bool) {
	const old = 180 * 24 * time.Hour
	file := looksFile(image)
	data, err := json.Marshal(found)
	if file == "" || err != nil || os.MkdirAll(filepath.Dir(file), 0o700) != nil {
		return
	}
	temporary := file + "." + rand.Text()[:8]
	if os.WriteFile(temporary, data, 0o600) != nil || os.Rename(temporary, file) != nil {
		_ = os.Remove(temporary)
	}
	entries, _ := os.ReadDir(filepath.Dir(file))
	for _, e := range entries {
		if info, err := e.Info(); err == nil && time.Since(info.ModTime()) > old {
			_ = os.Remove(filepath.Join(filepath.Dir(file), e.Name()))
		}
	}
}
