package main

import (
	"os"
	"path/filepath"

	"github.com/alecthomas/kong"
)

// dockerfile is the flag --dockerfile [FILE]. The word after it is its value unless that word
// is a folder or an image, which is then the argument of the command.
type dockerfile string

// Decode implements kong.MapperValue.
func (d *dockerfile) Decode(ctx *kong.DecodeContext) error { //nolint:unparam // kong.MapperValue has it so
	*d = "Dockerfile"
	next := ctx.Scan.Peek()
	word, isText := next.Value.(string)
	if !next.IsValue() || !isText {
		return nil
	}
	if next.Type != kong.FlagValueToken && !isDockerfile(word) {
		return nil
	}
	ctx.Scan.Pop()
	if word != "" {
		*d = dockerfile(word)
	}
	return nil
}

// isDockerfile distinguishes the name of a Dockerfile from the command's argument. A file may
// be relative to a folder that is named later.
func isDockerfile(word string) bool {
	info, err := os.Stat(word)
	switch {
	case err == nil:
		return info.Mode().IsRegular() && filepath.Ext(word) != ".yml" && filepath.Ext(word) != ".yaml" && filepath.Base(word) != "mix.exs"
	case filepath.Ext(word) == ".yml" || filepath.Ext(word) == ".yaml":
		return false
	}
	return true // a missing file is reported by name
}

// dockerfileIn is the path of the Dockerfile as written in a spec: relative to the build
// context. A path relative to the current folder, as the docker command takes it, also works.
func (c *upFlags) dockerfileIn(folder string) string {
	name := string(c.Dockerfile)
	if filepath.IsAbs(name) || exists(filepath.Join(folder, name)) || !exists(name) {
		return name
	}
	if full, err := filepath.Abs(name); err == nil {
		return full
	}
	return name
}
