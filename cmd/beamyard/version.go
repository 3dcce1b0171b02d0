package main

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
)

// version is set for a release: go build -ldflags "-X main.version=v1.2.3".
var version = ""

type versionInfo struct {
	Version string `json:"version"`
	Commit  string `json:"commit,omitempty"`
	Go      string `json:"go"`
	OS      string `json:"os"`
	Arch    string `json:"arch"`
}

// buildVersion returns the version that the linker or the go command put into the binary.
func buildVersion() versionInfo {
	v := versionInfo{Version: version, Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = &debug.BuildInfo{}
	}
	modified := ""
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			v.Commit = s.Value
		case "vcs.modified":
			if s.Value == "true" {
				modified = "+changes"
			}
		}
	}
	if v.Commit != "" {
		v.Commit = v.Commit[:min(12, len(v.Commit))] + modified
	}
	if v.Version == "" {
		v.Version = info.Main.Version // from `go install …@version`
	}
	if v.Version == "" || v.Version == "(devel)" {
		v.Version = "dev"
	}
	return v
}

func (v versionInfo) String() string {
	commit := ""
	if v.Commit != "" {
		commit = ", commit " + v.Commit
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
