package images

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/beamyard/beamyard/orchestrator/hint"
)

// failed returns the error of a build step with the step's output.
func (b *mixBuild) failed(err error, said string) *BuildError {
	if b.o.Redact != nil {
		said = b.o.Redact(said)
	}
	out := &step{begun: true, lines: strings.Split(said, "\n")}
	var failed *BuildError
	if errors.As(newBuildError(b.src, out, err), &failed) {
		return failed
	}
	return &BuildError{Dir: b.src.Dir, Err: err, Next: hint.Text("see the lines above")}
}

// mixFailed explains why mix.exs could not be evaluated, and what to do.
func (b *mixBuild) mixFailed(e mixError) error {
	at := e.At
	if at == "" {
		at = "mix.exs"
	}
	said := (&masked{redact: b.o.Redact}).text(e.Text)
	if e.At != "" {
		said += "\n    " + e.At
	}
	failed := b.failed(fmt.Errorf("%s cannot be evaluated", at), said)
	failed.Lines = strings.Split(said, "\n")
	switch {
	case e.Env != "":
		failed.Err = fmt.Errorf("%s reads the environment variable %s, which is not set while the image is built", at, e.Env)
		failed.Next = hint.Newf("set it for the build and the nodes: %s, or once: %s", hint.Setting("env."+e.Env+": …"), hint.Up.With("env."+e.Env+": …"))
	case e.Command == "git":
		failed.Err = fmt.Errorf("%s runs git, and the folder is in no git repository", at)
		failed.Next = hint.Text(guardedGit)
	case e.Command != "":
		failed.Err = fmt.Errorf("%s runs %s, which the base image does not have", at, e.Command)
		failed.Next = hint.Newf("%s, or a base image that has it: %s", hint.Setting("packages.build: ["+e.Command+"]"), hint.Setting("base_image: IMAGE"))
	default:
		failed.Next = hint.Text("fix what Mix reports, then type the same command again; try it here: mix help")
	}
	return failed
}

// guardedGit computes a version in a way that needs no repository.
const guardedGit = `let mix.exs do without it: sha = if System.find_executable("git") && File.dir?(".git"), do: …, else: "unknown"`

// noElixir reports that the base cannot run Mix.
func (b *mixBuild) noElixir(err error) error {
	if isMissing(err) {
		failed := b.failed(fmt.Errorf("the base image %s has no Elixir: %w", b.baseRef, err), "")
		failed.Next = hint.Newf("build it on one that has: %s", hint.Setting("base_image: "+defaultSuite))
		return failed
	}
	return err
}

// isMissing recognizes the engine's error about a command that is not in the image.
func isMissing(err error) bool {
	text := err.Error()
	return strings.Contains(text, "executable file not found") || strings.Contains(text, "no such file or directory")
}

// noteUnset reports unset variables that the release replaces with an empty text: `mix release`
// evaluates its templates, and System.get_env/1 returns nil for an unset variable.
func (b *mixBuild) noteUnset(p project) {
	for _, u := range p.Unset {
		if b.o.ReleaseName != "" && u.Release != b.o.ReleaseName {
			continue
		}
		name := u.File
		if rel, err := filepath.Rel(b.dir, name); err == nil {
			name = filepath.ToSlash(rel)
		}
		next := fmt.Sprintf("set it for the build and the nodes: env: {%s: …} in beamyard.yml", u.Env)
		if strings.HasSuffix(name, ".sh.eex") {
			next = fmt.Sprintf("write ${%s} there, which the shell reads when a node starts, or %s", u.Env, next)
		}
		b.note("%s:%d reads the environment variable %s, which is not set while the release is made: its text there is empty; %s", name, u.Line, u.Env, next)
	}
}

//go:embed secrets.exs
var secretsText string

// secretsOfEnv returns the keys of the build's environment whose values the image must not
// contain.
func (b *mixBuild) secretsOfEnv() []string {
	var keys []string
	for _, key := range b.o.Secrets {
		const shortest = 4 // a shorter value would match anywhere
		if len(b.o.Env[key]) >= shortest {
			keys = append(keys, key)
		}
	}
	return keys
}

// lookForSecrets reports values of secrets in the compiled project: those that it reads by
// compile_env, or that a release's sys.config contains.
func (b *mixBuild) lookForSecrets(ctx context.Context, w Workshop) error {
	keys := b.secretsOfEnv()
	if len(keys) == 0 {
		return nil
	}
	if err := b.put(ctx, w, []entry{textEntry("secrets.exs", secretsText, 0o644)}, scratch); err != nil {
		return err
	}
	var out, said strings.Builder
	code, err := w.Run(ctx, Command{Args: append([]string{"elixir", scratch + "/secrets.exs", workDir}, keys...), Env: b.env, User: builder, Dir: "/"}, &out, &said)
	if err != nil {
		return err
	}
	if code != 0 {
		return b.failed(fmt.Errorf("look for secrets in the image: exit code %d", code), said.String())
	}
	for line := range strings.Lines(out.String()) {
		var found []string
		if json.Unmarshal([]byte(line), &found) == nil && len(found) == 2 {
			b.note("the value of the secret %s is in the image, in %s: it is compiled in; read it at run time (config/runtime.exs, Application.fetch_env!) to keep it out", found[0], found[1])
		}
	}
	return b.quietly(ctx, w, builder, "rm", "-rf", scratch)
}
