package images

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/beamyard/beamyard/orchestrator/hint"
)

// Kind is the kind of a source.
type Kind int

// The kinds of sources.
const (
	Reference  Kind = iota // name of an image
	Mix                    // a folder with a mix.exs
	Dockerfile             // a folder with a Dockerfile
	Debian                 // a root file system of Debian packages
)

// Source describes how to get an image.
type Source struct {
	Kind  Kind
	Ref   string // of a Reference
	Dir   string // of Mix and Dockerfile
	Suite string // of Debian
	// Dockerfile is the path of a Dockerfile, relative to Dir. "" means "Dockerfile".
	Dockerfile string
	Target     string            // the stage to build; "" is the last one
	Args       map[string]string // values of its build arguments
	Beside     string            // the Dockerfile beside a Mix project, which is not built; "" if there is none
	// Packages of a Debian root file system, in addition to the minimal ones. None:
	// Elixir, and the packages that a Mix project needs with it.
	Packages []string

	More []string // packages added to a root file system with Elixir
}

// SourceError reports a source that cannot be used.
type SourceError struct {
	Arg, Why, Next string
}

func (e *SourceError) Error() string { return fmt.Sprintf("%s: %s", e.Arg, e.Why) }

// Hint returns what to type instead.
func (e *SourceError) Hint() hint.Hint { return hint.Text(e.Next) }

// rootfsPrefix begins a Debian root file system: "rootfs:bookworm", or with packages of its own
// "rootfs:trixie,rabbitmq-server".
const rootfsPrefix = "rootfs:"

// debianPackage matches a package name: Debian Policy, section 5.6.7.
var debianPackage = regexp.MustCompile(`^[a-z0-9][a-z0-9+.-]+$`)

// reference is the grammar of image names (distribution/reference): an optional registry, a
// path in lower case, an optional tag, an optional digest; or an image's ID.
var reference = regexp.MustCompile(`^([a-zA-Z0-9.-]+(:[0-9]+)?/)?` + // a registry; "team/" counts as one here
	`[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*` +
	`(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(@sha256:[0-9a-f]{64})?$|^(sha256:)?[0-9a-f]{12,64}$`)

// Detect parses an argument into a source. An existing path is a folder to build, by its
// mix.exs or else by its Dockerfile ([Want] can select the Dockerfile). "rootfs:SUITE" is
// a root file system with Elixir, made from Debian packages, and "rootfs:SUITE,PACKAGE,…"
// one with those packages instead. Any other argument is the name of an image, unless it
// looks like a path ("./x", "/x", "x/"), which is then reported as missing. The error is
// a [SourceError].
func Detect(arg string) (Source, error) {
	if list, ok := strings.CutPrefix(arg, rootfsPrefix); ok {
		suite, rest, listed := strings.Cut(list, ",")
		if _, known := suites[suite]; !known {
			return Source{}, &SourceError{arg, fmt.Sprintf("%q is not a Debian suite that is known here", suite), "one of " + suiteNames()}
		}
		if !listed {
			return Source{Kind: Debian, Suite: suite}, nil
		}
		packages := strings.Split(rest, ",")
		for _, name := range packages {
			if !debianPackage.MatchString(name) {
				return Source{}, &SourceError{arg, fmt.Sprintf("%q is not a valid Debian package name", name), "write it as rootfs:" + suite + ",rabbitmq-server"}
			}
		}
		return Source{Kind: Debian, Suite: suite, Packages: packages}, nil
	}
	info, err := os.Stat(arg)
	switch {
	case err == nil && info.IsDir():
		return detectFolder(arg)
	case err == nil && filepath.Base(arg) == "mix.exs":
		return detectFolder(filepath.Dir(arg))
	case err == nil:
		return Source{}, &SourceError{arg, "is a file, not a folder", "give the folder of a Mix project, or an image's name"}
	case errors.Is(err, fs.ErrPermission):
		return Source{}, &SourceError{arg, "cannot be read: permission denied", "check the permissions of the folders above it"}
	}
	if arg == "" || strings.HasPrefix(arg, ".") || strings.HasPrefix(arg, "/") || strings.HasPrefix(arg, "~") || strings.HasSuffix(arg, "/") {
		return Source{}, &SourceError{arg, "no such folder", "give the folder of a Mix project (the one with mix.exs), or an image's name"}
	}
	if !reference.MatchString(arg) {
		return Source{}, &SourceError{arg, "is neither a folder nor the name of an image",
			"give the folder of a Mix project (the one with mix.exs), or a name such as repo/app:1.0"}
	}
	return Source{Kind: Reference, Ref: arg}, nil
}

func detectFolder(dir string) (Source, error) {
	docker := isFile(filepath.Join(dir, "Dockerfile"))
	switch {
	case isFile(filepath.Join(dir, "mix.exs")):
		// Every project that was ever deployed has a Dockerfile for production (mix
		// phx.gen.release --docker): that is not what is developed.
		src := Source{Kind: Mix, Dir: dir}
		if docker {
			src.Beside = "Dockerfile"
		}
		return src, nil
	case docker:
		return Source{Kind: Dockerfile, Dir: dir}, nil
	}
	return Source{}, &SourceError{dir, "is not a Mix project: it has neither a mix.exs nor a Dockerfile",
		"give the project's own folder, or make one: mix new my_app --sup"}
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}
