package doctor

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/beamyard/beamyard/images"
	"github.com/beamyard/beamyard/orchestrator"
)

// Sources of images.

// registryFacts are a registry's answers to the engine, which may reach a registry that this
// process cannot.
type registryFacts struct {
	answers, offers bool
	why             string // why the registry does not have it
}

// askRegistry asks for the base image of Mix projects.
func (e *examination) askRegistry(ctx context.Context) (registryFacts, error) {
	err := e.Engine.Offered(ctx, images.Bases()[0])
	switch {
	case err == nil:
		return registryFacts{answers: true, offers: true}, nil
	case errors.Is(err, images.ErrNotFound):
		return registryFacts{answers: true, why: cause(err)}, nil
	case errors.Is(err, images.ErrNoRegistry):
		return registryFacts{why: cause(err)}, nil
	}
	return registryFacts{}, err
}

// cause returns the last part of an error's text, where errors of dialers say what happened:
// "no such host".
func cause(err error) string {
	parts := strings.Split(err.Error(), ": ")
	return parts[len(parts)-1]
}

func lookRegistry(ctx context.Context, e *examination) verdict {
	r, err := e.registry.get(ctx)
	return judgeRegistry(r, err, images.Bases()[0])
}

func judgeRegistry(r registryFacts, err error, ref string) verdict {
	const mend = "see the engine's proxy and mirrors: docker info\nor bring images by hand: docker load -i FILE"
	switch {
	case err != nil:
		return warning(mend, "the engine cannot tell: %v", err)
	case r.offers:
		return ok("one answers the engine, and has %s", ref)
	case r.answers:
		return warning("docker login, or check whether the engine's mirror has it", "one answers the engine, but gives no %s (%s)", ref, r.why)
	}
	return warning(mend, "none answers the engine (%s): only images that it has can be run, and what is built on them", r.why)
}

// baseFacts are the ways to get a base image for Mix projects.
type baseFacts struct {
	there    string // a reference that the engine has
	official string
	registry registryFacts
	mirror   string // of Debian packages, if checked
	packages error  // why no base can be made from packages
}

func lookBase(ctx context.Context, e *examination) verdict {
	f := baseFacts{official: images.Bases()[0]}
	for _, ref := range images.Bases() {
		_, err := e.Engine.Image(ctx, ref)
		if err == nil {
			f.there = ref
			break
		} else if !errors.Is(err, images.ErrNotFound) {
			return notTold(err)
		}
	}
	if f.there == "" {
		f.registry, _ = e.registry.get(ctx) // reported by its own check
	}
	if f.there == "" && !f.registry.offers {
		ctx, cancel := context.WithTimeout(ctx, e.Patience)
		defer cancel()
		f.mirror, f.packages = images.CheckDebian(ctx)
	}
	return judgeBase(f)
}

func judgeBase(f baseFacts) verdict {
	switch {
	case f.there != "":
		return ok("%s is on the engine", f.there)
	case f.registry.offers:
		return ok("%s can be pulled", f.official)
	case f.packages == nil:
		return ok("can be made of Debian packages from %s, once, in about 20 s", f.mirror)
	}
	return failed(fmt.Sprintf("%s\nor bring one: docker load -i FILE, and then up --base IMAGE", orchestrator.HintOf(f.packages)),
		"no Mix project can be built: %s is not there, cannot be pulled, and %v", f.official, f.packages)
}
