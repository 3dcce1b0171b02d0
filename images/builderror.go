package images

import (
	"fmt"
	"regexp"
	"strings"
)

// BuildError is a build that failed, with what the failing step said.
type BuildError struct {
	Dir   string
	Lines []string // of the step that failed: the compiler's own
	Next  string
	Err   error
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

// Hint is what to do next.
func (e *BuildError) Hint() string { return e.Next }

// advice for what Mix and its surroundings say, most telling first.
var advice = []struct {
	says *regexp.Regexp
	next string
}{
	{regexp.MustCompile(`supports only Elixir|requires Elixir|You're trying to run .* on Elixir`),
		"build on a base with that Elixir: --base trixie (1.18), --base bookworm (1.14), or an image of your own"},
	{regexp.MustCompile(`Could not find Hex|Could not find "rebar3"|local\.hex`),
		"its dependencies need Hex: connect the engine to a network, or give a base image that has Hex: --base IMAGE"},
	{regexp.MustCompile(`(?i)could not compile dependency`), "try it by hand: mix deps.compile"},
	{regexp.MustCompile(`(?i)failed to fetch|could not resolve host|nxdomain|:econnrefused`), "the build reaches no network: check the engine's DNS and proxy settings"},
	{regexp.MustCompile(`(?i)no space left`), "make room: docker system df, docker image prune"},
	{regexp.MustCompile(`(elixir|mix): (command )?not found`), "the base image has no Elixir: --base trixie"},
	{regexp.MustCompile(`== Compilation error|\*\* \((Compile|Syntax|Token)\w*Error|error:`), "mend what the compiler says, then type the same command again; try it here: mix compile"},
}

var stepLine = regexp.MustCompile(`^Step \d+/\d+ : `)

// shownLines is how much of a failing step an error shows.
const shownLines = 30

// newBuildError takes the failing step's lines out of a build's output.
func newBuildError(dir string, output []string, err error) *BuildError {
	e := &BuildError{Dir: dir, Err: err, Next: "see the lines above; try it by hand: mix compile"}
	for i := len(output) - 1; i >= 0; i-- {
		if stepLine.MatchString(output[i]) {
			output = output[i+1:]
			break
		}
	}
	for _, l := range output {
		if l = strings.TrimRight(l, " \r"); l != "" && !strings.HasPrefix(l, " ---> ") && !strings.HasPrefix(l, "Removing intermediate container") {
			e.Lines = append(e.Lines, l)
		}
	}
	text := strings.Join(e.Lines, "\n")
	e.Lines = e.Lines[max(0, len(e.Lines)-shownLines):]
	for _, a := range advice {
		if a.says.MatchString(text) {
			e.Next = a.next
			break
		}
	}
	return e
}
