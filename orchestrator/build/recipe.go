package build

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/beamyard/beamyard/images"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/secrets"
)

// This file builds the images of a spec from its source: one for each different build
// that the nodes require.

// recipe says how an image is built from the cluster's source. Unset values are "".
type recipe struct {
	mixEnv, release    string
	base               string // of a Mix project, if it is another one than the cluster's
	dockerfile, target string
	args               string // as JSON, so that recipes can be compared
}

// recipeFor returns the recipe of node i.
func recipeFor(s orchestrator.Spec, i int) recipe {
	n := s.Nodes[i]
	release := n.ReleaseName
	if n.Dockerfile == "" {
		release = s.NodeAt(i).ReleaseName
	}
	r := recipeOf(wantAt(s, n), s.DeclaredMixEnvOf(n), release)
	if n.BaseImage != cmp.Or(s.BaseImage, "auto") {
		r.base = n.BaseImage
	}
	return r
}

func recipeOf(w images.Want, mixEnv, release string) recipe {
	r := recipe{mixEnv: mixEnv, release: release, dockerfile: w.Dockerfile, target: w.Target}
	if len(w.Args) > 0 {
		text, _ := json.Marshal(w.Args) // a map of text cannot fail
		r.args = string(text)
	}
	return r
}

// want returns what the recipe requires of a spec's source.
func (r recipe) want(s orchestrator.Spec) images.Want {
	w := wantOf(s)
	w.Dockerfile, w.Target, w.Args = r.dockerfile, r.target, nil
	if r.args != "" {
		_ = json.Unmarshal([]byte(r.args), &w.Args) // encoded by recipeOf
	}
	return w
}

// recipes returns the recipes that the nodes require, with the nodes of each. The first
// is the cluster's own, or if no node uses that, the first node's.
func recipes(s orchestrator.Spec) (order []recipe, nodes map[recipe][]int) {
	nodes = map[recipe][]int{}
	for i, n := range s.Nodes {
		if n.Image != "" && !n.Built {
			continue
		}
		r := recipeFor(s, i)
		if nodes[r] == nil {
			order = append(order, r)
		}
		nodes[r] = append(nodes[r], i)
	}
	own := recipeOf(wantOf(s), s.DeclaredMixEnv(), s.ReleaseName)
	if len(order) == 0 { // every node has its own image
		order = append(order, own)
	}
	if i := slices.Index(order, own); i > 0 {
		order = slices.Insert(slices.Delete(order, i, i+1), 0, own)
	}
	return order, nodes
}

// buildImages builds the images. The first is the cluster's; nodes with another image get it in
// their own fields. project is the OTP application of the first image's project.
func buildImages(ctx context.Context, s orchestrator.Spec, eng orchestrator.Engine, progress io.Writer) (made orchestrator.Spec, project string, err error) {
	if _, err := Detect(s); err != nil {
		return s, "", err
	}
	order, nodes := recipes(s)
	sources := make([]images.Source, len(order))
	for k, r := range order {
		src, err := r.want(s).Detect()
		if err != nil {
			return s, "", err
		}
		if r.release != "" && src.Kind != images.Mix {
			return s, "", orchestrator.WithHint(fmt.Errorf("release_name %s is what Mix makes of a project, and %s is built by its Dockerfile", r.release, s.Source),
				"say which release a node starts: nodes: [{name: web, command: [/app/bin/%s, start]}]", r.release)
		}
		sources[k] = src
	}
	tellChoice(progress, sources[0], order[0].dockerfile != "")
	s.Nodes = slices.Clone(s.Nodes)
	app := s.App // as written in the spec
	for k, r := range order {
		if len(order) > 1 {
			fmt.Fprintf(progress, "image %d of %d, for %s\n", k+1, len(order), r.of(s, nodes[r]))
		}
		image, err := resolveImage(ctx, builtBy(s, r), eng, sources[k], progress)
		if err != nil {
			if len(order) > 1 {
				err = fmt.Errorf("%s: %w", r.of(s, nodes[r]), err)
			}
			return s, "", err
		}
		name, precompiled := image.ID, image.Kind == images.Mix
		if err := bootable(s, image.Boot); err != nil {
			return s, "", err
		}
		if image.Ref != "" {
			name = image.Ref
		}
		if k == 0 {
			s.Image, s.Precompiled, s.ImageBoot = name, precompiled, image.Boot
			project = image.App
			s.App = cmp.Or(s.App, project)
			if precompiled {
				s.MixEnv = s.MixEnvFor(nil)
			}
		}
		for _, i := range nodes[r] {
			n := &s.Nodes[i]
			if k > 0 {
				n.Image, n.Built, n.Precompiled, n.ImageBoot = name, true, precompiled, image.Boot
			}
			if app == "" && image.App != s.App {
				n.App = cmp.Or(n.App, image.App)
			}
		}
	}
	return s, project, nil
}

// bootable returns an error if the spec requires a direct boot of an image that has none.
func bootable(s orchestrator.Spec, boot string) error {
	switch {
	case s.Boot != orchestrator.BootDirect || boot == images.BootDirect:
		return nil
	case s.Release:
		boot = "the nodes run a release, which has its own boot script"
	case boot == "":
		boot = "only an image that is built from a Mix project has a record to boot from"
	}
	return orchestrator.WithHint(fmt.Errorf("boot: direct is not possible: %s", boot), "leave boot out: nodes then start directly where that is possible")
}

// builtBy returns the spec of a cluster built entirely by that recipe.
func builtBy(s orchestrator.Spec, r recipe) orchestrator.Spec {
	s.MixEnv, s.ReleaseName, s.BaseImage = r.mixEnv, r.release, cmp.Or(r.base, s.BaseImage)
	return s
}

// resolveImage builds or finds the image of a cluster with a single recipe.
func resolveImage(ctx context.Context, s orchestrator.Spec, eng orchestrator.Engine, src images.Source, progress io.Writer) (images.Image, error) {
	o := images.Options{
		Base: s.BaseImage, MixEnv: s.DeclaredMixEnv(), Release: s.Release, ReleaseName: s.ReleaseName, Progress: progress,
		Env: buildEnv(s), Secrets: s.Secrets, Packages: images.Packages(s.Packages), Redact: secrets.Redactor(s).Replace, Note: noteTo(progress), Suite: s.Suite,
	}
	if src.Kind == images.Mix { // a Dockerfile has its own MIX_ENV, unless the spec sets one
		o.MixEnv = s.MixEnvFor(nil)
	}
	return images.Resolve(ctx, eng, src, o)
}

// of describes the nodes of an image and how it is built.
func (r recipe) of(s orchestrator.Spec, nodes []int) string {
	var names []string
	for _, i := range nodes {
		names = append(names, s.Nodes[i].Name)
	}
	return strings.Join(append(names, r.settings(s)...), ", ")
}

// settings returns the settings of a build, for display.
func (r recipe) settings(s orchestrator.Spec) []string {
	var texts []string
	if r.release != "" {
		texts = append(texts, "release "+r.release)
	}
	if r.mixEnv != "" {
		texts = append(texts, "MIX_ENV="+r.mixEnv)
	}
	if r.base != "" {
		texts = append(texts, "base "+r.base)
	}
	if r.dockerfile != "" {
		texts = append(texts, r.dockerfile)
	}
	if r.target != "" {
		texts = append(texts, "target "+r.target)
	}
	if args := r.want(s).Args; len(args) > 0 { // without the values, which may be secret
		texts = append(texts, "args "+strings.Join(slices.Sorted(maps.Keys(args)), " "))
	}
	return texts
}

// Describe describes how a node's image was built.
func Describe(s orchestrator.Spec, node string) string {
	i := s.Index(node)
	if i < 0 {
		return "of no node"
	}
	if texts := recipeFor(s, i).settings(s); len(texts) > 0 {
		return strings.Join(texts, ", ")
	}
	return "as the project is"
}
