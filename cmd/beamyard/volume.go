package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/volume"
)

type volumeCmd struct {
	Action  string `arg:"" name:"ls|export|import" enum:"ls,export,import" complete:"ls|export|import" help:"ls lists volumes, export copies their data out, import copies it in."`
	Of      string `arg:"" optional:"" name:"cluster|cluster/node" complete:"cluster" help:"The volumes of a cluster, or of one node of it: demo, demo/n1. ls without it lists those of all clusters."`
	File    string `arg:"" optional:"" name:"file" complete:"files" help:"The tar archive to write or read; - for stdout or stdin."`
	Running bool   `help:"Import into volumes of nodes that run, too."`
}

func (volumeCmd) Help() string {
	return `The data of volumes as one tar archive, to replay somewhere else what needs it. The
cluster may be up or down. A name in the archive is NODE/VOLUME/path, and owners, modes and
times are kept.

What a node writes while it is copied may be torn in the copy: beamyard stop or pause it
first. An import creates the volumes that are missing, and the next beamyard up of that
name uses them. Files replace those of the same name, and all others stay: for exactly
the data of the archive, beamyard down NAME --volumes first. With CLUSTER/NODE, that node
gets the data of the one node that the archive has.

Examples:
  beamyard volume ls
  beamyard volume export demo demo.tar
  beamyard volume export demo/n1 - | ssh lab beamyard volume import demo/n1 -`
}

// Run lists volumes, or copies them.
func (c *volumeCmd) Run(ctx context.Context, a *app) error {
	if c.Action != "ls" && (c.Of == "" || c.File == "") {
		return usagef("beamyard volume "+c.Action+" demo demo.tar", "volume %s needs a cluster, and a file or -", c.Action)
	}
	if c.Action == "ls" && c.File != "" {
		return usagef("beamyard volume export "+c.Of+" "+c.File, "volume ls takes no file")
	}
	cluster, node, one := strings.Cut(c.Of, "/")
	cluster = clusterRef(cluster)
	var nodes []string
	if one {
		nodes = []string{node}
	}
	opened, err := a.engine(ctx)
	if err != nil {
		return err
	}
	defer opened.Close()
	if c.Action == "ls" {
		return c.list(ctx, a, opened, cluster, nodes)
	}
	eng, able := opened.(volume.Engine)
	if !able {
		return orchestrator.WithHint(fmt.Errorf("volumes are copied on one engine, and %s runs on several hosts", cluster), "copy them on each: DOCKER_HOST=… beamyard volume %s %s %s", c.Action, c.Of, c.File)
	}
	if c.Action == "export" {
		return c.export(ctx, a, eng, cluster, nodes)
	}
	return c.load(ctx, a, eng, cluster, node)
}

func (c *volumeCmd) list(ctx context.Context, a *app, eng orchestrator.Engine, cluster string, nodes []string) error {
	all, err := volume.List(ctx, eng, cluster, nodes...)
	if err != nil {
		return err
	}
	return a.answer(all, func(o *output) error {
		if len(all) == 0 {
			a.say("no volumes")
			return nil
		}
		rows := [][]cell{{{"CLUSTER", "1"}, {"NODE", "1"}, {"NAME", "1"}, {"VOLUME", "1"}, {"NODE RUNS", "1"}}}
		for _, v := range all {
			runs := "no"
			if v.Running {
				runs = "yes"
			}
			rows = append(rows, []cell{{v.Cluster, ""}, {v.Node, ""}, {v.Name, ""}, {v.Volume, ""}, {runs, ""}})
		}
		return writeTable(o, o.color, rows)
	})
}

func (c *volumeCmd) export(ctx context.Context, a *app, eng volume.Engine, cluster string, nodes []string) (err error) {
	if c.File == "-" && a.out.terminal {
		return usagef("beamyard volume export "+c.Of+" "+cluster+".tar", "stdout is a terminal, and the archive is no text")
	}
	// The reader of a pipe may end: the container that mounts the volumes is removed then, too.
	pipe := make(chan os.Signal, 1)
	signal.Notify(pipe, syscall.SIGPIPE)
	defer signal.Stop(pipe)
	var to io.Writer = a.out
	if c.File != "-" {
		// It appears whole, or not at all, and only its owner reads it: data can be secret.
		file, failed := os.CreateTemp(filepath.Dir(c.File), ".beamyard-*")
		if failed != nil {
			return fmt.Errorf("write %s: %w", c.File, failed)
		}
		to = file
		defer func() {
			err = errors.Join(err, file.Close())
			if err == nil {
				err = os.Rename(file.Name(), c.File)
			}
			if err != nil {
				err = errors.Join(err, os.Remove(file.Name()))
			}
		}()
	}
	volumes, err := volume.Export(ctx, eng, to, cluster, nodes...)
	if err != nil {
		return err
	}
	var running []string
	for _, v := range volumes {
		if v.Running && !slices.Contains(running, v.Cluster+"/"+v.Node) {
			running = append(running, v.Cluster+"/"+v.Node)
		}
	}
	for _, v := range volumes {
		a.say("exported %s", v)
	}
	if len(running) > 0 {
		a.say("what %s wrote meanwhile may be torn in the copy; for an exact one: beamyard stop %[1]s, and export again", strings.Join(running, " "))
	}
	return nil
}

// load imports.
func (c *volumeCmd) load(ctx context.Context, a *app, eng volume.Engine, cluster, node string) error {
	from := a.in
	if c.File != "-" {
		file, err := os.Open(c.File)
		if err != nil {
			return fmt.Errorf("read the archive: %w", err)
		}
		defer file.Close()
		from = file
	}
	done, err := volume.Import(ctx, eng, from, volume.Options{Cluster: cluster, Node: node, Running: c.Running})
	if err != nil {
		if len(done) > 0 {
			a.say("until then: %s", importedText(done))
		}
		return err
	}
	return a.answer(done, func(o *output) error {
		if slices.ContainsFunc(done, func(v volume.Imported) bool { return v.Existed }) {
			a.say("files that the archive lacks are still in the volumes that existed")
		}
		_, err := fmt.Fprintf(o, "imported %s\n", importedText(done))
		return err
	})
}

func importedText(done []volume.Imported) string {
	var names []string
	for _, v := range done {
		names = append(names, v.String())
	}
	return strings.Join(names, ", ")
}
