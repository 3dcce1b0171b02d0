package docker_test

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/cluster"
	"github.com/beamyard/beamyard/orchestrator/discovery"
	"github.com/beamyard/beamyard/orchestrator/docker"
)

// A Go program runs a cluster: three nodes of a Mix project, proven to be connected,
// evaluate an expression, and are removed again.
func Example() {
	ctx, cancel := context.WithCancel(context.Background())
	engine, err := docker.New(docker.Options{})
	if err != nil {
		log.Fatal(err)
	}
	spec := orchestrator.Spec{Name: "shop", Source: "../../images/demo", Nodes: orchestrator.NodeNames(3)}
	cluster, err := cluster.New(spec, engine, cluster.Options{BuildOutput: os.Stderr})
	if err != nil {
		log.Fatal(err) // all problems of the spec at once
	}
	done := make(chan error, 1)
	go func() { done <- cluster.Run(ctx) }()
	if err := cluster.WaitReady(ctx); err != nil {
		log.Fatal(err) // which node, why, and its last lines
	}
	answer, _ := discovery.Eval(ctx, engine, "shop", "n1", "length(Node.list())", orchestrator.EvalOptions{})
	fmt.Println("n1 sees", answer)

	cancel() // stops the nodes and removes everything
	if err := <-done; err != nil {
		log.Fatal(err)
	}
	// Output: n1 sees 2
}
