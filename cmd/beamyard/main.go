package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"
)

func main() { os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }

// cli is the command line.
type cli struct {
	JSON    bool             `name:"json" help:"Answer in JSON, on stdout."`
	Version kong.VersionFlag `help:"Print the version and exit."`

	Up         upCmd         `cmd:"" help:"Start a cluster, prove that its nodes are connected, and supervise it."`
	Down       downCmd       `cmd:"" help:"Stop clusters and remove their containers and networks."`
	Ps         psCmd         `cmd:"" help:"List the nodes of one cluster, or of all."`
	Logs       logsCmd       `cmd:"" help:"Show the logs of nodes, of all their runs."`
	Top        topCmd        `cmd:"" help:"Show a cluster live, on the terminal, with keys that act on it."`
	UI         uiCmd         `cmd:"" name:"ui" help:"Open the live page of a cluster, or of all."`
	Health     healthCmd     `cmd:"" help:"Check the health of every node."`
	Sync       syncCmd       `cmd:"" help:"Load changed source files into the running nodes."`
	Upgrade    upgradeCmd    `cmd:"" help:"Replace the image of the nodes, one after the other."`
	Rollback   rollbackCmd   `cmd:"" help:"Go back to the image before the last upgrade."`
	Events     eventsCmd     `cmd:"" help:"Show the events of a cluster."`
	Stop       stopCmd       `cmd:"" help:"Stop nodes; they stay down until started."`
	Start      startCmd      `cmd:"" help:"Start stopped nodes."`
	Restart    restartCmd    `cmd:"" help:"Stop nodes and start them again."`
	Kill       killCmd       `cmd:"" help:"Send nodes a signal; the restart policy applies as after a crash."`
	Pause      pauseCmd      `cmd:"" help:"Pause nodes: freeze all their processes."`
	Unpause    unpauseCmd    `cmd:"" help:"Unpause nodes: their processes continue."`
	Partition  partitionCmd  `cmd:"" help:"Cut nodes off from each other."`
	Blip       blipCmd       `cmd:"" help:"Reset the connections between nodes once."`
	Slow       slowCmd       `cmd:"" help:"Make links between nodes lossy or slow."`
	DNS        dnsCmd        `cmd:"" name:"dns" help:"Make nodes resolve the names of their peers wrongly."`
	Crash      crashCmd      `cmd:"" help:"Make the VM of nodes crash from inside."`
	Squeeze    squeezeCmd    `cmd:"" help:"Give nodes little memory, processor time or disk space."`
	Clock      clockCmd      `cmd:"" help:"Make the wall clocks of nodes wrong."`
	Heal       healCmd       `cmd:"" help:"End faults."`
	Faults     faultsCmd     `cmd:"" help:"List the faults in force."`
	Chaos      chaosCmd      `cmd:"" help:"Break a cluster at random, and prove that it comes back."`
	Run        runCmd        `cmd:"" help:"Run a command with a temporary cluster."`
	Test       testCmd       `cmd:"" help:"Run a project's ExUnit suite with the nodes of a cluster."`
	RPC        rpcCmd        `cmd:"" name:"rpc" help:"Evaluate an expression on nodes."`
	Iex        iexCmd        `cmd:"" help:"Open an interactive shell on a node."`
	Exec       execCmd       `cmd:"" help:"Run a command in a node's container."`
	Send       sendCmd       `cmd:"" help:"Write to the standard input of a node's main process."`
	Inspect    inspectCmd    `cmd:"" help:"Show detailed information on a node."`
	Export     exportCmd     `cmd:"" help:"Write logs, events and reports of a cluster to a folder."`
	MCP        mcpCmd        `cmd:"" name:"mcp" help:"Serve an assistant: a server of the Model Context Protocol on stdin and stdout."`
	Volume     volumeCmd     `cmd:"" help:"List volumes, and copy their data out and in."`
	Prune      pruneCmd      `cmd:"" help:"Remove clusters whose owner process is dead."`
	Hosts      hostsCmd      `cmd:"" help:"List the machines of clusters, and make them one swarm."`
	Doctor     doctorCmd     `cmd:"" help:"Check whether this machine can run clusters."`
	VersionCmd versionCmd    `cmd:"" name:"version" help:"Print the version, the commit and its date."`
	Completion completionCmd `cmd:"" help:"Print the script with which a shell completes commands, flags and names."`

	Supervise superviseCmd `cmd:"" help:"Supervise a detached cluster whose supervisor is gone, in the foreground."`
	Watchdog  watchdogCmd  `cmd:"" hidden:"" help:"Remove a cluster whose up command was killed; started by up."`
	Lot       lotCmd       `cmd:"" hidden:"" help:"Keep parked clusters for later commands; started by run and test."`
	Complete  completeCmd  `cmd:"" hidden:"" help:"Complete a command line; run by the scripts of completion."`
	Probe     probeCmd     `cmd:"" hidden:"" help:"Report what a container sees; run by doctor."`
}

const description = `Clusters of Elixir/BEAM nodes as Docker containers.

Examples:
  beamyard up                       the Mix project in this folder, three nodes, until Ctrl-C
  beamyard up ./shop -n 5 -d        five nodes, kept in the background
  beamyard logs n2 -f               follow what n2 prints
  beamyard rpc n1 'Node.list()'     evaluate Elixir on n1
  beamyard sync --watch             load what you save into every node
  beamyard iex n1                   type Elixir on n1
  beamyard test                     the project's tests, connected to two nodes of it
  beamyard run -- ./smoke-test.sh   run a command with a temporary cluster
  beamyard kill n2                  crash a node and watch it come back: beamyard ps
  beamyard down                     stop and remove it all

NODE is a node's short name (n1). With several clusters, say which one: -c NAME,
NAME/n1, or BEAMYARD_CLUSTER. NO_COLOR turns colours off. DOCKER_HOST and Docker
contexts are honoured.

Exit codes:
    0  done
    1  error
    2  wrong usage: the command line or beamyard.yml
    3  the cluster was not ready in time
    4  a node or a check of its health failed, or a cluster did not come back after chaos
    5  the environment is not supported: no engine, no permission, too old
  130  interrupted

run, test, exec and iex return the exit code of the command they ran.`

// run is the program. It returns the exit code after all cleanup.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	ctx, second, stop := interrupts()
	defer stop()

	var c cli
	ended := -1 // --help and --version end the program early, in kong's own way
	parser, err := kong.New(&c,
		kong.Name("beamyard"), kong.Description(description),
		kong.Vars{"version": buildVersion().String()},
		kong.Writers(stdout, stderr), kong.Exit(func(code int) { ended = code }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true, WrapUpperBound: 100}),
	)
	if err != nil {
		panic(err) // a struct tag in cli is wrong: the first test finds it
	}
	args, rest := dashed(args)
	switch {
	case len(args) == 0:
		args = []string{"--help"}
	case args[0] == "help": // as docker and git have it
		args = append(slices.Clone(args[1:]), "--help")
	}
	kctx, err := parser.Parse(args)
	if ended >= 0 {
		return ended
	}
	a := newApp(stdin, stdout, stderr, second)
	a.rest = rest
	if err != nil {
		return a.fail(ctx, usageOf(err))
	}
	a.json = c.JSON
	kctx.BindTo(ctx, (*context.Context)(nil))
	return a.fail(ctx, kctx.Run(a))
}

// usageOf adds the command to type to a parser's error.
func usageOf(err error) error {
	command := "beamyard"
	var parse *kong.ParseError
	if errors.As(err, &parse) {
		if node := parse.Context.Selected(); node != nil {
			command = strings.TrimSpace("beamyard " + node.Path())
			command = strings.TrimPrefix(command, "beamyard ")
			if !strings.HasPrefix(command, "beamyard") {
				command = "beamyard " + command
			}
		}
	}
	return &usageError{text: err.Error(), hint: command + " --help"}
}

// dashed splits off the words after "--" in the commands that run another one: these words are
// not parsed here.
func dashed(args []string) (own, rest []string) {
	command := slices.IndexFunc(args, func(word string) bool { return !strings.HasPrefix(word, "-") })
	if command < 0 || !slices.Contains([]string{"run", "test"}, args[command]) {
		return args, nil
	}
	if i := slices.Index(args, "--"); i > command {
		return args[:i], args[i+1:]
	}
	return args, nil
}

// interruptedError is the cause of a context that a signal cancelled.
type interruptedError struct{ signal os.Signal }

func (e *interruptedError) Error() string { return fmt.Sprintf("interrupted by %s", e.signal) }
func (e *interruptedError) Unwrap() error { return errInterrupted }

// interrupts turns SIGINT, SIGTERM and SIGHUP into a cancelled context. The second signal
// closes the channel and restores the default actions, so that a third one ends the process in
// any case.
func interrupts() (ctx context.Context, second <-chan struct{}, stop func()) {
	ctx, cancel := context.WithCancelCause(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	again, done := make(chan struct{}), make(chan struct{})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for count := 1; count <= 2; count++ {
			select {
			case s := <-signals:
				if count == 1 {
					cancel(&interruptedError{s})
					continue
				}
				close(again)
				signal.Stop(signals)
			case <-done:
				return
			}
		}
	}()
	return ctx, again, func() {
		signal.Stop(signals)
		close(done)
		<-ended
		cancel(nil)
	}
}
