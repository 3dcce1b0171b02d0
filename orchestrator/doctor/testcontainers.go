package doctor

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/beamyard/beamyard/images"
)

// Settings of testcontainers-go that cause problems in Go tests long after they were made.
// Source: internal/config/config.go and docker.go of 0.45.0.

// reaperImage is the image that its sessions start first.
const reaperImage = "testcontainers/ryuk:0.14.0"

// testcontainersFacts are the settings as testcontainers reads them: variables first, then
// ~/.testcontainers.properties.
type testcontainersFacts struct {
	ryukDisabled string // TESTCONTAINERS_RYUK_DISABLED
	prefix       string // TESTCONTAINERS_HUB_IMAGE_NAME_PREFIX
	override     string // TESTCONTAINERS_HOST_OVERRIDE
	dockerEnv    bool   // /.dockerenv exists
	file         string // the properties file's path
	properties   map[string]string
}

func lookAtTestcontainers() testcontainersFacts {
	f := testcontainersFacts{
		ryukDisabled: os.Getenv("TESTCONTAINERS_RYUK_DISABLED"),
		prefix:       os.Getenv("TESTCONTAINERS_HUB_IMAGE_NAME_PREFIX"),
		override:     os.Getenv("TESTCONTAINERS_HOST_OVERRIDE"),
	}
	_, err := os.Stat("/.dockerenv")
	f.dockerEnv = err == nil
	if home, err := os.UserHomeDir(); err == nil {
		f.file = filepath.Join(home, ".testcontainers.properties")
		f.properties = properties(readFile(f.file))
	}
	return f
}

// properties parses the part of Java's format that such files use: key=value or key: value; #
// and ! begin a comment.
func properties(text string) map[string]string {
	all := map[string]string{}
	lines := bufio.NewScanner(strings.NewReader(text))
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		at := strings.IndexAny(line, "=: \t")
		if line == "" || line[0] == '#' || line[0] == '!' || at < 0 {
			continue
		}
		all[line[:at]] = strings.TrimLeft(line[at:], "=: \t")
	}
	return all
}

// reaperOff reports whether the reaper is off: the variable takes precedence if it is a
// boolean, and then only "true" turns the reaper off.
func (f testcontainersFacts) reaperOff() bool {
	if _, err := strconv.ParseBool(f.ryukDisabled); err == nil {
		return f.ryukDisabled == "true"
	}
	off, err := strconv.ParseBool(f.properties["ryuk.disabled"])
	return err == nil && off
}

func lookReaper(ctx context.Context, e *examination) verdict {
	f := lookAtTestcontainers()
	there, pulls := true, true // without an engine there is nothing to report
	if e.engineErr == nil && !f.reaperOff() {
		if _, err := e.Engine.Image(ctx, reaperImage); errors.Is(err, images.ErrNotFound) {
			there = false
			r, _ := e.registry.get(ctx) // reported by its own check
			pulls = r.answers
		} else if err != nil {
			return notTold(err)
		}
	}
	return judgeReaper(f, there, pulls)
}

func judgeReaper(f testcontainersFacts, there, pulls bool) verdict {
	const off = "export TESTCONTAINERS_RYUK_DISABLED=true"
	if v := f.ryukDisabled; v != "" && v != "true" && v != "false" {
		means := "is not a boolean to testcontainers, which ignores it"
		if _, err := strconv.ParseBool(v); err == nil {
			means = `means "false" to testcontainers: only the word true disables the reaper`
		}
		return warning(off, "TESTCONTAINERS_RYUK_DISABLED=%s %s", v, means)
	}
	switch {
	case f.reaperOff():
		return ok("testcontainers' reaper is disabled")
	case !there && !pulls:
		return warning(off, "testcontainers starts its reaper first, but %s is not on the engine and no registry answers: Go tests fail at their first call", reaperImage)
	case !there:
		return ok("%s can be pulled", reaperImage)
	}
	return ok("nothing disables testcontainers' reaper")
}

func lookTestcontainersHost(ctx context.Context, e *examination) verdict {
	f := lookAtTestcontainers()
	endpoint, published := "", ""
	if e.engineErr == nil {
		endpoint = e.engine.info.Endpoint
		if h, err := e.helper.get(ctx); err == nil && h.publishedErr == nil {
			published = e.engine.info.Host
		}
	}
	return judgeTestcontainersHost(f, endpoint, published)
}

// judgeTestcontainersHost takes the engine's endpoint and the host at which its published ports
// were reached; both are "" if unknown.
func judgeTestcontainersHost(f testcontainersFacts, endpoint, published string) verdict {
	var bites, remedies []string
	bite := func(remedy, format string, args ...any) {
		remedies, bites = append(remedies, remedy), append(bites, fmt.Sprintf(format, args...))
	}
	remove := func(key string) string { return fmt.Sprintf("remove the line %s from %s", key, f.file) }
	const put = "the image prefix %q is put before every image without a registry, those that beamyard builds too"
	switch inFile := f.properties["hub.image.name.prefix"]; {
	case f.prefix != "":
		bite("unset TESTCONTAINERS_HUB_IMAGE_NAME_PREFIX", put, f.prefix)
	case inFile != "":
		bite(remove("hub.image.name.prefix"), put, inFile)
	}
	for _, key := range []string{"tc.host", "docker.host"} {
		if host := f.properties[key]; host != "" && endpoint != "" && host != endpoint {
			bite(remove(key), "%s in %s sends Go tests to %s, while beamyard uses %s", key, f.file, host, endpoint)
		}
	}
	if f.dockerEnv && f.override == "" {
		remedy := "export TESTCONTAINERS_HOST_OVERRIDE=" + published
		if published == "" {
			remedy = "export TESTCONTAINERS_HOST_OVERRIDE=127.0.0.1, if published ports answer there"
		}
		bite(remedy, "/.dockerenv is there, so testcontainers takes this machine for a container and dials the bridge's gateway for published ports")
	}
	switch {
	case len(bites) > 0:
		return warning(strings.Join(remedies, "\n"), "%s", strings.Join(bites, "; "))
	case f.override != "":
		return ok("TESTCONTAINERS_HOST_OVERRIDE=%s", f.override)
	}
	return ok("no setting sends Go tests elsewhere")
}
