package config

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/beamyard/beamyard/network"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/hint"
)

// Name is the name of the file that defines a folder's cluster.
const Name = "beamyard.yml"

// Error reports a file that cannot be read or parsed.
type Error struct {
	Path string // path as given by the caller
	Text string // with the path and, if known, the line and a caret
	Next hint.Hint
}

func (e *Error) Error() string { return e.Text }

// Hint returns what to do about it, if that is known.
func (e *Error) Hint() hint.Hint { return e.Next }

// Read reads a file into a spec, without validating the spec. The spec's Source is the
// file's folder, unless the file names something else to run. Its File is the file,
// unless that is the folder's own beamyard.yml. If the file is missing, or is not a valid
// beamyard.yml, the error is an [Error].
func Read(path string) (orchestrator.Spec, error) {
	all, err := read(path)
	if err != nil {
		return orchestrator.Spec{}, err
	}
	return all[0].Spec, nil
}

// read returns the file's own spec and those of its matrix, as decodeAll does.
func read(path string) ([]Combination, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, &Error{Path: path, Text: err.Error(), Next: hint.Of(hint.Up.With("file: " + Name))}
	}
	defer f.Close()
	folder := filepath.Dir(path)
	all, err := outside{lookup: os.LookupEnv, readFile: func(path string) ([]byte, error) { return os.ReadFile(beside(folder, path)) }}.decodeAll(f)
	if err != nil {
		text, next := explain(err)
		return nil, &Error{Path: path, Text: path + ": " + text, Next: next}
	}
	for i := range all {
		if all[i].Spec, err = located(all[i].Spec, path); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// located returns the spec of a file with paths that do not depend on the current folder.
func located(s orchestrator.Spec, path string) (_ orchestrator.Spec, err error) {
	folder := filepath.Dir(path)
	if s.KeepDumps != "" {
		s.KeepDumps = beside(folder, s.KeepDumps)
	}
	for inside, local := range s.Files {
		if s.Files[inside], err = filepath.Abs(beside(folder, local)); err != nil {
			return orchestrator.Spec{}, fmt.Errorf("find file %s: %w", local, err)
		}
	}
	for _, file := range []*string{&s.Distribution.TLS.CA, &s.Distribution.TLS.Cert, &s.Distribution.TLS.Key} {
		if *file == "" {
			continue
		}
		if *file, err = filepath.Abs(beside(folder, *file)); err != nil {
			return orchestrator.Spec{}, fmt.Errorf("find %s: %w", *file, err)
		}
	}
	for name, h := range s.Hosts {
		if h.TLS != "" {
			if h.TLS, err = filepath.Abs(beside(folder, h.TLS)); err != nil {
				return orchestrator.Spec{}, fmt.Errorf("find folder %s: %w", h.TLS, err)
			}
			s.Hosts[name] = h
		}
	}
	ofFolder := s.Source == "" && s.Image == ""
	switch {
	case ofFolder:
		s.Source = folder
	case s.Source != "" && !filepath.IsAbs(s.Source):
		// A name that is not a folder beside the file is an image reference.
		if there := beside(folder, s.Source); exists(there) {
			s.Source = there
		}
	}
	if ofFolder && filepath.Base(path) == Name {
		return s, nil
	}
	if s.File, err = filepath.Abs(path); err != nil {
		return orchestrator.Spec{}, fmt.Errorf("find file %s: %w", path, err)
	}
	return s, nil
}

// Of returns the spec of what to run. what is a folder, an image reference, or a
// configuration file (.yml or .yaml). In a folder, Of uses its beamyard.yml, or else its
// mix.exs or Dockerfile. file, if not "", provides the settings instead; what, if not "",
// then provides what runs with them. If both are "", Of uses the current folder.
//
// The spec of a folder without a configuration file, and that of an image, has only a
// Source: [DefaultName] and [orchestrator.NodeNames] provide the rest. A Source that is a
// folder is absolute. Of does not validate the spec, and does not look for an image.
func Of(what, file string) (orchestrator.Spec, error) {
	all, err := allOf(what, file)
	if err != nil {
		return orchestrator.Spec{}, err
	}
	return all[0].Spec, nil
}

// Matrix returns the combinations of the matrix in the file that [Of] would read, none if there
// is no file or it has no matrix. Their specs are what Of would return for them.
func Matrix(what, file string) ([]Combination, error) {
	all, err := allOf(what, file)
	if err != nil {
		return nil, err
	}
	return all[1:], nil
}

// allOf returns the spec of what to run, and then those of the matrix.
func allOf(what, file string) ([]Combination, error) {
	what, named := namedFile(what)
	all, err := of(what, file)
	if err != nil || named == "" {
		return all, err
	}
	for i := range all {
		spec := &all[i].Spec
		if named == "mix.exs" { // it takes precedence over the file's settings
			spec.Dockerfile, spec.Target, spec.Args = "", "", nil
			continue
		}
		spec.Dockerfile = named
	}
	return all, nil
}

// namedFile splits the path of a mix.exs or a Dockerfile that is named as what to run into its
// folder and its name, which is "" for any other path.
func namedFile(what string) (folder, name string) {
	base := filepath.Base(what)
	lower := strings.ToLower(base)
	docker := lower == "dockerfile" || lower == "containerfile" || strings.HasPrefix(lower, "dockerfile.") || strings.HasSuffix(lower, ".dockerfile")
	if info, err := os.Stat(what); err != nil || !info.Mode().IsRegular() || base != "mix.exs" && !docker {
		return what, ""
	}
	return filepath.Dir(what), base
}

func of(what, file string) ([]Combination, error) {
	folder := isFolder(what)
	switch {
	case what == "" && file == "":
		what, folder = ".", true
	case file == "" && !folder && isFile(what):
		what, file = "", what
	}
	given := file != ""
	if folder && !given {
		if inside := filepath.Join(what, Name); exists(inside) {
			file = inside
		}
	}
	all := []Combination{{}}
	if file != "" {
		var err error
		if all, err = read(file); err != nil {
			return nil, err
		}
	}
	if folder && file == "" {
		if err := composeFolder(what); err != nil {
			return nil, err
		}
	}
	for i := range all {
		spec := &all[i].Spec
		// What a folder's own beamyard.yml runs is defined in that file.
		if what != "" && (file == "" || given) {
			spec.Source, spec.Image, spec.File = what, "", ""
		}
		if spec.Source != "" && exists(spec.Source) {
			abs, err := filepath.Abs(spec.Source)
			if err != nil {
				return nil, fmt.Errorf("find folder %s: %w", spec.Source, err)
			}
			spec.Source = abs // later uses may have another current folder
		}
	}
	return all, nil
}

// composeFolder returns an error for a folder that has a Compose file, but nothing that
// Beamyard runs.
func composeFolder(folder string) error {
	for _, ours := range []string{"mix.exs", "Dockerfile"} {
		if exists(filepath.Join(folder, ours)) {
			return nil
		}
	}
	// Compose's file names, in its order.
	for _, name := range []string{"compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml"} {
		path := filepath.Join(folder, name)
		if !exists(path) {
			continue
		}
		_, err := Read(path)
		var wrong *Error
		if errors.As(err, &wrong) && len(wrong.Next) > 0 {
			return wrong
		}
	}
	return nil
}

// DefaultName returns the name for a cluster without one: the name of its folder, or the
// last part of its image's name without the tag, converted to a DNS label.
func DefaultName(s orchestrator.Spec) string {
	if filepath.IsAbs(s.Source) {
		return network.Sanitize(filepath.Base(s.Source))
	}
	ref := s.Source
	if ref == "" {
		ref = s.Image
	}
	ref, _, _ = strings.Cut(ref, "@")
	ref, _, _ = strings.Cut(path.Base(ref), ":")
	return network.Sanitize(ref)
}

// beside resolves a path relative to a folder.
func beside(folder, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(folder, path)
}

// isFile distinguishes a file of settings from an image reference, whether or not it exists:
// images do not have such names, and a missing file should be reported as a file.
func isFile(what string) bool {
	ext := filepath.Ext(what)
	return ext == ".yml" || ext == ".yaml"
}

func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
