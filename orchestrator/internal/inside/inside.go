package inside

import (
	"context"
	"slices"
	"strings"
	"sync"

	"github.com/beamyard/beamyard/network"
	"github.com/beamyard/beamyard/network/erldist"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/build"
	"github.com/beamyard/beamyard/orchestrator/diagnosis"
	"github.com/beamyard/beamyard/orchestrator/internal/releasefile"
)

// Inspector looks into the containers and images of one cluster. Its Engine is required.
type Inspector struct {
	Engine orchestrator.Engine
	// ReadFile returns a small file of a container; "" if it does not exist. [Inspector.Settings]
	// needs it.
	ReadFile func(ctx context.Context, id, path string) (string, error)

	settings sync.Map // by image and command
}

// LookAround asks a shell in a container what listens and what runs. It finds nothing in
// an image without a shell.
func (c *Inspector) LookAround(ctx context.Context, id string, live *diagnosis.Live) {
	result, err := orchestrator.Command(ctx, c.Engine, id, []string{"sh", "-c", diagnosis.LookScript})
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

// Registered asks a container's EPMD from inside which nodes are registered, and returns their
// ports. It returns nil if there is no epmd in the container's path.
func (c *Inspector) Registered(ctx context.Context, id string) map[string]int {
	result, err := orchestrator.Command(ctx, c.Engine, id, []string{"epmd", "-names"})
	if err != nil || result.ExitCode != 0 {
		return nil
	}
	return erldist.ParseNames(result.Stdout)
}

// Entrypoint returns the image's entrypoint, if the command of node i is passed to it.
// For a release, the entrypoint is already known.
func (c *Inspector) Entrypoint(ctx context.Context, s orchestrator.Spec, i int) []string {
	node := s.NodeAt(i)
	if len(node.Entrypoint) > 0 || s.RunsRelease(node) || orchestrator.IsCommandOfImage(node.Command) {
		return nil
	}
	image, err := c.Engine.Image(ctx, node.Image)
	if err != nil {
		return nil
	}
	return image.Entrypoint
}

// Settings returns the settings in the files of a container's release: env.sh and
// vm.args of the version that it starts, and vm.args at the paths used by scripts of
// other tools. It reads them only once for each image and command.
func (c *Inspector) Settings(ctx context.Context, s orchestrator.Spec, id string, i int) []releasefile.Setting {
	node := s.NodeAt(i)
	image, err := c.Engine.Image(ctx, node.Image)
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
		return known.([]releasefile.Setting)
	}
	read := func(file string) string {
		text, err := c.ReadFile(ctx, id, file)
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
