package cluster

import (
	"context"
	"slices"
	"strings"

	"github.com/beamyard/beamyard/network"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/build"
	"github.com/beamyard/beamyard/orchestrator/diagnosis"
)

// lookAround asks a shell in a container what listens and what runs. It finds nothing in
// an image without a shell.
func (c *Cluster) lookAround(ctx context.Context, id string, live *diagnosis.Live) {
	result, err := orchestrator.Command(ctx, c.eng, id, []string{"sh", "-c", diagnosis.LookScript})
	if err != nil {
		return
	}
	sockets, processes, _ := strings.Cut(result.Stdout, "\x01")
	live.Listening = network.ListeningPorts(strings.NewReader(sockets))
	live.Loopback = network.LoopbackPorts(strings.NewReader(sockets))
	live.Looked = result.ExitCode == 0 || sockets != ""
	if processes != "" {
		live.See(diagnosis.ReadProcesses("\x01" + processes))
	}
}

// entrypointOf returns the image's entrypoint, if the command of node i is passed to it.
// For a release, the entrypoint is already known.
func (c *Cluster) entrypointOf(ctx context.Context, i int) []string {
	node := c.current().NodeAt(i)
	if len(node.Entrypoint) > 0 || c.current().RunsRelease(node) || orchestrator.IsCommandOfImage(node.Command) {
		return nil
	}
	image, err := c.eng.Image(ctx, node.Image)
	if err != nil {
		return nil
	}
	return image.Entrypoint
}

// settingsIn returns the settings in the files of a container's release: env.sh and
// vm.args of the version that it starts, and vm.args at the paths used by scripts of
// other tools. It queries the image only once for each command.
func (c *Cluster) settingsIn(ctx context.Context, id string, i int) []diagnosis.Setting {
	node := c.current().NodeAt(i)
	image, err := c.eng.Image(ctx, node.Image)
	if err != nil {
		return nil
	}
	command := slices.Concat(node.Entrypoint, node.Command)
	if len(node.Entrypoint) == 0 {
		command = slices.Concat(image.Entrypoint, command)
	}
	if len(node.Command) == 0 || orchestrator.IsCommandOfImage(node.Command) {
		command = slices.Concat(command, image.Cmd)
	}
	key := strings.Join(append([]string{node.Image}, command...), "\x00")
	if known, ok := c.settings.Load(key); ok {
		return known.([]diagnosis.Setting)
	}
	read := func(file string) string {
		text, err := c.files().ReadFile(ctx, id, file)
		if err != nil {
			return ""
		}
		return text
	}
	found := build.ReleaseSettings(command, image.WorkingDir, read)
	if ctx.Err() == nil {
		c.settings.Store(key, found)
	}
	return found
}
