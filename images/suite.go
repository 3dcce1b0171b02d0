package images

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// This file finds the ExUnit tests of a project where `mix test` looks for them: in test_paths
// of mix.exs, for an umbrella in those of its applications.

// testsOf reports whether `mix test` runs the tests of project i.
func (a answer) testsOf(i int) bool {
	if a.Projects[0].Umbrella {
		return a.Projects[i].Main
	}
	return i == 0
}

// suite rejects a project without tests, if tests are required. list holds the files of the
// image.
func (b *mixBuild) suite(p project, list []entry) error {
	if !b.o.Suite {
		return nil
	}
	var names, there []string
	for _, dir := range p.Tests {
		name := dir
		if rel, err := filepath.Rel(b.dir, dir); err == nil {
			name = filepath.ToSlash(rel)
		}
		names = append(names, name)
		if _, err := os.Stat(dir); err != nil {
			continue
		}
		there = append(there, name)
		at := p.Layout.place(dir)
		if slices.ContainsFunc(list, func(e entry) bool { return at == "" || e.Name == at || strings.HasPrefix(e.Name, at+"/") }) {
			return nil
		}
	}
	if len(there) > 0 {
		return &SourceError{b.src.Dir, "the image has no tests: .dockerignore leaves " + folders(there) + " out",
			fmt.Sprintf("write this at the end of .dockerignore: !%s", there[0])}
	}
	return noTests(b.src.Dir, "has no tests", names)
}

func noTests(dir, why string, names []string) error {
	if len(names) == 0 {
		return &SourceError{dir, why + ": mix.exs names no folder of tests", "give the folder of a Mix project that has tests"}
	}
	return &SourceError{dir, why + ": there is no " + folders(names),
		fmt.Sprintf("begin with %[1]s/test_helper.exs (ExUnit.start()) and %[1]s/some_test.exs", names[0])}
}

// folders names at most three folders.
func folders(names []string) string {
	const most = 3
	more := ""
	if len(names) > most {
		names, more = names[:most], " …"
	}
	return "folder " + strings.Join(names, " or ") + more
}

// suiteIn rejects the image of a Dockerfile that contains a Mix project without its tests. An
// image in which Mix does not answer is accepted: running it shows the problem.
func suiteIn(ctx context.Context, eng Engine, src Source, image Image) error {
	info, err := eng.Image(ctx, image.Ref)
	if err != nil {
		return err
	}
	w, err := eng.Start(ctx, WorkshopSpec{Image: info})
	if err != nil {
		return err
	}
	defer func() { _ = w.Close() }()
	text, err := archiveOf([]entry{textEntry(path.Base(inImage), evaluateText, 0o644)})
	if err == nil {
		err = w.Write(ctx, path.Dir(inImage), text)
	}
	if err != nil {
		return err
	}
	var out, said bytes.Buffer
	code, err := w.Run(ctx, Command{Args: []string{"elixir", inImage, info.WorkingDir, gitUsed}, Env: []string{"MIX_ENV=test"}, User: info.User, Dir: "/"}, &out, &said)
	if err != nil && isMissing(err) {
		return nil
	}
	if err != nil {
		return err
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	var a answer
	if code != 0 || json.Unmarshal([]byte(lines[len(lines)-1]), &a) != nil || a.Error != nil {
		return nil
	}
	var names []string
	for i, p := range a.Projects {
		if !a.testsOf(i) {
			continue
		}
		if p.HasTests {
			return nil
		}
		names = append(names, p.Tests...)
	}
	return &SourceError{src.Dir, "the image has no tests: there is no " + folders(names) + " in it",
		"copy them in the Dockerfile, and see that .dockerignore does not leave them out"}
}

// inImage is the path of the evaluator in an image with another layout than ours.
const inImage = "/tmp/beamyard-evaluate.exs"
