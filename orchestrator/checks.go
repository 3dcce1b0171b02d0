package orchestrator

import (
	"slices"
	"strings"
	"time"
)

// Check is a custom check. A node is Ready only if it passes, and `beamyard health`
// repeats it, except for those of [Spec].Ready. Exactly one of HTTP, RPC, Erlang, Exec
// and Log must be set. While a node is Ready, the supervisor repeats only RPC and Erlang
// checks: HTTP requests would fill the application's log, and a command starts a process
// in the container each time.
type Check struct {
	// Name of the check. Default: its expression, path or command.
	Name string `json:"name,omitempty"`
	// HTTP is a path on the node's HTTPPort that must answer 2xx or 3xx.
	HTTP string `json:"http,omitempty" file:",one,pattern=^/"`
	// Port in the container for HTTP requests. Default: HTTPPort.
	Port int `json:"port,omitempty" file:"port"`
	// RPC is an Elixir expression to evaluate on the node. Its value must equal Expect or,
	// if that is not set, be neither nil nor false.
	RPC string `json:"rpc,omitempty" file:",one"`
	// Erlang is an Erlang expression to evaluate on the node, which needs no Elixir:
	// "rabbit:is_running()". Its value must equal Expect or, if that is not set, be none
	// of false, undefined, error and {error, …}.
	Erlang string `json:"erlang,omitempty" file:",one"`
	// Expect is the expected value: for RPC as `inspect` prints it, "{:ok, 1}"; for
	// [Check].Erlang as ~0p prints it, "{ok,1}".
	Expect string `json:"expect,omitempty"`
	// Exec is a command to run in the container. It must exit with 0. It runs without a
	// shell; use ["sh", "-c", "…"] for one.
	Exec []string `json:"exec,omitempty" file:",one,minItems=1"`
	// Log is a regular expression (RE2) that a line of the node's current run must match,
	// no matter when the line was printed. It is allowed only in [Spec].Ready. It is
	// skipped for a run that another supervisor started, because its lines may be gone.
	Log string `json:"log,omitempty" file:",one"`
	// Timeout of one attempt. Default 5s.
	Timeout time.Duration `json:"timeout,omitempty"`
	// Nodes to check, by name or role. Default: all. An HTTP check without a Port
	// applies only to those that have an HTTP port.
	Nodes []string `json:"nodes,omitempty"`
}

// defaultCheckTimeout is the default of [Check].Timeout.
const defaultCheckTimeout = 5 * time.Second

// String returns the check's name.
func (k Check) String() string {
	switch {
	case k.Name != "":
		return k.Name
	case k.HTTP != "":
		return "http " + k.HTTP
	case k.RPC != "":
		return "rpc " + shortened(k.RPC)
	case k.Erlang != "":
		return "erlang " + shortened(k.Erlang)
	case k.Log != "":
		return "log " + shortened(k.Log)
	}
	return "exec " + shortened(strings.Join(k.Exec, " "))
}

// AppliesTo reports whether the check applies to a node.
func (k Check) AppliesTo(n NodeSpec) bool {
	return len(k.Nodes) == 0 || slices.Contains(k.Nodes, n.Name) || n.Role != "" && slices.Contains(k.Nodes, n.Role)
}

// Limit returns Timeout, or its default.
func (k Check) Limit() time.Duration {
	if k.Timeout > 0 {
		return k.Timeout
	}
	return defaultCheckTimeout
}

// shortened returns the text on one line, cut to at most 40 characters.
func shortened(text string) string {
	const n = 40
	runes := []rune(strings.Join(strings.Fields(text), " "))
	if len(runes) > n {
		return string(runes[:n-1]) + "…"
	}
	return string(runes)
}
