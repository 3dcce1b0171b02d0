package main

import (
	"context"
	"fmt"
	"regexp"
	"runtime"
	"runtime/debug"
	"time"
)

// version is set where there is no git: go build -ldflags "-X main.version=v1.2.3".
var version = ""

type versionInfo struct {
	Version string     `json:"version"`
	Commit  string     `json:"commit,omitempty"`
	Date    *time.Time `json:"date,omitempty"` // of the commit, in UTC
	Go      string     `json:"go"`
	OS      string     `json:"os"`
	Arch    string     `json:"arch"`
}

// buildVersion returns the version that the linker or the go command put into the binary.
func buildVersion() versionInfo {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = &debug.BuildInfo{}
	}
	return versionOf(version, info)
}

// versionOf returns the version of a binary with this build information. A build in a checkout has
// the commit and its date. `go install …@version` has the version alone: of a commit without a tag,
// it tells both (https://go.dev/ref/mod#pseudo-versions).
func versionOf(linked string, info *debug.BuildInfo) versionInfo {
	v := versionInfo{Version: linked, Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH}
	modified := ""
	if m := pseudoVersion.FindStringSubmatch(info.Main.Version); m != nil {
		v.Date, v.Commit = dateOf("20060102150405", m[1]), m[2]
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			v.Commit = s.Value[:min(12, len(s.Value))]
		case "vcs.time":
			v.Date = dateOf(time.RFC3339, s.Value)
		case "vcs.modified":
			if s.Value == "true" {
				modified = "+changes"
			}
		}
	}
	if v.Commit != "" {
		v.Commit += modified
	}
	if v.Version == "" {
		v.Version = info.Main.Version
	}
	if v.Version == "" || v.Version == "(devel)" {
		v.Version = "dev"
	}
	return v
}

// pseudoVersion matches v0.1.1-0.20261130141500-227b8ecc1234, with what Go appends to it.
var pseudoVersion = regexp.MustCompile(`^v.*[-.](\d{14})-([0-9a-f]{12})(\+.*)?$`)

// dateOf returns nil for a text that is not a date.
func dateOf(layout, text string) *time.Time {
	date, err := time.Parse(layout, text)
	if err != nil {
		return nil
	}
	date = date.UTC()
	return &date
}

func (v versionInfo) String() string {
	commit := ""
	if v.Commit != "" {
		commit = ", commit " + v.Commit
		if v.Date != nil {
			commit += " of " + v.Date.Format(time.DateOnly)
		}
	}
	return fmt.Sprintf("beamyard %s (%s, %s/%s%s)", v.Version, v.Go, v.OS, v.Arch, commit)
}

type versionCmd struct{}

// Run prints the version.
func (versionCmd) Run(_ context.Context, a *app) error {
	if a.json {
		return a.printJSON(buildVersion())
	}
	_, err := fmt.Fprintln(a.out, buildVersion())
	return err
}
