package mcp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/secrets"
)

// Commands is what the tools do. The command line implements it.
type Commands interface {
	// Specs returns the specs of all clusters. Their secrets are masked in what is answered.
	Specs(ctx context.Context) ([]orchestrator.Spec, error)

	// Run does what an input asks for. A failure that the command explains is an Answer with
	// Failed, not an error.
	Run(ctx context.Context, in Input) (Answer, error)
}

// Answer is what a command printed.
type Answer struct {
	JSON   []byte // with --json: one value, or one a line
	Text   string // without it
	Failed bool   // the text says why, and what to do
}

// Options configure a [Server]. The zero value works.
type Options struct {
	// AllowChanges adds the tools that change a cluster. Without it, they do not exist.
	AllowChanges bool
	// Allow says how the user allows changes: a command. It is told to an assistant that wants to
	// change something.
	Allow string
	// Version of the program, which is told to the assistant. Default "dev".
	Version string
}

const instructions = `Beamyard runs clusters of Elixir and Erlang nodes as containers. Begin with list; then why says what is
wrong and which command solves it. Commands in answers are for the user's shell`

// Server is a server of the Model Context Protocol.
type Server struct {
	commands Commands
	server   *sdk.Server
}

// New returns a server with its tools.
func New(c Commands, o Options) *Server {
	about := instructions + "; the tools of the same names do the same."
	if !o.AllowChanges {
		about = instructions + ". This server only reads. " + o.allow()
	}
	if o.Version == "" {
		o.Version = "dev"
	}
	s := &Server{commands: c, server: sdk.NewServer(
		&sdk.Implementation{Name: "beamyard", Title: "Beamyard", Version: o.Version},
		// Without a list of its own, the library would offer to send its log messages.
		&sdk.ServerOptions{Instructions: about, Capabilities: &sdk.ServerCapabilities{}},
	)}
	refused := map[string]bool{}
	for _, t := range tools {
		if t.changes && !o.AllowChanges {
			refused[t.name] = true
			continue
		}
		t.add(s, t)
	}
	s.server.AddReceivingMiddleware(func(next sdk.MethodHandler) sdk.MethodHandler {
		return func(ctx context.Context, method string, r sdk.Request) (sdk.Result, error) {
			if call, ok := r.(*sdk.CallToolRequest); ok && refused[call.Params.Name] {
				text := fmt.Sprintf("there is no tool %s: it changes a cluster, and this server only reads. %s", call.Params.Name, o.allow())
				return &sdk.CallToolResult{Content: []sdk.Content{&sdk.TextContent{Text: text}}, IsError: true}, nil
			}
			return next(ctx, method, r)
		}
	})
	return s
}

// allow says how the user allows changes.
func (o Options) allow() string { return "The user can allow changes: " + o.Allow }

// Run serves an assistant that reads from out and writes to in, a message a line, until it closes in
// or ctx ends.
func (s *Server) Run(ctx context.Context, in io.Reader, out io.Writer) error {
	err := s.server.Run(ctx, drained{&sdk.IOTransport{Reader: io.NopCloser(in), Writer: unclosed{out}}})
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// unclosed is a writer that stays open: it is the program's stdout.
type unclosed struct{ io.Writer }

func (unclosed) Close() error { return nil }

// handle returns the handler of a tool.
func handle[In Input](s *Server, t tool) sdk.ToolHandlerFor[In, any] {
	return func(ctx context.Context, _ *sdk.CallToolRequest, in In) (*sdk.CallToolResult, any, error) {
		r, err := s.call(ctx, t, in)
		if err != nil {
			return nil, nil, err
		}
		return &sdk.CallToolResult{Content: []sdk.Content{&sdk.TextContent{Text: r.text}}, IsError: r.failed}, r.value, nil
	}
}

// result is what a tool returns.
type result struct {
	text   string
	value  any // an object, or nil
	failed bool
}

// call runs a tool. Its error has no secrets.
func (s *Server) call(ctx context.Context, t tool, in Input) (result, error) {
	if err := evaluates(in); err != nil && !t.changes {
		return result{}, err
	}
	// First, so that nothing is done whose answer could not be masked.
	specs, err := s.commands.Specs(ctx)
	if err != nil {
		return result{}, fmt.Errorf("find the clusters: %w", err)
	}
	m := newMask(specs)
	a, err := s.commands.Run(ctx, in)
	if err != nil {
		return result{}, secrets.RedactError(err, m.text)
	}
	r := result{text: m.text(a.Text), failed: a.Failed}
	if r.value, err = decode(a.JSON, t.list); err != nil {
		return result{}, err
	}
	r.value = m.value(r.value)
	return shorten(r, t), nil
}

// evaluates returns an error if an input names nodes by an expression, which nodes would evaluate.
func evaluates(in Input) error {
	for _, name := range in.Named() {
		if strings.Contains(name, "@leader") {
			return fmt.Errorf("%s: this evaluates an expression on the nodes, and this tool only reads; name the node: see status", name)
		}
	}
	return nil
}
