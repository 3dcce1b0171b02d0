package images

import (
	"slices"
	"strings"
	"testing"
)

// bootSays answers the commands of a build: the record of a project prints text.
func bootSays(text string) func(Command) (string, int) {
	return func(c Command) (string, int) {
		if len(c.Args) > 2 && c.Args[2] == recordScript {
			return text, 0
		}
		return "", 0
	}
}

// The image has a label with the result of its record, and a later call reads it there.
func TestTheImageSaysHowItBoots(t *testing.T) {
	const failed = "the build's record of the project failed"
	for _, tt := range []struct{ name, printed, want string }{
		{"both steps", "talk of mix.exs\nbeamyard: direct\nmore talk\nbeamyard: direct\n", BootDirect},
		{"no record", "beamyard: mix.exs has an alias for run\nbeamyard: no record: enoent\n", "mix.exs has an alias for run"},
		{"a boot that differs", "beamyard: direct\n\nbeamyard: a boot from the record differs: paths\n", "a boot from the record differs: paths"},
		{"no answer", "sh: elixir: not found\n", failed},
		{"one step alone", "beamyard: direct\n** (EXIT)\n", failed},
		{"a secret", "beamyard: ** (RuntimeError) hunter22\n", "** (RuntimeError) ***"},
		{"much", "beamyard: " + strings.Repeat("é", 300) + "\n", strings.Repeat("é", 200) + "…"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			eng, src := engineWith("beamyard/debian:trixie"), tiny(t)
			eng.said = bootSays(tt.printed)
			o := Options{Redact: strings.NewReplacer("hunter22", "***").Replace}
			image := resolved(t, eng, src, o)
			if label := eng.images[image.Ref].Labels["beamyard.boot"]; image.Boot != tt.want || label != tt.want {
				t.Errorf("%q, label %q; want %q", image.Boot, label, tt.want)
			}
			if again := resolved(t, eng, src, o); again.Built || again.Boot != tt.want {
				t.Errorf("again: %+v", again)
			}
		})
	}
}

// A release has its own boot script: nothing is recorded beside it.
func TestAReleaseHasNoRecord(t *testing.T) {
	eng, src := engineWith("beamyard/debian:trixie"), tiny(t)
	eng.said = bootSays("beamyard: direct\nbeamyard: direct\n")
	image := resolved(t, eng, src, Options{Release: true})
	if _, labelled := eng.images[image.Ref].Labels["beamyard.boot"]; labelled || image.Boot != "" {
		t.Errorf("%+v", image)
	}
}

// The record is told which values it must not contain, by the names of variables.
func TestTheRecordKnowsTheSecrets(t *testing.T) {
	eng, src := engineWith("beamyard/debian:trixie"), tiny(t)
	var asked []string
	eng.said = func(c Command) (string, int) {
		if len(c.Args) > 2 && c.Args[2] == recordScript {
			asked = c.Args[3:]
		}
		return "", 0
	}
	resolved(t, eng, src, Options{Env: map[string]string{"TOKEN": "hunter22", "SHORT": "x"}, Secrets: []string{"TOKEN", "SHORT", "UNSET"}})
	if !slices.Equal(asked, []string{"sh", "TOKEN"}) {
		t.Errorf("%q", asked)
	}
}

// A record is made once, and again if more than the content of code has changed.
func TestTheRecordIsKeptWhileOnlyCodeChanges(t *testing.T) {
	eng, src := engineWith("beamyard/debian:trixie"), tiny(t)
	records := 0
	eng.run = func(w *fakeWorkshop, c Command) (string, int) {
		if len(c.Args) > 2 && c.Args[2] == recordScript {
			records++
			w.files[bootDir+"/record"] = "of " + w.files["/app/mix.exs"]
			return "beamyard: direct\nbeamyard: direct\n", 0
		}
		return "", 0
	}
	for _, step := range []struct {
		name    string
		files   map[string]string
		o       Options
		records int
	}{
		{"the first image", nil, Options{}, 1},
		{"code", map[string]string{"lib/tiny.ex": "defmodule Tiny do\n\nend\n"}, Options{}, 1},
		{"a new file", map[string]string{"lib/new.ex": "defmodule New do\nend\n"}, Options{}, 2},
		{"code again", map[string]string{"lib/tiny.ex": "defmodule Tiny do\nend\n"}, Options{}, 2},
		{"mix.exs", map[string]string{"mix.exs": mixExs + "\n"}, Options{}, 3},
		{"another environment", nil, Options{MixEnv: "prod"}, 4},
		{"code of the first one", map[string]string{"lib/tiny.ex": "defmodule Tiny do\n\n\nend\n"}, Options{}, 4},
		{"code of the other one", nil, Options{MixEnv: "prod"}, 4},
		{"a secret", map[string]string{"lib/tiny.ex": "# 1\n"}, Options{Env: map[string]string{"TOKEN": "hunter22"}, Secrets: []string{"TOKEN"}}, 5},
	} {
		write(t, src.Dir, step.files)
		image := resolved(t, eng, src, step.o)
		if records != step.records || image.Boot != BootDirect || eng.images[image.Ref].Labels[bootLabel] != BootDirect {
			t.Errorf("%s: %d records, want %d; %+v", step.name, records, step.records, image)
		}
		made := eng.made[image.Ref]
		if made[bootDir+"/record"] != "of "+made["/app/mix.exs"] {
			t.Errorf("%s: the image's record: %q", step.name, made[bootDir+"/record"])
		}
	}
}

// A project that is not recorded is tried again with each image.
func TestAFailedRecordIsNotKept(t *testing.T) {
	eng, src := engineWith("beamyard/debian:trixie"), tiny(t)
	printed := "sh: elixir: killed\n"
	eng.said = func(c Command) (string, int) { return bootSays(printed)(c) }
	resolved(t, eng, src, Options{})
	printed = "beamyard: direct\nbeamyard: direct\n"
	write(t, src.Dir, map[string]string{"lib/tiny.ex": "defmodule Tiny do\n\nend\n"})
	if image := resolved(t, eng, src, Options{}); image.Boot != BootDirect {
		t.Errorf("%+v", image)
	}
}
