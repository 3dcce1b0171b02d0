package mcp

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
	"go.uber.org/goleak"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/enginetest/generated"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// shell is a command line in memory: it answers what a test says.
type shell struct {
	specs  []orchestrator.Spec
	lost   error // of Specs
	answer func(ctx context.Context, in Input) (Answer, error)

	mu    sync.Mutex
	asked []Input
}

func (s *shell) Specs(context.Context) ([]orchestrator.Spec, error) { return s.specs, s.lost }

func (s *shell) Run(ctx context.Context, in Input) (Answer, error) {
	s.mu.Lock()
	s.asked = append(s.asked, in)
	s.mu.Unlock()
	return s.answer(ctx, in)
}

// connect returns an assistant's session with a server.
func connect(t *testing.T, c Commands, o Options) *sdk.ClientSession {
	t.Helper()
	here, there := sdk.NewInMemoryTransports()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	served := make(chan error, 1)
	go func() { served <- New(c, o).server.Run(ctx, there) }()
	session, err := sdk.NewClient(&sdk.Implementation{Name: "test", Version: "1"}, nil).Connect(ctx, here, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := session.Close(); err != nil {
			t.Error(err)
		}
		if err := <-served; err != nil && !errors.Is(err, io.ErrClosedPipe) { // it was answering
			t.Error(err)
		}
		cancel()
	})
	return session
}

// call calls a tool, and returns its text and its structured content.
func call(t *testing.T, session *sdk.ClientSession, name string, args any) (text, value string, failed bool) {
	t.Helper()
	r, err := session.CallTool(t.Context(), &sdk.CallToolParams{Name: name, Arguments: args})
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	for _, c := range r.Content {
		text += c.(*sdk.TextContent).Text
	}
	if r.StructuredContent != nil {
		data, err := json.Marshal(r.StructuredContent)
		if err != nil {
			t.Fatal(err)
		}
		value = string(data)
	}
	return text, value, r.IsError
}

func listed(t *testing.T, session *sdk.ClientSession) []*sdk.Tool {
	t.Helper()
	r, err := session.ListTools(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return r.Tools
}

func says(text string) func(context.Context, Input) (Answer, error) {
	return func(context.Context, Input) (Answer, error) {
		return Answer{JSON: []byte(`{}`), Text: text}, nil
	}
}

// What an assistant sees of each tool. UPDATE=1 writes it.
func TestTools(t *testing.T) {
	session := connect(t, &shell{answer: says("")}, Options{AllowChanges: true, Version: "v1.2.3"})
	about := session.InitializeResult()
	if about.ServerInfo.Name != "beamyard" || about.ServerInfo.Version != "v1.2.3" || !strings.Contains(about.Instructions, "do the same") {
		t.Errorf("%+v, %q", about.ServerInfo, about.Instructions)
	}
	var b strings.Builder
	for _, tool := range listed(t, session) {
		schema, err := json.MarshalIndent(tool.InputSchema, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		a := tool.Annotations
		fmt.Fprintf(&b, "%s: read-only %t, destructive %t, idempotent %t\n%s\n%s\n\n", tool.Name, a.ReadOnlyHint, *a.DestructiveHint, a.IdempotentHint, tool.Description, schema)
	}
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile("testdata/tools.txt", []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("testdata/tools.txt")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), b.String()); diff != "" {
		t.Error(diff)
	}
}

// The command line's README.md lists the tools. UPDATE=1 writes them.
func TestReadmeListsTheTools(t *testing.T) {
	var b strings.Builder
	b.WriteString("\n| tool | |\n|---|---|\n")
	for _, changes := range []bool{false, true} {
		for _, tool := range tools {
			if tool.changes == changes {
				note := ""
				if changes {
					note = " (needs `--allow-changes`)"
				}
				fmt.Fprintf(&b, "| `%s`%s | %s |\n", tool.name, note, tool.about)
			}
		}
	}
	b.WriteString("\n")
	generated.Check(t, "../../cmd/beamyard/README.md", "tools", b.String())
}

// Without AllowChanges there are only tools that read, or write a file of evidence.
func TestReadOnly(t *testing.T) {
	s := &shell{answer: says("")}
	session := connect(t, s, Options{Allow: "serve --all"})
	var names []string
	for _, tool := range listed(t, session) {
		names = append(names, tool.Name)
		if !tool.Annotations.ReadOnlyHint && tool.Name != "export" || *tool.Annotations.DestructiveHint {
			t.Errorf("%s: %+v", tool.Name, tool.Annotations)
		}
	}
	if diff := cmp.Diff([]string{"events", "export", "faults", "health", "list", "logs", "status", "why"}, names); diff != "" {
		t.Error(diff)
	}
	for _, tool := range tools {
		if !tool.changes {
			continue
		}
		want := "there is no tool " + tool.name + ": it changes a cluster, and this server only reads. The user can allow changes: serve --all"
		if text, _, failed := call(t, session, tool.name, arguments(tool.name)); !failed || text != want {
			t.Errorf("%s: %t, %q", tool.name, failed, text)
		}
	}
	if _, err := session.CallTool(t.Context(), &sdk.CallToolParams{Name: "format"}); err == nil || !strings.Contains(err.Error(), "unknown tool") {
		t.Error(err)
	}
	if about := session.InitializeResult().Instructions; !strings.HasSuffix(about, "This server only reads. The user can allow changes: serve --all") {
		t.Errorf("%q", about)
	}
	if len(s.asked) > 0 {
		t.Errorf("asked: %v", s.asked)
	}
}

// A tool that only reads evaluates no expression; one that changes may.
func TestAnExpressionThatNamesANode(t *testing.T) {
	s := &shell{answer: says("done")}
	session := connect(t, s, Options{AllowChanges: true})
	for name, args := range map[string]map[string]any{
		"logs": {"nodes": []string{"n1", "shop/@leader:System.halt()"}}, "why": {"node": "@leader:System.halt()"}, "events": {"node": "@leader:System.halt()"},
	} {
		if text, _, failed := call(t, session, name, args); !failed || !strings.Contains(text, "evaluates an expression") {
			t.Errorf("%s: %q", name, text)
		}
	}
	if len(s.asked) > 0 {
		t.Errorf("asked: %v", s.asked)
	}
	if text, _, failed := call(t, session, "kill", map[string]any{"nodes": []string{"@leader:Shop.leader()"}}); failed || text != "done" {
		t.Errorf("%q", text)
	}
}

// arguments are the least that a tool needs.
func arguments(name string) map[string]any {
	switch name {
	case "rpc":
		return map[string]any{"node": "n1", "expression": "1 + 1"}
	case "slow":
		return map[string]any{"links": []string{"n1"}}
	case "list", "status", "why", "health", "logs", "events", "faults", "export", "heal", "partition", "blip":
		return nil
	}
	return map[string]any{"nodes": []string{"n1"}}
}

// Input is decoded into the struct of its tool, and checked by its schema.
func TestInputs(t *testing.T) {
	s := &shell{answer: says("done")}
	session := connect(t, s, Options{AllowChanges: true})
	seed := uint64(7)
	for _, c := range []struct {
		tool string
		args map[string]any
		want Input
	}{
		{"list", nil, List{}},
		{"logs", nil, Logs{}},
		{"logs", map[string]any{"cluster": "shop", "nodes": []string{"n1"}, "grep": "error"}, Logs{InCluster: InCluster{"shop"}, Nodes: []string{"n1"}, Grep: "error"}},
		{"events", map[string]any{"tail": 5}, Events{Tail: 5}},
		{"kill", map[string]any{"cluster": "shop", "nodes": []string{"@one"}, "seed": 7, "signal": "TERM"}, Kill{OnNodes{InCluster{"shop"}, []string{"@one"}, &seed}, "TERM"}},
		{"partition", map[string]any{"groups": []string{"n1,n2", "n3"}, "for": "10s", "kind": "reset"}, Partition{Until: Until{"10s"}, Groups: []string{"n1,n2", "n3"}, Kind: "reset"}},
		{"squeeze", map[string]any{"nodes": []string{"n1"}, "cpus": 0.1}, Squeeze{OnNodes: OnNodes{Nodes: []string{"n1"}}, CPUs: 0.1}},
	} {
		s.asked = nil
		if text, _, failed := call(t, session, c.tool, c.args); failed {
			t.Errorf("%s: %s", c.tool, text)
		}
		if diff := cmp.Diff([]Input{c.want}, s.asked); diff != "" {
			t.Errorf("%s: %s", c.tool, diff)
		}
	}
	s.asked = nil
	for tool, args := range map[string]map[string]any{
		"kill": {}, "stop": {"nodes": []string{}}, "restart": {"nodes": nil}, "slow": {"links": []string{}}, "rpc": {"node": "n1"}, "partition": {"kind": "silence"}, "crash": {"nodes": []string{"n1"}, "how": "rm -rf"},
		"logs": {"tail": 1001}, "events": {"tail": -1}, "heal": {"id": "f1"}, "health": {"cluster": 1},
	} {
		if text, _, failed := call(t, session, tool, args); !failed || !strings.Contains(text, "validating") {
			t.Errorf("%s %v: %q", tool, args, text)
		}
	}
	if len(s.asked) > 0 {
		t.Errorf("asked: %v", s.asked)
	}
}

// Answers are objects, with the numbers that the command printed.
func TestAnswers(t *testing.T) {
	for _, c := range []struct{ tool, json, want string }{
		{"health", `{"took": 9007199254740993}`, `{"took":9007199254740993}`},
		{"list", "[]", `{"clusters":[]}`},
		{"list", `[{"cluster": "shop"}]`, `{"clusters":[{"cluster":"shop"}]}`},
		{"logs", "", `{"lines":[]}`},
		{"logs", "{\"seq\":1}\n", `{"lines":[{"seq":1}]}`},
		{"logs", "{\"seq\":1}\n{\"seq\":2}\n", `{"lines":[{"seq":1},{"seq":2}]}`},
		{"logs", `{"error": "no such node", "exit_code": 1}`, `{"error":"no such node","exit_code":1}`},
		{"faults", "", `{"faults":[]}`},
		{"heal", "", ``},
	} {
		tool := tools[indexOf(c.tool)]
		v, err := decode([]byte(c.json), tool.list)
		if err != nil {
			t.Errorf("%s: %v", c.json, err)
		}
		got := ""
		if v != nil {
			data, err := json.Marshal(v)
			if err != nil {
				t.Fatal(err)
			}
			got = string(data)
		}
		if got != c.want {
			t.Errorf("%s %q: %s, want %s", c.tool, c.json, got, c.want)
		}
	}
	if _, err := decode([]byte(`{"cut off`), ""); err == nil {
		t.Error("half an answer is none")
	}
}

func indexOf(name string) int {
	for i, t := range tools {
		if t.name == name {
			return i
		}
	}
	return -1
}

// A failure says why and what to do, and is an error of the tool: the assistant sees it.
func TestFailures(t *testing.T) {
	s := &shell{answer: func(context.Context, Input) (Answer, error) {
		return Answer{JSON: []byte(`{"error": "no such node: n9", "exit_code": 1}`), Text: "error: no such node: n9\nhint: beamyard ps\n", Failed: true}, nil
	}}
	session := connect(t, s, Options{})
	text, value, failed := call(t, session, "why", map[string]any{"node": "n9"})
	if !failed || !strings.Contains(text, "hint: beamyard ps") || value != `{"error":"no such node: n9","exit_code":1}` {
		t.Errorf("%t %q %s", failed, text, value)
	}
	s.answer = func(context.Context, Input) (Answer, error) { return Answer{}, errors.New("broken") }
	if text, _, failed := call(t, session, "why", nil); !failed || text != "broken" {
		t.Errorf("%q", text)
	}
	// Without the secrets that must be masked, nothing is done.
	s.asked, s.lost = nil, errors.New("no engine\nhint: start it")
	if text, _, failed := call(t, session, "why", nil); !failed || text != "find the clusters: no engine\nhint: start it" || len(s.asked) > 0 {
		t.Errorf("%q, asked %v", text, s.asked)
	}
}

const (
	cookie  = "COOKIE-0123456789"
	token   = "token-\"quoted\"-0123456789"
	key     = "-----BEGIN KEY-----\nMIIEpAIBAAKCAQEA0123\n-----END KEY-----"
	flagged = "flag-cookie-0123456789"
)

// No result of any tool has a cookie or a secret of any cluster, however it is quoted.
func TestSecretsAreMasked(t *testing.T) {
	other := orchestrator.Spec{
		Name: "other", Cookie: "other-cookie-0123456789", Env: map[string]string{"ERL_FLAGS": "-setcookie " + flagged, "APP_COOKIE": "app-cookie-0123456789"},
	}
	shop := orchestrator.Spec{
		Name: "shop", Cookie: cookie, Env: map[string]string{"TOKEN": token}, Secrets: []string{"TOKEN", "KEY"},
		Nodes: []orchestrator.NodeSpec{{Name: "n1", Env: map[string]string{"KEY": key}}},
	}
	all := strings.Join([]string{cookie, token, key, flagged, other.Cookie, "app-cookie-0123456789"}, " ")
	quoted, err := json.Marshal(map[string]any{"output": all, all: []any{all, map[string]any{"of": fmt.Sprintf("%q", all)}}, "lines": strings.Split(all, "\n")})
	if err != nil {
		t.Fatal(err)
	}
	text := all + fmt.Sprintf(" %q ", all) + string(quoted)
	answers := map[string]func(context.Context, Input) (Answer, error){
		"an answer": func(context.Context, Input) (Answer, error) { return Answer{JSON: quoted, Text: text}, nil },
		"a failure": func(context.Context, Input) (Answer, error) {
			return Answer{JSON: quoted, Text: text, Failed: true}, nil
		},
		"an error": func(context.Context, Input) (Answer, error) { return Answer{}, errors.New(text) },
		"a long answer": func(context.Context, Input) (Answer, error) {
			return Answer{JSON: quoted, Text: strings.Repeat(text+"\n", maxText/len(text)+7)}, nil
		},
	}
	for what, answer := range answers {
		s := &shell{specs: []orchestrator.Spec{shop, other}, answer: answer}
		session := connect(t, s, Options{AllowChanges: true})
		for _, tool := range listed(t, session) {
			r, err := session.CallTool(t.Context(), &sdk.CallToolParams{Name: tool.Name, Arguments: arguments(tool.Name)})
			if err != nil {
				t.Fatal(err)
			}
			var data bytes.Buffer
			enc := json.NewEncoder(&data)
			enc.SetEscapeHTML(false)
			if err := enc.Encode(r); err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(data.String(), "[secret]") {
				t.Errorf("%s of %s was not masked: %s", what, tool.Name, &data)
			}
			for _, part := range []string{"0123", "quoted", "COOKIE-", "token-", "MIIE"} {
				if strings.Contains(data.String(), part) {
					t.Errorf("%s of %s has %q: %s", what, tool.Name, part, &data)
				}
			}
		}
		if len(s.asked) != len(tools) {
			t.Errorf("%d of %d tools were asked", len(s.asked), len(tools))
		}
	}
}

// A call that the assistant gives up is cancelled.
func TestACallThatIsCancelled(t *testing.T) {
	began, ended := make(chan struct{}), make(chan error, 1)
	s := &shell{answer: func(ctx context.Context, _ Input) (Answer, error) {
		close(began)
		<-ctx.Done()
		ended <- ctx.Err()
		return Answer{}, ctx.Err()
	}}
	session := connect(t, s, Options{})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-began
		cancel()
	}()
	if _, err := session.CallTool(ctx, &sdk.CallToolParams{Name: "health"}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	select {
	case err := <-ended:
		if !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Error("the command goes on")
	}
}

const hello = `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"test","version":"1"}}}
{"jsonrpc":"2.0","method":"notifications/initialized"}
`

// Requests in a file are answered, although stdin ends before the answers are there.
func TestRequestsOfAFile(t *testing.T) {
	gate, ended := make(chan struct{}), make(chan struct{})
	s := &shell{answer: func(context.Context, Input) (Answer, error) {
		<-gate
		return Answer{JSON: []byte(`{"passed": true}`), Text: "all is well"}, nil
	}}
	in := hello
	for id := 2; id < 10; id++ {
		in += fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":"health"}}`+"\n", id)
	}
	var out bytes.Buffer
	go func() { // the server has read everything
		<-ended
		close(gate)
	}()
	if err := New(s, Options{}).Run(t.Context(), &noticed{Reader: strings.NewReader(in), ended: ended}, &out); err != nil {
		t.Error(err)
	}
	if n := strings.Count(out.String(), `"structuredContent":{"passed":true}`); n != 8 || strings.Count(out.String(), "\n") != 9 {
		t.Errorf("%d answers: %s", n, &out)
	}
}

// noticed is a reader that notices its end.
type noticed struct {
	io.Reader
	once  sync.Once
	ended chan struct{}
}

func (n *noticed) Read(p []byte) (int, error) {
	c, err := n.Reader.Read(p)
	if errors.Is(err, io.EOF) {
		n.once.Do(func() { close(n.ended) })
	}
	return c, err
}

// The server ends with its context, although the assistant keeps its end open.
func TestTheServerEnds(t *testing.T) {
	in, assistant := io.Pipe()
	out, answers := io.Pipe()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- New(&shell{answer: says("")}, Options{}).Run(ctx, in, answers) }()
	go func() { _, _ = io.WriteString(assistant, hello) }()
	if _, err := out.Read(make([]byte, 64<<10)); err != nil {
		t.Fatal(err)
	}
	cancel()
	select {
	case err := <-ended:
		if !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Error("it goes on")
	}
	assistant.Close() // a reader of a terminal cannot be interrupted
}
