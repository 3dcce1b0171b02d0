package main

import (
	"context"
	"io"
	"os"
	"strings"
	"time"

	"github.com/alecthomas/kong"
	"github.com/beamyard/beamyard/cmd/beamyard/internal/complete"
	"github.com/beamyard/beamyard/cmd/beamyard/internal/show"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/discovery"
	"github.com/beamyard/beamyard/orchestrator/docker"
)

type completionCmd struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"bash, zsh or fish."`
}

func (completionCmd) Help() string {
	return `Completes commands, flags, their values, and the names of clusters, nodes, roles and
faults. It asks the engine for the names, for a second at most; without an engine
there are none.

  bash   in ~/.bashrc:                           eval "$(beamyard completion bash)"
  zsh    in ~/.zshrc, after compinit:            eval "$(beamyard completion zsh)"
  fish   in ~/.config/fish/config.fish:          beamyard completion fish | source`
}

// Run prints the script of a shell.
func (c *completionCmd) Run(a *app) error {
	_, err := io.WriteString(a.out, complete.Scripts[c.Shell])
	return err
}

// completeCmd answers the script of a shell.
type completeCmd struct {
	Shell string   `arg:"" enum:"bash,zsh,fish" help:"The shell that asks."`
	Words []string `arg:"" optional:"" passthrough:"" help:"bash: its word breaks, and the command line up to the cursor. zsh, fish: the words after the program's name, up to the cursor."`
}

// Run prints what the word under the cursor can become. A shell shows no error: where there is one,
// there are fewer candidates.
func (c *completeCmd) Run(ctx context.Context, a *app, kctx *kong.Context) error {
	words := c.Words
	if c.Shell == "bash" {
		if len(words) != 2 {
			return usagef("beamyard completion bash", "complete bash takes its word breaks and a line")
		}
		words, _ = complete.Split(words[1])
		words = words[1:]
	} else if len(words) > 0 && words[0] == "--" {
		words = words[1:]
	}
	if n := len(words); c.Shell == "fish" && n > 0 { // which gives the others without their quotes
		current, _ := complete.Split(words[n-1])
		words = append(words[:n-1:n-1], current[len(current)-1])
	}
	answer := complete.Complete(complete.Request{
		Model: kctx.Model, Words: words, Env: os.Getenv, Ref: clusterRef,
		Clusters: func() []complete.Cluster { return clustersToComplete(ctx) },
	})
	var lines []string
	switch c.Shell {
	case "bash":
		lines = complete.Bash(answer, c.Words[1], c.Words[0])
	case "zsh":
		lines = complete.Zsh(answer)
	case "fish":
		lines = complete.Fish(answer)
	}
	for _, line := range lines {
		if _, err := io.WriteString(a.out, line+"\n"); err != nil {
			return err
		}
	}
	return nil
}

// completionTime is how long somebody waits after a Tab. An engine answers within 20 ms at rest.
const completionTime = time.Second

// clustersToComplete asks the engine for names. No answer is no names.
func clustersToComplete(ctx context.Context) []complete.Cluster {
	ctx, cancel := context.WithTimeout(ctx, completionTime)
	defer cancel()
	eng, err := docker.New(docker.Options{})
	if err != nil {
		return nil
	}
	defer eng.Close()
	return namesIn(ctx, eng)
}

// namesIn returns the names in the clusters of an engine.
func namesIn(ctx context.Context, eng orchestrator.Engine) []complete.Cluster {
	found, err := discovery.All(ctx, eng)
	if err != nil {
		return nil
	}
	var clusters []complete.Cluster
	for _, f := range found {
		c := complete.Cluster{Name: f.Cluster, About: plural(len(f.Nodes), "node")}
		members := map[string][]string{}
		var roles []string
		for _, n := range f.Nodes {
			c.Nodes = append(c.Nodes, complete.Candidate{Value: n.Name, About: string(n.State)})
		}
		for _, n := range f.Spec.Nodes {
			if n.Role != "" && n.Role != n.Name {
				if members[n.Role] == nil {
					roles = append(roles, n.Role)
				}
				members[n.Role] = append(members[n.Role], n.Name)
			}
		}
		for _, host := range f.Spec.Machines() {
			if on, err := f.Spec.NodesOf(orchestrator.OnHost + host); err == nil {
				c.Hosts = append(c.Hosts, complete.Candidate{Value: orchestrator.OnHost + host, About: strings.Join(on, ", ")})
			}
		}
		for _, role := range roles {
			c.Roles = append(c.Roles, complete.Candidate{Value: role, About: strings.Join(members[role], ", ")})
		}
		for _, f := range f.Faults {
			c.Faults = append(c.Faults, complete.Candidate{Value: f.ID, About: show.Printable(f.String())})
		}
		clusters = append(clusters, c)
	}
	return clusters
}
