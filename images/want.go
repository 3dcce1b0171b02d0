package images

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Want is a request for an image, from an argument or from a key of beamyard.yml, for a
// cluster or for one of its nodes.
type Want struct {
	// Source as in [Detect].
	Source string
	// Image is the name of an image, instead of Source.
	Image string
	// Dockerfile selects a folder's Dockerfile even if there is a mix.exs: its path,
	// relative to the folder. "" selects none.
	Dockerfile string
	// OwnCommand makes the nodes run the image's own command. For a folder that has both
	// a mix.exs and a Dockerfile, only the image of the Dockerfile defines such a
	// command.
	OwnCommand bool
	// Target is the stage of a Dockerfile to build. Default: the last one.
	Target string
	// Args are the values of the Dockerfile's build arguments (ARG).
	Args map[string]string
	// Base is the base of a Mix project. "" and "auto" request none in particular.
	Base string
	// ReleaseName is the release of a Mix project to make.
	ReleaseName string
}

// Detect returns the source that is requested. It rejects options that would have no
// effect. The error is a [SourceError].
func (w Want) Detect() (Source, error) {
	if w.Image != "" {
		w.Source = w.Image
		return Source{Kind: Reference, Ref: w.Image}, w.idle(Source{Kind: Reference})
	}
	src, err := w.detect()
	if err != nil {
		return Source{}, err
	}
	return src, w.idle(src)
}

func (w Want) detect() (Source, error) {
	if w.Dockerfile == "" {
		src, err := Detect(w.Source)
		if err == nil && src.Beside != "" && w.OwnCommand {
			src = Source{Kind: Dockerfile, Dir: src.Dir}
		}
		if err == nil && src.Kind == Dockerfile {
			src.Target, src.Args = w.Target, w.Args
		}
		return src, err
	}
	info, err := os.Stat(w.Source)
	if errors.Is(err, fs.ErrPermission) {
		return Source{}, &SourceError{w.Source, "cannot be read: permission denied", "check the permissions of the folders above it"}
	}
	if err != nil || !info.IsDir() {
		src, err := Detect(w.Source)
		if err != nil || src.Kind != Mix { // an image name, or a missing folder: Detect says which
			return src, err
		}
		w.Source = src.Dir
	}
	file := w.Dockerfile
	if !filepath.IsAbs(file) {
		file = filepath.Join(w.Source, file)
	}
	if !isFile(file) {
		hint := "its path is relative to the folder that is built, " + w.Source
		if isFile(filepath.Join(w.Source, "Dockerfile")) {
			hint += "; there is a Dockerfile in it: --dockerfile Dockerfile"
		}
		return Source{}, &SourceError{w.Dockerfile, "no such Dockerfile", hint}
	}
	return Source{Kind: Dockerfile, Dir: w.Source, Dockerfile: w.Dockerfile, Target: w.Target, Args: w.Args}, nil
}

// idle rejects options that have no effect on a source of that kind.
func (w Want) idle(src Source) error {
	what := map[Kind]string{
		Reference: "is an image that exists already", Debian: "is made of Debian packages",
		Dockerfile: "is built as its Dockerfile says", Mix: "is a Mix project",
	}[src.Kind]
	refuse := func(key, value, hint string, args ...any) error {
		return &SourceError{w.Source, fmt.Sprintf("%s: %s would have no effect", what, strings.TrimSpace(key+": "+value)), fmt.Sprintf(hint, args...)}
	}
	mix := src.Kind == Dockerfile && isFile(filepath.Join(src.Dir, "mix.exs"))
	if w.Base != "" && w.Base != "auto" && src.Kind != Mix {
		switch {
		case mix:
			return refuse("base_image", w.Base, "leave --base (base_image) out, or leave the Dockerfile out: then the Mix project is built on it")
		case src.Kind == Dockerfile:
			return refuse("base_image", w.Base, "leave --base (base_image) out; what the image stands on is the FROM of %s", src.file())
		}
		return refuse("base_image", w.Base, "leave --base (base_image) out, or give the folder of a Mix project, which is built on it")
	}
	if w.ReleaseName != "" && src.Kind != Mix {
		return refuse("release_name", w.ReleaseName, "leave it out, and say what starts the release that the image holds: command: [/app/bin/%s, start]", w.ReleaseName)
	}
	if src.Kind == Dockerfile {
		return nil
	}
	key, value := "", ""
	switch {
	case w.Dockerfile != "":
		key, value = "dockerfile", w.Dockerfile
	case w.Target != "":
		key, value = "target", w.Target
	case len(w.Args) > 0:
		key = "args"
	}
	switch {
	case key == "":
		return nil
	case src.Kind == Mix:
		return refuse(key, value, "name the Dockerfile that it is meant for: dockerfile: Dockerfile")
	}
	return refuse(key, value, "leave it out (--dockerfile too), or give the folder with the Dockerfile")
}

// file is the path of a source's Dockerfile.
func (s Source) file() string {
	name := s.Dockerfile
	if name == "" {
		name = "Dockerfile"
	}
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(s.Dir, name)
}
