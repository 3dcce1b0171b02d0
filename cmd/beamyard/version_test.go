package main

import (
	"encoding/json"
	"runtime/debug"
	"strings"
	"testing"
)

// What the go command writes into a binary, and what `version` makes of it.
func TestVersionOfABuild(t *testing.T) {
	setting := func(key, value string) debug.BuildSetting { return debug.BuildSetting{Key: key, Value: value} }
	vcs := []debug.BuildSetting{
		setting("vcs", "git"), setting("vcs.revision", "227b8ecc0123456789abcdef0123456789abcdef"),
		setting("vcs.time", "2026-11-30T14:13:57+02:00"), setting("vcs.modified", "false"),
	}
	changed := append(append([]debug.BuildSetting{}, vcs[:3]...), setting("vcs.modified", "true"))
	for _, tc := range []struct {
		name, linked, main string
		settings           []debug.BuildSetting
		text, json         string
	}{
		{
			name: "a release, from a checkout at its tag", main: "v0.1.0", settings: vcs,
			text: "beamyard v0.1.0, commit 227b8ecc0123 of 2026-11-30",
			json: `"version":"v0.1.0","commit":"227b8ecc0123","date":"2026-11-30T12:13:57Z"`,
		},
		{name: "go install of a tag", main: "v0.1.0", text: "beamyard v0.1.0", json: `"version":"v0.1.0"`},
		{
			name: "go install of a commit before the first tag", main: "v0.0.0-20261130121357-227b8ecc0123",
			text: "beamyard v0.0.0-20261130121357-227b8ecc0123, commit 227b8ecc0123 of 2026-11-30",
			json: `"version":"v0.0.0-20261130121357-227b8ecc0123","commit":"227b8ecc0123","date":"2026-11-30T12:13:57Z"`,
		},
		{
			name: "a commit after a tag, with changes", main: "v0.1.1-0.20261130121357-227b8ecc0123+dirty", settings: changed,
			text: "beamyard v0.1.1-0.20261130121357-227b8ecc0123+dirty, commit 227b8ecc0123+changes of 2026-11-30",
			json: `"version":"v0.1.1-0.20261130121357-227b8ecc0123+dirty","commit":"227b8ecc0123+changes","date":"2026-11-30T12:13:57Z"`,
		},
		{name: "without git", main: "(devel)", text: "beamyard dev", json: `"version":"dev"`},
		{name: "without git, from a tarball", linked: "v0.1.0", main: "(devel)", text: "beamyard v0.1.0", json: `"version":"v0.1.0"`},
		{name: "nothing at all", text: "beamyard dev", json: `"version":"dev"`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			v := versionOf(tc.linked, &debug.BuildInfo{Main: debug.Module{Version: tc.main}, Settings: tc.settings})
			v.Go, v.OS, v.Arch = "go1", "linux", "amd64"
			if got, want := v.String(), strings.Replace(tc.text+")", v.Version, v.Version+" (go1, linux/amd64", 1); got != want {
				t.Errorf("%s\nwant %s", got, want)
			}
			data, err := json.Marshal(v)
			if want := `{` + tc.json + `,"go":"go1","os":"linux","arch":"amd64"}`; err != nil || string(data) != want {
				t.Errorf("%s, %v\nwant %s", data, err, want)
			}
		})
	}
}
