package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/beamyard/beamyard/orchestrator/control"
	"github.com/beamyard/beamyard/orchestrator/evidence"
)

type exportCmd struct {
	target
	into string // a folder for an archive with a name of its own; "": as To says
	To   string `arg:"" optional:"" name:"dir|file.tar.gz" complete:"files" help:"A folder that does not exist yet or is empty, or an archive (./beamyard-NAME-DATE-TIME)."`
}

func (exportCmd) Help() string {
	return `README.txt in the folder describes its contents. Start with timeline.txt: all
events in the order of time, with the log lines around them. The cookie and secret
variables are masked, also in crash dumps. It works without a supervisor, and
without an engine. Only the path is printed on stdout.

When BEAMYARD_EXPORT_DIR is set, every up that fails writes the same to a folder in
it, before anything is removed.

Examples:
  beamyard export                       into ./beamyard-demo-20260131-120000
  beamyard export /tmp/demo.tar.gz -c demo`
}

// Run writes the evidence of a cluster to a file or folder.
func (c *exportCmd) Run(ctx context.Context, a *app) error {
	r, err := c.connect(ctx, a, "export", nil)
	if err != nil {
		return err
	}
	defer r.close()
	if c.Cluster == "" && c.To == r.cluster { // other commands take a cluster here
		return usagef(fmt.Sprintf("beamyard export -c %[1]s; or, into a folder of that name: beamyard export ./%[1]s", c.To),
			"%s is a cluster, and export takes a folder or a file here", c.To)
	}
	found, err := r.find(ctx, a)
	if err != nil {
		return err
	}
	src := evidence.Source{Spec: found.Spec, Engine: r.eng}
	b := collect(ctx, src)
	if ctx.Err() != nil {
		return errors.Join(ctx.Err(), b.Close())
	}
	path := c.To
	if c.into != "" {
		path = filepath.Join(c.into, b.Name()+".tar.gz")
	} else if path == "" {
		path = "./" + b.Name()
	}
	write := b.WriteDir
	if strings.HasSuffix(path, ".tar.gz") || strings.HasSuffix(path, ".tgz") {
		write = b.WriteTarGz
	}
	if err := errors.Join(write(path), b.Close()); err != nil {
		return err
	}
	for _, m := range b.Missing {
		a.say("left out: %s: %s", m.Part, m.Reason)
	}
	return a.answer(map[string]string{"path": path}, func(o *output) error {
		_, err := fmt.Fprintln(o, path)
		return err
	})
}

// collect collects the evidence of a cluster, through its supervisor if it answers. The caller
// closes the bundle.
func collect(ctx context.Context, src evidence.Source) *evidence.Bundle {
	src.By = "beamyard " + buildVersion().Version
	if src.Cluster == nil {
		if client, err := control.Dial(ctx, src.Spec.Name); err == nil {
			defer client.Close()
			src.Cluster = client
		}
	}
	return evidence.Collect(ctx, src)
}
