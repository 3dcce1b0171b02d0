package images

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// It has the form of what mix phx.gen.release --docker generates.
const phoenixDockerfile = `# syntax notes
ARG ELIXIR_VERSION=1.18.1
ARG OTP_VERSION=27.2
ARG DEBIAN_VERSION=bookworm-20250113-slim

ARG BUILDER_IMAGE="hexpm/elixir:${ELIXIR_VERSION}-erlang-${OTP_VERSION}-debian-${DEBIAN_VERSION}"
ARG RUNNER_IMAGE="debian:${DEBIAN_VERSION}"

FROM ${BUILDER_IMAGE} as builder
RUN apt-get update -y && apt-get install -y build-essential git \
    # a comment between
    && apt-get clean
ARG MIX_ENV=prod REVISION
ENV MIX_ENV="prod"

FROM ${RUNNER_IMAGE} AS Runner
COPY --from=builder /app ./
FROM builder AS debug
FROM scratch
`

func TestDockerfileBases(t *testing.T) {
	tests := []struct {
		name, text, target string
		args               map[string]string
		want               []string
	}{
		{"of arguments", phoenixDockerfile, "", nil, []string{"hexpm/elixir:1.18.1-erlang-27.2-debian-bookworm-20250113-slim", "debian:bookworm-20250113-slim"}},
		{"arguments that are given", phoenixDockerfile, "", map[string]string{"RUNNER_IMAGE": "alpine:3"}, []string{"hexpm/elixir:1.18.1-erlang-27.2-debian-bookworm-20250113-slim", "alpine:3"}},
		{"up to a target", phoenixDockerfile, "BUILDER", nil, []string{"hexpm/elixir:1.18.1-erlang-27.2-debian-bookworm-20250113-slim"}},
		{"up to a number", phoenixDockerfile, "0", nil, []string{"hexpm/elixir:1.18.1-erlang-27.2-debian-bookworm-20250113-slim"}},
		{"stages, flags and scratch", "FROM --platform=linux/amd64 debian:trixie-slim as Assets\nfrom alpine\nFROM assets\nFROM scratch\nFROM alpine\n", "", nil, []string{"debian:trixie-slim", "alpine"}},
		{"a value that is missing", "ARG TAG\nFROM elixir:$TAG\nFROM elixir:${TAG:-1.18}\nFROM elixir${TAG:+:1}\n", "", nil, []string{"elixir:1.18", "elixir"}},
		{"another escape", "# escape=`\nFROM `\n  alpine\n", "", nil, []string{"alpine"}},
		{"a here-document", "FROM alpine\nRUN <<EOF\nFROM debian\nEOF\nFROM busybox\n", "", nil, []string{"alpine", "busybox"}},
		{"none", "", "", nil, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, parseDockerfile(tt.text).bases(tt.target, tt.args)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestDockerfileCheck(t *testing.T) {
	tests := []struct {
		name, text, target string
		args               map[string]string
		want               string
	}{
		{"all that it has", phoenixDockerfile, "runner", map[string]string{"REVISION": "1", "OTP_VERSION": "27"}, ""},
		{"a proxy", "FROM alpine\n", "", map[string]string{"http_proxy": "x", "NO_PROXY": "y"}, ""},
		{"no such stage", phoenixDockerfile, "run", nil, `shop/Dockerfile: has no stage "run", which target asks for; its stages: builder, runner, debug`},
		{"no such number", phoenixDockerfile, "4", nil, `has no stage "4"`},
		{"stages without names", "FROM alpine\n", "run", nil, "FROM image AS run"},
		{"no such argument", phoenixDockerfile, "", map[string]string{"VERSION": "1"}, `declares no argument "VERSION", which args gives it; its arguments: ELIXIR_VERSION, OTP_VERSION, DEBIAN_VERSION, BUILDER_IMAGE, RUNNER_IMAGE, MIX_ENV, REVISION`},
		{"no arguments", "FROM alpine\n", "", map[string]string{"VERSION": "1"}, "ARG VERSION"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := parseDockerfile(tt.text).check("shop/Dockerfile", tt.target, tt.args)
			got := ""
			if e, ok := err.(*SourceError); ok { //nolint:errorlint // it is returned as it is
				got = e.Error() + "; " + e.Hint().String()
			}
			if tt.want == "" && err != nil || !strings.Contains(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func FuzzParseDockerfile(f *testing.F) {
	f.Add(phoenixDockerfile)
	f.Add("FROM\nARG\nRUN <<EOF")
	f.Fuzz(func(t *testing.T, text string) {
		p := parseDockerfile(text)
		p.bases("", nil)
		_ = p.check("Dockerfile", "x", map[string]string{"A": ""})
	})
}

// A Dockerfile's own MIX_ENV is used, unless the spec sets one that the Dockerfile
// accepts.
func TestMixEnvOfADockerfile(t *testing.T) {
	for _, tt := range []struct{ name, text, written, want string }{
		{"its own", "FROM alpine\nARG MIX_ENV=prod\n", "", ""},
		{"written", "FROM alpine\nARG MIX_ENV=prod\n", "dev", "dev"},
		{"one that it does not take", "FROM alpine\nENV MIX_ENV=prod\n", "dev", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, dir, map[string]string{"Dockerfile": tt.text})
			eng := engineWith("alpine")
			if _, err := Resolve(t.Context(), eng, Source{Kind: Dockerfile, Dir: dir}, Options{MixEnv: tt.written}); err != nil {
				t.Fatal(err)
			}
			if got := eng.builds[0].Args["MIX_ENV"]; got != tt.want || tt.want == "" && len(eng.builds[0].Args) > 0 {
				t.Errorf("the builder gets %v, want MIX_ENV=%q", eng.builds[0].Args, tt.want)
			}
		})
	}
}
