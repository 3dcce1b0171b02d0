package images

import (
	"bytes"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"github.com/beamyard/beamyard/orchestrator/hint"
)

// BuildError is a failed build, with the output of the step that failed.
type BuildError struct {
	Dir   string
	Lines []string // output of the failed step, such as the compiler's messages
	Next  hint.Hint
	Err   error

	wantsTools bool // make, gcc and git would probably have prevented the failure
}

func (e *BuildError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "build %s: %v", e.Dir, e.Err)
	for _, l := range e.Lines {
		b.WriteString("\n  " + l)
	}
	return b.String()
}
func (e *BuildError) Unwrap() error { return e.Err }

// Hint returns what to do next.
func (e *BuildError) Hint() hint.Hint { return e.Next }

// advice for messages of Mix and the tools that it runs, the most specific first.
var advice = []struct {
	says *regexp.Regexp
	next hint.Hint
}{
	{regexp.MustCompile(`"mix release" was invoked without a name but there are multiple releases|Unknown release :`),
		hint.Newf("name one of releases: in mix.exs: %s", hint.Setting("release_name: NAME"))},
	{regexp.MustCompile(`Umbrella projects require releases to be explicitly defined`),
		hint.Text("define a release in project/0 of mix.exs, as above; try it here: MIX_ENV=prod mix release")},
	{regexp.MustCompile(`supports only Elixir|requires Elixir|You're trying to run .* on Elixir`),
		hint.Newf("build on a base with that Elixir: %s (1.18), %s (1.14), or an image of your own", hint.Setting("base_image: trixie"), hint.Setting("base_image: bookworm"))},
	{regexp.MustCompile(`Could not (find|install) (Hex|Rebar|"rebar3")`),
		hint.Newf("its dependencies need Hex: connect the engine to a network, or give a base image that has Hex: %s", hint.Setting("base_image: IMAGE"))},
	{regexp.MustCompile(`\b(git|make|gcc|cc|g\+\+): (command )?not found|"(git|make|gcc)" not found`),
		hint.Newf("it needs a tool that the base lacks: %s, or a base image that has it: %s", hint.Setting("packages.build: [NAME]"), hint.Setting("base_image: IMAGE"))},
	{regexp.MustCompile(`could not fetch environment variable "`), hint.Newf("set it for the build and the nodes: %s, or once: %s; or read it in config/runtime.exs", hint.Setting("env.NAME: value"), hint.Up.With("env.NAME: value"))},
	{regexp.MustCompile(`requires BuildKit`), hint.Text("build it by hand, then give the image's name: docker build -t my-app .")},
	{regexp.MustCompile(`(?i)could not compile dependency`), hint.Text("try it by hand: mix deps.compile")},
	{regexp.MustCompile(`(?i)failed to fetch|could not resolve host|nxdomain|:econnrefused`), hint.Text("the build reaches no network: check the engine's DNS and proxy settings")},
	{regexp.MustCompile(`(?i)no space left`), hint.Text("make room: docker system df, docker image prune")},
	{regexp.MustCompile(`(elixir|mix): (command )?not found`), hint.Newf("the base image has no Elixir: %s", hint.Setting("base_image: trixie"))},
	{regexp.MustCompile(`== Compilation error|\*\* \(\w*Error\)|error:`), hint.Text("fix what the compiler reports, then type the same command again; try it here: mix compile")},
}

var (
	stepLine = regexp.MustCompile(`^Step \d+/\d+ : `)
	// The engine colours what steps write to stderr, across line ends.
	colours    = regexp.MustCompile(`\x1b\[[0-9;]*m`)
	engineLine = regexp.MustCompile(`^( ---> |Removing intermediate container )`)
)

// OfEngine reports whether a line of a build's output is the engine's own, which a [BuildError] leaves out.
func OfEngine(line string) bool { return engineLine.MatchString(line) }

// lacksTool matches the messages of Mix, make and shells about a missing tool that a Debian
// build environment has. System.cmd raises :enoent, and names the command below it.
var lacksTool = regexp.MustCompile(`\b(git|make|gcc|cc|g\+\+|c\+\+|ld|ar): (command )?not found|: (git|make|gcc|cc|g\+\+|c\+\+): not found|` +
	`"(git|make|gcc|cc|g\+\+)" not found|(git|make|gcc|cc): No such file or directory|System\.cmd\("(git|make|gcc|cc|g\+\+)"|` +
	`erl_nif\.h: No such file|"Git" not found`)

// shownLines is how many lines of a failing step an error shows.
const shownLines = 30

// newBuildError adds the failing step's lines to the engine's error. If no step had begun, that
// error is complete.
func newBuildError(src Source, out *step, err error) error {
	if !out.begun {
		return fmt.Errorf("build %s: %w", src.Dir, err)
	}
	e := &BuildError{Dir: src.Dir, Err: err, Next: hint.Text("see the lines above; try it by hand: mix compile")}
	if src.Kind == Dockerfile {
		e.Next = hint.Text("see the lines above; try it by hand: docker build " + dockerBuild(src))
	}
	for _, l := range append(out.lines, string(out.open)) {
		if l = strings.TrimRight(colours.ReplaceAllString(l, ""), " \r"); l != "" && !OfEngine(l) {
			e.Lines = append(e.Lines, l)
		}
	}
	text := strings.Join(e.Lines, "\n")
	if text == "" {
		// The engine refused the step itself. Only in this case is its error examined: it
		// repeats the whole command, which contains arbitrary text.
		text = err.Error()
	}
	e.Lines = e.Lines[max(0, len(e.Lines)-shownLines):]
	e.wantsTools = lacksTool.MatchString(text)
	for _, a := range advice {
		if m := a.says.FindStringSubmatch(text); m != nil {
			e.Next = a.next
			break
		}
	}
	return e
}

// dockerBuild returns the arguments of `docker build` that build a source.
func dockerBuild(src Source) string {
	args := ""
	if src.Dockerfile != "" && src.Dockerfile != "Dockerfile" {
		args += "-f " + src.file() + " "
	}
	if src.Target != "" {
		args += "--target " + src.Target + " "
	}
	return args + src.Dir
}

// step passes a build's output on and keeps the last lines of the current step.
type step struct {
	w     io.Writer
	begun bool
	lines []string
	open  []byte // a line without a newline yet
}

// keptLines is more than an error shows, because the search for advice looks further back.
const keptLines = 400

func (s *step) Write(p []byte) (int, error) {
	s.open = append(s.open, p...)
	for {
		line, rest, ended := bytes.Cut(s.open, []byte("\n"))
		if !ended {
			break
		}
		s.open = rest
		if stepLine.Match(line) {
			s.begun, s.lines = true, nil
			continue
		}
		s.lines = append(s.lines, string(line))
	}
	if extra := len(s.lines) - keptLines; extra > keptLines {
		s.lines = slices.Clone(s.lines[extra:])
	}
	return s.w.Write(p)
}
