package docker_test

import (
	"context"
	"testing"

	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/client"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/docker"
	"github.com/beamyard/beamyard/orchestrator/enginetest/contract"
)

// engine connects to the machine's engine. Without one, the test fails.
func engine(t testing.TB) *docker.Engine {
	t.Helper()
	eng, err := docker.New(docker.Options{})
	if err != nil {
		t.Fatalf("no engine: %v", err)
	}
	t.Cleanup(func() { eng.Close() })
	if _, err := eng.Info(t.Context()); err != nil {
		t.Fatalf("no engine: %v", err)
	}
	return eng
}

func TestContract(t *testing.T) {
	eng := engine(t)
	id, ref := contract.Image(t, eng)
	t.Cleanup(func() {
		cli, err := client.NewClientWithOpts(client.FromEnv, client.WithAPIVersionNegotiation())
		if err != nil {
			t.Fatal(err)
		}
		defer cli.Close()
		if _, err := cli.ImageRemove(context.Background(), ref, image.RemoveOptions{Force: true, PruneChildren: true}); err != nil {
			t.Errorf("remove image %s: %v", ref, err)
		}
	})
	if info, err := eng.Image(t.Context(), ref); err != nil || info.ID != id || info.Labels["of"] != "contract" {
		t.Errorf("imported %s, but found %+v, %v", id, info, err)
	}
	contract.Run(t, func(t testing.TB) orchestrator.Engine { return engine(t) }, ref, "/process")
}
